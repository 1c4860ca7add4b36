"""What the values of settings may be: types with their checks, each error saying what would be right."""

import re
from base64 import b64decode
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
"What a database URL may begin with, and the driver that serves it."


def check_address(text: str) -> str:
    """An IP address of this machine, without brackets."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError(
            "should be an IP address of this machine, such as 192.0.2.10, ::1 or 0.0.0.0"
        ) from None


def check_network(text: str) -> str:
    """An address or a network in CIDR."""
    try:
        return str(ip_network(text.strip().strip("[]"), strict=False))
    except ValueError:
        raise ValueError("should be an address or a network, such as 192.0.2.7 or 198.51.100.0/24") from None


def check_reachable(text: str) -> str:
    """A host that a peer can reach, without port."""
    host = text.strip("[]")
    if any(character.isspace() or character in "/@;<>\"'" for character in host):
        raise ValueError(
            "should be an address or a name without port, such as 203.0.113.5 or sip.example.com"
        )
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - the wildcard is what is refused here
        raise ValueError("should be an address that the peer can reach; the wildcard is none")
    return host


def check_store_url(secret: SecretStr) -> SecretStr:
    """A database URL, or nothing."""
    text = secret.get_secret_value()
    if text:
        parse_store_url(text)
    return secret


def check_origin(text: str) -> str:
    """What browsers send as `Origin`, or `*`."""
    if text == "*":
        return text
    right = "should be an origin as browsers send it, such as https://crm.example.com, and no more"
    try:
        parts = urlsplit(text)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        is_own = default is not None and parts.port not in (0, default)
    except ValueError:
        raise ValueError(right) from None
    host = parts.hostname or ""
    if (
        not is_own
        or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host)
        or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError(right)
    if "@" in parts.netloc or parts.netloc != parts.netloc.lower():
        raise ValueError(right)
    return text


def check_broker_url(text: str) -> str:
    """A broker's URL, or nothing."""
    if not text:
        return text
    right = "should be mqtt://host, mqtts://host, or either with :port"
    try:
        parts = urlsplit(text)
        bare = parts.port != 0 and not (parts.path.strip("/") or parts.query or parts.fragment)
    except ValueError:
        raise ValueError(right) from None
    if parts.username is not None:
        raise ValueError(f"{right}; user name and password have keys of their own")
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not bare:
        raise ValueError(right)
    return text


def check_prefix(text: str) -> str:
    """The beginning of topics."""
    levels = text.split("/")
    if len(text) > 128 or not all(re.fullmatch(r"[A-Za-z0-9._-]+", level) for level in levels):
        raise ValueError("should be levels of letters, digits, . _ and -, such as trunkline or acme/voice")
    return text


def check_key(secret: SecretStr) -> SecretStr:
    """32 bytes in URL-safe base64."""
    try:
        size = len(b64decode(secret.get_secret_value(), altchars=b"-_", validate=True))
    except ValueError:
        size = 0
    if size != 32:
        raise ValueError("should be 32 bytes in URL-safe base64, 44 characters")
    return secret


def empty_is_none(value: object) -> object:
    """An empty text in a file means that nothing is set."""
    return None if value == "" else value


def parse_store_url(text: str) -> URL:
    """A database URL with the asynchronous driver in it; ValueError says what would be right."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    driver = DRIVERS.get("" if url is None else url.get_backend_name())
    if url is None or driver is None:
        raise ValueError("should be sqlite:///path/to/file.db or postgresql://user:password@host/database")
    if url.drivername not in {url.get_backend_name(), driver}:
        raise ValueError(f"should name the driver {driver}, or none")
    return url.set(drivername=driver)


Address = Annotated[str, AfterValidator(check_address)]
Network = Annotated[str, AfterValidator(check_network)]
Origin = Annotated[str, AfterValidator(check_origin)]
ReachableHost = Annotated[str, AfterValidator(check_reachable)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
OptionalPath = Annotated[Path | None, BeforeValidator(empty_is_none)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(empty_is_none)]


class Section(BaseModel):
    """What all sections have in common: frozen, unknown keys refused, the text under a key describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("should be a number or a text, not true or false")
        return value
