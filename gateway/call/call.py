"""A call's whole life as one coroutine that returns one ending.

Longer than most: inbound, outbound and web calls are read side by side, and end in the same lines.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

from gateway.agent.notices import Digit
from gateway.agent.protocol import Transfer
from gateway.call.bridge import Bridge
from gateway.call.conversation import Conversation
from gateway.call.legs.browser_leg import BrowserLeg
from gateway.call.legs.dialling import Headers, login_of
from gateway.call.legs.phone import Party, Phone
from gateway.call.legs.sip_leg import SipLeg
from gateway.call.parts import CallParts
from gateway.call.patch import Patch
from gateway.call.record import CallRecord, Ending, EndReason, Route, Status
from gateway.call.recording.call_recording import CallRecording
from gateway.call.refusal import Refused, ending_of
from gateway.call.until import Ended, until
from gateway.routing.decision import Reason, Rejected
from gateway.routing.inbound import InboundRoute
from gateway.routing.limits import Lease
from gateway.routing.outbound import OutboundRoute
from gateway.routing.web import WebRoute
from gateway.sip.events import Event, InviteReceived


class Call:
    """One call, from its first message to its one ending.

    `inbound`, `outbound` and `web` make one, `run` lives it, `end` is how anybody else ends it. Whatever
    happens in between, its record gets exactly one ending with a reason.
    """

    def __init__(self, parts: CallParts, record: CallRecord) -> None:
        self.record = record
        self.phone: Phone
        "Who the agent talks to: set by whichever way the call begins."
        self._parts = parts
        self._over: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._conversation: Conversation | None = None
        self._bridge: Bridge | None = None
        self._acknowledge: Callable[[], None] | None = None
        "Says that the caller has acknowledged our answer, to whoever counts those that have not."
        self.recording: CallRecording | None = None
        "None until the call is routed."
        self._sip: SipLeg | None = None
        self._live: Callable[[], Awaitable[Ending]]
        self._invite: InviteReceived | None = None
        self._challenged = False
        self._lease: Lease | None = None
        self.patch: Patch | None = None
        "What joins this call to the one that it was dialled for, in the place of an agent."
        self.route: Route | None = None
        "None until the call is routed."
        self._untold: Callable[[], None] | None = None
        "Tells, and records, that the call came in: once it is known to be no mere cause of a challenge."

    @classmethod
    def inbound(
        cls, parts: CallParts, record: CallRecord, invite: InviteReceived, begun: Callable[["Call"], None]
    ) -> "Call":
        """A call that a carrier sends us; `begun` is called once it is known to be one."""
        call = cls(parts, record)
        call._invite = invite
        call._untold = lambda: begun(call)
        call._by_sip("caller").begin(invite.dialog)
        call._live = lambda: call._inbound(invite)
        return call

    @classmethod
    def outbound(
        cls,
        parts: CallParts,
        record: CallRecord,
        route: OutboundRoute,
        headers: Headers,
        patch: Patch | None = None,
    ) -> "Call":
        """A call that somebody asked us for, and that may go out; `has_places` comes before `run`."""
        call = cls(parts, record)
        call._by_sip("callee")
        call.patch = patch
        call._live = lambda: call._outbound(route, headers)
        return call

    @classmethod
    def web(
        cls, parts: CallParts, record: CallRecord, route: WebRoute, lease: Lease, wait_seconds: float
    ) -> "Call":
        """A call of a browser, which has so many seconds to come; it has its places already."""
        call = cls(parts, record)
        call._lease = lease
        call.phone = browser = BrowserLeg(call, asyncio.get_running_loop().time)
        call._live = lambda: call._web(browser, route, lease, wait_seconds)
        return call

    @property
    def sip(self) -> SipLeg:
        """The phone's side of a call that goes by a trunk."""
        assert self._sip is not None, "a web call has no dialog"
        return self._sip

    def _by_sip(self, party: Party) -> SipLeg:
        self.phone = self._sip = SipLeg(party, self._parts.endpoint, self)
        return self._sip

    def has_places(self, lease: Lease) -> None:
        """The places that it needs are its own, until it is over."""
        self._lease = lease

    def give_up(self) -> None:
        """It does not begin after all: give back what it has, and let go of it."""
        self.release()
        self.phone.close(self._drained())
        self._let_go()

    def release(self) -> None:
        """Give back the places of a call that we were asked for; again does nothing."""
        if self._lease is not None:
            self._lease.release()

    def end(self, ending: Ending) -> None:
        """End the call this way, unless something else has ended it already."""
        if not self._over.done():
            self._over.set_result(ending)

    def receive(self, event: Event) -> None:
        """Take an event of the phone's dialog."""
        try:
            self.sip.receive(event)
        except Exception as error:
            self.crash(error)

    def crash(self, error: Exception) -> None:
        """Something went wrong that is a mistake of ours: it costs this call, and no other."""
        self.tell("call.crashed", level="error", exc_info=error)
        why = f"{type(error).__name__}: {error}"
        self.end(Ending(Status.FAILED, EndReason.INTERNAL_ERROR, "gateway", why, 500, 41))

    def hang_up(self, by: str) -> None:
        """Somebody who may asks for the call's end; `by` says who."""
        answered = self.record.answered_at is not None
        status, sip_status = (Status.COMPLETED, None) if answered else (Status.CANCELLED, 487)
        self.end(Ending(status, EndReason.ENDED_BY_REQUEST, "request", f"ended by {by}", sip_status))

    def leave(self, detail: str) -> None:
        """The agent's side asks for the end, by other means than its connection: its last words are heard."""
        conversation = self._conversation
        if self.record.answered_at is None:
            self.end(Ending(Status.CANCELLED, EndReason.AGENT_DISCONNECTED, "agent", detail, 487))
        elif conversation is not None and (conversation.talking and not conversation.transferred):
            conversation.leave(detail)
        elif conversation is None or conversation.transferred or self.patch is not None:
            self.end(Ending(Status.COMPLETED, EndReason.AGENT_DISCONNECTED, "agent", detail))

    @property
    def can_be_transferred(self) -> bool:
        """It is answered, its agent speaks, and is not about to give it away."""
        talk = self._conversation
        speaks = talk is not None and talk.talking and not talk.transferred
        return speaks and self.patch is None and self.record.answered_at is not None and not self._over.done()

    def transfer(self, patch: Patch, *, at_once: bool) -> None:
        """Put the phone through by this patch, see `Conversation.transfer`."""
        assert self._conversation is not None, "only a call that has an agent can be transferred"
        self._conversation.transfer(patch, at_once=at_once)

    def transfer_failed(self, to: str, reason: str, why: str) -> None:
        """A transfer that somebody asked for came to nothing."""
        if self._conversation is not None and not self._over.done():
            self._conversation.transfer_failed(to, reason, why)

    def balance_low(self, seconds: float) -> None:
        """The workspace's wallet does not cover what comes next; the call has so many seconds left."""
        self.tell("call.balance_low", level="warning", seconds=round(seconds, 1))
        if self._conversation is not None:
            self._conversation.balance_low(seconds)

    def run_dry(self) -> None:
        """The workspace's wallet is empty, and the grace is over."""
        detail = "the workspace's wallet is empty"
        self.end(Ending(Status.COMPLETED, Reason.INSUFFICIENT_BALANCE, "gateway", detail))

    # What the phone and the agent do (`PhoneUser`, `AgentUser`).

    def rings(self, status: int, early: bool) -> None:
        """The callee's side tells of the call before the answer; its audio is for agents that ask for it."""
        if self.record.ringing_at is None:
            self.record.ringing_at = self.record.now()
            self.tell("call.ringing", sip_status=status, early_media=early)
        if early and self.route is not None and self.route.version.early_media:
            assert self._conversation is not None, "an INVITE of ours goes out after its agent is known"
            self._conversation.begin()

    def picked_up(self) -> None:
        """An answer that crosses our CANCEL is acknowledged and hung up, and is none."""
        if not self._over.done():
            self._answered()

    def acknowledged(self) -> None:
        """The caller knows that we have answered."""
        if self._acknowledge is not None:
            self._acknowledge()

    def retuned(self) -> None:
        """The phone may speak another format from now on."""
        if self._bridge is not None:
            self._bridge.retune()

    def held(self, held: bool) -> None:
        """The phone has put the call on hold, or taken it back."""
        if self._conversation is not None:
            self._conversation.hold(held)

    def pressed(self, digit: str, milliseconds: int) -> None:
        """A key was pressed on the phone."""
        if self._bridge is not None:
            self._bridge.notice(Digit(digit, milliseconds))

    def first_word(self) -> None:
        """The agent's first audio has left for the phone."""
        self.record.first_audio_out_at = self.record.now()
        self.tell("call.first_audio_out")

    def first_heard(self) -> None:
        """The phone's first audio is on its way to the agent: it hears us, too."""
        self.record.first_audio_in_at = self.record.now()
        if self.record.answered_at is not None:
            self.phone.connected.set()
        self.tell("call.first_audio_in")

    def recording_asked(self, action: str) -> None:
        """The agent wants something of the recording."""
        if self.recording is not None:
            self.recording.ask(action)

    def transfer_asked(self, transfer: Transfer) -> None:
        """The agent wants the phone to be put through to a number."""
        self._parts.transfer(self, transfer)

    def drain(self) -> None:
        """The gateway stops, and the call has had its time."""
        self.end(self._drained())

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Tell an event of this call."""
        if self.record.workspace_id is not None:
            fields["workspace_id"] = self.record.workspace_id
        self._parts.tell(name, level=level, call_id=self.record.id, **fields)

    async def run(self) -> None:
        """Live the call, and leave a record with its ending."""
        try:
            async with until(self._over):
                ending = await self._live()
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

    def abandon(self) -> None:
        """The task was cancelled before it began to run."""
        if self.record.ending is None:
            self._close(self._drained())

    async def _inbound(self, invite: InviteReceived) -> Ending:
        """Decide, open both legs, answer, and carry the audio until somebody hangs up."""
        route = await self._parts.route(invite)
        self.record.routed(route)
        self._begun()
        self._routed(route)
        with ExitStack() as stack:
            lease = stack.enter_context(await self._parts.lease(route))
            self.record.decision = lease.decision.as_dict()
            media = self._parts.open_media(self, route.trunk.codecs, invite.source, route.trunk.sources)
            self.sip.open(media, invite.request.body)
            bridge = stack.enter_context(self._parts.bridge(self, self.phone))
            conversation = self._talk_by(bridge, route)
            self._ring()
            await conversation.dial()
            self.sip.accept()
            newcomers = self._parts.newcomers
            self._acknowledge = stack.enter_context(newcomers.unacknowledged(invite.source.host))
            self._answered()
            conversation.answered()
            return await self._talk(route, bridge, conversation)

    async def _web(self, browser: BrowserLeg, route: WebRoute, lease: Lease, wait_seconds: float) -> Ending:
        """Wait for the browser, open the agent, and carry the audio until somebody hangs up."""
        with ExitStack() as stack:
            stack.enter_context(lease)
            self._routed(route)
            with self._limit(wait_seconds, self._never_came):
                await browser.here.wait()
            bridge = stack.enter_context(self._parts.bridge(self, self.phone))
            conversation = self._talk_by(bridge, route)
            browser.ring()
            self._rings()
            await conversation.dial()
            browser.accept(self.record.id)
            self._answered()
            conversation.answered()
            return await self._talk(route, bridge, conversation)

    def _never_came(self, seconds: float) -> None:
        if isinstance(self.phone, BrowserLeg) and not self.phone.here.is_set():
            detail = f"no browser connected within {seconds:g} s"
            self.end(Ending(Status.CANCELLED, EndReason.CALLER_CANCELLED, "caller", detail))

    async def _outbound(self, route: OutboundRoute, headers: Headers) -> Ending:
        """Dial, open the agent while it rings, and carry the audio until somebody hangs up."""
        with ExitStack() as stack:
            lease = self._lease
            assert lease is not None, "it is placed when it has its places"
            stack.enter_context(lease)
            self._routed(route)
            self.record.decision = lease.decision.as_dict()
            await asyncio.sleep(lease.wait)
            trunk, target = route.trunk, self._parts.target_of(route)
            media = self._parts.open_media(self, trunk.codecs, target, trunk.sources)
            offer = self.sip.offer(media)
            bridge = stack.enter_context(self._parts.bridge(self, self.phone))
            conversation = self._talk_by(bridge, route)
            self._dial(route, offer, headers)
            await self._reach(route, conversation)
            conversation.answered()
            return await self._talk(route, bridge, conversation)

    def _routed(self, route: Route) -> None:
        self.route = route
        self.record.routed(route)
        if isinstance(route, InboundRoute) and route.withheld:
            self.record.sealed_caller = self._parts.seal(route.withheld)
        by = {} if isinstance(route, WebRoute) else {"trunk": route.trunk.name}
        self.tell("call.routed", **by, agent=route.agent.name, version=route.version.number)

    def _talk_by(self, bridge: Bridge, route: Route) -> Conversation:
        """The agent's side, and who hears of what happens on the phone's."""
        self._bridge = bridge
        conversation = self._conversation = self._parts.conversation(self, route, bridge, self.patch)
        self.recording = self._parts.recording(self, route, bridge)
        return conversation

    def _ring(self) -> None:
        self.sip.ring()
        self._rings()

    def _rings(self) -> None:
        self.record.ringing_at = self.record.now()
        self.tell("call.ringing")

    def _dial(self, route: OutboundRoute, offer: bytes, headers: Headers) -> None:
        """Send the INVITE."""
        dialog = self._parts.invite(route, offer, headers)
        self.sip.begin(dialog)
        login = login_of(route.trunk)
        self.sip.username = None if login is None else login.username
        self.record.sip_call_id = dialog.call_id
        self._parts.dialogs.begin(dialog, self, self.record)
        self._parts.endpoint.flush()
        self.record.status = Status.SENT
        self._parts.save(self.record)
        self.tell("call.sent", trunk=route.trunk.name, dialled=route.dialled, to=route.trunk.termination_uri)

    async def _reach(self, route: OutboundRoute, conversation: Conversation) -> None:
        """Until the callee has picked up and the agent is there; who lets it ring too long ends the call."""
        with self._limit(route.ring_seconds, self._rang_out):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._open_agent(conversation))
                await self.sip.picked_up.wait()

    @contextmanager
    def _limit(self, seconds: float, too_long: Callable[[float], None]) -> Iterator[None]:
        timer = asyncio.get_running_loop().call_later(seconds, too_long, seconds)
        try:
            yield
        finally:
            timer.cancel()

    def _rang_out(self, seconds: float) -> None:
        if self.sip.picked_up.is_set():
            return
        if self.sip.dialog.progressing:
            detail = f"nobody picked up within {seconds:g} s"
            ending = Ending(Status.DID_NOT_PICK, EndReason.USER_DID_NOT_PICK_UP, "gateway", detail, 487, 19)
        else:
            detail = f"the trunk did not answer within {seconds:g} s"
            ending = Ending(Status.FAILED, EndReason.SIP_TRUNK_UNREACHABLE, "gateway", detail, 408, 27)
        self.end(ending)

    async def _open_agent(self, conversation: Conversation) -> None:
        """Connect to the agent while the phone rings; to one that would begin to speak, at the answer."""
        ready = self.sip.picked_up if conversation.speaks_at_once else self.sip.ringing
        await ready.wait()
        try:
            await conversation.dial()
        except Refused as refusal:
            self.end(ending_of(refusal))

    def _answered(self) -> None:
        """Time counts from here, and costs money, even where the agent is late."""
        self.record.answered_at = self.record.now()
        self._parts.meter.answered(self.record.id)
        self._parts.save(self.record)
        self.tell("call.answered", codec=self.phone.media.codec_name)

    async def _talk(self, route: Route, bridge: Bridge, conversation: Conversation) -> Ending:
        try:
            limit = min(route.max_seconds, self._parts.max_call_seconds)
            async with asyncio.timeout(limit):
                # The first word waits until the phone surely hears it.
                await self.phone.connected.wait()
                assert self.recording is not None
                await self.recording.begin()
                bridge.start()
                return await conversation.run()
        except TimeoutError:
            detail = f"the call reached its limit of {limit:g} s"
            return Ending(Status.COMPLETED, EndReason.MAX_DURATION, "gateway", detail)

    def _begun(self) -> None:
        """Whatever becomes of it now, there was a call."""
        tell, self._untold = self._untold, None
        if tell is not None:
            tell()

    def _refuse(self, refusal: Rejected | Refused) -> Ending:
        if isinstance(refusal, Rejected):
            self.record.rejected(refusal)
        if self._invite is not None:
            challenge = self._parts.challenge(self._invite, refusal)
            self._challenged = bool(challenge)
            self.sip.refuse(refusal, challenge)
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
        if self._challenged:
            # The INVITE that answers the challenge is the call; this one leaves nothing behind.
            self.record.end(ending, {})
            self._let_go()
            return
        self._begun()
        figures = self.phone.figures()
        if self._conversation is not None:
            figures["agent"] = self._conversation.figures()
        self.record.paid_seconds = self._parts.meter.ended(self.record.id)
        if self.recording is not None:
            self.recording.end()
        self.record.end(ending, figures)
        self._parts.save(self.record)
        if self.patch is not None:
            self.patch.over(ending)
        level = "warning" if ending.status is Status.FAILED else "info"
        self.tell("call.ended", level=level, **self.record.summary())
        self._let_go()

    def _let_go(self) -> None:
        """Hold on to nothing that holds on to this call.

        Both legs have let go of it when they were closed. What goes round in a circle would stay in memory
        until the collector comes, and all other calls wait while that looks at everything there is.
        """
        self._conversation = self._bridge = self.recording = self._untold = self._acknowledge = None
        del self._live
