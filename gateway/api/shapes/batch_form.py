"""What a form that makes a batch may say, and the batch that it asks for."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from gateway.api.description import without_defaults
from gateway.api.refusal import NO_FIELD, Problem, invalid
from gateway.batch.files.multipart import MAX_FILE_BYTES, SentFile, SentForm
from gateway.batch.hours_fields import read_hours
from gateway.batch.retrying import LONGEST, MOST_GROWTH, MOST_RETRIES, SHORTEST, read_rule
from gateway.batch.wish import MAX_TITLE, BatchWish
from gateway.batch.zones import name_of, zone_named
from gateway.store.configuration.fields import listed
from gateway.store.engine.errors import InvalidInput

FILE = "file"
Shape = TypeVar("Shape", bound=BaseModel)
LISTS = ("from_numbers", "calling_hours_days", "holidays", "retry_outcomes")
"Fields that may also come several times, once for each of their values."


def _number(kind: str, least: float, most: float) -> WithJsonSchema:
    """How a number is described that the rules themselves read, and refuse."""
    return WithJsonSchema({"type": kind, "minimum": least, "maximum": most})


class BatchForm(BaseModel):
    """A batch that is to be made. Lists are separated by commas; an empty field is one that is not there."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    title: Annotated[str, Field(json_schema_extra={"maxLength": MAX_TITLE}, examples=["Spring renewals"])]
    "What people call it."
    agent_id: Annotated[str, Field(max_length=64, examples=["agent_01m85m1gbt83exwnbdjt8m8z3n"])]
    "The agent that speaks."
    agent_version_number: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    "A published version of it; without it the latest published one."
    from_number: Annotated[str | None, Field(max_length=64)] = None
    "The number that calls; without one, those that are assigned to the version."
    from_numbers: str | None = None
    "Several of them, which call in turn; one of the callee's own area first."
    starts_at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    "When it begins, ISO 8601, in `timezone` where it names no zone; without it, now."
    ends_at: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    "When it ends, whoever is left then; without it, when all are through."
    timezone: Annotated[str | None, Field(max_length=64, examples=["Asia/Kolkata"])] = None
    "IANA name, or an offset; without it the workspace's."
    calling_hours_start: Annotated[str | None, Field(max_length=8, examples=["09:00"])] = None
    "From when of each day calls may begin."
    calling_hours_end: Annotated[str | None, Field(max_length=8, examples=["18:00"])] = None
    "Until when; before the start: of the next day."
    calling_hours_days: Annotated[str | None, Field(examples=["mon-fri"])] = None
    "On which days: `mon`, …, `sun`, or 1 to 7, Monday being 1; also `mon-fri`."
    holidays: Annotated[str | None, Field(examples=["2027-01-01,2027-12-25"])] = None
    "Dates on which nobody is called."
    hours_by: Annotated[str | None, WithJsonSchema({"enum": ["workspace", "callee"]})] = None
    "Whose clock counts: the batch's (`workspace`), or the callee's, by the row's `timezone` or the number."
    retry_max: Annotated[str | None, _number("integer", 0, MOST_RETRIES)] = None
    "Further attempts for each recipient."
    retry_interval_minutes: Annotated[str | None, _number("number", SHORTEST / 60, LONGEST / 60)] = None
    "Minutes between two attempts; 60 unless said."
    retry_growth: Annotated[str | None, _number("number", 1, MOST_GROWTH)] = None
    "What each pause is multiplied with for the next: 1 for the same, 2 for doubled ones."
    retry_outcomes: Annotated[str | None, Field(examples=["no_answer,busy"])] = None
    "What is tried again: `no_answer`, `busy`, `voicemail`, `carrier_failure`; the first two unless said."
    max_concurrent_calls: Annotated[int | None, Field(ge=1, le=100_000)] = None
    "Calls of it at once, at most."
    calls_per_callee_per_day: Annotated[int | None, Field(ge=1, le=100)] = None
    "How often one number is called within a day, at most."
    when_uncertain: Literal["leave", "dial_again"] | None = None
    "What becomes of a recipient whose phone may have rung when a gateway was killed; `leave` unless said."
    default_country: Annotated[str | None, Field(max_length=64, examples=["IN"])] = None
    "ISO 3166 code of the country whose local numbers are meant; without it the workspace's."
    phone_column: Annotated[str | None, Field(max_length=400)] = None
    "The column with the numbers; without it `phone_number`, `phonenumber` or `phone`."
    sheet: Annotated[str | None, Field(max_length=400)] = None
    "The sheet of a workbook; without it the first that has numbers."
    separator: Annotated[str | None, Field(max_length=20)] = None
    "Of a text file's columns: `,`, `;`, `|`, `tab`; found out unless said."
    encoding: Annotated[str | None, Field(max_length=40)] = None
    "Of a text file; found out unless said."
    skip_invalid_rows: bool = False
    "Go ahead with the good rows; otherwise nothing is made where a row fails."
    draft: bool = False
    "Make it, and begin only when it is started."

    def canonical(self) -> dict[str, Any]:
        """The same for the same request, however it was written."""
        return self.model_dump(exclude_none=True)


