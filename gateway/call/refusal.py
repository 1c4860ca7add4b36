"""The one place where a refusal becomes a SIP answer."""

from dataclasses import dataclass, replace

from gateway.call.record import Ending, EndReason, Status
from gateway.media.carried_stream import NotAcceptable
from gateway.media.codecs import CODECS
from gateway.media.offer_answer import NO_COMMON_CODEC
from gateway.routing.decision import Reason, Rejected
from gateway.routing.mending import MENDS, Mend
from gateway.sip.grammar import quote


@dataclass(frozen=True, slots=True)
class Answer:
    """What the peer is told: a final SIP status, its phrase and a Q.850 cause (RFC 3326)."""

    status: int
    phrase: str
    q850: int


# One status and one phrase a reason: a carrier's engineer tells the refusals apart from a trace alone.
ANSWERS: dict[EndReason | Reason, Answer] = {
    Reason.UNKNOWN_SOURCE: Answer(403, "Source Not Allowed", 21),
    Reason.TRUNK_DISABLED: Answer(403, "Trunk Disabled", 21),
    Reason.CREDENTIALS_REQUIRED: Answer(401, "Unauthorized", 21),
    Reason.STALE_CREDENTIALS: Answer(401, "Unauthorized", 21),
    Reason.BAD_CREDENTIALS: Answer(403, "Credentials Wrong", 21),
    Reason.MALFORMED_NUMBER: Answer(484, "Number Not Understood", 28),
    Reason.UNKNOWN_NUMBER: Answer(404, "Number Not Known Here", 1),
    Reason.NUMBER_ON_OTHER_TRUNK: Answer(404, "Number Not On This Trunk", 1),
    Reason.NUMBER_IN_OTHER_WORKSPACE: Answer(404, "Number Not Known Here", 1),
    Reason.NUMBER_NOT_ACTIVE: Answer(480, "Number Not Active", 20),
    Reason.RENTAL_EXPIRED: Answer(480, "Number Rental Expired", 20),
    Reason.RENTAL_NOT_TAKEN: Answer(480, "Number Not Rented", 20),
    Reason.NO_INBOUND_VERSION: Answer(480, "No Inbound Agent Assigned", 20),
    Reason.VERSION_MISSING: Answer(480, "Assigned Agent Version Missing", 20),
    Reason.VERSION_NOT_PUBLISHED: Answer(480, "Assigned Agent Version Not Published", 20),
    Reason.AGENT_MISSING: Answer(480, "Assigned Agent Missing", 20),
    Reason.WORKSPACE_CONCURRENCY_LIMIT: Answer(503, "Workspace Concurrency Limit", 34),
    Reason.NUMBER_CHANNEL_LIMIT: Answer(503, "Number Channel Limit", 34),
    Reason.TRUNK_CHANNEL_LIMIT: Answer(503, "Trunk Channel Limit", 34),
    Reason.TRUNK_RATE_LIMIT: Answer(503, "Trunk Calls Per Second Limit", 42),
    Reason.WEB_CALL_LIMIT: Answer(503, "Web Call Limit", 34),
    EndReason.AGENT_UNREACHABLE: Answer(503, "Agent Runtime Not Reachable", 27),
    EndReason.NO_COMMON_CODEC: Answer(488, "No Common Codec", 65),
    EndReason.NO_USABLE_MEDIA: Answer(488, "Media Not Acceptable", 65),
    EndReason.BAD_SESSION: Answer(400, "Session Description Not Understood", 95),
    EndReason.NO_PORT_FREE: Answer(503, "No Media Port Free", 34),
    EndReason.STORE_UNAVAILABLE: Answer(503, "Routing Database Not Reachable", 41),
    EndReason.GATEWAY_DRAINED: Answer(503, "Gateway Draining", 41),
    EndReason.GATEWAY_OVERLOADED: Answer(503, "Gateway Overloaded", 42),
    EndReason.INTERNAL_ERROR: Answer(500, "Server Internal Error", 41),
}

WARN_AGENT = "trunkline"
"Who warns: a pseudonym, since hosts behind NAT say nothing to anybody."

OTHERWISE = Answer(500, "Server Internal Error", 41)

RETRY_SECONDS: dict[EndReason | Reason, int] = {
    EndReason.AGENT_UNREACHABLE: 10,
    EndReason.NO_PORT_FREE: 5,
    EndReason.STORE_UNAVAILABLE: 10,
    EndReason.GATEWAY_OVERLOADED: 5,
}
"How soon the same call may be tried again, where time helps and the refusal itself does not say."


