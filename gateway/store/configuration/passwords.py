"""Passwords of local accounts: kept as scrypt hashes, never as they are."""

import hashlib
import hmac
import os
from base64 import b64decode, b64encode

from gateway.store.engine.errors import InvalidInput

COST, BLOCK, LANES = 2**15, 8, 3
"scrypt's N, r and p, one of the settings that OWASP names: 32 MiB and a quarter of a second for each try."
MEMORY = 64 * 1024 * 1024
SALT_BYTES = 16
LEAST = 10
"Characters of the shortest password."
MOST = 200


def checked_password(given: str) -> str:
    """A password that is long enough; `InvalidInput` where it is not, without the password in it."""
    if not LEAST <= len(given) <= MOST:
        raise InvalidInput("password", None, f"should have from {LEAST} to {MOST} characters")
    if len(set(given)) < 4:
        raise InvalidInput("password", None, "should not repeat the same few characters")
    return given


def hashed(password: str) -> str:
    """`scrypt$N$r$p$salt$hash`, with a fresh salt. Takes a quarter of a second: never on the event loop."""
    salt = os.urandom(SALT_BYTES)
    key = _scrypt(password, salt, COST, BLOCK, LANES)
    return f"scrypt${COST}${BLOCK}${LANES}${b64encode(salt).decode()}${b64encode(key).decode()}"


def matches(password: str, stored: str) -> bool:
    """Whether this is the password of a hash. Takes as long for a wrong one: never on the event loop."""
    _, cost, block, lanes, salt, key = stored.split("$")
    derived = _scrypt(password, b64decode(salt), int(cost), int(block), int(lanes))
    return hmac.compare_digest(derived, b64decode(key))


def _scrypt(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=cost,
        r=block,
        p=lanes,
        maxmem=MEMORY,
        dklen=32,
    )


NOBODY = (
    f"scrypt${COST}${BLOCK}${LANES}${b64encode(bytes(SALT_BYTES)).decode()}${b64encode(bytes(32)).decode()}"
)
"A hash that no password has: compared with where there is no such account, so that both take as long."
