"""What a final answer to our INVITE means: the one table from SIP results to endings.

After the reference platform's words for why a call was not connected. A status that says precisely what was
wrong counts by itself; for a general one the Q.850 cause in a `Reason` header (RFC 3326) knows better.
"""

import re
from collections.abc import Mapping

from gateway.call.record import By, Ending, EndReason, Status
from gateway.sip.digest import realms_in
from gateway.sip.events import Refused

Outcome = tuple[Status, EndReason]

BUSY = (Status.BUSY, EndReason.USER_BUSY)
NOT_PICKED_UP = (Status.DID_NOT_PICK, EndReason.USER_DID_NOT_PICK_UP)
UNREACHABLE = (Status.NO_ANSWER, EndReason.USER_UNREACHABLE)
UNALLOCATED = (Status.FAILED, EndReason.UNALLOCATED_PHONE_NUMBER)
INVALID = (Status.FAILED, EndReason.INVALID_PHONE_NUMBER)
FORBIDDEN = (Status.FAILED, EndReason.DESTINATION_FORBIDDEN)
AUTH_FAILED = (Status.FAILED, EndReason.SIP_AUTH_FAILED)
TRUNK_UNREACHABLE = (Status.FAILED, EndReason.SIP_TRUNK_UNREACHABLE)
NETWORK = (Status.FAILED, EndReason.NETWORK_FAILURE)
UNKNOWN = (Status.FAILED, EndReason.UNKNOWN)

PRECISE: Mapping[int, Outcome] = {
    401: AUTH_FAILED,
    404: UNALLOCATED,
    407: AUTH_FAILED,
    410: UNALLOCATED,
    484: INVALID,
    486: BUSY,
    600: BUSY,
    603: BUSY,
    604: UNALLOCATED,
}
"SIP statuses that leave no question."

BY_CAUSE: Mapping[int, Outcome] = {
    1: UNALLOCATED,
    3: UNREACHABLE,
    17: BUSY,
    18: NOT_PICKED_UP,
    19: NOT_PICKED_UP,
    20: UNREACHABLE,
    21: BUSY,
    22: UNALLOCATED,
    27: UNREACHABLE,
    28: INVALID,
    34: NETWORK,
    38: NETWORK,
    41: NETWORK,
    42: NETWORK,
    44: NETWORK,
    47: NETWORK,
    52: FORBIDDEN,
    55: FORBIDDEN,
    57: FORBIDDEN,
    102: NOT_PICKED_UP,
}
"ITU-T Q.850 causes that say why the callee was not reached."

GENERAL: Mapping[int, Outcome] = {
    403: FORBIDDEN,
    408: NOT_PICKED_UP,
    480: UNREACHABLE,
    487: NOT_PICKED_UP,
    488: (Status.FAILED, EndReason.NO_COMMON_CODEC),
    606: (Status.FAILED, EndReason.NO_COMMON_CODEC),
}
"What these mean where no cause says more; the rest by their class."

CHALLENGES = {"www-authenticate", "proxy-authenticate"}
_CAUSE = re.compile(r"(?i)\bQ\.850\s*;(?:[^,]*;)?\s*cause\s*=\s*(\d{1,3})\b")


def q850_cause(reason_header: str | None) -> int | None:
    """The Q.850 cause in the text of a `Reason` header, where there is one."""
    cause = _CAUSE.search(reason_header or "")
    return int(cause[1]) if cause else None


def meaning(status: int, cause: int | None) -> Outcome:
    """The status and end reason that a final answer of 300 or more stands for; none is without a name."""
    if status in PRECISE:
        return PRECISE[status]
    if cause is not None and cause in BY_CAUSE:
        return BY_CAUSE[cause]
    if status in GENERAL:
        return GENERAL[status]
    return NETWORK if status >= 500 else UNKNOWN


def ending_of_refused(event: Refused, username: str | None = None) -> Ending:
    """The ending of a call that was not answered; what never reached the callee's side ended with us.

    `username` is whom the trunk's challenges are answered as, None where they are not.
    """
    if not event.headers:
        status, reason = TRUNK_UNREACHABLE
        detail = f"the trunk did not answer: {event.reason_phrase or 'no response'}"
        return Ending(status, reason, "gateway", detail, event.status, 27)
    if event.status < 300:
        status, reason = NETWORK
        detail = f"the trunk's {event.status} could not be used: {event.reason_phrase}"
        return Ending(status, reason, "gateway", detail, event.status, 95)
    cause = q850_cause(event.reason_header)
    status, reason = meaning(event.status, cause)
    by: By = "callee" if status in {Status.BUSY, Status.DID_NOT_PICK} else "gateway"
    detail = _detail(event, cause)
    if reason is EndReason.SIP_AUTH_FAILED:
        detail = f"{detail}: {_login_refused(event, username)}"
    return Ending(status, reason, by, detail, event.status, cause, is_answer=True)


def _login_refused(event: Refused, username: str | None) -> str:
    """As whom we came, and for which realm."""
    challenges = [text for name, text in event.headers if name.lower() in CHALLENGES]
    realms = ", ".join(f"“{realm[:80]}”" for realm in realms_in(challenges)[:3])
    where = f"for realm {realms}" if realms else "and its challenge cannot be read"
    if username is None:
        return f"it asks for a login {where}, and the trunk has none here"
    return f"user “{username}” is not let in {where}"


def _detail(event: Refused, cause: int | None) -> str:
    said = f"{event.status} {event.reason_phrase}".rstrip()[:120]
    if 300 <= event.status < 400:
        return f"the trunk answered {said}; calls are not redirected"
    warning = next((value for name, value in event.headers if name == "Warning"), "")
    more = "" if cause is None else f", Q.850 cause {cause}"
    return f"the trunk answered {said}{more}" + (f", Warning: {warning[:120]}" if warning else "")
