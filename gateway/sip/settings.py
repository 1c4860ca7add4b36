"""What a user agent may be told about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


def anywhere(_host: str) -> bool:
    """Every address may be sent to."""
    return True


@dataclass(frozen=True, slots=True)
class Settings:
    """Timers, limits and what we say of ourselves; the defaults are RFC 3261's and cautious.

    Times are seconds.
    """

    t1: float = 0.5
    "Round-trip estimate (RFC 3261 section 17.1.1.1)."

    t2: float = 4.0
    "Longest interval between retransmissions of non-INVITE requests and INVITE responses."

    t4: float = 5.0
    "Longest time that a message stays in the network."

    user_agent: str = "Trunkline"
    "For `User-Agent` and `Server`."

    allow: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
    "Methods that we act on; others get 405, or 501 when nobody knows them."

    supported: tuple[str, ...] = ()
    "Option tags; a `Require` of any other gets 420."

    accept: tuple[str, ...] = ("application/sdp", "multipart/mixed")
    "Media types of an INVITE's body; others get 415."

    info_types: tuple[str, ...] = ("application/dtmf-relay", "application/dtmf")
    "Media types of an INFO's body; others get 415."

    reads_info: Callable[[str, bytes], bool] = lambda media_type, body: True
    "Whether the application can read an INFO's body of one of those types; else it gets 400, and never 200."

    max_message: int = 32_768
    "Bytes; a larger request gets 513."

    max_transactions: int = 20_000
    "Live server transactions; beyond it a new request gets a stateless 503."

    max_dialogs: int = 5_000
    "Live dialogs; beyond it a new INVITE gets a stateless 503."

    invite_timeout: float = 600.0
    "An INVITE, theirs or ours, without a final answer for so long is given up: nothing lives for ever."

    retry_after: int = 30
    "What the 503 of a draining or overloaded user agent says."

    reaches: Callable[[str], bool] = anywhere
    "Whether an address that a peer names may be sent to."

    @property
    def session_types(self) -> tuple[str, ...]:
        """Those that describe a session, and not what one may be wrapped in."""
        return tuple(media_type for media_type in self.accept if not media_type.startswith("multipart/"))


@dataclass(frozen=True, slots=True)
class Login:
    """Digest credentials for one peer (RFC 8760).

    They answer a challenge of the peer that the request was sent to, never of anybody else; and only
    for `realm` where it is set.
    """

    username: str
    password: str = field(repr=False)
    realm: str | None = None
