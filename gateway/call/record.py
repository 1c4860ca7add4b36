"""What a call leaves behind: its times, its decision, its media figures and its one ending."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from gateway.routing.decision import Reason, Rejected
from gateway.routing.inbound import InboundRoute
from gateway.routing.outbound import OutboundRoute
from gateway.routing.rating import Charge, Quote
from gateway.routing.web import WebRoute
from gateway.store.records.calls import CallRow, Category, connected_ms, milliseconds

PhoneRoute = InboundRoute | OutboundRoute
"Where a call of a trunk goes: by which trunk, number and agent version."
Route = PhoneRoute | WebRoute
"Where a call goes; a web call has neither trunk nor number."


class Status(StrEnum):
    """Where a call stands; the reference platform's words."""

    CREATED = "created"
    "Logged, queued or prepared."
    INITIATED = "initiated"
    "Set-up started."
    SENT = "sent"
    "The INVITE went out."
    RECEIVED = "received"
    "An INVITE came in."
    COMPLETED = "completed"
    "Connected and ended; says nothing of how it went."
    DID_NOT_PICK = "did_not_pick"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELLED = "cancelled"
    "Given up before the answer: by the caller, or by whoever asked for the call."


class EndReason(StrEnum):
    """Why a call ended, beside the reasons of a refusal (`routing.decision.Reason`)."""

    USER_DISCONNECTED = "user_disconnected"
    AGENT_DISCONNECTED = "agent_disconnected"
    CALLER_CANCELLED = "caller_cancelled"
    ENDED_BY_REQUEST = "ended_by_request"
    "Somebody who may asked for its end: by the API, the dashboard, MQTT or the command line."
    MAX_DURATION = "max_duration"
    "The version's `max_call_duration_sec` is over."
    AGENT_UNREACHABLE = "agent_unreachable"
    "No WebSocket to the agent's runtime before the answer."
    AGENT_FAILED = "agent_failed"
    "The runtime died in mid-call and there was no fallback, or it died too."
    AGENT_FLOODED = "agent_flooded"
    "The runtime sent more than we could take without harm to other calls, and was cut off."
    NEVER_ACKNOWLEDGED = "never_acknowledged"
    "Our 200 was never answered by an ACK (RFC 3261 section 13.3.1.4)."
    MEDIA_LOST = "media_lost"
    "No RTP came for `media.no_media_seconds`."
    NO_COMMON_CODEC = "no_common_codec"
    NO_USABLE_MEDIA = "no_usable_media"
    "The offer has no stream that we carry: SRTP alone, another address family, no audio, no address."
    BAD_SESSION = "bad_session"
    "The SDP made no sense, or the answer to our offer never came."
    NO_PORT_FREE = "no_port_free"
    STORE_UNAVAILABLE = "store_unavailable"
    "The database does not answer, and nobody has called the number since the start."
    GATEWAY_DRAINED = "gateway_drained"
    "The drain's deadline came while the call was running."
    GATEWAY_OVERLOADED = "gateway_overloaded"
    "A call that was asked for was refused, since the running ones would have suffered; nothing is recorded."
    GATEWAY_RESTARTED = "gateway_restarted"
    "The process was killed; the record was closed by the next start."
    INTERNAL_ERROR = "internal_error"
    USER_DID_NOT_PICK_UP = "user_did_not_pick_up"
    USER_BUSY = "user_busy"
    USER_UNREACHABLE = "user_unreachable"
    UNALLOCATED_PHONE_NUMBER = "unallocated_phone_number"
    INVALID_PHONE_NUMBER = "invalid_phone_number"
    DESTINATION_FORBIDDEN = "destination_forbidden"
    NETWORK_FAILURE = "network_failure"
    SIP_AUTH_FAILED = "sip_auth_failed"
    SIP_TRUNK_UNREACHABLE = "sip_trunk_unreachable"
    UNKNOWN = "unknown"
    TRANSFER_FAILED = "transfer_failed"
    "The agent had left, and the number that the phone was to be put through to was not reached."
    TRANSFER_ENDED = "transfer_ended"
    "The other of two calls that were put through to each other has ended."


