"""The form that makes a batch: its fields as values, and each mistake named with the client's own word."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError

from gateway.api.refusal import Declined, answer_to
from gateway.api.shapes.batch_form import BatchForm, form_read, form_schema, wish_of_form
from gateway.batch.files.multipart import SentFile, SentForm
from gateway.batch.hours import CallingHours
from gateway.batch.retrying import Outcome, RetryRule
from gateway.batch.wish import BatchWish
from gateway.store.engine.errors import InvalidInput

pytestmark = pytest.mark.one_loop

FILE = SentFile(Path("spooled"), "people.csv", 10)
LEAST = {"title": "Spring", "agent_id": "agent_1"}


def sent(**fields: str | list[str]) -> SentForm:
    """A form with a file."""
    listed = {name: value if isinstance(value, list) else [value] for name, value in (LEAST | fields).items()}
    return SentForm(listed, {"file": FILE})


def wish(workspace_zone: str = "UTC", **fields: str | list[str]) -> BatchWish:
    """The batch that a form asks for."""
    form, file = form_read(sent(**fields))
    assert file == FILE
    return wish_of_form(form, workspace_zone)


def test_the_least_that_can_be_said() -> None:
    """All else has its default; an empty field is one that is not there."""
    plain = BatchWish(title="Spring", agent_id="agent_1", timezone="UTC")
    assert wish() == plain
    assert wish(starts_at="", retry_max=" ", from_number="", sheet="", draft="") == plain
    assert wish("Asia/Kolkata").timezone == "Asia/Kolkata"


def test_all_that_can_be_said() -> None:
    """Times without a zone are meant in the batch's; lists come with commas or several times."""
    made = wish(
        agent_version_number="3",
        from_number="+14155550101",
        from_numbers=["+14155550102,+14155550103", "+14155550101"],
        starts_at="2027-01-31T09:00",
        ends_at="2027-01-31T18:00:00+00:00",
        timezone="asia/kolkata",
        calling_hours_start="09:00",
        calling_hours_end="18:00",
        calling_hours_days=["mon-fri", "sun"],
        holidays="2027-02-01, 2027-02-02",
        hours_by="callee",
        retry_max="2",
        retry_interval_minutes="30",
        retry_growth="2",
        retry_outcomes="no_answer,voicemail",
        max_concurrent_calls="5",
        calls_per_callee_per_day="2",
        when_uncertain="dial_again",
        default_country="IN",
        phone_column="mobile",
        sheet="May",
        separator=";",
        encoding="utf-16",
    )
    hours = CallingHours(
        time(9),
        time(18),
        frozenset({1, 2, 3, 4, 5, 7}),
        frozenset({date(2027, 2, 1), date(2027, 2, 2)}),
        "callee",
        "Asia/Kolkata",
    )
    assert made == BatchWish(
        title="Spring",
        agent_id="agent_1",
        version_number=3,
        from_numbers=("+14155550101", "+14155550102", "+14155550103"),
        starts_at=datetime(2027, 1, 31, 3, 30, tzinfo=UTC),
        ends_at=datetime(2027, 1, 31, 18, tzinfo=UTC),
        timezone="Asia/Kolkata",
        hours=hours,
        retry=RetryRule(2, 1800, 2.0, frozenset({Outcome.NO_ANSWER, Outcome.VOICEMAIL})),
        max_concurrent=5,
        most_per_callee_per_day=2,
        when_uncertain="dial_again",
        default_country="IN",
        phone_column="mobile",
        sheet="May",
        separator=";",
        encoding="utf-16",
    )


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"agent_version_number": "two"}, "agent_version_number"),
    ({"agent_version_number": "0"}, "agent_version_number"),
    ({"starts_at": "tomorrow"}, "starts_at"),
    ({"starts_at": "2027-02-30T09:00"}, "starts_at"),
    ({"ends_at": "9999-12-31T23:00-14:00"}, "ends_at"),
    ({"timezone": "Asia/Calcuta"}, "timezone"),
    ({"calling_hours_start": "25:00", "calling_hours_end": "18:00"}, "calling_hours_start"),
    ({"calling_hours_start": "09:00"}, "calling_hours_end"),
    ({"calling_hours_days": "someday"}, "calling_hours_days"),
    ({"holidays": "2027-02-29"}, "holidays"),
    ({"hours_by": "moon"}, "hours_by"),
    ({"retry_max": "5"}, "retry_max"),
    ({"retry_interval_minutes": "0.5"}, "retry_interval_minutes"),
    ({"retry_growth": "-1"}, "retry_growth"),
    ({"retry_outcomes": "completed"}, "retry_outcomes"),
    ({"max_concurrent_calls": "0"}, "max_concurrent_calls"),
    ({"calls_per_callee_per_day": "1.5"}, "calls_per_callee_per_day"),
    ({"when_uncertain": "perhaps"}, "when_uncertain"),
    ({"skip_invalid_rows": "perhaps"}, "skip_invalid_rows"),
    ({"draft": "2"}, "draft"),
    ({"title": ["a", "b"]}, "title"),
    ({"titel": "a"}, "titel"),
    ({"file": "text"}, "file"),
    ({"title": ""}, "title"),
    ({"agent_id": ""}, "agent_id"),
]


def test_each_mistake_is_named(subtests: pytest.Subtests) -> None:
    """Whether the shape, the rules or the form itself refuses: 400, and the field as the client wrote it."""
    for fields, name in MISTAKES:
        with subtests.test(str(fields)):
            with pytest.raises((Declined, RequestValidationError, InvalidInput)) as raised:
                wish(**fields)
            answer = answer_to(raised.value)
            assert answer.status == 400
            assert [problem.field for problem in answer.problems] == [name]


def test_a_file_is_needed_and_no_other() -> None:
    """A field of its name is no file; a second file has a field that there is not."""
    with pytest.raises(Declined, match="400"):
        form_read(SentForm({name: [value] for name, value in LEAST.items()}, {}))
    with pytest.raises(Declined) as raised:
        form_read(SentForm({name: [value] for name, value in LEAST.items()}, {"fiel": FILE}))
    assert [problem.field for problem in raised.value.answer.problems] == ["file", "fiel"] or [
        problem.field for problem in raised.value.answer.problems
    ] == ["fiel", "file"]


def test_the_form_is_described_as_it_is_read() -> None:
    """Every field with its sentence, the file as a file, and what is required."""
    schema = form_schema()
    assert set(schema["properties"]) == {"file", *BatchForm.model_fields}
    assert schema["required"] == ["file", "title", "agent_id"]
    assert schema["properties"]["file"]["format"] == "binary"
    assert all(about.get("description") for about in schema["properties"].values())


def test_the_same_request_is_the_same_however_it_is_written() -> None:
    """What an `Idempotency-Key` stands for."""
    one, _ = form_read(sent(from_numbers=["a", "b"], retry_max="", draft="true"))
    other, _ = form_read(sent(from_numbers="a,b", draft="1"))
    assert one.canonical() == other.canonical()
    assert one.canonical() != form_read(sent(from_numbers="a,b"))[0].canonical()
