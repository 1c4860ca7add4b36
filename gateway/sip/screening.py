"""Who may talk to us: the question that a user agent asks before it makes any state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from gateway.sip.message import Request
    from gateway.sip.target import Target


@dataclass(frozen=True, slots=True)
class Admit:
    """The request goes on; `tag` comes back in `InviteReceived.admission`."""

    tag: object = None


@dataclass(frozen=True, slots=True)
class Ignore:
    """The request is dropped and counted as `ignored.<why>`; its sender learns nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The request is answered and forgotten: a stateless response (RFC 3261 section 8.2.7).

    A repeat of the request, which UDP makes likely, is screened again.
    """

    status: int
    reason: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    why: str = ""
    "For the log, `Header: what is wrong with it`; empty where the status says it all."


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message of a source that we know was answered with an error, or dropped, before it was anybody's.

    Challenges and what a gatekeeper denies are not told: whoever denies knows.
    """

    source: Target
    what: str
    "The method, or the status of a response."
    status: int | None
    "What it was answered with; None: it was dropped."
    why: str
    "`Header: what is wrong with it`, or plain words."
    call_id: str


Screening: TypeAlias = Admit | Ignore | Deny


class Gatekeeper(Protocol):
    """Who may talk to us, asked before any state is made."""

    def knows(self, source: Target) -> bool:
        """Whether this source gets any answer at all.

        Messages that belong to a transaction or a dialog of ours are heard wherever they come from.
        """
        ...

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """A request, valid or not, from a source that is not known has been dropped without an answer."""
        ...

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        """What becomes of a request that is valid and matches no transaction and no dialog."""
        ...

    def refused(self, refusal: MessageRefused, now: float) -> None:
        """A message of a source that is known has come to nothing, for a fault of its own."""
        ...
