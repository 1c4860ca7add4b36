"""How a batch is to call, as the form of its page has it: numbers, times, hours, retries."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from gateway.batch.hours import NAMES
from gateway.batch.hours_fields import read_hours
from gateway.batch.retrying import Outcome, read_rule
from gateway.batch.wish import BatchWish, wish_of
from gateway.batch.zones import name_of, zone_named
from gateway.store.batches.values import Batch
from gateway.store.engine.errors import InvalidInput
from gateway.web.forms import Form

WEEKDAYS = tuple((str(day), name.capitalize()) for day, name in enumerate(NAMES, 1))
OUTCOMES = (
    (Outcome.NO_ANSWER.value, "Nobody answered"),
    (Outcome.BUSY.value, "Busy"),
    (Outcome.VOICEMAIL.value, "Voicemail"),
    (Outcome.CARRIER_FAILURE.value, "The carrier failed"),
)
RETRIES = (("0", "None"), ("1", "One"), ("2", "Two"), ("3", "Three"), ("4", "Four"))
GROWTHS = (("1", "The same each time"), ("1.5", "Half as long again each time"), ("2", "Doubled each time"))
BY = (("workspace", "In the batch’s time zone"), ("callee", "In the callee’s own time zone"))
UNCERTAIN = (("leave", "Leave it, and show it as uncertain"), ("dial_again", "Dial it again"))
TEXTS = (
    *("title", "timezone", "starts_at", "ends_at", "hours_start", "hours_end", "holidays", "hours_by"),
    *("retries", "minutes", "growth", "max_concurrent", "per_day", "when_uncertain"),
)
SEVERAL = ("from", "weekdays", "outcomes")
LONGEST = 4000
"Characters of a field that are shown again."


def given_of(batch: Batch) -> dict[str, Any]:
    """The form's fields as the batch has them."""
    wish = wish_of(batch)
    hours, retry, zone = wish.hours, wish.retry, zone_named(batch.timezone)
    return {
        "title": batch.title,
        "from": list(batch.from_numbers),
        "timezone": batch.timezone,
        "starts_at": _local(batch.starts_at, zone),
        "ends_at": _local(batch.ends_at, zone),
        "hours": hours is not None,
        "hours_start": f"{hours.starts:%H:%M}" if hours else "09:00",
        "hours_end": f"{hours.ends:%H:%M}" if hours else "18:00",
        "weekdays": [str(day) for day in sorted(hours.weekdays)] if hours else ["1", "2", "3", "4", "5"],
        "holidays": ", ".join(map(str, sorted(hours.holidays))) if hours else "",
        "hours_by": hours.by if hours else "workspace",
        "retries": str(retry.most),
        "minutes": f"{retry.seconds / 60:g}",
        "growth": f"{retry.growth:g}",
        "outcomes": sorted(retry.outcomes),
        "max_concurrent": _number(batch.max_concurrent),
        "per_day": _number(batch.most_per_callee_per_day),
        "when_uncertain": batch.when_uncertain,
    }


def typed(form: Form) -> dict[str, Any]:
    """The form's fields as they were sent, to be shown again."""
    texts = {name: form.text(name)[:LONGEST] for name in TEXTS}
    return {**texts, **{name: form.all(name) for name in SEVERAL}, "hours": form.on("hours")}


def wished(form: Form, batch: Batch) -> BatchWish:
    """What the form asks of the batch; `InvalidInput` names what cannot be understood."""
    zone = zone_named(form.text("timezone") or batch.timezone)
    retries, minutes, growth = (form.text(name) for name in ("retries", "minutes", "growth"))
    hours = None
    if form.on("hours"):
        days, free, whose = (form.all("weekdays"), form.text("holidays"), form.text("hours_by"))
        start, end = form.text("hours_start"), form.text("hours_end")
        hours = read_hours(start, end, days=days, holidays=free, by=whose, zone=name_of(zone))
    return replace(
        wish_of(batch),
        title=form.text("title"),
        from_numbers=tuple(form.all("from")),
        starts_at=_moment(form, "starts_at", zone),
        ends_at=_moment(form, "ends_at", zone),
        timezone=name_of(zone),
        hours=hours,
        retry=read_rule(retries, minutes, growth, form.all("outcomes") or None),
        max_concurrent=_whole(form, "max_concurrent", "calls at once"),
        most_per_callee_per_day=_whole(form, "per_day", "calls to one callee a day"),
        when_uncertain="dial_again" if form.text("when_uncertain") == "dial_again" else "leave",
    )


def _moment(form: Form, name: str, zone: tzinfo) -> datetime | None:
    given = form.text(name)
    if not given:
        return None
    try:
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        right = "should be a day and a time such as 2026-12-31 09:00"
        raise InvalidInput(name, given[:40], right) from None


def _whole(form: Form, name: str, said: str) -> int | None:
    given = form.text(name)
    if not given:
        return None
    if len(given) > 9 or not given.isascii() or not given.isdecimal():
        raise InvalidInput(said, given[:40], "should be a whole number, or empty")
    return int(given)


def _local(at: datetime | None, zone: tzinfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def zone_names(known: Iterable[str]) -> list[str]:
    """What the form suggests: places, and none of the names that they had once."""
    return sorted(name for name in known if "/" in name and not name.startswith(("Etc/", "posix/", "right/")))
