"""The one place where a refusal becomes a SIP answer."""

from dataclasses import dataclass

from gateway.call.record import Ending, EndReason, Status
from gateway.routing.decision import Reason, Rejected


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
    EndReason.BAD_SESSION: Answer(400, "Session Description Not Understood", 95),
    EndReason.NO_PORT_FREE: Answer(503, "No Media Port Free", 34),
    EndReason.STORE_UNAVAILABLE: Answer(503, "Routing Database Not Reachable", 41),
    EndReason.GATEWAY_DRAINED: Answer(503, "Gateway Draining", 41),
    EndReason.INTERNAL_ERROR: Answer(500, "Server Internal Error", 41),
}

OTHERWISE = Answer(500, "Server Internal Error", 41)

RETRY_SECONDS: dict[EndReason | Reason, int] = {
    EndReason.AGENT_UNREACHABLE: 10,
    EndReason.NO_PORT_FREE: 5,
    EndReason.STORE_UNAVAILABLE: 10,
}
"How soon the same call may be tried again, where time helps and the refusal itself does not say."


class Refused(Exception):
    """Call control refuses a call before its answer, for a reason that is not routing's."""

    def __init__(self, reason: EndReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after = RETRY_SECONDS.get(reason)


def answer_for(refusal: Rejected | Refused) -> Answer:
    """The SIP answer to a refusal."""
    return ANSWERS.get(refusal.reason, OTHERWISE)


def ending_of(refusal: Rejected | Refused) -> Ending:
    """The ending of a call that was refused."""
    answer = answer_for(refusal)
    detail = refusal.message if isinstance(refusal, Rejected) else refusal.detail
    return Ending(Status.FAILED, refusal.reason, "gateway", detail, answer.status, answer.q850)


def retry_headers(refusal: Rejected | Refused) -> list[tuple[str, str]]:
    """`Retry-After` in whole seconds, where time helps (RFC 3261 section 20.33)."""
    if refusal.retry_after is None:
        return []
    return [("Retry-After", str(max(1, round(refusal.retry_after))))]


def reason_header(answer: Answer) -> tuple[str, str]:
    """The Q.850 cause and our phrase as a `Reason` header (RFC 3326)."""
    return ("Reason", f'Q.850;cause={answer.q850};text="{answer.phrase}"')