By = Literal["caller", "callee", "agent", "gateway", "request"]
"Who ended the call."


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended: one value, which one coroutine returns."""

    status: Status
    reason: EndReason | Reason
    by: By
    detail: str
    "One sentence for a person."
    sip_status: int | None = None
    "What a carrier is answered whose call was not; what was answered to us, where `is_answer`."
    q850: int | None = None
    "ITU-T Q.850 cause, for the `Reason` header (RFC 3326)."
    is_answer: bool = False
    "The status came from the trunk: none that stands for silence, or for our own giving up."


MAX_STEPS = 100
"SIP messages that a record keeps: a call that lives on re-INVITEs must not grow without bound."


@dataclass(slots=True)
class CallRecord:
    """A call as the store keeps it, while it is being lived.

    Times are UTC, and those of one call lie apart as the monotonic clock says: only `created_at` is read off
    the wall clock, which may be set meanwhile.
    """

    id: str
    direction: str
    sip_call_id: str
    from_number: str
    to_number: str
    created_at: datetime
    status: Status
    type: str = "phone"
    "`phone`, or `web`: a browser in the place of the carrier."
    workspace_id: str | None = None
    trunk_id: str | None = None
    number_id: str | None = None
    agent_id: str | None = None
    version_id: str | None = None
    version_number: int | None = None
    decision: dict[str, object] | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    first_audio_in_at: datetime | None = None
    "When the caller's first audio went to the agent."
    first_audio_out_at: datetime | None = None
    "When the agent's first audio left for the caller."
    ended_at: datetime | None = None
    ending: Ending | None = None
    requested_by: str | None = None
    "Who asked for an outbound call: `api:key_…`, `mqtt:…`, `cli:root`."
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
    parent_call_id: str | None = None
    batch_id: str | None = None
    category: Category | None = None
    "None: a single call."
    category_id: str | None = None
    quote: Quote | None = None
    "What an outbound call costs; None: nothing is charged."
    prepaid: bool = False
    "The workspace's wallet pays."
    paid_seconds: float | None = None
    "Connected seconds that are charged at most: those that the wallet could pay; None: all of them."
    media: dict[str, object] = field(default_factory=dict)
    "Packets, loss, jitter and the like, each way: `docs/calls.md` lists the keys."
    ladder: list[dict[str, object]] = field(default_factory=list)
    "The SIP messages of the call, in JSON types: `at`, `sent` (by us), `line` (`INVITE`, `180 Ringing`, …)."
    sealed_caller: str | None = None
    "Who asked to be nobody, sealed for the operator."
    recording_status: str | None = None
    "`recording`, `saved` or `failed`; None: it was not recorded."
    recording: dict[str, object] | None = None
    "`docs/recording.md` lists the keys."
    begun: float = field(default_factory=time.monotonic)
    "The monotonic clock at `created_at`."

    def now(self) -> datetime:
        """This moment in the time of the call: as long after its beginning as the monotonic clock says."""
        return self.created_at + timedelta(seconds=time.monotonic() - self.begun)

    def routed(self, route: Route) -> None:
        """Keep what the decision found."""
        self.workspace_id = route.workspace.id
        if not isinstance(route, WebRoute):
            self.trunk_id = route.trunk.id
            self.number_id = route.number.id
        self.agent_id = route.agent.id
        self.version_id = route.version.id
        self.version_number = route.version.number
        if isinstance(route, InboundRoute):
            self.to_number = route.called
            self.from_number = route.caller or route.caller_raw or self.from_number
        elif isinstance(route, OutboundRoute):
            self.quote = route.quote
            self.prepaid = route.paid_seconds is not None
        self.decision = route.decision.as_dict()

    def rejected(self, refusal: Rejected) -> None:
        """Keep the decision against the call, and whose it was as far as that was found out."""
        self.decision = refusal.decision.as_dict()
        self.workspace_id = self.workspace_id or refusal.subject.workspace_id
        self.trunk_id = self.trunk_id or refusal.subject.trunk_id
        self.number_id = self.number_id or refusal.subject.number_id

    def end(self, ending: Ending, media: dict[str, object]) -> None:
        """The call is over."""
        self.ended_at = self.now()
        self.ending = ending
        self.status = ending.status
        self.media = media

    def summary(self) -> dict[str, object]:
        """What the log says of a call that has ended: enough to understand it without the database."""
        assert self.ending is not None, "a call that goes on has no summary"
        return summary_of(self.row())

    def row(self) -> CallRow:
        """The record as it stands, for the store.

        Long, since each column is named once.
        """
        ending = self.ending
        return CallRow(
            id=self.id,
            direction=self.direction,
            type=self.type,
            status=self.status.value,
            created_at=self.created_at,
            workspace_id=self.workspace_id,
            trunk_id=self.trunk_id,
            number_id=self.number_id,
            agent_id=self.agent_id,
            version_id=self.version_id,
            version_number=self.version_number,
            from_number=self.from_number,
            to_number=self.to_number,
            sip_call_id=self.sip_call_id,
            end_reason=None if ending is None else ending.reason.value,
            ended_by=None if ending is None else ending.by,
            detail="" if ending is None else ending.detail,
            sip_status=self.sip_status,
            q850=None if ending is None else ending.q850,
            decision=self.decision,
            ringing_at=self.ringing_at,
            answered_at=self.answered_at,
            first_audio_in_at=self.first_audio_in_at,
            first_audio_out_at=self.first_audio_out_at,
            ended_at=self.ended_at,
            duration_ms=self.duration_ms,
            media=self.media,
            ladder=tuple(self.ladder),
            requested_by=self.requested_by,
            metadata=self.metadata,
            notes=self.notes,
            parent_call_id=self.parent_call_id,
            batch_id=self.batch_id,
            category=self.category,
            category_id=self.category_id,
            recording_status=self.recording_status,
            recording=self.recording,
            epoch_ms=milliseconds(self.created_at) - int(self.begun * 1000),
            sealed_caller=self.sealed_caller,
            **self._price(),
        )

    @property
    def charge(self) -> Charge | None:
        """What the call came to; None: it goes on, or nothing is charged."""
        if self.quote is None or self.ended_at is None:
            return None
        connected = None if self.answered_at is None else self.duration_ms / 1000
        if connected is not None and self.paid_seconds is not None:
            connected = min(connected, self.paid_seconds)
        return self.quote.charge(connected)

    def _price(self) -> dict[str, Any]:
        quote, charge = self.quote, self.charge
        if quote is None:
            return {}
        return {
            "price": None if charge is None else charge.price,
            "billed_seconds": None if charge is None else charge.billed_seconds,
            "currency": quote.currency,
            "rate": quote.per_minute,
            "rate_prefix": quote.prefix,
            "increment": str(quote.increment),
            "connection_fee": quote.connection_fee,
            "prepaid": self.prepaid,
        }

    @property
    def sip_status(self) -> int | None:
        """The final answer that refused the INVITE: ours to a carrier, a trunk's to us; None: none was."""
        ending = self.ending
        if ending is None or self.answered_at is not None or self.type == "web":
            return None
        return ending.sip_status if self.direction == "inbound" or ending.is_answer else None

    @property
    def duration_ms(self) -> int:
        """Connected time in milliseconds; 0 for a call that was not answered."""
        return connected_ms(self.answered_at, self.ended_at)

    def step(self, sent: bool, line: str) -> None:
        """Remember a SIP message of this call, up to `MAX_STEPS`."""
        if len(self.ladder) < MAX_STEPS:
            at = self.now().isoformat(timespec="milliseconds")
            self.ladder.append({"at": at, "sent": sent, "line": line})


