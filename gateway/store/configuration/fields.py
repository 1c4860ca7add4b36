"""Configuration values from text: what a person or a file gives for a field, and the value it stands for.

Seed files and `FIELD=VALUE` on the command line are read here, so that both know the same fields and the same
ways to write them. Whether the value makes sense, `rules` says afterwards.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from gateway.agent.dialects import AUDIO
from gateway.media.codecs import CODECS
from gateway.routing.number import NumberFormat
from gateway.routing.table import (
    Dialect,
    Increment,
    NumberStatus,
    RecordingMode,
    RentalStatus,
    Secret,
    TrunkAuthMode,
)
from gateway.store.engine.errors import InvalidInput

Parse = Callable[[object], Any]
"Takes what TOML or a command line gives; ValueError says what would be right."


@dataclass(frozen=True, slots=True)
class Field:
    """One field that can be given."""

    parse: Parse
    about: str
    "What it is, for the help text."


def parse_fields(known: Mapping[str, Field], given: Mapping[str, object]) -> dict[str, Any]:
    """The values of some fields; `InvalidInput` for the first that is unknown or written wrongly."""
    return {name: _parse_field(known, name, value) for name, value in given.items()}


def _parse_field(known: Mapping[str, Field], name: str, value: object) -> Any:
    field = known.get(name)
    if field is None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise InvalidInput(name, None, f"there is no such field; {hint}")
    try:
        return field.parse(value)
    except ValueError as error:
        shown = None if field.parse in (secret, pairs) else value
        raise InvalidInput(name, shown, str(error)) from None


def text(value: object) -> str:
    """Text as it is."""
    if not isinstance(value, str):
        raise ValueError("should be text")
    return value


def flag(value: object) -> bool:
    """`true` or `false`, also as yes and no, on and off."""
    if isinstance(value, bool):
        return value
    known = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    choice = known.get(str(value).lower())
    if choice is None:
        raise ValueError("should be true or false")
    return choice


def whole(value: object) -> int:
    """A whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(str(value))
    except ValueError:
        raise ValueError("should be a whole number") from None


def number(value: object) -> float:
    """A number, perhaps with a fraction."""
    if isinstance(value, bool):
        raise ValueError("should be a number")
    try:
        return float(str(value))
    except ValueError:
        raise ValueError("should be a number") from None


def money(value: object) -> Decimal:
    """An exact decimal."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or isinstance(value, bool):
        raise ValueError("should be an amount such as 0.0125")
    return amount


def moment(value: object) -> datetime:
    """A time with its zone, as ISO 8601; a day is its first moment in UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("should be a day or time such as 2027-01-31 or 2027-01-31T12:00:00Z") from None
    if at.tzinfo is None and isinstance(value, str) and len(value) == len("2027-01-31"):
        at = at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise ValueError("should have a time zone, such as 2027-01-31T12:00:00Z")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("should be in the years 1 to 9999, in UTC too") from None


def listed(value: object) -> tuple[str, ...]:
    """Several texts: a list, or separated by commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise ValueError("should be a list, or separated by commas")


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Names with values: a table, or `name: value` separated by semicolons."""
    if isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values()):
        return tuple((str(name), item) for name, item in value.items())
    if not isinstance(value, str):
        raise ValueError("should be a table of texts")
    found = [part.partition(":") for part in value.split(";") if part.strip()]
    if not all(name.strip() and colon for name, colon, _ in found):
        raise ValueError("should be written name: value; name: value")
    return tuple((name.strip(), item.strip()) for name, _, item in found)


def secret(value: object) -> Secret | None:
    """A password or token; None where it is empty."""
    return Secret(text(value)) if value else None


def number_format(value: object) -> NumberFormat:
    """`plus`, `digits`, `prefixed:00`, `national:GB`, each with `;tech=…`."""
    return NumberFormat.parse(text(value))


def increment(value: object) -> Increment:
    """`60/60`"""
    return Increment.parse(text(value))


def one_of(kind: type[StrEnum]) -> Parse:
    """A member of an enum by its value."""

    def parse(value: object) -> StrEnum:
        try:
            return kind(str(value))
        except ValueError:
            raise ValueError(f"should be {' or '.join(kind)}") from None

    return parse


def or_none(parse: Parse) -> Parse:
    """The same, and nothing at all where the text is empty."""
    return lambda value: None if value is None or value == "" else parse(value)


RECORDING = Field(
    or_none(one_of(RecordingMode)), "off, inbound, outbound, both or on_demand; empty: as the next one says"
)
"The number's counts before the version's, and that before the trunk's."

ANNOUNCEMENT = Field(or_none(text), "WAV file that the caller hears before a recording begins")

