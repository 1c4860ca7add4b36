"""Who may call in: the user agent's gatekeeper, which asks the trunks.

Unknown sources cost no state and get nothing to work with. For known ones this settles the digest challenge,
which is SIP's business; which trunk, number and agent it is then is for `routing.inbound` to decide, for the
record to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal

from gateway.call.guesses import Guesses
from gateway.call.newcomers import Newcomers
from gateway.net.overload import Overload
from gateway.routing.inbound import Credentials, CredentialState, TrunkMatch, match_source
from gateway.routing.table import Trunks
from gateway.sip.authenticator import Authenticator, Stale, Verified, user_in
from gateway.sip.message import Request
from gateway.sip.screening import Admit, Deny, Ignore, MessageRefused, Screening
from gateway.sip.target import Target

LINES_A_SECOND = 5
"Log lines about unknown sources, and about messages refused: a scan must not fill the disk."

MOST_SOURCES = 1000
"Known sources whose refused messages are counted apart."

FREE_GUESSES, FREE_OF_SOURCE = 10, 100
"Wrong credentials after which a user at an address, and the address, has to wait for the next."
LONGEST_PAUSE = 60.0
"Seconds. A carrier whose password was mended is let in again within this."
_OVERLOADED = Deny(503, "Gateway Overloaded", [("Retry-After", "5")])
"To INVITE and OPTIONS while beats are late: a carrier with another way takes it."

OnUnknown = Callable[[Target, Request, int], None]
"Told of a request from an unknown source, and of how many since the last time."

OnRefused = Callable[[MessageRefused, str, int], None]
"Told of a message that came to nothing, of the trunks of its source, and of how many since the last time."


@dataclass(frozen=True, slots=True)
class Admission:
    """What the gatekeeper found out about a caller, for the routing decision."""

    credentials: Credentials


class TrunkGate:
    """Lets in what comes from a trunk's source; challenges where its trunks ask for credentials."""

    def __init__(
        self,
        trunks: Callable[[], Trunks],
        authenticator: Authenticator,
        unknown: Literal["ignore", "refuse"],
        newcomers: Newcomers,
        overload: Overload,
        on_unknown: OnUnknown,
        on_refused: OnRefused = lambda refusal, trunk, count: None,
    ) -> None:
        self._trunks = trunks
        self._authenticator = authenticator
        self._unknown = unknown
        self._on_unknown = on_unknown
        self._on_refused = on_refused
        self._refused: dict[tuple[str, int | None], tuple[float, int]] = {}
        "By source and status: when a line was told, and how many were not since."
        self._guesses = Guesses(LONGEST_PAUSE)
        self._newcomers = newcomers
        self._overload = overload
        self._told_at = 0.0
        self._untold = 0

    def knows(self, source: Target) -> bool:
        """Whether the source gets any answer at all."""
        return self._unknown == "refuse" or self._trunks().knows(source.host)

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """Say in the log, now and then, who was not let in: silence on the wire must not be silence here."""
        self._untold += 1
        if now - self._told_at >= 1 / LINES_A_SECOND:
            self._told_at = now
            count, self._untold = self._untold, 0
            self._on_unknown(source, request, count)

    def refused(self, refusal: MessageRefused, now: float) -> None:
        """A line a second for each source and status: a carrier's engineer will ask why."""
        key = refusal.source.host, refusal.status
        told_at, untold = self._refused.pop(key, (-inf, 0))
        if now - told_at < 1.0:
            self._refused[key] = told_at, untold + 1
            return
        if len(self._refused) >= MOST_SOURCES:
            del self._refused[next(iter(self._refused))]
        self._refused[key] = now, 0
        trunks = {trunk.name for _, trunk in self._trunks().at(refusal.source.host)}
        self._on_refused(refusal, ", ".join(sorted(trunks)), untold + 1)

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        """Silence or 403 for unknown sources, a challenge where credentials are due, otherwise in."""
        match = match_source(self._trunks(), source.host)
        if not match and not match.disabled:
            self.turned_away(request, source, now)
            return Deny(403, "Source Not Allowed") if self._unknown == "refuse" else Ignore("unknown_source")
        if request.method != "INVITE":
            return _OVERLOADED if self._overload.shedding else Admit()
        return self._too_much(source, now) or self._credentials(match, request, source, now)

    def _too_much(self, source: Target, now: float) -> Deny | None:
        """What the gateway as a whole stands; whoever is refused for it leaves no state and no record."""
        if self._overload.refuse():
            return _OVERLOADED
        if self._newcomers.too_many(source.host):
            return Deny(503, "Too Many Calls Without ACK", [("Retry-After", "5")])
        if not self._newcomers.in_pace(source.host, now):
            return Deny(503, "Gateway Calls Per Second Limit", [("Retry-After", "1")])
        return None

    def _credentials(self, match: TrunkMatch, request: Request, source: Target, now: float) -> Screening:
        header = self._authenticator.pick(request.headers.get_all("Authorization"))
        if header is None:
            if match.needs_credentials:
                return Deny(401, "Unauthorized", self.challenge(source, now, stale=False))
            return Admit(Admission(Credentials()))
        guesser = _guesser(source, header)
        wait = self._guesses.wait(guesser, now)
        if wait > 0:
            return Deny(503, "Too Many Wrong Credentials", [("Retry-After", str(ceil(wait)))])
        outcome = self._authenticator.verify(
            header, request.method, request.uri, match.password_of, now, source.host
        )
        if isinstance(outcome, Stale):
            return Deny(401, "Unauthorized", self.challenge(source, now, stale=True))
        if isinstance(outcome, Verified) and outcome.same_uri:
            self._guesses.succeeded(guesser[0][0])
            return Admit(Admission(Credentials(CredentialState.VERIFIED, outcome.username)))
        self._guesses.failed(guesser, now)
        return Admit(Admission(Credentials(CredentialState.WRONG, outcome.username)))

    def challenge(self, source: Target, now: float, *, stale: bool) -> list[tuple[str, str]]:
        """The headers of a 401: one challenge an algorithm, in the order of the configuration."""
        challenges = self._authenticator.challenge(now, source.host, stale=stale)
        return [("WWW-Authenticate", str(challenge)) for challenge in challenges]


def _guesser(source: Target, header: str) -> list[tuple[str, int]]:
    """What wrong credentials are counted by; only who has had a nonce of ours there gets as far as that."""
    return [(f"{source.host} {user_in(header)}", FREE_GUESSES), (source.host, FREE_OF_SOURCE)]