def summary_of(row: CallRow) -> dict[str, object]:
    """What `call.ended` says of a call, whoever saw its end."""
    incoming, outgoing = _figures(row, "in"), _figures(row, "out")
    return {
        "status": row.status,
        "reason": row.end_reason,
        "by": row.ended_by,
        "detail": row.detail,
        "sip_status": row.sip_status,
        "type": row.type,
        "direction": row.direction,
        "refused": row.direction == "inbound" and row.answered_at is None and row.ended_by == "gateway",
        "from": row.from_number,
        "to": row.to_number,
        "duration_ms": row.duration_ms,
        "setup_seconds": _seconds(row.created_at, row.answered_at),
        "first_word_seconds": _seconds(row.answered_at, row.first_audio_out_at),
        "first_heard_seconds": _seconds(row.answered_at, row.first_audio_in_at),
        "packets_in": incoming.get("packets"),
        "lost": incoming.get("lost"),
        "jitter_ms": incoming.get("jitter_ms"),
        "loss_in": incoming.get("loss_percent"),
        "loss_out": outgoing.get("loss_percent"),
        "mos_in": incoming.get("mos"),
        "mos_out": outgoing.get("mos"),
        "round_trip_ms": row.media.get("round_trip_ms"),
        "decision": row.decision,
    }


def _figures(row: CallRow, direction: str) -> Mapping[str, object]:
    figures = row.media.get(direction)
    return figures if isinstance(figures, dict) else {}


def _seconds(earlier: datetime | None, later: datetime | None) -> float | None:
    if earlier is None or later is None:
        return None
    # Early media comes before the answer.
    return max(0.0, round((later - earlier).total_seconds(), 4))


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)