WORKSPACE = {
    "name": Field(text, "what people call it"),
    "kyc_verified": Field(flag, "whether it may call others than its verification number"),
    "verification_number": Field(or_none(text), "the owner's own number, in E.164"),
    "sip_byoc_enabled": Field(flag, "it brings its own carrier: country rules do not apply"),
    "allow_premium": Field(flag, "premium-rate destinations may be called"),
    "allow_satellite": Field(flag, "satellite destinations may be called"),
    "allow_shared_cost": Field(flag, "shared-cost destinations may be called"),
    "verified_caller_ids": Field(listed, "numbers of others that it may show"),
    "concurrency_limit": Field(or_none(whole), "calls at once; empty: no limit"),
    "currency": Field(text, "three letters, such as INR"),
    "sip_flat_rate": Field(or_none(money), "price of a minute by a SIP trunk"),
    "billing_increment": Field(increment, "rounding of connected seconds, such as 60/60"),
    "recording_keep_days": Field(or_none(whole), "days that recordings are kept; empty: as configured"),
    "timezone": Field(text, "of its days and hours: a name such as Asia/Kolkata"),
    "default_country": Field(
        or_none(text), "two letters: numbers in files without a calling code are this country's; empty: none"
    ),
}

TRUNK = {
    "name": Field(text, "what people call it"),
    "enabled": Field(flag, "whether calls come in and go out by it"),
    "sources": Field(listed, "addresses and networks that calls may come from"),
    "username": Field(or_none(text), "calls have to come with this user name, and the password"),
    "password": Field(secret, "for that; - asks for it"),
    "trust_pai": Field(flag, "take the caller from P-Asserted-Identity"),
    "reveal_withheld": Field(flag, "show callers who withhold their number (Privacy: id)"),
    "codecs": Field(listed, f"{' and '.join(CODECS)} in order of preference"),
    "transport": Field(text, "UDP, TCP or TLS"),
    "number_format": Field(
        number_format, "plus, digits, prefixed:00 or national:GB, with ;tech=… where needed"
    ),
    "channel_limit": Field(or_none(whole), "calls at once; empty: no limit"),
    "calls_per_second": Field(or_none(number), "new calls a second; empty: no limit"),
    "termination_uri": Field(or_none(text), "host[:port] that calls go out to, without sip:"),
    "auth_mode": Field(one_of(TrunkAuthMode), "how we log in when calling out: userpass or ip"),
    "outbound_username": Field(or_none(text), "for userpass"),
    "outbound_password": Field(secret, "for userpass; - asks for it"),
    "outbound_realm": Field(or_none(text), "the only realm that gets our credentials"),
    "outbound_format": Field(or_none(number_format), "as number_format, where calls out differ"),
    "provider": Field(or_none(text), "numbers of this provider without a trunk go out by this one"),
    "flat_rate": Field(or_none(money), "price of a minute; empty: the workspace's"),
    "recording": RECORDING,
}

VERSION = {
    "runtime_url": Field(
        text,
        "ws:// or wss:// address of the agent's runtime; tcp://host:port for audiosocket, a SIP URI for sip",
    ),
    "dialect": Field(one_of(Dialect), f"what the runtime speaks: {', '.join(Dialect)}"),
    "headers": Field(pairs, "sent with the upgrade, as name: value; name: value"),
    "secret": Field(secret, "signs the upgrade; - asks for it"),
    "audio": Field(text, f"of those that the dialect has: {', '.join(AUDIO)}"),
    "options": Field(pairs, "of the dialect, as name: value, such as signed_url: https"),
    "parameters": Field(pairs, "given to the runtime at the start, as name: value; name: value"),
    "max_call_duration_sec": Field(whole, "longest call, 60 to 5400 seconds"),
    "ring_duration_sec": Field(whole, "longest ringing, 1 to 300 seconds"),
    "early_media": Field(flag, "the agent hears what comes before the answer"),
    "fallback_url": Field(or_none(text), "runtime to go to when the first one fails"),
    "fallback_wav": Field(or_none(text), "sound file to play when it fails"),
    "recording": RECORDING,
    "recording_announcement": ANNOUNCEMENT,
}

DECK = {
    "provider": Field(text, "whose numbers' calls have these prices"),
    "currency": Field(text, "three letters, such as INR"),
    "file": Field(text, "CSV file with the rates, or sample for the one that ships with the gateway"),
}

NUMBER = {
    "nickname": Field(text, "what people call it"),
    "provider": Field(text, "plivo, twilio, … or sip_trunk"),
    "status": Field(one_of(NumberStatus), "pending, active or unavailable"),
    "rental_status": Field(one_of(RentalStatus), "active, expired or available"),
    "rental_expires_at": Field(or_none(moment), "from then on the rental is expired"),
    "renews_at": Field(or_none(moment), "when the rental is renewed"),
    "sip_trunk_enabled": Field(flag, "the number is linked to a SIP trunk"),
    "is_default": Field(flag, "the workspace's default number"),
    "channel_limit": Field(or_none(whole), "calls at once; empty: no limit"),
    "recording": RECORDING,
    "recording_announcement": ANNOUNCEMENT,
}
"Beside these a number has a trunk, and an inbound and an outbound version, which are given by name."
