"""What a file of recipients has in it, as the API shows it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.batch.checking import Report

SHAPE = ConfigDict(use_attribute_docstrings=True)
REPORTED = {"total": "total_records", "good": "valid_records", "failed": "failed_records"}
"What the reference platform calls rows of a file."


class FailedSample(BaseModel):
    """One row that fails."""

    model_config = SHAPE

    position: int
    "The line of the file; the header's is 1."
    phone_number: str
    "As it is written there."
    detail: str
    "What it is about this row."


class FailedGroup(BaseModel):
    """All rows that fail for one reason."""

    model_config = SHAPE

    reason: Annotated[str, Field(examples=["unsupported_country"])]
    "A word for a program."
    title: Annotated[str, Field(examples=["Unsupported destination country"])]
    "The same for a person."
    count: int
    "How many rows."
    rows: list[int]
    "Positions of the first 20."
    samples: list[FailedSample]
    "The first 5."
    mend: str
    "What to do so that they can be called."


class PreviewRow(BaseModel):
    """Somebody who would be called."""

    model_config = SHAPE

    position: int
    "The line of the file; the header's is 1."
    phone_number: str
    "E.164"
    written: str
    "As the file has it."
    variables: dict[str, str]
    "The other columns."


class BatchReport(BaseModel):
    """What a file has in it."""

    model_config = SHAPE

    file_name: str
    "What it is called."
    sheet: str | None
    "Of a workbook: the sheet that was read."
    sheets: list[str]
    "All that it has."
    encoding: str | None
    "Of a text file."
    separator: str | None
    "Between the columns of a text file."
    columns: list[str]
    "Their names."
    phone_column: str
    "The one with the numbers."
    total_records: int
    "Rows that are not empty."
    valid_records: int
    "Those who can be called."
    failed_records: int
    "Those who cannot."
    groups: list[FailedGroup]
    "The failed ones by reason, the largest group first."
    preview: list[PreviewRow]
    "The first 10 who can be called."
    notes: list[str]
    "What was read otherwise than it is written, or left out."
    most_per_minute: str | None
    "What a minute with all of them would cost together, as a decimal; null: nothing is charged."
    currency: str
    "Of that."
    countries: dict[str, int]
    "How many by country."


def report_shown(report: Report) -> dict[str, Any]:
    """What a file has in it, in the shape of `BatchReport`."""
    said = report.as_dict()
    return {REPORTED.get(name, name): value for name, value in said.items()}


def refused_rows(report: Report) -> dict[str, Any]:
    """What a refusal for its rows has beside its message."""
    said = report_shown(report)
    return {name: said[name] for name in ("total_records", "valid_records", "failed_records", "groups")}


def why_refused(report: Report) -> str:
    """The same as a sentence."""
    groups = ", ".join(f"{group.count} {group.title}" for group in report.groups[:5])
    more = f" and {len(report.groups) - 5} more reasons" if len(report.groups) > 5 else ""
    return f"{report.failed} of {report.total} rows cannot be called: {groups}{more}"
