"""Digest authentication: challenges, credentials, and both sides of using them (RFC 8760, 7616, 2617)."""

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.grammar import MAX_PARAMS, is_token, parse_quoted_or_token, quote, split_outside
from gateway.sip.uri import SipUri, Uri, parse_uri

_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"Strongest first. MD5 stays because trunks that know nothing else do."

MAX_USER = 100
"Characters by which users are told apart who guess."
_SESSION = "-SESS"
_QOPS = ("auth", "auth-int")
_NONCE = struct.Struct(">QI16s")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a WWW-Authenticate or Proxy-Authenticate header asks for (RFC 7616 section 3.3)."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    "The qualities of protection offered; empty when the peer knows only RFC 2069."
    stale: bool = False
    "The credentials were right, only the nonce was not: worth another try with the same password."
    opaque: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a header value; raises RemoteProtocolError, also for a scheme that is not Digest."""
        params = _parse_digest(text, "realm", "nonce")
        return cls(
            params["realm"],
            params["nonce"],
            params.get("algorithm", "MD5"),
            tuple(
                [word.strip(" \t").lower() for word in params.get("qop", "").split(",", MAX_PARAMS) if word]
            ),
            params.get("stale", "").lower() == "true",
            params.get("opaque"),
        )

    @property
    def supported(self) -> bool:
        """Whether we know how to answer."""
        return _hash_of(self.algorithm) is not None and (not self.qop or self._best_qop is not None)

    @property
    def _best_qop(self) -> str | None:
        """Proxies and gateways on the way may change the body, so `auth-int` only where nothing else goes."""
        return next((qop for qop in _QOPS if qop in self.qop), None)

    def __str__(self) -> str:
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}", f"algorithm={self.algorithm}"]
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        if self.stale:
            parts.append("stale=TRUE")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an Authorization or Proxy-Authorization header offers (RFC 7616 section 3.4)."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = "MD5"
    opaque: str | None = None
    qop: str | None = None
    nc: str = ""
    "The nonce count as written: eight hexadecimal digits; empty without qop."
    cnonce: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a header value; raises RemoteProtocolError, also for a scheme that is not Digest."""
        params = _parse_digest(text, "username", "realm", "nonce", "uri", "response")
        qop, nc, cnonce = params.get("qop"), params.get("nc", ""), params.get("cnonce", "")
        if qop is not None and not (_is_nonce_count(nc) and cnonce):
            raise RemoteProtocolError("qop without nonce count and cnonce")
        return cls(
            params["username"],
            params["realm"],
            params["nonce"],
            params["uri"],
            params["response"],
            params.get("algorithm", "MD5"),
            params.get("opaque"),
            qop.lower() if qop else None,
            nc if qop else "",
            cnonce,
        )

    def __str__(self) -> str:
        parts = [
            f"{name}={quote(getattr(self, name))}"
            for name in ("username", "realm", "nonce", "uri", "response")
        ]
        parts.append(f"algorithm={self.algorithm}")
        if self.cnonce:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.qop is not None:
            parts += [f"qop={self.qop}", f"nc={self.nc}"]
        return "Digest " + ", ".join(parts)


def user_in(header: str) -> str:
    """As whom credentials claim to be; empty where they cannot be read."""
    try:
        return Credentials.parse(header).username[:MAX_USER]
    except RemoteProtocolError:
        return ""


def _parse_digest(text: str, *required: str) -> dict[str, str]:
    """Read the parameters of a Digest header: names in lower case, values without quotes."""
    scheme, _, rest = text.partition(" ")
    if scheme.lower() != "digest":
        raise RemoteProtocolError("scheme is not Digest")
    params: dict[str, str] = {}
    for element in split_outside(rest, ",", MAX_PARAMS):
        if element:
            name, value = _parse_auth_param(element)
            if name in params:
                raise RemoteProtocolError("parameter given twice")
            params[name] = value
    for name in required:
        if name not in params:
            raise RemoteProtocolError(f"{name} missing")
    return params


def _parse_auth_param(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.rstrip(" \t").lower()
    if not equals or not is_token(name):
        raise RemoteProtocolError("malformed parameter name")
    return name, parse_quoted_or_token(value.lstrip(" \t"))


def _is_nonce_count(text: str) -> bool:
    return len(text) == 8 and not text.lower().strip("0123456789abcdef")


def _hash_of(algorithm: str) -> Callable[[bytes], str] | None:
    return _HASHES.get(algorithm.upper().removesuffix(_SESSION))


def _response(credentials: Credentials, password: str, method: str, body: bytes) -> str:
    """Compute what `response` has to be (RFC 7616 section 3.4.1)."""
    hashed = _hash_of(credentials.algorithm)
    if hashed is None:
        raise LocalProtocolError("digest algorithm that we do not know")
    nonce, cnonce, qop = credentials.nonce, credentials.cnonce, credentials.qop
    secret = hashed(f"{credentials.username}:{credentials.realm}:{password}".encode())
    if credentials.algorithm.upper().endswith(_SESSION):
        secret = hashed(f"{secret}:{nonce}:{cnonce}".encode())
    content = f":{hashed(body)}" if qop == "auth-int" else ""
    request = hashed(f"{method}:{credentials.uri}{content}".encode())
    protection = f":{credentials.nc}:{cnonce}:{qop}" if qop else ""
    return hashed(f"{secret}:{nonce}{protection}:{request}".encode())


def challenges_to_answer(values: Iterable[str], realm: str | None = None) -> list[Challenge]:
    """Choose what to answer of a response's challenges: of every realm the strongest that we know.

    With `realm`, only that one: a password goes nowhere else. What cannot be read is passed over.
    """
    chosen: dict[str, Challenge] = {}
    for challenge in filter(None, map(_readable, values)):
        rival = chosen.get(challenge.realm)
        if realm in {None, challenge.realm} and (rival is None or _strength(challenge) > _strength(rival)):
            chosen[challenge.realm] = challenge
    return list(chosen.values())


def realms_in(values: Iterable[str]) -> list[str]:
    """The realms of a response's challenges, each once; what cannot be read is passed over."""
    realms: dict[str, None] = {}
    for value in values:
        with suppress(RemoteProtocolError):
            realms[Challenge.parse(value).realm] = None
    return list(realms)


def _readable(value: str) -> Challenge | None:
    try:
        challenge = Challenge.parse(value)
    except RemoteProtocolError:
        return None
    return challenge if challenge.supported else None


def _strength(challenge: Challenge) -> int:
    return -list(_HASHES).index(challenge.algorithm.upper().removesuffix(_SESSION))


def answer(
    challenge: Challenge,
    username: str,
    password: str,
    method: str,
    uri: str,
    body: bytes,
    cnonce: str,
    nonce_count: int,
) -> Credentials:
    """Answer a challenge for one request.

    `uri` is the Request-URI as sent, `cnonce` a fresh random token, `nonce_count` says how often this
    nonce has been answered, from 1. Raises LocalProtocolError when the challenge is not `supported`.
    """
    if not challenge.supported:
        raise LocalProtocolError("digest challenge that we cannot answer")
    qop = challenge._best_qop
    needs_cnonce = qop is not None or challenge.algorithm.upper().endswith(_SESSION)
    unanswered = Credentials(
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        "",
        challenge.algorithm,
        challenge.opaque,
        qop,
        f"{nonce_count:08x}" if qop else "",
        cnonce if needs_cnonce else "",
    )
    return replace(unanswered, response=_response(unanswered, password, method, body))


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
    expected = _response(credentials, password or "", method, body)
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
