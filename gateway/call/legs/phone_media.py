"""The phone's audio: an RTP port, what was negotiated for it, and the two ends of its stream.

Longer than most: each offer and answer changes port, sender, receiver and reports together.
"""

import random
import time
from collections.abc import Callable, Sequence

from gateway.call.legs.media_name import MediaName, Resolve
from gateway.call.legs.phone import MediaUser, Sink, Speak
from gateway.config.settings import MediaSettings
from gateway.media import comfort_noise
from gateway.media.audio import AudioFormat
from gateway.media.codecs import Codec, Payload, payload_maker
from gateway.media.dtmf import DIGITS
from gateway.media.meter import Meter, spoken
from gateway.media.plain import QUIET, PlainRun
from gateway.media.rtcp import RtcpSession
from gateway.media.rtp import RtpReceiver, RtpSender
from gateway.media.sdp import (
    Capabilities,
    Negotiated,
    SessionDescription,
    apply_answer,
    make_answer,
    make_offer,
)
from gateway.net.latch import Address, canonical, networks_of
from gateway.net.rtp import RtpPort
from gateway.sip.settings import anywhere

MOST_MOVES_TOLD = 10
"Times that a call tells of another source of its audio."

STRANGE_SECONDS = 1.0
"How long a stranger is the only one who sends before that is worth a word."

PTIME_MS = 20
DTX_PATIENCE = 10
"How many times longer a peer may send nothing that has said, by comfort noise, that it is silent on purpose."


class _HotPhone:
    """What of it a packet touches, side by side (docs/architecture.md, "The hot path")."""

    __slots__ = ("_encode", "_run", "_sender", "_silence", "may_send", "port")


