"""Ids in the shapes that vendors have, made from ours: a call has the same ids wherever they are told."""

from base64 import b32encode, urlsafe_b64encode
from hashlib import sha256

__all__ = ["account_token", "control_token", "names_of_call", "sid", "uuid_bytes", "uuid_text"]


def sid(prefix: str, identity: str) -> str:
    """`CA…`, `MZ…`: a prefix and 32 lower-case hexadecimal digits."""
    return prefix + sha256(identity.encode()).hexdigest()[:32]


def uuid_bytes(identity: str) -> bytes:
    """The sixteen bytes of a UUID that says of itself to be version 4 (RFC 9562 section 5.4)."""
    octets = bytearray(sha256(identity.encode()).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    return bytes(octets)


def uuid_text(identity: str) -> str:
    """The same in text."""
    digits = uuid_bytes(identity).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def account_token(prefix: str, identity: str) -> str:
    """`MA…`: a prefix and 18 capital letters or digits."""
    return prefix + b32encode(sha256(identity.encode()).digest()).decode()[:18]


def control_token(prefix: str, identity: str) -> str:
    """`v3:…`: a prefix and the 43 characters of a hash in base64url."""
    return prefix + urlsafe_b64encode(sha256(identity.encode()).digest()).decode().rstrip("=")


def names_of_call(call_id: str) -> tuple[str, ...]:
    """All names by which agents know a call, in any dialect: made of our id, and none leads back to it."""
    return call_id, sid("CA", call_id), uuid_text(call_id), control_token("v3:", call_id)
