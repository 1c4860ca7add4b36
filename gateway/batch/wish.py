"""What somebody wants of a batch, held to what there can be; each refusal names the field."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from gateway.batch.hours import CallingHours
from gateway.batch.retrying import LONGEST, MOST_GROWTH, MOST_RETRIES, SHORTEST, RetryRule
from gateway.batch.zones import zone_named
from gateway.store.batches.values import Batch
from gateway.store.configuration.rules import checked_country
from gateway.store.engine.errors import InvalidInput

MAX_TITLE = 35
MOST_AT_ONCE = 100_000
MOST_PER_DAY = 100
MOST_NUMBERS = 1000

TITLE_TOO_LONG = "title must be 35 characters or fewer (received {length})."
NO_TITLE = "title must have 1 to 35 characters (received none)."


@dataclass(frozen=True, slots=True)
class BatchWish:
    """What a batch is to be like; its file comes beside it."""

    title: str
    agent_id: str
    version_number: int | None = None
    "None: the latest published one."
    from_numbers: tuple[str, ...] = ()
    "E.164; empty: the numbers that the version calls from."
    starts_at: datetime | None = None
    "None: as soon as somebody starts it."
    ends_at: datetime | None = None
    timezone: str = ""
    "IANA; empty: the workspace's."
    hours: CallingHours | None = None
    retry: RetryRule = field(default_factory=RetryRule)
    "Whoever says nothing of it is dialled once."
    max_concurrent: int | None = None
    most_per_callee_per_day: int | None = None
    when_uncertain: Literal["leave", "dial_again"] = "leave"
    default_country: str = ""
    "ISO 3166; empty: the workspace's."
    phone_column: str = ""
    "Empty: found by its name."
    sheet: str = ""
    separator: str = ""
    encoding: str = ""


def checked_wish(wish: BatchWish, now: datetime) -> BatchWish:
    """The wish, cleaned; `InvalidInput` for what there cannot be."""
    title = wish.title.strip()
    if len(title) > MAX_TITLE:
        raise InvalidInput("title", None, TITLE_TOO_LONG.format(length=len(title)), whole=True)
    if not title:
        raise InvalidInput("title", None, NO_TITLE, whole=True)
    _check_times(wish, now)
    _check_retry(wish.retry)
    _check_between("max_concurrent_calls", wish.max_concurrent, 1, MOST_AT_ONCE)
    _check_between("calls_per_callee_per_day", wish.most_per_callee_per_day, 1, MOST_PER_DAY)
    if len(wish.from_numbers) > MOST_NUMBERS:
        right = f"should be at most {MOST_NUMBERS} numbers"
        raise InvalidInput("from_numbers", len(wish.from_numbers), right)
    if wish.when_uncertain not in ("leave", "dial_again"):
        raise InvalidInput("when_uncertain", wish.when_uncertain, "should be leave or dial_again")
    country = wish.default_country and checked_country("default_country", wish.default_country)
    numbers = tuple(dict.fromkeys(wish.from_numbers))
    return replace(wish, title=title, from_numbers=numbers, default_country=country)


def _check_times(wish: BatchWish, now: datetime) -> None:
    for name in ("starts_at", "ends_at"):
        at: datetime | None = getattr(wish, name)
        if at is not None and at.tzinfo is None:
            raise InvalidInput(name, at.isoformat(), "should end in its time zone: Z, +05:30 and the like")
    if wish.timezone:
        zone_named(wish.timezone)
    if wish.ends_at is None:
        return
    if wish.ends_at <= now:
        raise InvalidInput("ends_at", wish.ends_at.isoformat(), "should be later than now")
    if wish.starts_at is not None and wish.ends_at <= wish.starts_at:
        raise InvalidInput("ends_at", wish.ends_at.isoformat(), "should be later than starts_at")


def _check_retry(rule: RetryRule) -> None:
    _check_between("retry_max", rule.most, 0, MOST_RETRIES)
    _check_between("retry_interval_minutes", rule.seconds / 60, SHORTEST / 60, LONGEST / 60)
    _check_between("retry_growth", rule.growth, 1.0, MOST_GROWTH)


def _check_between(name: str, given: float | None, least: float, most: float) -> None:
    if given is not None and not least <= given <= most:
        raise InvalidInput(name, f"{given:g}", f"should be from {least:g} to {most:g}")


def hours_of(batch: Batch) -> CallingHours | None:
    """When a batch may call; None: at any time."""
    return None if batch.hours is None else CallingHours.of_dict(batch.hours)


def retry_of(batch: Batch) -> RetryRule:
    """Which of its calls are tried again, and when."""
    return RetryRule.of_dict(batch.retry)


def wish_of(batch: Batch) -> BatchWish:
    """What a batch was wished to be like, as far as it says: a form that changes it begins with this."""
    return BatchWish(
        title=batch.title,
        agent_id=batch.agent_id,
        version_number=batch.version_number,
        from_numbers=batch.from_numbers,
        starts_at=batch.starts_at,
        ends_at=batch.ends_at,
        timezone=batch.timezone,
        hours=hours_of(batch),
        retry=retry_of(batch),
        max_concurrent=batch.max_concurrent,
        most_per_callee_per_day=batch.most_per_callee_per_day,
        when_uncertain="dial_again" if batch.when_uncertain == "dial_again" else "leave",
        phone_column=batch.phone_column,
    )
