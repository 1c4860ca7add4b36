"""What a user agent tells the application, one frozen value each.

`DialogTerminated` is the last event of every dialog, however it ended, and comes exactly once; nothing
about the dialog is kept after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from gateway.sip.dialog import Dialog
    from gateway.sip.message import Request
    from gateway.sip.target import Target


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A new call; 100 has been sent. Answer with `dialog.ring`, `dialog.accept` or `dialog.refuse`."""

    dialog: Dialog
    request: Request
    source: Target
    admission: object
    "The tag of the gatekeeper's `Admit`."


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up before our answer; 200 and 487 have been sent."""

    dialog: Dialog
    reason: str | None
    "Text of the Reason header (RFC 3326)."


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK of our 2xx to an INVITE came; its body is the answer when the offer was ours."""

    dialog: Dialog
    body: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class AckMissing:
    """Our 2xx was resent for 64*T1 and nobody acknowledged it: `dialog.bye` is what is left to do.

    When the application does nothing for another 64*T1, the user agent does it.
    """

    dialog: Dialog


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """An INVITE within the dialog: answer with `dialog.accept` or `dialog.refuse`."""

    dialog: Dialog
    request: Request


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The peer took its INVITE within the dialog back: the session stays as it was."""

    dialog: Dialog


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """The final answer to `dialog.reinvite`; a 2xx has been acknowledged already.

    408 also when no answer came, 503 when it could not be sent, 491 after the retries of RFC 3261
    section 14.1.
    """

    dialog: Dialog
    status: int
    body: bytes
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO of a media type that we know; 200 has been sent."""

    dialog: Dialog
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional answer, 101 to 199, to our INVITE; forks of the call each tell their own."""

    dialog: Dialog
    status: int
    body: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx to our INVITE: `dialog.ack` is due at once."""

    dialog: Dialog
    body: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A final answer other than 2xx to our INVITE, or what stands for it (RFC 3261 section 8.1.3.1).

    408: no answer at all. 503: it could not be sent; `reason_phrase` says why.
    """

    dialog: Dialog
    status: int
    reason_phrase: str
    reason_header: str | None
    "Text of the Reason header (RFC 3326), which is where a Q.850 cause would be."

    headers: Sequence[tuple[str, str]] = ()
    "All of them; empty when no response came."


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The peer hung up; 200 has been sent."""

    dialog: Dialog
    reason_header: str | None


@dataclass(frozen=True, slots=True)
class ByeFailed:
    """Our BYE reached nobody, by any way that we know: the peer may think that the call goes on."""

    dialog: Dialog
    target: Target
    "Where it was last sent."
    why: str


@dataclass(frozen=True, slots=True)
class DialogTerminated:
    """The last event of a dialog: forget it."""

    dialog: Dialog
    why: str
    "Plain words for the log."


@dataclass(frozen=True, slots=True)
class OptionsAnswered:
    """What became of `UserAgent.options` or `bindings`: any final status; 408 no answer, 503 not sent."""

    call_id: str
    "As the verb returned it."

    target: Target
    status: int
    reason_phrase: str
    answered: bool = True
    "False: no response came, and the status stands for that."

    realms: tuple[str, ...] = ()
    "Whose challenges were met with our credentials."


Event: TypeAlias = (
    InviteReceived
    | Cancelled
    | Acknowledged
    | AckMissing
    | ReinviteReceived
    | ReinviteCancelled
    | ReinviteAnswered
    | InfoReceived
    | Ringing
    | Answered
    | Refused
    | ByeReceived
    | ByeFailed
    | DialogTerminated
    | OptionsAnswered
)