OTHER_MENDS: dict[EndReason, Mend] = {
    EndReason.AGENT_UNREACHABLE: Mend(
        "Start the agent’s runtime, or mend its address.",
        "/agents",
        "GET /v1/agents/{agent_id}/versions",
        "gateway check --connect",
    ),
    EndReason.NO_USABLE_MEDIA: Mend(
        "Ask the carrier for ordinary audio (G.711, not encrypted), at a public address.",
        "/trunks",
        "",
        "gateway calls show CALL",
    ),
    EndReason.NO_COMMON_CODEC: Mend(
        f"Let the trunk have {' and '.join(CODECS)}, and the carrier offer one of them.",
        "/trunks",
        "",
        f"gateway trunks set TRUNK codecs={','.join(CODECS)}",
    ),
    EndReason.BAD_SESSION: Mend(
        "Ask the carrier: what it says of its audio makes no sense.", "/calls", "", "gateway calls show CALL"
    ),
    EndReason.NO_PORT_FREE: Mend(
        "Wait for a call to end; the operator can allow more calls at once.",
        "/calls",
        "GET /v1/calls",
        "gateway check",
    ),
    EndReason.STORE_UNAVAILABLE: Mend(
        "Try again; the operator looks after the database.", "/calls", "POST /v1/calls", "gateway check"
    ),
    EndReason.GATEWAY_OVERLOADED: Mend(
        "Try again in some seconds; the operator looks at what the machine carries.",
        "/calls",
        "POST /v1/calls",
        "gateway check",
    ),
    EndReason.GATEWAY_DRAINED: Mend(
        "Try again when the gateway is back.", "/calls", "POST /v1/calls", "gateway check"
    ),
    EndReason.SIP_TRUNK_UNREACHABLE: Mend(
        "Have the trunk go by a transport that the gateway listens on.",
        "/trunks",
        "",
        "gateway trunks set TRUNK transport=udp",
    ),
    EndReason.INTERNAL_ERROR: Mend(
        "Report it to whoever runs the gateway.", "/calls", "", "gateway tail CALL"
    ),
}
"The same as `MENDS`, for what call control refuses."


def mend_for(reason: EndReason | Reason | str) -> Mend | None:
    """What mends a refusal; None for words that are none."""
    return _BY_WORD.get(str(reason))


_BY_WORD = {str(reason): mend for table in (MENDS, OTHER_MENDS) for reason, mend in table.items()}


class Refused(Exception):
    """Call control refuses a call before its answer, for a reason that is not routing's."""

    def __init__(
        self, reason: EndReason, detail: str, phrase: str | None = None, warning: int | None = None
    ) -> None:
        """`phrase` and `warning` say more precisely than the reason what is wrong with an offer."""
        super().__init__(f"{reason}: {detail}")
        self.phrase = phrase
        self.warning = warning
        self.reason = reason
        self.detail = detail
        self.retry_after = RETRY_SECONDS.get(reason)


def answer_for(refusal: Rejected | Refused) -> Answer:
    """The SIP answer to a refusal."""
    answer = ANSWERS.get(refusal.reason, OTHERWISE)
    phrase = refusal.phrase if isinstance(refusal, Refused) else None
    return answer if phrase is None else replace(answer, phrase=phrase)


def refused_offer(error: NotAcceptable) -> Refused:
    """What is wrong with an offer that makes sense and has nothing that we can carry."""
    reason = EndReason.NO_COMMON_CODEC if error.phrase == NO_COMMON_CODEC else EndReason.NO_USABLE_MEDIA
    return Refused(reason, str(error), error.phrase, error.warning)


def warning_headers(refusal: Rejected | Refused) -> list[tuple[str, str]]:
    """A `Warning`, where the offer was to blame (RFC 3261 section 20.43)."""
    if not isinstance(refusal, Refused) or refusal.warning is None:
        return []
    return [("Warning", f"{refusal.warning} {WARN_AGENT} {quote(refusal.detail[:160])}")]


def ending_of(refusal: Rejected | Refused) -> Ending:
    """The ending of a call that was refused."""
    answer = answer_for(refusal)
    detail = refusal.message if isinstance(refusal, Rejected) else refusal.detail
    return Ending(Status.FAILED, refusal.reason, "gateway", detail, answer.status, answer.q850)


def told_of_refusal(refusal: Rejected | Refused) -> dict[str, object]:
    """What `call.refused` says of a refusal: the reason, the check that failed, what mends it."""
    decision = refusal.decision if isinstance(refusal, Rejected) else None
    failed = [check for check in decision.checks if check.outcome == "fail"] if decision else []
    mend = mend_for(refusal.reason)
    return {
        "reason": refusal.reason.value,
        "detail": refusal.message if isinstance(refusal, Rejected) else refusal.detail,
        "failed": {"check": failed[-1].name, "looked_at": failed[-1].looked_at, "found": failed[-1].found}
        if failed
        else None,
        "mend": None if mend is None else mend.command,
        "decision": None if decision is None else decision.as_dict(),
    }


def retry_headers(refusal: Rejected | Refused) -> list[tuple[str, str]]:
    """`Retry-After` in whole seconds, where time helps (RFC 3261 section 20.33)."""
    if refusal.retry_after is None:
        return []
    return [("Retry-After", str(max(1, round(refusal.retry_after))))]


def reason_header(answer: Answer) -> tuple[str, str]:
    """The Q.850 cause and our phrase as a `Reason` header (RFC 3326)."""
    return ("Reason", f'Q.850;cause={answer.q850};text="{answer.phrase}"')
