"""Which calls to list: the reference platform's filters, as query parameters, to the store's own."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from gateway.api.shapes.call_export import COLUMNS
from gateway.call.record import Status
from gateway.routing.number import normalise
from gateway.routing.typed import cleaned
from gateway.store.configuration.fields import moment
from gateway.store.records.calls import MAX_PAGE, CallFilter, Category

MAX_VALUES = 100
"Values in one comma list."
MAX_TEXT = 3300
"Characters of one comma list: as many ids as it may have values."
Order = Literal["asc", "desc"]


LIST_PATTERN = rf"^[ -+\--~]*(,[ -+\--~]*){{0,{MAX_VALUES - 1}}}$"


def _listed(text: str) -> str:
    values = text.split(",")
    if len(values) > MAX_VALUES:
        raise ValueError(f"should be at most {MAX_VALUES} values, separated by commas")
    if not cleaned(text).isprintable():
        raise ValueError("should be printable")
    return text


def only(*allowed: str) -> AfterValidator:
    """Lets through a comma list of these words."""

    def check(text: str | None) -> str | None:
        if text is not None and not set(text.split(",")) <= set(allowed):
            raise ValueError(f"should be any of {', '.join(allowed)}, separated by commas")
        return text

    return AfterValidator(check)


def words(*allowed: str) -> WithJsonSchema:
    """How a comma list of these words is described."""
    word = f"({'|'.join(allowed)})"
    return _described({"pattern": f"^{word}(,{word}){{0,{MAX_VALUES - 1}}}$"})


def _described(schema: dict[str, Any]) -> WithJsonSchema:
    """How a parameter is described that the code reads in its own way."""
    return WithJsonSchema({"type": "string", **schema})


def _time(text: object) -> datetime:
    """A day's first moment, or a moment; what `+` of a zone has become in a query is put right."""
    return moment(str(text).replace(" ", "+"))


def _end(text: object) -> datetime:
    """The first moment after the day, or the moment, that is given."""
    whole_day = len(str(text)) == len("2027-01-31")
    try:
        return _time(text) + (timedelta(days=1) if whole_day else timedelta(microseconds=1))
    except OverflowError:
        raise ValueError("should be a time before the year 9999") from None