class PhoneMedia(_HotPhone):
    """Audio between an RTP port and the bridge, through every offer and answer of the call.

    `answer`, or `offer` and `take_answer`, negotiate. From then on `step` sends a frame a tick, and `sink`
    gets the caller's audio in order and in real time. Both are in `format`, whatever codec a later offer
    changes to.
    """

    __slots__ = (
        "_capabilities",
        "_epoch",
        "_host",
        "_meter",
        "_moves",
        "_name",
        "_ours",
        "_payload_types",
        "_reaches",
        "_receiver",
        "_rtcp",
        "_session_id",
        "_settings",
        "_signalling",
        "_sink",
        "_user",
        "_version",
        "_waiting_since",
        "codec",
        "format",
        "held",
        "ptime_ms",
    )

    def __init__(
        self,
        port: RtpPort,
        host: str,
        codecs: Sequence[Codec],
        settings: MediaSettings,
        now: float,
        *,
        user: MediaUser | None = None,
        sources: Sequence[str] = (),
        resolve: Resolve | None = None,
        reaches: Callable[[str], bool] = anywhere,
    ) -> None:
        """`host` is the address that our SDP names; `sources` are the networks that the peer's trunk lists.

        `resolve` looks up the host of the peer's SDP where that is a name. `reaches` says which addresses of
        it may be sent to: one that may not is most often behind a NAT, and waits until something has come.

        Long, since each part of the state is told beside its first value.
        """
        self.port = port
        self._reaches = reaches
        self.codec = codecs[0]
        "What we send: the trunk's first choice until something else was negotiated."
        self.format: AudioFormat = self.codec.format
        self.ptime_ms = PTIME_MS
        self.held = False
        "The peer has put the call on hold: it hears nobody, and the agent hears silence."
        self.may_send = False
        self._sink: Sink = drop
        self._user = user
        "Hears of the phone's keys, and of what happens to its audio; None once it is closed."
        self._host = host
        self._settings = settings
        self._capabilities = Capabilities(
            tuple(codecs),
            event_payload_type=settings.telephone_event_payload_type,
            comfort_noise=settings.comfort_noise,
        )
        self._session_id = random.getrandbits(62)
        self._version = 0
        self._ours: SessionDescription | None = None
        self._epoch = time.time() - now
        "What the wall clock read when `now` was 0: RTCP's NTP times go on even where it is set meanwhile."
        self._waiting_since = now
        self._encode: Payload | None = None
        self._silence = self.format.silence(PTIME_MS)
        self._payload_types: frozenset[int] = frozenset()
        self._sender: RtpSender | None = None
        self._receiver: RtpReceiver | None = None
        self._run: PlainRun | None = None
        "The receiver's: all that has to be looked at of it in most ticks."
        self._rtcp: RtcpSession | None = None
        self._meter: Meter | None = None
        self._signalling = ""
        self._moves = 0
        self._name = MediaName(resolve, host, self._unknown)
        port.latch.restrict(networks_of((*sources, *settings.networks)), settings.rebind_seconds)
        port.accepts, port.goes_on, port.on_moved = self._is_ours, self._goes_on, self._moved

    @property
    def sink(self) -> Sink:
        """Who gets the peer's audio, in order and in real time."""
        return self._sink

    @sink.setter
    def sink(self, sink: Sink) -> None:
        self._sink = sink
        self._direct()

    @property
    def codec_name(self) -> str:
        """What we send, for the log."""
        return self.codec.name

    @property
    def send_errors(self) -> int:
        """Packets that the kernel refused to send."""
        return self.port.send_errors

    @property
    def frame_bytes(self) -> int:
        """Bytes of `format` that one packet of ours carries."""
        return self.ptime_ms * self.format.bytes_per_ms

    def signalled_by(self, host: str) -> None:
        """The host that the peer's signalling comes from: its audio may come from there as well."""
        if host != self._signalling:
            self._signalling = host
            self.port.latch.signalled_by(host)

    def answer(self, offer: bytes, now: float) -> bytes:
        """Our SDP answer; what it says holds at once.

        Raises `NotAcceptable` without a common codec, and `ValueError` where the SDP makes no sense.
        """
        answer, negotiated = make_answer(
            SessionDescription.parse(offer),
            self._capabilities,
            self._host,
            self.port.port,
            self._session_id,
            self._version,
        )
        self._version += 1
        self._ours = answer
        self._adopt(negotiated, now)
        return bytes(answer)

    def offer(self) -> bytes:
        """Our SDP offer; nothing changes before `take_answer`."""
        self._ours = make_offer(
            self._capabilities,
            self._host,
            self.port.port,
            self._session_id,
            self._version,
            previous=self._ours,
        )
        self._version += 1
        return bytes(self._ours)

    def take_answer(self, answer: bytes, now: float) -> None:
        """The peer's answer to our offer; raises as `answer` does."""
        assert self._ours is not None, "an answer without our offer"
        self._adopt(
            apply_answer(self._ours, SessionDescription.parse(answer), self._capabilities.codecs), now
        )

    @property
    def agreed(self) -> bool:
        """Whether an offer has ever had its answer."""
        return self._receiver is not None

    @property
    def pressing(self) -> bool:
        """Whether digits are on their way, in the place of audio."""
        return self._sender is not None and self._sender.digits_waiting

    def step(self, now: float, speak: Speak) -> bytes | None:
        """HOT: one packet time, both ways; see `phone.Media`."""
        sender, run = self._sender, self._run
        frame = None
        if sender is None or run is None:
            return None
        if not self.may_send:
            sender.skip()  # timestamps go on (RFC 3550 section 5.1)
        elif sender.digits_waiting:
            self._send_digit(sender)
        else:
            frame = speak()
        if not run.unbroken or now - run.heard_at > QUIET:
            self._repair(now)
        return frame

    def send(self, frame: bytes | None) -> None:
        """HOT: one packet of audio; None is silence."""
        sender = self._sender
        if sender is None:
            return
        encode = self._encode
        if encode is not None:
            frame = encode(frame)
        elif frame is None:
            frame = self._silence
        self.port.send(sender.packet(frame))

    def _send_digit(self, sender: RtpSender) -> None:
        """One packet of a digit, or of the silence that keeps two apart."""
        packet = sender.next_event_packet()
        if packet is None:
            self.send(None)
        else:
            self.port.send(packet)

    def press(self, digits: str) -> bool:
        """Send digits as telephone-events; False where the peer takes none, or too many wait already."""
        sender = self._sender
        if sender is None or not sender.takes_digits:
            return False
        known = [digit for digit in digits if digit in DIGITS]
        return all(sender.digit(digit, self._settings.dtmf_tone_ms) for digit in known)

    def _repair(self, now: float) -> None:
        """Give up gaps, fill pauses, and look for a source that has moved."""
        assert self._receiver is not None
        self._receiver.tick(now)
        self._miss(self._receiver, now)

    def sweep(self, now: float) -> None:
        """Once a second: look for a better source of audio, and report by RTCP where that is due."""
        self.port.look(now)
        if self._rtcp is not None and now >= self._rtcp.next_report_at:
            self.port.send_rtcp(self._rtcp.report(now, self._epoch + now))

    def ignored(self, now: float) -> str:
        """Who alone sends what could be the peer's audio, and is not believed; empty where all is well."""
        port = self.port
        if port.latch.source is not None or now - port.stranger_at < STRANGE_SECONDS:
            return ""
        return _shown(port.stranger)

    def wait_anew(self, now: float) -> None:
        """Count the time without media from now on."""
        self._waiting_since = now

    def silent_for(self, now: float) -> float:
        """Seconds since media came, or could first have come; 0 while on hold."""
        if self.held:
            self._waiting_since = now
            return 0.0
        heard = self._receiver.last_at if self._receiver is not None else None
        if self.silent_on_purpose and self._rtcp is not None:
            heard = max(heard or 0.0, self._rtcp.heard_at or 0.0)
        return now - max(heard or 0.0, self._waiting_since)

    def is_lost(self, now: float, limit: float) -> bool:
        """Whether no media came for more than `limit` seconds, and for no good reason."""
        return self.silent_for(now) > limit * (DTX_PATIENCE if self.silent_on_purpose else 1)

    @property
    def silent_on_purpose(self) -> bool:
        """Whether the newest packet said, by comfort noise, that none need come for a while."""
        return self._receiver is not None and self._receiver.dtx

    @property
    def sent(self) -> int:
        """Packets that we sent."""
        return 0 if self._sender is None else self._sender.packets

    @property
    def lost_there(self) -> float:
        """The part of them that the peer missed of late, by its own report; 0 while it says nothing."""
        return (self._rtcp.remote_fraction_lost or 0.0) if self._rtcp is not None else 0.0

    def sample(self, underruns: int) -> dict[str, object] | None:
        """How the last few seconds sounded, for the agent; kept for the record. None without media."""
        return None if self._meter is None else spoken(self._meter.sample(underruns))

    def whereabouts(self) -> dict[str, object]:
        """What was agreed on, where packets go and what came: what to look at when one side hears nothing."""
        figures = self.figures()
        incoming, outgoing = figures.get("in"), figures.get("out")
        return {
            "codec": self.codec.name,
            "ours": f"{self._host}:{self.port.port}",
            "theirs": _shown(self.port.expected),
            "sending_to": _shown(self.port.remote),
            "signalling": self._signalling,
            "ignored": _shown(self.port.stranger),
            "packets_in": incoming.get("packets") if isinstance(incoming, dict) else 0,
            "foreign": incoming.get("foreign") if isinstance(incoming, dict) else self.port.foreign,
            "packets_out": outgoing.get("packets") if isinstance(outgoing, dict) else 0,
            "send_errors": self.port.send_errors,
        }

    def close(self, now: float) -> None:
        """Say goodbye by RTCP and free the port."""
        if self._rtcp is not None:
            self.port.send_rtcp(self._rtcp.bye(now, self._epoch + now))
        self.port.close()
        self._name.close()
        self.sink, self._user = drop, None
        if self._receiver is not None:
            self._receiver.close()

    def figures(self) -> dict[str, object]:
        """Both directions in numbers, for the call's record (`docs/calls.md` lists the keys)."""
        meter, receiver, rtcp = self._meter, self._receiver, self._rtcp
        if meter is None or receiver is None or rtcp is None:
            return {}
        return {
            "codec": self.codec.name,
            "remote": _shown(self.port.remote),
            "in": {**meter.incoming(), "foreign": self.port.foreign + receiver.ssrc_ignored},
            "out": {**meter.outgoing(), "send_errors": self.port.send_errors},
            "round_trip_ms": rtcp.round_trip_ms,
            "quality": meter.series(),
        }

    def _adopt(self, negotiated: Negotiated, now: float) -> None:
        self.codec = negotiated.codec
        self.ptime_ms = negotiated.ptime_ms
        self.held = negotiated.on_hold
        self.may_send = negotiated.direction.sends and negotiated.remote is not None
        self._waiting_since = now
        self._payload_types = frozenset(
            number for number, _ in (*negotiated.receives, *negotiated.receives_events)
        )
        if negotiated.comfort_noise:
            self._payload_types |= {comfort_noise.PAYLOAD_TYPE}
        if self._receiver is None:
            self.format = negotiated.codec.format
            self._begin(negotiated, now)
        else:
            self._change(negotiated)
        self._direct()
        if self._meter is not None:
            self._meter.ptime_ms = self.ptime_ms
        self._encode = payload_maker(self.format, negotiated.codec, negotiated.fmtp, self.ptime_ms)
        self._silence = self.format.silence(self.ptime_ms)
        self._expect(negotiated)

    def _expect(self, negotiated: Negotiated) -> None:
        """Send where the SDP says: where that is a name, to the host of the signalling until it is known."""
        if negotiated.remote is None or negotiated.remote_rtcp is None:
            return
        (host, port), (_, rtcp_port) = negotiated.remote, negotiated.remote_rtcp
        self._name.forget()
        if not canonical(host):
            known = self._name.address_of(host, lambda address: self._found(address, port, rtcp_port))
            host = known or canonical(self._signalling)
        if host:
            self._aim(host, port, rtcp_port)

    def _aim(self, host: str, port: int, rtcp_port: int) -> None:
        self.port.expect(host, port, (host, rtcp_port))
        if not self._reaches(host):
            self.port.withhold()

    def _found(self, address: str, port: int, rtcp_port: int) -> None:
        """The name in the SDP stands for this."""
        if self.port.expected is None:
            self._aim(address, port, rtcp_port)
            return
        self.port.refine(address)
        if not self._reaches(address):
            self.port.withhold()

    def _tell(self, name: str, *, level: str = "info", **fields: object) -> None:
        if self._user is not None:
            self._user.tell(name, level=level, **fields)

    def _unknown(self, name: str, why: str) -> None:
        self._tell("call.media_unresolved", level="warning", host=name, why=why)

    def _begin(self, negotiated: Negotiated, now: float) -> None:
        self._receiver = RtpReceiver(
            dict(negotiated.receives),
            dict(negotiated.receives_events),
            sink=drop,
            on_digit=self._press,
            fmtp=negotiated.fmtp,
            max_wait_ms=self._settings.reorder_ms,
            max_stall_ms=self._settings.stall_ms,
            catch_up_ms=self._settings.catch_up_ms,
            ssrc_silence_ms=round(self._settings.ssrc_change_seconds * 1000),
        )
        self._sender = RtpSender(
            random.getrandbits(32),
            random.getrandbits(16),
            random.getrandbits(32),
            negotiated.payload_type,
            negotiated.codec.clock_rate,
            event_payload_type=negotiated.event_payload_type,
            ptime_ms=negotiated.ptime_ms,
            digit_gap_ms=self._settings.dtmf_gap_ms,
        )
        cname = f"{self._session_id:x}@trunkline"
        self._rtcp = RtcpSession(
            self._sender, self._receiver, cname, now, random.random, self._settings.rtcp_seconds
        )
        self._meter = Meter(self._sender, self._receiver, self._rtcp)
        self._run = self._receiver.run
        self.port.on_rtp = self._receiver.receive
        self.port.on_waited = self._receiver.receive_waited
        self.port.on_rtcp = self._rtcp.receive

    def _change(self, negotiated: Negotiated) -> None:
        assert self._sender is not None
        assert self._receiver is not None
        self._sender.renegotiate(
            negotiated.payload_type,
            negotiated.event_payload_type,
            negotiated.ptime_ms,
            negotiated.codec.clock_rate,
        )
        self._receiver.relearn(dict(negotiated.receives), dict(negotiated.receives_events), negotiated.fmtp)

    def _direct(self) -> None:
        """Send the caller's audio where it belongs, by the shortest way."""
        if self._receiver is not None:
            hushed = self.held and self._sink is not drop
            self._receiver.redirect(self._hush if hushed else self._sink)

    def _hush(self, audio: bytes) -> None:
        """Music on hold is not for the agent; its timeline goes on in silence."""
        self._sink(self.format.silence(len(audio) // self.format.bytes_per_ms))

    def _press(self, digit: str, milliseconds: int) -> None:
        if self._user is not None:
            self._user.pressed(digit, milliseconds)

    def _miss(self, receiver: RtpReceiver, now: float) -> None:
        """Listen to others where our source has been silent for too long: it may have moved."""
        heard_at = receiver.last_at
        if heard_at is not None and now - heard_at >= self.port.latch.patience:
            self.port.doubt(heard_at, now, on_purpose=self.held or receiver.dtx)

    def _goes_on(self, data: bytes, now: float) -> bool:
        return self._receiver is not None and self._receiver.goes_on(data, now)

    def _moved(self, before: Address, source: Address) -> None:
        """The audio comes from elsewhere from here on: its stream may be another, and is taken at once."""
        if self._receiver is not None:
            self._receiver.relearn()
        self._moves += 1
        if self._moves <= MOST_MOVES_TOLD:
            standing = self.port.latch.standing.name.lower()
            self._tell("call.media_moved", before=_shown(before), source=_shown(source), standing=standing)

    def _is_ours(self, data: bytes) -> bool:
        """Whether a datagram of an unknown source is RTP of a payload type that was negotiated.

        Events and comfort noise are as good as audio: a phone that is muted sends nothing else.
        """
        return len(data) > 12 and data[0] >> 6 == 2 and data[1] & 0x7F in self._payload_types


def _shown(address: tuple[str, int] | None) -> str:
    return ":".join(map(str, address or ()))


def drop(audio: bytes) -> None:
    """Take audio before anyone listens."""
