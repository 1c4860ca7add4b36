"""Templates to HTML, and how values are written in them."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import phonenumbers
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gateway.call.refusal import mend_for
from gateway.store.records.calls import whole_seconds
from gateway.web import words

if TYPE_CHECKING:
    from gateway.web.page import Visit

NONE = Markup('<span class="none">–</span>')


def environment() -> Environment:
    """The templates; all that they show is escaped, save our own markup; an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("gateway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number, moment=moment, day=day, span=span, money=money, shown=shown, badge=badge, clock=clock
    )
    made.filters.update(linked=linked, whole=whole, cut=cut, bytes=megabytes)
    made.filters.update(length_of_call=length_of_call, mend=lambda reason: mend_for(reason or ""))
    made.globals.update(say=words.say, tone=words.tone)
    return made


def number(e164: str | None) -> Markup | str:
    """A telephone number as people read it, `+44 20 7946 0018`; what is none stays as it is."""
    if not e164:
        return NONE
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return Markup('<span class="tel">{}</span>').format(written)


PLACES = {"phn": "/numbers", "trunk": "/trunks", "agent": "/agents", "ver": "/versions", "call": "/calls"}
"Where the things are shown whose ids begin so."
_ID = re.compile(r"\b(phn|trunk|agent|ver|call)_[0-9a-z]{26}\b")


def linked(text: str, visit: "Visit") -> Markup:
    """A text with its ids as links to their pages; shared trunks have none, and stay as they are."""
    trunks = visit.site.parts.store.trunks().by_id

    def link(found: re.Match[str]) -> str:
        trunk = trunks.get(found[0])
        has_page = found[1] != "trunk" or (trunk is not None and trunk.workspace_id == visit.workspace.id)
        path = f"{visit.site.root}{PLACES[found[1]]}/{found[0]}"
        return f'<a href="{path}" class="id">{found[0]}</a>' if has_page else found[0]

    return Markup(_ID.sub(link, str(escape(text))))  # noqa: S704  escaped, and ids are letters and digits


def moment(at: datetime | str | None) -> Markup:
    """A time to the second, in UTC; the browser adds its own zone's when asked."""
    if at is None or at == "":
        return NONE
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S}")


def day(at: datetime | None) -> Markup:
    """A day."""
    return (
        NONE
        if at is None
        else Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%d %b %Y}")
    )


def clock(at: datetime | str | None) -> str:
    """The time of a day with its milliseconds: for steps that are close together."""
    if at is None or at == "":
        return "–"
    found = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{found.astimezone(UTC):%H:%M:%S}.{found.microsecond // 1000:03}"


def span(seconds: float | None) -> str:
    """A length of time: `0:07`, `12:34`, `1:02:03`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def length_of_call(duration_ms: int) -> str:
    """A call's length as everywhere: whole seconds, a begun one counted."""
    return span(whole_seconds(duration_ms))


SIGNS = {"INR": "₹", "EUR": "€", "GBP": "£", "USD": "$"}


def money(amount: Decimal | str | None, currency: str | None, least: int = 2) -> Markup | str:
    """An amount with its currency and at least so many decimals."""
    if amount is None:
        return NONE
    found = Decimal(amount).normalize()
    decimals = max(least, -int(found.as_tuple().exponent))
    sign = SIGNS.get(currency or "")
    return f"{sign}{found:.{decimals}f}" if sign else f"{found:.{decimals}f} {currency or ''}".strip()


def whole(value: int) -> str:
    """A number of things: `1 234 567`."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


MOST_SHOWN = 80
"Characters of a text of somebody else's that a line shows."


def cut(text: str, most: int = MOST_SHOWN) -> str:
    """A text as far as a line has room for it."""
    return text if len(text) <= most else text[: most - 1] + "…"


def megabytes(size: int) -> str:
    """The size of a file."""
    return f"{max(1, round(size / 1024))} kB" if size < 100_000 else f"{size / 1024 / 1024:.1f} MB"


def shown(value: object) -> Markup | str:
    """A value that can be missing."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    return str(value)


def badge(word: str | None) -> Markup:
    """A status as a coloured word; the colour says nothing that the word does not."""
    if not word:
        return NONE
    return Markup('<span class="badge {}">{}</span>').format(words.tone(word), words.say(word))
