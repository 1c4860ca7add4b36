"""Why rows fail, in groups that say what mends them, and the file that is sent back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from gateway.batch.files.upload import MAX_CELL
from gateway.events.call_sheet import line
from gateway.routing.decision import Reason

SHOWN_ROWS = 20
SHOWN_SAMPLES = 5
ERROR_COLUMNS = ("position", "phone_number", "failed_parsing_reason")


class FailureReason(StrEnum):
    """Why a row is not called: one value a group."""

    NO_PHONE_NUMBER = "no_phone_number"
    INVALID_PHONE_NUMBER = "invalid_phone_number"
    DIGITS_LOST = "digits_lost"
    EMERGENCY_NUMBER = "emergency_number"
    SHORT_CODE = "short_code"
    KYC_NOT_VERIFIED = "kyc_not_verified"
    NO_ENABLED_COUNTRIES = "no_enabled_countries"
    UNSUPPORTED_COUNTRY = "unsupported_country"
    UNSUPPORTED_PREFIX = "unsupported_prefix"
    PREMIUM_NUMBER = "premium_number"
    SATELLITE_NUMBER = "satellite_number"
    SHARED_COST_NUMBER = "shared_cost_number"
    DO_NOT_CALL = "do_not_call"
    NO_RATE = "no_rate"
    CELL_TOO_LONG = "cell_too_long"
    BAD_TIME_ZONE = "bad_time_zone"
    DUPLICATE = "duplicate"

    @property
    def heading(self) -> str:
        """The group's name, as people know it from the reference platform where that has one."""
        return _WORDS[self][0]

    @property
    def mend(self) -> str:
        """What to do so that its rows can be called."""
        return _WORDS[self][1]


_WORDS: Mapping[FailureReason, tuple[str, str]] = {
    FailureReason.NO_PHONE_NUMBER: (
        "No phone number",
        "Fill in the number, or remove the row.",
    ),
    FailureReason.INVALID_PHONE_NUMBER: (
        "Invalid phone number",
        "Write the number with + and its country code, such as +14155550100, "
        "or choose the country of local numbers.",
    ),
    FailureReason.DIGITS_LOST: (
        "Digits lost in the spreadsheet",
        "Format the column as text in the spreadsheet, and enter the numbers again: "
        "the file has only a part of them.",
    ),
    FailureReason.EMERGENCY_NUMBER: (
        "Emergency number",
        "Remove the row: emergency numbers are never called from here.",
    ),
    FailureReason.SHORT_CODE: (
        "Short code",
        "Write the full number with its country code: short codes are not called from here.",
    ),
    FailureReason.KYC_NOT_VERIFIED: (
        "KYC not verified",
        "Have the operator verify the workspace; until then only its registered number can be called.",
    ),
    FailureReason.NO_ENABLED_COUNTRIES: (
        "No enabled countries configured",
        "Enable the countries to call in the telephony settings.",
    ),
    FailureReason.UNSUPPORTED_COUNTRY: (
        "Unsupported destination country",
        "Enable the country in the telephony settings, or remove the row.",
    ),
    FailureReason.UNSUPPORTED_PREFIX: (
        "Unsupported prefix",
        "Enable the network group of the number in the telephony settings, or remove the row.",
    ),
    FailureReason.PREMIUM_NUMBER: (
        "Premium-rate number",
        "Allow premium-rate numbers in the telephony settings, or remove the row.",
    ),
    FailureReason.SATELLITE_NUMBER: (
        "Satellite number",
        "Allow satellite phones in the telephony settings, or remove the row.",
    ),
    FailureReason.SHARED_COST_NUMBER: (
        "Shared-cost number",
        "Allow shared-cost numbers in the telephony settings, or remove the row.",
    ),
    FailureReason.DO_NOT_CALL: (
        "Do not call",
        "Remove the row, or take the number off the do-not-call list.",
    ),
    FailureReason.NO_RATE: (
        "No rate for the destination",
        "Ask the operator: there is no price for this number.",
    ),
    FailureReason.CELL_TOO_LONG: (
        "Cell too long",
        f"Shorten the cell: at most {MAX_CELL} characters are passed on.",
    ),
    FailureReason.BAD_TIME_ZONE: (
        "Bad time zone",
        "Name the time zone as in Asia/Kolkata or +05:30, or leave the cell empty.",
    ),
    FailureReason.DUPLICATE: (
        "Duplicate phone number",
        "Keep one of the rows: each number is called once.",
    ),
}

