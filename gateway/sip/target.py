"""Where messages arrive and where they go, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

RELIABLE: Final = frozenset({"TCP", "TLS"})
"""Transports that deliver by themselves: no retransmission timers (RFC 3261 section 17)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One local address that SIP arrives on."""

    name: str
    "Unique among the listeners of a user agent: `udp-1`."

    transport: str
    "`UDP`, `TCP` or `TLS`."

    host: str
    "What the peer can reach, for Via and Contact; an IPv6 address stands without brackets here."

    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes, or came from."""

    transport: str
    "`UDP`, `TCP` or `TLS`."

    host: str
    "An IP literal where it came from; may be a name where it goes (RFC 3263 is the shell's)."

    port: int | None
    "`None`: by SRV record, or the default of the transport."

    listener: str | None = None
    "`Listener.name` that it came in on, or must leave by; `None`: any of that transport and family."

    connection: int | None = None
    """Id of a stream connection; `None` on UDP, or for "open or reuse one". A connection that has
    closed since is no failure: the message then goes to `host` and `port` over a new one."""

    heard: bool = field(default=False, compare=False)
    "The host is one that a message came from; else somebody has only named it."

    @property
    def reliable(self) -> bool:
        """Whether the transport delivers by itself, so that nothing is sent twice."""
        return self.transport in RELIABLE