class BatchChange(BaseModel):
    """What is to be changed of a draft, or of a batch whose time has not come; null: as if never said."""

    model_config = ConfigDict(
        strict=True, extra="forbid", use_attribute_docstrings=True, json_schema_extra=without_defaults
    )

    title: Annotated[str, Field(json_schema_extra={"maxLength": MAX_TITLE})] = ""
    "What people call it."
    agent_version_number: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    "A published version of its agent; null: the latest published one."
    from_numbers: list[str] | None = None
    "Who calls, in turn; null: the numbers that are assigned to the version."
    starts_at: str | None = None
    "When it begins, ISO 8601; null: when it is started."
    ends_at: str | None = None
    "When it ends; null: when all are through."
    timezone: Annotated[str | None, Field(max_length=64)] = None
    "IANA name, or an offset; null: the workspace's."
    calling_hours_start: Annotated[str | None, Field(max_length=32)] = None
    "From when of each day calls may begin."
    calling_hours_end: Annotated[str | None, Field(max_length=32)] = None
    "Until when."
    calling_hours_days: list[int | str] | str | None = None
    "On which days."
    holidays: list[str] | str | None = None
    "Dates on which nobody is called."
    hours_by: Annotated[str | None, WithJsonSchema({"enum": ["workspace", "callee", None]})] = None
    "Whose clock counts."
    retry_max: Annotated[int | None, _number("integer", 0, MOST_RETRIES)] = None
    "Further attempts for each recipient."
    retry_interval_minutes: Annotated[int | float | None, _number("number", SHORTEST / 60, LONGEST / 60)] = (
        None
    )
    "Minutes between two attempts."
    retry_growth: Annotated[int | float | None, _number("number", 1, MOST_GROWTH)] = None
    "What each pause is multiplied with for the next."
    retry_outcomes: list[str] | None = None
    "What is tried again."
    max_concurrent_calls: Annotated[int | None, Field(ge=1, le=100_000)] = None
    "Calls of it at once, at most."
    calls_per_callee_per_day: Annotated[int | None, Field(ge=1, le=100)] = None
    "How often one number is called within a day, at most."
    when_uncertain: Annotated[str | None, WithJsonSchema({"enum": ["leave", "dial_again", None]})] = None
    "What becomes of whom a killed gateway may have called."


def form_of_change(batch: Mapping[str, Any], change: BatchChange) -> BatchForm:
    """The form that would make the batch as it is to be; `batch` is in the shape of `BatchItem`."""
    given = change.model_dump(exclude_unset=True)
    as_it_is = {name: batch[name] for name in (*BatchChange.model_fields, "agent_id")}
    texts = {name: _as_text(value) for name, value in {**as_it_is, **given}.items()}
    return _read({name: text for name, text in texts.items() if text}, BatchForm)


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)


