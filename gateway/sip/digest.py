"""Digest authentication (RFC 8760, 7616, 2617): challenges, credentials, and how one answers the other.

Who challenges and verifies is `gateway.sip.authenticator`.
"""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.grammar import MAX_PARAMS, is_token, parse_quoted_or_token, quote, split_outside

_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"Strongest first. MD5 stays because trunks that know nothing else do."

_SESSION = "-SESS"
_QOPS = ("auth", "auth-int")


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


def proof(credentials: Credentials, password: str, method: str, body: bytes) -> str:
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
    return replace(unanswered, response=proof(unanswered, password, method, body))
