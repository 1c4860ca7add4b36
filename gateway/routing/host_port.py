"""Where calls go out to, as people write it: `host[:port]`."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

LONGEST = 255
_LABEL = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z])?")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host, and the port where one is named."""

    host: str
    "A name, or an address; an IPv6 address without its brackets."
    port: int | None = None
    "None: by DNS, or the transport's own."

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take `host[:port]` apart, an IPv6 address in brackets; ValueError where it is none."""
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", parts.port
        clean = parts.netloc == text and "@" not in text and (port is None or port >= 1)
        if not clean or len(text) > LONGEST or not (_is_address(host) or _is_name(host)):
            raise ValueError(f"no host or host:port: {text[:LONGEST]!r}")
        return cls(host, port)

    def __str__(self) -> str:
        """As `parse` reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def _is_name(text: str) -> bool:
    return all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
