"""Our answers to the digest challenges that one request meets (RFC 3261 section 22, RFC 8760)."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from gateway.sip.digest import Challenge, answer, challenges_to_answer

if TYPE_CHECKING:
    from gateway.sip.message import Request, Response
    from gateway.sip.settings import Login
    from gateway.sip.target import Target

MAX_ROUNDS = 4
"Challenges that one request answers: a proxy's and the callee's, each with one stale nonce."

MAX_ACCOUNTS = 10_000
"Accounts whose realms are remembered; those that were taken longest ago make room."

HEADERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
"Which header challenges, and which one answers."

CREDENTIALS = ("Authorization", "Proxy-Authorization")


class KnownRealms:
    """The realms in which each account has been taken, once it has: it answers to no other from then on.

    A proxy on the way, or whoever can put an answer in its place, would learn enough by a challenge of its
    own to guess the password at leisure.
    """

    def __init__(self, most: int = MAX_ACCOUNTS) -> None:
        self._most = most
        self._of: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()

    def of(self, peer: str, username: str) -> frozenset[str] | None:
        """Of an account at a peer; None: it was not taken there yet."""
        return self._of.get((peer, username))

    def learn(self, peer: str, username: str, realms: Iterable[str]) -> None:
        """The account was taken, in these."""
        self._of.setdefault((peer, username), frozenset(realms))
        self._of.move_to_end((peer, username))
        while len(self._of) > self._most:
            self._of.popitem(last=False)


class Authorization:
    """What one request has learnt from its challenges; without a login, it meets none."""

    __slots__ = ("_known", "_login", "_met", "_peer", "_rounds", "_token", "_uses")

    def __init__(
        self, login: Login | None, token: Callable[[], str], known: KnownRealms, peer: Target
    ) -> None:
        """`peer` is whom the login is for, as it was dialled."""
        self._known = known
        self._peer = f"{peer.transport} {peer.host}:{peer.port}"
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
        known = None if self._login.realm else self._known.of(self._peer, self._login.username)
        for challenge in challenges_to_answer(response.headers.get_all(challenging), self._login.realm):
            key = (answering, challenge.realm)
            ours = known is None or challenge.realm in known
            if ours and (key not in self._met or challenge.stale):
                met[key] = challenge
        self._met |= met
        return bool(met)

    def accepted(self) -> None:
        """The request was answered with 2xx: whose challenges it has met, the account belongs to."""
        if self._login is not None and self._met:
            self._known.learn(self._peer, self._login.username, self.realms)

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