def _values(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


List = Annotated[
    str | None,
    Field(max_length=MAX_TEXT),
    AfterValidator(lambda text: text and _listed(text)),
    _described({"maxLength": MAX_TEXT, "pattern": LIST_PATTERN}),
]
Count = Annotated[int | None, Field(ge=0, le=2**31 - 1)]
STATUSES = (*Status, "retry_expired")
DIRECTIONS = ("inbound", "outbound")
TYPES = ("phone", "web")
SENTIMENTS = ("positive", "neutral", "negative", "unknown")


class CallQuery(BaseModel):
    """The query of the call list. Where several values make sense, they are separated by commas."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    agent_id: List = None
    "Calls of these agents."
    call_id: List = None
    "These calls."
    batch_call_id: List = None
    "Calls of these batches."
    category: Annotated[str | None, only(*Category), words(*Category)] = None
    "`batch`, `workflow`."
    category_id: List = None
    "Calls of these batches, or of these workflows by your own names for them."
    from_: Annotated[List, Field(alias="from")] = None
    "Calls from these numbers; the `+` may be left out."
    to: List = None
    "Calls to these numbers; the `+` may be left out."
    type: Annotated[str | None, only(*TYPES), words(*TYPES)] = None
    "`phone`, `web`."
    call_direction: Annotated[str | None, only(*DIRECTIONS), words(*DIRECTIONS)] = None
    "`inbound`, `outbound`."
    latency_min: Count = None
    "Milliseconds, at least."
    latency_max: Count = None
    "Milliseconds, at most."
    agent_version_id: List = None
    "Calls of these versions."
    agent_version_name: Annotated[str | None, Field(max_length=200)] = None
    "Calls of versions with this text in their name, which is the agent's and the number: `Front desk/3`."
    sentiment: Annotated[str | None, only(*SENTIMENTS), words(*SENTIMENTS)] = None
    "`positive`, `neutral`, `negative`, as the agent's runtime posted it; `unknown`: all other calls."
    start_date: Annotated[datetime | None, BeforeValidator(lambda text: text and _time(text))] = None
    "A day, or a time with its zone: calls from then on."
    end_date: Annotated[datetime | None, BeforeValidator(lambda text: text and _end(text))] = None
    "A day, or a time with its zone: calls up to and including it."
    duration_greater_than: Count = None
    "Milliseconds, without the value itself."
    duration_less_than: Count = None
    "Milliseconds, without the value itself."
    duration_min: Count = None
    "Milliseconds, at least."
    duration_max: Count = None
    "Milliseconds, at most."
    status: Annotated[str | None, only(*STATUSES), words(*STATUSES)] = None
    "Where calls stand."
    end_reason: List = None
    "Why they ended, exactly."
    created_at: Order | None = None
    "Sort by time: `desc`, as without it, is newest first."
    duration: Order | None = None
    "Sort by duration instead; with both, by duration."
    page: Annotated[int, Field(ge=1, le=10_000)] = 1
    "From 1."
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 20
    "Calls a page."
    export: bool = False
    "All of them as a CSV file, in place of a page."
    columns: Annotated[str | None, only(*COLUMNS), words(*COLUMNS)] = None
    "The columns of the export."


def call_filter(query: CallQuery, workspace_id: str, version_ids: tuple[str, ...] | None) -> CallFilter:
    """What the store is asked; `version_ids` are those that `agent_version_name` stands for."""
    versions = _values(query.agent_version_id)
    if version_ids is not None:
        versions = tuple(v for v in version_ids if not versions or v in versions)
    return CallFilter(
        workspace_id=workspace_id,
        ids=_values(query.call_id),
        agent_ids=_values(query.agent_id),
        version_ids=versions,
        batch_ids=_values(query.batch_call_id),
        categories=_values(query.category),
        category_ids=_values(query.category_id),
        from_numbers=numbers_in(_values(query.from_)),
        to_numbers=numbers_in(_values(query.to)),
        statuses=_values(query.status),
        end_reasons=_values(query.end_reason),
        sentiments=_values(query.sentiment),
        direction=_one(query.call_direction),
        type=_one(query.type),
        created_from=query.start_date,
        created_before=query.end_date,
        min_duration_ms=max(_given(query.duration_min, query.duration_greater_than, 1), default=None),
        max_duration_ms=min(_given(query.duration_max, query.duration_less_than, -1), default=None),
        min_latency_ms=query.latency_min,
        max_latency_ms=query.latency_max,
        sort="duration" if query.duration else "created_at",
        descending=(query.duration or query.created_at) != "asc",
        limit=query.limit,
        offset=(query.page - 1) * query.limit,
        whole=False,
    )


def finds_nothing(query: CallQuery, version_ids: tuple[str, ...] | None) -> bool:
    """Whether no call can be meant, without asking: an empty list means any in the store."""
    if version_ids is None:
        return False
    wanted = _values(query.agent_version_id)
    return not [v for v in version_ids if not wanted or v in wanted]


def _one(text: str | None) -> str | None:
    """One of two words, or None for both."""
    values = _values(text)
    return values[0] if len(values) == 1 else None


def numbers_in(typed: Iterable[str]) -> tuple[str, ...]:
    """Telephone numbers in any writing: as they were typed, and in each way to read them.

    The `+` of a query that was not encoded has become a space.
    """
    found: list[str] = []
    for value in map(cleaned, typed):
        readings = [reading.e164 for reading in normalise(value).readings]
        found += [value, *readings, *([f"+{value}"] if value.isdecimal() else [])]
    return tuple(dict.fromkeys(found))


def _given(including: int | None, without: int | None, step: int) -> list[int]:
    """Two ways to say a bound, as including bounds."""
    bounds = (including, None if without is None else without + step)
    return [bound for bound in bounds if bound is not None]
