"""Our challenges to those who call in, and what their credentials prove (RFC 7616, RFC 8760)."""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.sip.digest import Challenge, Credentials, proof
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.uri import SipUri, Uri, parse_uri

MAX_USER = 100
"Characters by which users are told apart who guess."

_NONCE = struct.Struct(">QI16s")


def user_in(header: str) -> str:
    """As whom credentials claim to be; empty where they cannot be read."""
    try:
        return Credentials.parse(header).username[:MAX_USER]
    except RemoteProtocolError:
        return ""


@dataclass(frozen=True, slots=True)
class Verified:
    """The credentials are right, fresh, and not seen before."""

    username: str
    same_uri: bool
    """Whether they were made for whom the Request-URI names. Proxies may have rewritten host and parameters
    on the way (RFC 3261 section 22.4), so that these do not count."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The nonce is old, used up or not ours: challenge with `stale` (RFC 7616 section 3.3).

    Whether the proof was right is not looked at, but for one that is used up: who guesses needs a challenge
    of ours for it, which goes only to where they are.
    """

    username: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """The credentials prove nothing."""

    username: str
    "As claimed; empty when it could not be read."
    why: str
    "For our own records: the peer need not know which half was wrong."


class Authenticator:
    """Challenges requests and verifies their credentials.

    A nonce carries its own time and is signed, so that a challenge costs no memory; what is remembered,
    up to a bound, are the counts of nonces that right credentials were given for.
    """

    def __init__(
        self,
        secret: bytes,
        realm: str,
        *,
        lifetime: float = 300.0,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        qop: tuple[str, ...] = ("auth",),
        remembered: int = 4096,
    ) -> None:
        self._secret = secret
        self._realm = realm
        self._lifetime = lifetime
        self._algorithms = algorithms
        self._qop = qop
        self._counts = _NonceCounts(remembered)
        self._issued = 0

    def challenge(self, now: float, source: str, *, stale: bool = False) -> list[Challenge]:
        """Return one challenge an algorithm, to be sent in this order, for this source only."""
        self._issued = (self._issued + 1) % 2**32
        moment = int(now * 1000)
        nonce = _nonce_text(moment, self._issued, self._signature(moment, self._issued, source))
        return [Challenge(self._realm, nonce, name, self._qop, stale) for name in self._algorithms]

    def pick(self, values: Iterable[str]) -> str | None:
        """Pick the header value that is meant for us; the others are as good as absent."""
        for value in values:
            try:
                if Credentials.parse(value).realm == self._realm:
                    return value
            except RemoteProtocolError:
                continue
        return None

    def verify(
        self,
        header: str,
        method: str,
        uri: str,
        lookup: Callable[[str], str | None],
        now: float,
        source: str,
        body: bytes = b"",
    ) -> Verified | Stale | Wrong:
        """Judge the credentials of a request; `lookup` gives a user's password, None for nobody's."""
        try:
            credentials = Credentials.parse(header)
        except RemoteProtocolError as error:
            return Wrong("", error.reason)
        username = credentials.username
        why = self._mismatch(credentials)
        if why is not None:
            return Wrong(username, why)
        moment = self._moment_of(credentials.nonce, source)
        if moment is None or now - moment > self._lifetime:
            return Stale(username)
        why = _refutation(credentials, lookup(username), method, body)
        if why is not None:
            return Wrong(username, why)
        if not self._counts.use(credentials.nonce, moment, int(credentials.nc or "0", 16)):
            return Stale(username)
        return Verified(username, _same_party(credentials.uri, uri))

    def _mismatch(self, credentials: Credentials) -> str | None:
        """What in the credentials does not go with any challenge of ours."""
        if credentials.realm != self._realm:
            return "another realm"
        if credentials.algorithm.upper() not in self._algorithms:
            return "an algorithm that was not offered"
        if credentials.qop is not None and credentials.qop not in self._qop:
            return "a qop that was not offered"
        return None

    def _moment_of(self, nonce: str, source: str) -> float | None:
        """When we issued the nonce to that source; None if we never did."""
        try:
            moment, number, _ = _NONCE.unpack(urlsafe_b64decode(nonce + "=="))
        except (ValueError, struct.error):
            return None
        ours = _nonce_text(moment, number, self._signature(moment, number, source))
        return moment / 1000 if hmac.compare_digest(nonce.encode(), ours.encode()) else None

    def _signature(self, moment: int, number: int, source: str) -> bytes:
        return hmac.digest(self._secret, f"{moment} {number} {self._realm} {source}".encode(), "sha256")[:16]


def _same_party(claimed: str, called: str) -> bool:
    """Whether credentials for one URI are good for a Request-URI: it names the same user, or the same server.

    Some peers (SIPp among them) name the server alone, which has to be the one that is asked then.
    """
    if claimed == called:
        return True
    try:
        theirs, ours = parse_uri(claimed), parse_uri(called)
    except RemoteProtocolError:
        return False
    if isinstance(theirs, SipUri) and theirs.user is None:
        return isinstance(ours, SipUri) and theirs.host.lower() == ours.host.lower()
    return _party(theirs) == _party(ours)


def _party(uri: Uri) -> str:
    """The user of a SIP URI, or the number of a `tel`, without plus and parameters."""
    name = uri.unescaped_user if isinstance(uri, SipUri) else str(uri).partition(":")[2]
    return name.partition(";")[0].removeprefix("+")


def _nonce_text(moment: int, number: int, signature: bytes) -> str:
    return urlsafe_b64encode(_NONCE.pack(moment, number, signature)).decode().rstrip("=")


def _refutation(credentials: Credentials, password: str | None, method: str, body: bytes) -> str | None:
    """What is wrong with the proof; it takes as long to find for a user that there is not."""
    expected = proof(credentials, password or "", method, body)
    right = hmac.compare_digest(expected.encode(), credentials.response.lower().encode())
    if password is None:
        return "an unknown user name"
    return None if right else "a wrong password"


class _NonceCounts:
    """The nonce counts that have been used, each only once (RFC 7616 section 5.5).

    A client counts up, but UDP may deliver out of order: the last 64 counts below the highest are told
    apart. Without qop there is no count, and a nonce is good once.
    """

    _WINDOW = 64

    def __init__(self, size: int) -> None:
        self._size = size
        self._used: OrderedDict[str, tuple[float, int, int]] = OrderedDict()
        self._forgotten = float("-inf")
        "Nonces issued up to here may have been used and forgotten."

    def use(self, nonce: str, moment: float, count: int) -> bool:
        """Note the use of one count; False when it has been used before, or may have been."""
        if nonce not in self._used and moment <= self._forgotten:
            return False
        _, highest, bits = self._used.get(nonce, (moment, count - 1, 0))
        ahead = count - highest
        if ahead > 0:
            highest = count
            bits = (bits << min(ahead, self._WINDOW) | 1) & (1 << self._WINDOW) - 1
        elif -ahead >= self._WINDOW or bits >> -ahead & 1:
            return False
        else:
            bits |= 1 << -ahead
        self._used[nonce] = (moment, highest, bits)
        self._used.move_to_end(nonce)
        self._forget()
        return True

    def _forget(self) -> None:
        while len(self._used) > self._size:
            _, (moment, _, _) = self._used.popitem(last=False)
            self._forgotten = max(self._forgotten, moment)
