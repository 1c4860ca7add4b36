"""What the gateway gives its calls: a decision, their places, audio, an agent and a recording."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from secrets import token_hex
from socket import AF_INET, AF_INET6
from typing import Protocol

from gateway.agent.dialects import dialect_named
from gateway.agent.protocol import CallStart, Dialect, Transfer
from gateway.call.admission import Admission, TrunkGate
from gateway.call.bridge import Bridge
from gateway.call.conversation import Conversation, Farewell, hung_up
from gateway.call.legs.agent_leg import AgentUser, Dialer
from gateway.call.legs.dialling import Headers, invite, target_of
from gateway.call.legs.dialogs import Dialogs
from gateway.call.legs.media_watch import MediaWatch
from gateway.call.legs.phone import MediaUser, Phone, PhoneUser
from gateway.call.legs.phone_media import PhoneMedia
from gateway.call.legs.sip_agent import SipAgentDialer, SipParts
from gateway.call.legs.sip_words import asserted_in, caller_in, dialled, is_private
from gateway.call.money.reservation import Reservations
from gateway.call.newcomers import Newcomers
from gateway.call.patch import Patch, Transferable
from gateway.call.places import Places
from gateway.call.record import CallRecord, EndReason, PhoneRoute, Route, utc_now
from gateway.call.recording.call_recording import CallRecording
from gateway.call.recording.sounds import Sounds
from gateway.call.refusal import Refused, answer_for
from gateway.config.settings import Config
from gateway.media.codecs import CODECS
from gateway.net.clock import MediaClock
from gateway.net.dns import Resolver
from gateway.net.rtp_ports import NoPortFree, RtpPorts
from gateway.net.sip import SipEndpoint
from gateway.recordings.writer import RecordingWriter
from gateway.routing.decision import Reason, Rejected
from gateway.routing.inbound import InboundRoute, route_inbound
from gateway.routing.limits import (
    INBOUND_BURST_SECONDS,
    Lease,
    claims_of,
    claims_of_web_call,
    leaving_free,
    slower,
)
from gateway.routing.outbound import OutboundRoute
from gateway.routing.table import AgentVersion
from gateway.routing.table import Dialect as DialectName
from gateway.routing.web import WebRoute
from gateway.sip.dialog import Dialog
from gateway.sip.events import InviteReceived
from gateway.sip.target import Target
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.protocol import Store
from gateway.tell import Tell


class CallUser(PhoneUser, AgentUser, Protocol):
    """The call that parts are made for: what they tell of goes to it."""

    @property
    def record(self) -> CallRecord:
        """Its record, which is live."""
        ...


@dataclass(frozen=True, slots=True)
class CallParts:
    """Makes the parts that calls ask for, from those of the gateway that all calls share.

    It knows no call: whom a part tells of what happens is an argument.
    """

    config: Config
    store: Store
    tell: Tell
    endpoint: SipEndpoint
    gate: TrunkGate
    newcomers: Newcomers
    dialogs: Dialogs
    resolver: Resolver
    "Of names in the SDPs of peers."
    clock: MediaClock
    ports: RtpPorts
    sounds: Sounds
    recordings: RecordingWriter
    meter: Reservations
    places: Places
    dialer: Dialer
    "Of agents' runtimes that are reached by a WebSocket or bare TCP."
    transfer: Callable[[Transferable, Transfer], None]
    "What to do when an agent wants to transfer its call."

    @property
    def max_call_seconds(self) -> float:
        """No call may last longer."""
        return self.config.limits.max_call_seconds

    async def route(self, invite: InviteReceived) -> InboundRoute:
        """Decide who answers; raises `Rejected`, or `Refused` where there is nothing to decide from."""
        request = invite.request
        called = dialled(request)
        try:
            table = await self.store.routing_table(called)
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

    async def lease(self, route: PhoneRoute, patience: float = 0.0, free: float = 0.0) -> Lease:
        """A place for the call under every limit that it falls under.

        Raises `Rejected` where one is reached, or only the share `free` of it is left. An outbound call may
        wait for its trunk's pace for up to `patience` seconds.
        """
        claims = leaving_free(claims_of(route.workspace, route.number, route.trunk), free)
        burst = INBOUND_BURST_SECONDS if isinstance(route, InboundRoute) else 0.0
        return await self.places.take(
            claims,
            slower(route.trunk, free),
            route.decision,
            self.endpoint.now(),
            burst_seconds=burst,
            patience=patience,
        )

    async def lease_web(self, route: WebRoute) -> Lease:
        """The same for a web call, of which this gateway takes `web_calls.max_calls` at once."""
        web = self.config.web_calls
        claims = claims_of_web_call(route.workspace, web.max_calls, web.max_calls_per_workspace)
        now = self.endpoint.now()
        return await self.places.take(claims, None, route.decision, now, burst_seconds=INBOUND_BURST_SECONDS)

    def open_media(
        self, user: MediaUser, names: Sequence[str], peer: Target, sources: Sequence[str] = ()
    ) -> PhoneMedia:
        """An RTP port on the address that belongs to the listener by which the peer is spoken to.

        `sources` are the networks of its trunk.
        """
        listener = next(one for one in self.config.sip.listeners if one.name == peer.listener)
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
            self.config.media,
            now,
            user=user,
            sources=sources,
            resolve=lambda name: self.resolver.addresses(name, family),
            reaches=reaches,
        )

    def target_of(self, route: OutboundRoute) -> Target:
        """Where a call's INVITE goes; LocalProtocolError where no listener has the trunk's transport."""
        return target_of(route.trunk, self.endpoint.user_agent)

    def invite(self, route: OutboundRoute, offer: bytes, headers: Headers) -> Dialog:
        """Queue a call's INVITE by its trunk; `dialogs.begin` and `endpoint.flush` come next."""
        return invite(self.endpoint.user_agent, route, offer, headers, self.endpoint.now())

    @contextmanager
    def bridge(self, user: CallUser, phone: Phone) -> Iterator[Bridge]:
        """A bridge for the call's phone, that stops sending when the context is left."""
        bridge = Bridge(phone.media, self.clock, self.config.agents.queue_seconds, user)
        watching = MediaWatch(phone, bridge, self.config.media, user.tell, user.end)
        watch = self.clock.join(watching.sweep, 1000)
        try:
            yield bridge
        finally:
            self.clock.leave(watch)
            bridge.stop()

    def conversation(
        self, user: CallUser, route: Route, bridge: Bridge, patch: Patch | None = None
    ) -> Conversation:
        """The agent side of a call; with a patch, the other call in the place of an agent."""
        version = route.version if patch is None else _patched(route.version, user.record)
        start = _start(user.record, route, version)

        def dialect() -> Dialect:
            secret = version.secret.reveal() if version.secret else None
            return dialect_named(
                version.dialect.value,
                secret=secret,
                audio=version.audio,
                options=dict(version.options),
                nonce=token_hex(16),
            )

        farewell: Farewell = hung_up
        dialer = self.dialer
        if patch is not None:
            farewell, dialer = lambda _: patch.first_ended(), patch.second
        elif version.dialect.value == "sip":
            dialer = self._sip_dialer(user, route, start)
        settings = self.config.agents
        return Conversation(
            version, start, dialect, bridge, dialer, settings, self.sounds, user.tell, farewell
        )

    def _sip_dialer(self, user: CallUser, route: Route, start: CallStart) -> SipAgentDialer:
        """For an agent that is a SIP endpoint, with the codecs of the phone's trunk, or all of ours."""
        codecs = tuple(CODECS) if isinstance(route, WebRoute) else route.trunk.codecs
        parts = SipParts(
            endpoint=self.endpoint,
            clock=self.clock,
            open_media=lambda target, agent: self.open_media(agent, codecs, target),
            register=self.dialogs.begin,
            answer_seconds=self.config.agents.connect_timeout,
            no_media_seconds=self.config.media.no_media_seconds,
            on_error=user.crash,
        )
        secret = route.version.secret
        return SipAgentDialer(parts, start, secret.reveal() if secret else None)

    def recording(self, user: CallUser, route: Route, bridge: Bridge) -> CallRecording:
        """What the agent, or anybody else who may, does about a call's recording."""
        return CallRecording(
            route.recording,
            user.record,
            bridge,
            self.clock,
            self.recordings,
            self.sounds,
            self.save,
            user.tell,
        )

    def save(self, record: CallRecord) -> None:
        """Have the record saved soon."""
        self.store.save_call(record)

    def seal(self, text: str) -> str:
        """Text that only the database's key opens again."""
        return self.store.seal(text)


def _start(record: CallRecord, route: Route, version: AgentVersion) -> CallStart:
    """What a call's agent is told of it."""
    return CallStart(
        call_id=record.id,
        stream_id=new_id("str"),
        account_id=route.workspace.id,
        from_number=record.from_number,
        to_number=record.to_number,
        direction=record.direction,
        agent_id=route.agent.id,
        agent_version=version.number,
        parameters={**dict(version.parameters), **_parameters(record.metadata)},
    )


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
