"""Every running call, and the parts of the gateway that calls are made of."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from socket import AF_INET, AF_INET6
from typing import cast

from gateway.agent.dialects import dialect_named
from gateway.agent.identity import names_of_call
from gateway.agent.protocol import CallStart, Dialect, Transfer
from gateway.call.admission import Admission, TrunkGate
from gateway.call.bridge import Bridge
from gateway.call.call import Call
from gateway.call.conversation import Conversation
from gateway.call.dialling import Headers, invite, target_of
from gateway.call.media_watch import MediaWatch
from gateway.call.meter import Meter
from gateway.call.newcomers import Newcomers
from gateway.call.patch import Patch
from gateway.call.phone_media import PhoneMedia
from gateway.call.record import CallRecord, EndReason, PhoneRoute, Route, Status, utc_now
from gateway.call.recording import Action, CallRecording, RecordingRefused
from gateway.call.refusal import Refused, answer_for, told_of_refusal
from gateway.call.sip_agent import Receives, SipAgentDialer, SipParts
from gateway.call.sip_words import (
    asserted_in,
    call_id_in,
    caller_in,
    dialled,
    first_line,
    is_private,
)
from gateway.call.sounds import Sounds
from gateway.events.bus import EventBus
from gateway.media.codecs import CODECS
from gateway.net.agent import AgentDialer
from gateway.net.clock import MediaClock
from gateway.net.dns import Resolver
from gateway.net.overload import Overload
from gateway.net.rtp import NoPortFree, PortRange, RtpPorts
from gateway.net.sip import SipEndpoint
from gateway.recordings.writer import RecordingWriter
from gateway.routing.decision import Reason, Rejected
from gateway.routing.inbound import ANONYMOUS, InboundRoute, route_inbound
from gateway.routing.limits import (
    INBOUND_BURST_SECONDS,
    Lease,
    Limits,
    claims_of,
    claims_of_web_call,
)
from gateway.routing.outbound import OutboundRoute
from gateway.routing.table import AgentVersion
from gateway.routing.table import Dialect as DialectName
from gateway.routing.web import WebRoute
from gateway.settings import Config
from gateway.sip.dialog import Dialog
from gateway.sip.events import ByeFailed, DialogTerminated, Event, InviteReceived, OptionsAnswered
from gateway.sip.target import Target
from gateway.store import Store, StoreError
from gateway.store.ids import new_id

GOODBYE_SECONDS = 1.5
"How long the answer to a BYE is waited for where the gateway stops: time for it to be sent a second time."
LOOK_MS = 20
"Milliseconds between two looks at how late the clock is."


class Switchboard:
    """Starts a call for each INVITE, hands it its dialog's events, and makes the parts that it asks for."""

    def __init__(self, config: Config, store: Store, bus: EventBus, dialer: AgentDialer) -> None:
        self.gate: TrunkGate
        "Set by the app, as `endpoint` is."
        self.recordings: RecordingWriter
        "Set by the app."
        self.endpoint: SipEndpoint
        "Set by the app, which builds it around `on_event`, before the first event."
        self.resolver: Resolver
        "Set by the app: of names in the SDPs of peers."
        self.on_transfer: Callable[[Call, Transfer], None]
        "Set by the app: what to do when an agent wants to transfer its call."
        self.clock = MediaClock(self._tick_failed)
        self.ports = RtpPorts(
            PortRange(config.media.port_min, config.media.port_max),
            config.media.quarantine_seconds,
            clock=self.clock,
        )
        self.sounds = Sounds(config.sound_folders, config.media.max_sound_bytes)
        self.tell = bus.tell
        limits = config.limits
        self.overload = Overload(
            limits.shed_late_ms / 1000, bus.tell, lambda: self.active, limits.shed_from_calls
        )
        self.newcomers = Newcomers(limits.calls_per_second, limits.unacknowledged_calls)
        self.clock.join(self._look, LOOK_MS)
        now = asyncio.get_running_loop().time
        self.meter = Meter(store, config.billing.grace_seconds, now, bus.tell)
        self.max_call_seconds = config.limits.max_call_seconds
        self._config = config
        self._store = store
        self._dialer = dialer
        self._limits = Limits()
        self._listeners = {listener.name: listener for listener in config.sip.listeners}
        self._calls: dict[Dialog, Receives] = {}
        "Who has the events of each dialog: a call, or the agent's leg of one."
        self._by_call_id: dict[str, Call] = {}
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
        return self.endpoint.user_agent.draining

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
                call = self._calls.get(event.dialog)
                if call is not None:
                    call.receive(event)

    def on_message(self, sent: bool, data: bytes, peer: Target) -> None:
        """Let a call's record keep the rungs of its signalling ladder."""
        call = self._by_call_id.get(call_id_in(data))
        if call is not None:
            call.record.step(sent, first_line(data))

    async def drain(self, seconds: float, at_once: asyncio.Event) -> None:
        """Let running calls go on for so long, or until `at_once`; then end them with a BYE and a reason.

        Returns when every BYE is answered, or was repeated for `GOODBYE_SECONDS`.
        """
        self.endpoint.user_agent.draining = True
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
        agent = self.endpoint.user_agent
        while agent.dialog_count and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """End what is still running, at once."""
        for task in self._tasks:
            task.cancel()
        await self.quiet()
        self.sounds.close()

    async def quiet(self) -> None:
        """Wait until no call is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def route(self, invite: InviteReceived) -> InboundRoute:
        """Decide who answers; raises `Rejected`, or `Refused` where there is nothing to decide from."""
        request = invite.request
        called = dialled(request)
        try:
            table = await self._store.routing_table(called)
        except StoreError as error:
            raise Refused(EndReason.STORE_UNAVAILABLE, str(error)) from error
        admission = invite.admission
        assert isinstance(admission, Admission)
        return route_inbound(
            table,
            called=called,
            caller=caller_in(request),
            source=invite.source.host,
            now_utc=utc_now(),
            credentials=admission.credentials,
            asserted=asserted_in(request),
            private=is_private(request),
        )

    def challenge(self, invite: InviteReceived, refusal: Rejected | Refused) -> list[tuple[str, str]]:
        """The digest challenge that a refusal for want of credentials carries, nothing for any other."""
        if answer_for(refusal).status != 401:
            return []
        stale = refusal.reason is Reason.STALE_CREDENTIALS
        return self.gate.challenge(invite.source, self.endpoint.now(), stale=stale)

    async def near_misses(self, source: Target, called: str) -> list[str]:
        """What would have let an unknown source in, for its log line."""
        try:
            route_inbound(
                await self._store.routing_table(called),
                called=called,
                caller="",
                source=source.host,
                now_utc=utc_now(),
            )
        except Rejected as refusal:
            return list(refusal.decision.near_misses)
        except StoreError:
            pass  # the line is worth telling without them
        return []

    def lease(self, route: PhoneRoute, patience: float = 0.0) -> Lease:
        """A place for the call under every limit that it falls under.

        Raises `Rejected` where one is reached. An outbound call may wait for its trunk's pace for up to
        `patience` seconds.
        """
        claims = claims_of(route.workspace, route.number, route.trunk)
        burst = INBOUND_BURST_SECONDS if isinstance(route, InboundRoute) else 0.0
        return self._limits.take(
            claims,
            route.trunk,
            route.decision,
            self.endpoint.now(),
            burst_seconds=burst,
            patience=patience,
        )

    def lease_web(self, route: WebRoute) -> Lease:
        """The same for a web call, of which this gateway takes `web_calls.max_calls` at once."""
        web = self._config.web_calls
        claims = claims_of_web_call(route.workspace, web.max_calls, web.max_calls_per_workspace)
        return self._limits.take(claims, None, route.decision, self.endpoint.now())

    def open_media(self, names: Sequence[str], peer: Target, sources: Sequence[str] = ()) -> PhoneMedia:
        """An RTP port on the address that belongs to the listener by which the peer is spoken to.

        `sources` are the networks of its trunk.
        """
        listener = self._listeners[peer.listener or ""]
        now = self.endpoint.now()
        try:
            port = self.ports.open(listener.media_bind, now)
        except NoPortFree as error:
            raise Refused(EndReason.NO_PORT_FREE, str(error)) from error
        codecs = [CODECS[name] for name in names if name in CODECS]
        family, allows = AF_INET6 if ":" in listener.media_bind else AF_INET, self.endpoint.reach.allows

        def reaches(address: str) -> bool:
            return allows(address) or (peer.heard and address == peer.host)

        return PhoneMedia(
            port,
            listener.media_advertised_host,
            codecs,
            self._config.media,
            now,
            sources=sources,
            resolve=lambda name: self.resolver.addresses(name, family),
            reaches=reaches,
        )

    def target_of(self, route: OutboundRoute) -> Target:
        """Where a call's INVITE goes; LocalProtocolError where no listener has the trunk's transport."""
        return target_of(route.trunk, self.endpoint.user_agent)

    def invite(self, call: Call, route: OutboundRoute, offer: bytes, headers: Headers) -> None:
        """Send a call's INVITE by its trunk, and let the call have what becomes of it."""
        dialog = invite(self.endpoint.user_agent, route, offer, headers, self.endpoint.now())
        call.sip.begin(dialog)
        call.sip.username = route.trunk.outbound_username
        call.record.sip_call_id = dialog.call_id
        self._calls[dialog] = self._by_call_id[dialog.call_id] = call
        self.endpoint.flush()

    @contextmanager
    def bridge(self, call: Call) -> Iterator[Bridge]:
        """A bridge for the call's phone, that stops sending when the context is left."""
        bridge = Bridge(call.phone.media, self.clock, self._config.agents.queue_seconds)
        bridge.on_error = call.crash
        watching = MediaWatch(call.phone, bridge, self._config.media, call.tell, call.end)
        watch = self.clock.join(watching.sweep, 1000)
        try:
            yield bridge
        finally:
            self.clock.leave(watch)
            bridge.stop()

    def conversation(self, call: Call, route: Route, bridge: Bridge) -> Conversation:
        """The agent side of a call."""
        version = route.version if call.patch is None else _patched(route.version, call.record)
        start = CallStart(
            call_id=call.record.id,
            stream_id=new_id("str"),
            account_id=route.workspace.id,
            from_number=call.record.from_number,
            to_number=call.record.to_number,
            direction=call.record.direction,
            agent_id=route.agent.id,
            agent_version=version.number,
            parameters={**dict(version.parameters), **_parameters(call.record.metadata)},
        )

        def dialect() -> Dialect:
            secret = version.secret.reveal() if version.secret else None
            return dialect_named(
                version.dialect.value,
                secret=secret,
                audio=version.audio,
                options=dict(version.options),
                nonce=token_hex(16),
            )

        bridge.on_transfer = lambda wanted: self.on_transfer(call, wanted)
        if call.patch is not None:
            return self._patched_conversation(call.patch, version, start, dialect, bridge, call)
        dialer = self._sip_dialer(call, route, start) if version.dialect.value == "sip" else self._dialer
        settings = self._config.agents
        return Conversation(version, start, dialect, bridge, dialer, settings, self.sounds, call.tell)

    def _patched_conversation(
        self,
        patch: Patch,
        version: AgentVersion,
        start: CallStart,
        dialect: Callable[[], Dialect],
        bridge: Bridge,
        call: Call,
    ) -> Conversation:
        """The other call in the place of an agent."""
        conversation = Conversation(
            version, start, dialect, bridge, patch.second, self._config.agents, self.sounds, call.tell
        )
        conversation.farewell = lambda _: patch.first_ended()
        return conversation

    def _sip_dialer(self, call: Call, route: Route, start: CallStart) -> SipAgentDialer:
        """For an agent that is a SIP endpoint, with the codecs of the phone's trunk, or all of ours."""
        codecs = tuple(CODECS) if isinstance(route, WebRoute) else route.trunk.codecs
        parts = SipParts(
            endpoint=self.endpoint,
            clock=self.clock,
            open_media=lambda target: self.open_media(codecs, target),
            register=self._calls.__setitem__,
            answer_seconds=self._config.agents.connect_timeout,
            no_media_seconds=self._config.media.no_media_seconds,
            on_error=call.crash,
        )
        secret = route.version.secret
        return SipAgentDialer(parts, start, secret.reveal() if secret else None)

    def recording(self, call: Call, route: Route, bridge: Bridge) -> CallRecording:
        """What the agent, or anybody else who may, does about a call's recording."""
        recording = CallRecording(
            route.recording,
            call.record,
            bridge,
            self.clock,
            self.recordings,
            self.sounds,
            self.save,
            call.tell,
        )

        def ask(action: str) -> None:
            try:
                recording.act(cast("Action", action), "agent")
            except RecordingRefused as refusal:
                bridge.recording_is(recording.state, str(refusal))

        bridge.on_record = ask
        return recording

    def recording_of(self, call_id: str) -> CallRecording | None:
        """The recording of a running call, None where no such call runs here, or it is not routed yet."""
        call = self.call_named(call_id)
        return None if call is None else call.recording

    def save(self, record: CallRecord) -> None:
        """Have the record saved soon."""
        self._store.save_call(record)

    def tell_refused(self, refusal: Rejected | Refused, **whose: object) -> None:
        """A request for a call came to nothing: there is no record of it, but this."""
        fields = {"type": "phone", **whose, **told_of_refusal(refusal)}
        self.tell("call.refused", level="warning", **fields)

    def seal(self, text: str) -> str:
        """Text that only the database's key opens again."""
        return self._store.seal(text)

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
            self.save(record)
            call.tell(
                "call.received",
                direction="inbound",
                **numbers,
                source=f"{invite.source.host}:{invite.source.port}",
                transport=invite.source.transport,
                sip_call_id=record.sip_call_id,
            )

        call = Call.inbound(self, record, invite, begun)
        self._calls[invite.dialog] = self._by_call_id[request.call_id] = call
        self._run(call)

    def prepare(
        self,
        record: CallRecord,
        route: OutboundRoute,
        lease: Lease,
        headers: Headers,
        patch: Patch | None = None,
    ) -> Call:
        """An outbound call that has been decided and has its places; its wallet's money is set aside.

        With a `patch` it is put through to the call at the patch's other end, and has no agent of its own.
        `place` or `give_up` comes next.
        """
        call = Call.outbound(self, record, route, lease, headers)
        if patch is not None:
            call.patch, patch.call_id, patch.abandon = patch, record.id, call.end
        if route.quote is not None and route.paid_seconds is not None:
            seconds = min(route.max_seconds, self.max_call_seconds)
            workspace, quote = route.workspace.id, route.quote
            self.meter.begin(record.id, workspace, quote, seconds, call.balance_low, call.run_dry)
        return call

    def give_up(self, call: Call) -> None:
        """Give back what a prepared call has taken: it is not placed after all."""
        call.release()
        self.meter.give_up(call.record.id)

    def place(self, call: Call) -> None:
        """Begin a prepared call."""
        record = call.record
        self.meter.placed(record.id)
        self.save(record)
        call.tell(
            "call.created",
            direction="outbound",
            **{"from": record.from_number, "to": record.to_number},
            by=record.requested_by,
        )
        self._run(call).add_done_callback(lambda _: call.release())

    def begin_web(self, record: CallRecord, route: WebRoute, lease: Lease, wait_seconds: float) -> Call:
        """Begin a web call that has been decided and has its places, and wait for its browser."""
        call = Call.web(self, record, route, lease, wait_seconds)
        self.save(record)
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
        if not given_up or call not in self._calls.values():
            self._forget_messages(call)

    def _forget_messages(self, call: Call) -> bool:
        """No more rungs for this call's ladder; whether there could have been until now."""
        if self._by_call_id.get(call.record.sip_call_id) is not call:
            return False
        del self._by_call_id[call.record.sip_call_id]
        return True

    def _bye_failed(self, event: ByeFailed) -> None:
        """The peer may think that the call goes on: say so where somebody will look."""
        call = self._calls.get(event.dialog)
        where = f"{event.target.host}:{event.target.port or 'by DNS'} by {event.target.transport}"
        if isinstance(call, Call):
            call.tell("call.bye_failed", level="warning", target=where, why=event.why)
            call.record.step(False, f"no answer to BYE at {where}: {event.why}")
            self.save(call.record)
        else:
            self.tell(
                "call.bye_failed",
                level="warning",
                sip_call_id=event.dialog.call_id,
                target=where,
                why=event.why,
            )

    def _dialog_over(self, dialog: Dialog) -> None:
        """A call that was given up while it rang has its last messages only now: a 487, or a late answer."""
        call = self._calls.pop(dialog, None)
        if isinstance(call, Call) and call.record.ending is not None and self._forget_messages(call):
            self.save(call.record)

    def _look(self, now: float) -> None:
        self.overload.look(now, self.clock.behind)

    def _tick_failed(self, error: Exception) -> None:
        self.tell("media.crashed", level="error", exc_info=error)


def _patched(version: AgentVersion, record: CallRecord) -> AgentVersion:
    """A version that has the other call for its runtime, and nothing to fall back to."""
    return replace(
        version,
        dialect=DialectName.SIP,
        runtime_url=f"call://{record.parent_call_id}",
        fallback_url=None,
        fallback_wav=None,
        early_media=False,
        headers=(),
        options=(),
        audio="ulaw_8k",
    )


def _parameters(metadata: Mapping[str, object]) -> dict[str, str]:
    """What of a request's metadata an agent can be told in text; truth is written as JSON writes it."""
    shown = {True: "true", False: "false"}
    return {
        name: shown[value] if isinstance(value, bool) else str(value)
        for name, value in metadata.items()
        if isinstance(value, str | int | float)
    }
