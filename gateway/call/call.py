"""A call's whole life as one coroutine that returns one ending."""

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from gateway.call.bridge import Bridge
from gateway.call.conversation import Conversation
from gateway.call.record import CallRecord, Ending, EndReason, Status, utc_now
from gateway.call.refusal import Refused, ending_of
from gateway.call.sip_leg import SipLeg
from gateway.call.until import Ended, until
from gateway.routing.decision import Rejected
from gateway.routing.inbound import InboundRoute
from gateway.sip.events import Event, InviteReceived

if TYPE_CHECKING:
    from gateway.call.switchboard import Switchboard


class Call:
    """One phone call, from its first message to its one ending.

    `run` lives it; `end` is how anybody else ends it. Whatever happens in between, its record gets exactly
    one ending with a reason.
    """

    def __init__(self, board: "Switchboard", record: CallRecord, invite: InviteReceived) -> None:
        self.record = record
        self.phone = SipLeg(invite.dialog, board.endpoint, self.end, self.tell)
        self._board = board
        self._invite = invite
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._conversation: Conversation | None = None

    def end(self, ending: Ending) -> None:
        """End the call this way, unless something else has ended it already."""
        if not self._over.done():
            self._over.set_result(ending)

    def receive(self, event: Event) -> None:
        """Take an event of the phone's dialog."""
        try:
            self.phone.receive(event)
        except Exception as error:
            self.crash(error)

    def crash(self, error: Exception) -> None:
        """Something went wrong that is a mistake of ours: it costs this call, and no other."""
        self.tell("call.crashed", level="error", exc_info=error)
        why = f"{type(error).__name__}: {error}"
        self.end(Ending(Status.FAILED, EndReason.INTERNAL_ERROR, "gateway", why, 500, 41))

    def drain(self) -> None:
        """The gateway stops, and the call has had its time."""
        self.end(self._drained())

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Tell an event of this call."""
        self._board.tell(name, level=level, call_id=self.record.id, **fields)

    async def run(self) -> None:
        """Live the call, and leave a record with its ending."""
        try:
            async with until(self._over):
                ending = await self._inbound()
        except Ended as ended:
            ending = ended.ending
        except (Rejected, Refused) as refusal:
            ending = self._refuse(refusal)
        except asyncio.CancelledError:
            ending = self._drained()
        except Exception as error:
            self.crash(error)
            ending = self._over.result()
        self._close(ending)

    async def _inbound(self) -> Ending:
        """Decide, open both legs, answer, and carry the audio until somebody hangs up."""
        route = await self._route()
        with ExitStack() as stack:
            lease = stack.enter_context(self._board.lease(route))
            self.record.decision = lease.decision.as_dict()
            self.phone.open(self._board.open_media(self._invite, route), self._invite.request.body)
            bridge = stack.enter_context(self._board.bridge(self))
            conversation = self._conversation = self._board.conversation(self, route, bridge)
            self._ring()
            await conversation.dial()
            self._answer(bridge, conversation)
            return await self._talk(route, bridge, conversation)

    async def _route(self) -> InboundRoute:
        route = await self._board.route(self._invite)
        self.record.routed(route)
        self.tell("call.routed", trunk=route.trunk.name, agent=route.agent.name, version=route.version.number)
        return route

    def _ring(self) -> None:
        self.phone.ring()
        self.record.ringing_at = utc_now()
        self.tell("call.ringing")

    def _answer(self, bridge: Bridge, conversation: Conversation) -> None:
        self.phone.on_retune = bridge.retune
        bridge.on_first_word = self._first_word
        bridge.on_first_heard = self._first_heard
        self.phone.on_hold = conversation.hold
        self.phone.accept()
        conversation.begin()
        self.record.answered_at = utc_now()
        self._board.save(self.record)
        self.tell("call.answered", codec=self.phone.media.codec.name)

    async def _talk(self, route: InboundRoute, bridge: Bridge, conversation: Conversation) -> Ending:
        try:
            limit = min(route.max_seconds, self._board.max_call_seconds)
            async with asyncio.timeout(limit):
                # The first word waits until the caller surely hears it.
                await self.phone.connected.wait()
                bridge.start()
                return await conversation.run()
        except TimeoutError:
            detail = f"the call reached its limit of {limit:g} s"
            return Ending(Status.COMPLETED, EndReason.MAX_DURATION, "gateway", detail)

    def _first_word(self) -> None:
        self.record.first_audio_out_at = utc_now()
        self.tell("call.first_audio_out")

    def _first_heard(self) -> None:
        self.record.first_audio_in_at = utc_now()
        self.phone.connected.set()
        self.tell("call.first_audio_in")

    def _refuse(self, refusal: Rejected | Refused) -> Ending:
        if isinstance(refusal, Rejected):
            self.record.decision = refusal.decision.as_dict()
        challenge = self._board.challenge(self._invite, refusal)
        self.phone.refuse(refusal, challenge)
        return ending_of(refusal)

    def _drained(self) -> Ending:
        status = Status.FAILED if self.record.answered_at is None else Status.COMPLETED
        detail = "the gateway stopped before the call ended"
        return Ending(status, EndReason.GATEWAY_DRAINED, "gateway", detail, 503, 41)

    def _hang_up(self, ending: Ending) -> None:
        """Both legs, whatever happens to the other."""
        try:
            self.phone.close(ending)
        except Exception as error:
            self.crash(error)
        if self._conversation is not None:
            self._conversation.close(ending)

    def _close(self, ending: Ending) -> None:
        self._hang_up(ending)
        figures = self.phone.figures()
        if self._conversation is not None:
            figures["agent"] = self._conversation.figures()
        self.record.end(ending, figures)
        self._board.save(self.record)
        level = "warning" if ending.status is Status.FAILED else "info"
        self._board.tell("call.ended", level=level, call_id=self.record.id, **self.record.summary())