def form_schema(shape: type[BaseModel] = BatchForm, who: str = "Who is called") -> dict[str, Any]:
    """A form as OpenAPI describes it: its fields, and the file."""
    schema = shape.model_json_schema()
    about = f"{who}: CSV, XLSX or XLS, up to {MAX_FILE_BYTES // (1024 * 1024)} MB, one row each."
    file = {"type": "string", "format": "binary", "description": about}
    schema["properties"] = {FILE: file, **schema["properties"]}
    schema["required"] = [FILE, *schema.get("required", ())]
    return schema


def form_read(sent: SentForm) -> tuple[BatchForm, SentFile]:
    """The form of a batch, and its file."""
    return read_form(sent, BatchForm, "the recipients, as CSV or Excel")


def read_form(sent: SentForm, shape: type[Shape], what: str) -> tuple[Shape, SentFile]:
    """The form's fields as values, and its file; raises what becomes a 400 that names the field."""
    given, problems = _given(sent)
    file = sent.files.get(FILE)
    if file is None and FILE not in given:
        problems.append(Problem(FILE, None, f"is required: {what}"))
    if given.pop(FILE, None) is not None:
        problems.append(Problem(FILE, None, "should be sent as a file: with a filename"))
    if problems:
        raise invalid(*problems)
    assert file is not None, "it is a problem otherwise"
    return _read(given, shape), file


def _read(given: Mapping[str, str], shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate(dict(given))
    except ValidationError as error:
        found = [{**details, "loc": ("body", *details["loc"])} for details in error.errors(include_url=False)]
        raise RequestValidationError(found) from None


def _given(sent: SentForm) -> tuple[dict[str, str], list[Problem]]:
    """One text for each field that is there; and which fields are so that nobody can say what is meant."""
    given: dict[str, str] = {}
    problems: list[Problem] = []
    for name, values in sent.fields.items():
        said = [value.strip() for value in values if value.strip()]
        if len(said) > 1 and name not in LISTS:
            problems.append(Problem(name[:80], said[1][:200], "should be given once"))
        elif said:
            given[name] = ",".join(said)
    others = sorted(sent.files.keys() - {FILE})
    problems += [Problem(name[:80], None, NO_FIELD, is_unknown=True) for name in others]
    return given, problems


def wish_of_form(form: BatchForm, workspace_zone: str) -> BatchWish:
    """What a form asks for; `InvalidInput` names the field that cannot be understood."""
    zone = zone_named(form.timezone or workspace_zone or "UTC")
    return BatchWish(
        title=form.title,
        agent_id=form.agent_id,
        version_number=form.agent_version_number,
        from_numbers=_numbers(form),
        starts_at=_moment("starts_at", form.starts_at, zone),
        ends_at=_moment("ends_at", form.ends_at, zone),
        timezone=name_of(zone),
        hours=read_hours(
            form.calling_hours_start,
            form.calling_hours_end,
            days=form.calling_hours_days,
            holidays=form.holidays,
            by=form.hours_by,
            zone=name_of(zone),
        ),
        retry=read_rule(form.retry_max, form.retry_interval_minutes, form.retry_growth, form.retry_outcomes),
        max_concurrent=form.max_concurrent_calls,
        most_per_callee_per_day=form.calls_per_callee_per_day,
        when_uncertain=form.when_uncertain or "leave",
        default_country=form.default_country or "",
        phone_column=form.phone_column or "",
        sheet=form.sheet or "",
        separator=form.separator or "",
        encoding=form.encoding or "",
    )


def _numbers(form: BatchForm) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*listed(form.from_number or ""), *listed(form.from_numbers or "")]))


def _moment(name: str, text: str | None, zone: tzinfo) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        right = "should be a time in ISO 8601 such as 2027-01-31T09:00:00+05:30"
        raise InvalidInput(name, text[:80], right) from None
