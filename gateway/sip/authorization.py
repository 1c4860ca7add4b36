"""Our answers to the digest challenges that one request meets (RFC 3261 section 22, RFC 8760)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sip.digest import Challenge, answer, challenges_to_answer

if TYPE_CHECKING:
    from gateway.sip.message import Request, Response
    from gateway.sip.settings import Login

MAX_ROUNDS = 4
"Challenges that one request answers: a proxy's and the callee's, each with one stale nonce."

HEADERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
"Which header challenges, and which one answers."

CREDENTIALS = ("Authorization", "Proxy-Authorization")


class Authorization:
    """What one request has learnt from its challenges; without a login, it meets none."""

    __slots__ = ("_login", "_met", "_rounds", "_token", "_uses")

    def __init__(self, login: Login | None, token: Callable[[], str]) -> None:
        self._login = login
        self._token = token
        self._met: dict[tuple[str, str], Challenge] = {}
        self._uses: Counter[str] = Counter()
        self._rounds = 0

    @property
    def realms(self) -> tuple[str, ...]:
        """Whose challenges were met, each once."""
        return tuple(dict.fromkeys(realm for _, realm in self._met))

    def takes(self, response: Response) -> bool:
        """Whether the request is worth sending again: a challenge for our realm that is new, or stale.

        A second challenge that does not call the nonce stale means that the password is wrong.
        """
        if response.status not in HEADERS or self._login is None or self._rounds >= MAX_ROUNDS:
            return False
        self._rounds += 1
        challenging, answering = HEADERS[response.status]
        met = {}
        for challenge in challenges_to_answer(response.headers.get_all(challenging), self._login.realm):
            key = (answering, challenge.realm)
            if key not in self._met or challenge.stale:
                met[key] = challenge
        self._met |= met
        return bool(met)

    def headers_for(self, request: Request) -> list[tuple[str, str]]:
        """The credentials of a request that is about to be sent."""
        return [(name, self._answer(challenge, request)) for (name, _), challenge in self._met.items()]

    def _answer(self, challenge: Challenge, request: Request) -> str:
        assert self._login is not None, "nothing was met without a login"
        self._uses[challenge.nonce] += 1
        credentials = answer(
            challenge,
            self._login.username,
            self._login.password,
            request.method,
            request.uri,
            request.body,
            self._token(),
            self._uses[challenge.nonce],
        )
        return str(credentials)
