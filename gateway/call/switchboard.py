"""Every running call: begun, given its events, drained."""

import asyncio
from dataclasses import dataclass

from gateway.agent.identity import names_of_call
from gateway.call.call import Call
from gateway.call.legs.dialling import Headers
from gateway.call.legs.sip_words import caller_in, dialled, is_private
from gateway.call.parts import CallParts
from gateway.call.patch import Patch
from gateway.call.record import CallRecord, Ending, EndReason, Status, utc_now
from gateway.call.recording.call_recording import CallRecording
from gateway.call.refusal import Refused, told_of_refusal
from gateway.net.overload import Overload
from gateway.routing.decision import Rejected
from gateway.routing.inbound import ANONYMOUS
from gateway.routing.limits import Lease
from gateway.routing.outbound import OutboundRoute
from gateway.routing.web import WebRoute
from gateway.sip.dialog import Dialog
from gateway.sip.events import ByeFailed, DialogTerminated, Event, InviteReceived, OptionsAnswered
from gateway.store.engine.ids import new_id

GOODBYE_SECONDS = 1.5
"How long the answer to a BYE is waited for where the gateway stops: time for it to be sent a second time."
LOOK_MS = 20
"Milliseconds between two looks at how late the clock is."


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call that has been placed: its record is live, and its ending can be awaited."""

    record: CallRecord
    _living: "asyncio.Task[None]"

    async def ended(self) -> Ending:
        """Wait until it is over; whoever stops waiting ends nothing."""
        await asyncio.wait([self._living])
        assert self.record.ending is not None, "a call that is over has its ending"
        return self.record.ending


class Switchboard:
    """Starts a call for each INVITE, and for each request; hands events on, and ends what a drain leaves."""

    def __init__(self, parts: CallParts, overload: Overload) -> None:
        self.overload = overload
        self._parts = parts
        parts.clock.join(self._look, LOOK_MS)
        self._tasks: dict[asyncio.Task[None], Call] = {}
        self._by_name: dict[str, Call] = {}
        "Running calls by our id, and by each name that agents know them by."

    @property
    def active(self) -> int:
        """Calls between their first message and their ending."""
        return len(self._tasks)

    @property
    def draining(self) -> bool:
        """No new calls are taken or placed any more."""
        return self._parts.endpoint.user_agent.draining

    def open_for_calls(self) -> None:
        """Raises `Refused` while calls that somebody asks for are not taken."""
        if self.draining:
            raise Refused(EndReason.GATEWAY_DRAINED, "the gateway is draining and takes no new calls")
        if self.overload.refuse():
            raise Refused(
                EndReason.GATEWAY_OVERLOADED,
                "the gateway has more to do than it has time for, and takes no new calls until it is calm",
            )

    def running(self) -> list[CallRecord]:
        """The live records of all running calls, oldest first."""
        return [call.record for call in self._tasks.values()]

    def hang_up(self, call_id: str, by: str) -> bool:
        """End a running call, because somebody who may asked for it; False where no such call runs here."""
        call = self.call_named(call_id)
        if call is not None:
            call.hang_up(by)
        return call is not None

    def call_named(self, name: str) -> Call | None:
        """The running call that our id, or a name that agents know it by (`CA…`), stands for."""
        return self._by_name.get(name)

    def on_event(self, event: Event) -> None:
        """Hand a SIP event to the call that it belongs to; an INVITE starts one."""
        match event:
            case InviteReceived():
                self._start(event)
            case DialogTerminated(dialog, _):
                self._dialog_over(dialog)
            case OptionsAnswered():
                pass
            case ByeFailed():
                self._bye_failed(event)
            case _:
                call = self._parts.dialogs.receiver_of(event.dialog)
                if call is not None:
                    call.receive(event)

    async def drain(self, seconds: float, at_once: asyncio.Event) -> None:
        """Let running calls go on for so long, or until `at_once`; then end them with a BYE and a reason.

        Returns when every BYE is answered, or was repeated for `GOODBYE_SECONDS`.
        """
        self._parts.endpoint.user_agent.draining = True
        if self._tasks:
            await self._quiet_or(at_once, seconds)
        for call in self._tasks.values():
            call.drain()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=5)
        await self._goodbyes()

    async def _quiet_or(self, at_once: asyncio.Event, seconds: float) -> None:
        """Until no call is left, or there is a hurry, or the time is over."""
        waiting = [asyncio.create_task(work) for work in (self.quiet(), at_once.wait())]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def _goodbyes(self) -> None:
        end = asyncio.get_running_loop().time() + GOODBYE_SECONDS
        agent = self._parts.endpoint.user_agent
        while agent.dialog_count and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """End what is still running, at once."""
        for task in self._tasks:
            task.cancel()
        await self.quiet()
        self._parts.sounds.close()

    async def quiet(self) -> None:
        """Wait until no call is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    def recording_of(self, call_id: str) -> CallRecording | None:
        """The recording of a running call, None where no such call runs here, or it is not routed yet."""
        call = self.call_named(call_id)
        return None if call is None else call.recording

    def tell_refused(self, refusal: Rejected | Refused, **whose: object) -> None:
        """A request for a call came to nothing: there is no record of it, but this."""
        fields = {"type": "phone", **whose, **told_of_refusal(refusal)}
        self._parts.tell("call.refused", level="warning", **fields)

    def _start(self, invite: InviteReceived) -> None:
        request = invite.request
        record = CallRecord(
            id=new_id("call"),
            direction="inbound",
            sip_call_id=request.call_id,
            # Which trunk it is, and whether that shows callers who withhold their number, is not known yet.
            from_number=ANONYMOUS if is_private(request) else caller_in(request),
            to_number=dialled(request),
            created_at=utc_now(),
            status=Status.RECEIVED,
        )
        # The first two rungs went by before there was a call to keep them.
        record.step(False, "INVITE")
        record.step(True, "100 Trying")
        numbers = {"from": record.from_number, "to": record.to_number}

        def begun(call: Call) -> None:
            self._parts.save(record)
            call.tell(
                "call.received",
                direction="inbound",
                **numbers,
                source=f"{invite.source.host}:{invite.source.port}",
                transport=invite.source.transport,
                sip_call_id=record.sip_call_id,
            )

        call = Call.inbound(self._parts, record, invite, begun)
        self._parts.dialogs.begin(invite.dialog, call, record)
        self._run(call)

    def prepare(
        self,
        record: CallRecord,
        route: OutboundRoute,
        headers: Headers,
        patch: Patch | None = None,
    ) -> Call:
        """An outbound call that has been decided; its wallet's money is set aside.

        With a `patch` it is put through to the call at the patch's other end, and has no agent of its own.
        Its places come next (`has_places`), then `place`; or `give_up`.
        """
        call = Call.outbound(self._parts, record, route, headers, patch)
        if patch is not None:
            patch.dialled(record.id, call.end)
        if route.quote is not None and route.paid_seconds is not None:
            seconds = min(route.max_seconds, self._parts.max_call_seconds)
            workspace, quote = route.workspace.id, route.quote
            self._parts.meter.begin(record.id, workspace, quote, seconds, call.balance_low, call.run_dry)
        return call

    def give_up(self, call: Call) -> None:
        """Give back what a prepared call has taken: it is not placed after all."""
        call.give_up()
        self._parts.meter.give_up(call.record.id)

    def place(self, call: Call) -> PlacedCall:
        """Begin a prepared call."""
        record = call.record
        self._parts.meter.placed(record.id)
        self._parts.save(record)
        call.tell(
            "call.created",
            direction="outbound",
            **{"from": record.from_number, "to": record.to_number},
            by=record.requested_by,
        )
        task = self._run(call)
        task.add_done_callback(lambda _: call.release())
        return PlacedCall(record, task)

    def begin_web(self, record: CallRecord, route: WebRoute, lease: Lease, wait_seconds: float) -> Call:
        """Begin a web call that has been decided and has its places, and wait for its browser."""
        call = Call.web(self._parts, record, route, lease, wait_seconds)
        self._parts.save(record)
        call.tell("call.created", direction=record.direction, type=record.type, by=record.requested_by)
        self._run(call).add_done_callback(lambda _: call.release())
        return call

    def _run(self, call: Call) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(call.run(), name=call.record.id)
        self._tasks[task] = call
        for name in names_of_call(call.record.id):
            self._by_name[name] = call
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        call = self._tasks.pop(task)
        for name in names_of_call(call.record.id):
            del self._by_name[name]
        call.abandon()
        given_up = call.record.direction == "outbound" and call.record.answered_at is None
        if not given_up or not self._parts.dialogs.waited_for(call):
            self._parts.dialogs.forget_messages(call.record)

    def _bye_failed(self, event: ByeFailed) -> None:
        """The peer may think that the call goes on: say so where somebody will look."""
        call = self._parts.dialogs.receiver_of(event.dialog)
        where = f"{event.target.host}:{event.target.port or 'by DNS'} by {event.target.transport}"
        if isinstance(call, Call):
            call.tell("call.bye_failed", level="warning", target=where, why=event.why)
            call.record.step(False, f"no answer to BYE at {where}: {event.why}")
            self._parts.save(call.record)
        else:
            self._parts.tell(
                "call.bye_failed",
                level="warning",
                sip_call_id=event.dialog.call_id,
                target=where,
                why=event.why,
            )

    def _dialog_over(self, dialog: Dialog) -> None:
        """A call that was given up while it rang has its last messages only now: a 487, or a late answer."""
        dialogs = self._parts.dialogs
        call = dialogs.over(dialog)
        if not isinstance(call, Call) or call.record.ending is None:
            return
        if dialogs.forget_messages(call.record):
            self._parts.save(call.record)

    def _look(self, now: float) -> None:
        self.overload.look(now, self._parts.clock.behind)