BY_RULE: Mapping[Reason, FailureReason] = {
    Reason.DESTINATION_MISSING: FailureReason.NO_PHONE_NUMBER,
    Reason.DESTINATION_UNPARSEABLE: FailureReason.INVALID_PHONE_NUMBER,
    Reason.DESTINATION_IMPOSSIBLE: FailureReason.INVALID_PHONE_NUMBER,
    Reason.DESTINATION_EMERGENCY: FailureReason.EMERGENCY_NUMBER,
    Reason.DESTINATION_SHORT_CODE: FailureReason.SHORT_CODE,
    Reason.KYC_NOT_VERIFIED: FailureReason.KYC_NOT_VERIFIED,
    Reason.NO_ENABLED_COUNTRIES: FailureReason.NO_ENABLED_COUNTRIES,
    Reason.COUNTRY_NOT_ENABLED: FailureReason.UNSUPPORTED_COUNTRY,
    Reason.PREFIX_NOT_ENABLED: FailureReason.UNSUPPORTED_PREFIX,
    Reason.DESTINATION_PREMIUM: FailureReason.PREMIUM_NUMBER,
    Reason.DESTINATION_SATELLITE: FailureReason.SATELLITE_NUMBER,
    Reason.DESTINATION_SHARED_COST: FailureReason.SHARED_COST_NUMBER,
}
"The group of each refusal that the rules of a single call's destination have."


class Failure(msgspec.Struct, frozen=True, gc=False):
    """A row that cannot be called."""

    position: int
    "Of the row in the file, the header being 1: a text file's line, where the row begins."
    phone_number: str
    "As it is written there, cut where it is long."
    reason: FailureReason
    text: str
    "The group's title."
    detail: str
    "What it is about this row."


@dataclass(frozen=True, slots=True)
class Group:
    """All rows that failed for one reason."""

    reason: FailureReason
    title: str
    count: int
    rows: tuple[int, ...]
    "Positions of the first ones."
    samples: tuple[Failure, ...]
    "The first few."
    mend: str

    def as_dict(self) -> dict[str, object]:
        """In JSON types, as the API answers and the store keeps it."""
        return {
            "reason": self.reason.value,
            "title": self.title,
            "count": self.count,
            "rows": list(self.rows),
            "samples": [
                {"position": one.position, "phone_number": one.phone_number, "detail": one.detail}
                for one in self.samples
            ],
            "mend": self.mend,
        }


@dataclass(slots=True)
class Tally:
    """The failures of one reason while they are counted."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    samples: list[Failure] = field(default_factory=list)

    def add(self, failure: Failure) -> None:
        """One more."""
        self.count += 1
        if len(self.rows) < SHOWN_ROWS:
            self.rows.append(failure.position)
        if len(self.samples) < SHOWN_SAMPLES:
            self.samples.append(failure)

    def group(self, reason: FailureReason) -> Group:
        """All of them."""
        return Group(reason, reason.heading, self.count, tuple(self.rows), tuple(self.samples), reason.mend)


def error_file(failures: Iterable[Failure]) -> Iterator[str]:
    """The lines of a CSV file that says of each failed row what is wrong, safe to open in a spreadsheet."""
    yield line(ERROR_COLUMNS)
    for failure in failures:
        why = f"{failure.text}: {failure.detail}" if failure.detail else failure.text
        yield line((failure.position, failure.phone_number, why))
