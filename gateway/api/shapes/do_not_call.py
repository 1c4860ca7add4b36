"""Do-not-call lists as the API shows and takes them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.shapes.call import shown_time
from gateway.api.shapes.number import PhoneNumberText
from gateway.api.shapes.page import ListPage
from gateway.routing.do_not_call import Listed
from gateway.store.configuration.caps import is_tenant
from gateway.store.configuration.do_not_call import LOT
from gateway.store.configuration.rules import MAX_REASON

TAKEN = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")
SHOWN = ConfigDict(use_attribute_docstrings=True)

OPERATOR = "operator"
"Who runs the gateway: by which account of the machine, is nobody else's affair."

PhoneNumbers = Annotated[
    list[PhoneNumberText], Field(min_length=1, max_length=LOT, examples=[["+442079460018"]])
]
Reason = Annotated[str, Field(json_schema_extra={"maxLength": MAX_REASON, "pattern": r"^[^\x00-\x1f\x7f]*$"})]


class DoNotCallBody(BaseModel):
    """Numbers that are never to be called."""

    model_config = TAKEN

    phone_numbers: PhoneNumbers
    "International with their plus, or local ones of the workspace's `default_country`."
    reason: Reason = ""
    "Why, for whoever reads the list or a refused call."


class DoNotCallForm(BaseModel):
    """What is said beside a file of numbers; an empty field is one that is not there."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    reason: Reason = ""
    "Why, of all of them."
    default_country: Annotated[str | None, Field(max_length=8, examples=["IN"])] = None
    "ISO 3166 code of the country whose local numbers are meant; without it the workspace’s."
    phone_column: Annotated[str | None, Field(max_length=400)] = None
    "The column with the numbers; without it `phone_number`, `phonenumber` or `phone`, or the only one."
    sheet: Annotated[str | None, Field(max_length=400)] = None
    "The sheet of a workbook; without it the first that has numbers."
    separator: Annotated[str | None, Field(max_length=20)] = None
    "Of a text file’s columns: `,`, `;`, `|`, `tab`; found out unless said."
    encoding: Annotated[str | None, Field(max_length=40)] = None
    "Of a text file; found out unless said."
    skip_invalid_rows: bool = False
    "Add the good ones; otherwise nothing is added where a line is no number."


class DoNotCallRemoval(BaseModel):
    """Numbers that may be called again."""

    model_config = TAKEN

    phone_numbers: PhoneNumbers
    "Written as they may be added."


class DoNotCallItem(BaseModel):
    """A number on the list."""

    model_config = SHOWN

    phone_number: Annotated[str, Field(examples=["+442079460018"])]
    "E.164"
    reason: str
    "Why, as it was given; may be empty."
    added_by: Annotated[str, Field(examples=["api:key_01m85m1gbt83exwnbdjt8m8z3n"])]
    "Who put it on the list: a key, an account (`web:anna@…`), or the `operator`."
    added_at: datetime
    "When."


class DoNotCallPage(ListPage[DoNotCallItem]):
    """A page of the list, in the order of the digits."""


class DoNotCallAdded(BaseModel):
    """What an addition came to."""

    model_config = SHOWN

    added: int
    "Numbers that are new on the list."
    already_listed: int
    "Numbers that were on it, and stayed as they were."
    duplicates: int
    "Further writings of numbers that had come already."
    skipped: int
    "Lines of a file that are no numbers, where these were to be skipped."
    total: int
    "How long the list is now."


class DoNotCallRemoved(BaseModel):
    """What a removal came to."""

    model_config = SHOWN

    removed: int
    "Numbers that are no longer on the list."
    not_listed: int
    "Numbers that were not on it."
    total: int
    "How long the list is now."


def do_not_call_item(listed: Listed) -> dict[str, Any]:
    """A number as lists show it."""
    return {
        "phone_number": listed.phone_number,
        "reason": listed.reason,
        "added_by": listed.added_by if is_tenant(listed.added_by) else OPERATOR,
        "added_at": shown_time(listed.added_at),
    }
