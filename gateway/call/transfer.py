"""Transfers: an agent leaves its call, and the phone is put through to a number.

The number is dialled as any outbound call is: by the same rules, with caller ID, price, limits and a
record of its own.
"""

import asyncio

from gateway.agent.protocol import Transfer
from gateway.call.patch import Patch, Transferable
from gateway.call.placing import CallRequest, Placing
from gateway.call.record import CallRecord
from gateway.call.refusal import Refused
from gateway.routing.decision import Rejected
from gateway.routing.outbound import OutboundRequest

NOT_NOW = "only an answered call whose agent speaks can be transferred, and only once at a time"


class NotNow(Exception):
    """The call is not in a state in which it can be transferred."""

    def __init__(self) -> None:
        super().__init__(NOT_NOW)


class Transfers:
    """Puts calls through, for agents that ask on their connection, and for those that ask by an API."""

    def __init__(self, placing: Placing) -> None:
        self._placing = placing
        self._deciding: set[Transferable] = set()
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, call: Transferable, transfer: Transfer) -> None:
        """An agent asks on its connection: it is told when nothing comes of it, and keeps the call."""
        task = asyncio.get_running_loop().create_task(
            self._ask(call, transfer), name=f"transfer-{call.record.id}"
        )
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def begin(self, call: Transferable, transfer: Transfer, by: str, *, at_once: bool) -> CallRecord:
        """Dial the number; the record is that of the new call, which is live.

        `at_once`: the agent leaves now, and does not wait for the answer. Raises `NotNow`, and `Rejected` or
        `Refused` as an outbound call would be; then nothing has changed.
        """
        if call in self._deciding or not call.can_be_transferred:
            raise NotNow
        self._deciding.add(call)
        patch = Patch(transfer.to)
        try:
            placed = await self._placing.place(_request(call, transfer, by, patch))
        finally:
            self._deciding.discard(call)
        if not call.can_be_transferred:
            patch.give_up("")
            raise NotNow
        call.transfer(patch, at_once=at_once)
        return placed.record

    async def close(self) -> None:
        """Decide nothing more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _ask(self, call: Transferable, transfer: Transfer) -> None:
        try:
            await self.begin(call, transfer, f"agent:{call.record.agent_id}", at_once=False)
        except Rejected as refusal:
            call.transfer_failed(transfer.to, refusal.reason.value, refusal.message)
        except Refused as refusal:
            call.transfer_failed(transfer.to, refusal.reason.value, refusal.detail)
        except NotNow as refusal:
            call.transfer_failed(transfer.to, "not_now", str(refusal))
        except Exception as error:
            call.crash(error)


def _request(call: Transferable, transfer: Transfer, by: str, patch: Patch) -> CallRequest:
    """As the number that the phone talks to, unless another one is to be shown; a browser talks to none."""
    record = call.record
    ours = record.to_number if record.direction == "inbound" else record.from_number
    assert record.workspace_id is not None, "a call with an agent is routed"
    asked = OutboundRequest(
        record.workspace_id,
        transfer.to,
        agent_id=record.agent_id,
        from_number=transfer.caller_id or ours or None,
        ring_seconds=transfer.ring_seconds,
        max_seconds=transfer.max_seconds,
        version_id=record.version_id,
        what="a transfer",
    )
    return CallRequest(asked, by, parent_call_id=record.id, patch=patch)
