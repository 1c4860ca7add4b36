"""The groups of failures, and the file that is sent back."""

import csv
import io

import pytest

from gateway.batch.columns import phone_column
from gateway.batch.failures import BY_RULE, Failure, FailureReason, Tally, error_file
from gateway.batch.files.upload import Header, UnreadableFile
from gateway.routing.decision import Reason


def test_every_reason_says_what_it_is_and_what_mends_it() -> None:
    """Each group by its own name."""
    assert len({reason.heading for reason in FailureReason}) == len(FailureReason)
    assert all(reason.mend.endswith(".") for reason in FailureReason)


def test_the_references_groups_have_its_names() -> None:
    """As people know them."""
    assert {
        FailureReason.INVALID_PHONE_NUMBER.heading,
        FailureReason.UNSUPPORTED_COUNTRY.heading,
        FailureReason.UNSUPPORTED_PREFIX.heading,
        FailureReason.NO_ENABLED_COUNTRIES.heading,
    } == {
        "Invalid phone number",
        "Unsupported destination country",
        "Unsupported prefix",
        "No enabled countries configured",
    }


def test_every_refusal_of_a_destination_has_its_group() -> None:
    """No rule's answer is left without one."""
    about = {reason for reason in Reason if reason.name.startswith("DESTINATION_")}
    about |= {Reason.KYC_NOT_VERIFIED, Reason.NO_ENABLED_COUNTRIES, Reason.COUNTRY_NOT_ENABLED}
    assert about | {Reason.PREFIX_NOT_ENABLED} == BY_RULE.keys()


def test_a_group_shows_its_first_rows() -> None:
    """Twenty places and five samples of however many."""
    tally = Tally()
    reason = FailureReason.DUPLICATE
    for place in range(2, 40):
        tally.add(Failure(place, "+1", reason, reason.heading, f"{place}"))
    group = tally.group(reason)
    assert (group.count, group.rows, len(group.samples)) == (38, tuple(range(2, 22)), 5)
    shown = group.as_dict()
    assert shown["title"] == "Duplicate phone number"
    assert shown["samples"] == [{"position": n, "phone_number": "+1", "detail": f"{n}"} for n in range(2, 7)]


def test_the_error_file_runs_nothing() -> None:
    """Its columns are the reference's; what a spreadsheet would take for a formula is text."""
    reason = FailureReason.INVALID_PHONE_NUMBER
    failures = [
        Failure(2, '=HYPERLINK("http://evil")', reason, reason.heading, "not a number"),
        Failure(3, "+91 x", reason, reason.heading, ""),
        Failure(4, "@SUM(A1)", reason, "=1+1", ""),
        Failure(5, "+919876543210", reason, reason.heading, "a,\nb"),
    ]
    rows = list(csv.reader(io.StringIO("".join(error_file(failures)), newline="")))
    assert rows == [
        ["position", "phone_number", "failed_parsing_reason"],
        ["2", '\'=HYPERLINK("http://evil")', "Invalid phone number: not a number"],
        ["3", "'+91 x", "Invalid phone number"],
        ["4", "'@SUM(A1)", "'=1+1"],
        ["5", "+919876543210", rows[4][2]],
    ]


@pytest.mark.parametrize(
    ("names", "place"),
    [
        (("name", "phone_number"), 1),
        (("PHONE NUMBER", "name"), 0),
        (("Phone-Number",), 0),
        (("phone", "phone_number"), 1),
        (("x", "PhoneNumber", "Phone"), 1),
        (("mobile", "Phone "), 1),
    ],
)
def test_the_column_of_numbers_is_found(names: tuple[str, ...], place: int) -> None:
    """`phone_number` before `phone`, in any writing."""
    assert phone_column(Header(1, names)) == place


def test_the_column_of_numbers_can_be_chosen() -> None:
    """By its name, in any writing where none has it exactly."""
    header = Header(1, ("Mobile", "mobile", "phone"))
    assert [phone_column(header, name) for name in ("mobile", "MOBILE", "phone")] == [1, 0, 2]
    with pytest.raises(UnreadableFile, match="no column “tel”; its columns are “Mobile”, “mobile”, “phone”"):
        phone_column(header, "tel")


@pytest.mark.parametrize(
    ("names", "code", "told"),
    [
        (("name", "mobile"), "no_phone_column", "columns are “name”, “mobile”. Are the numbers in “mobile”?"),
        (("name", "city"), "no_phone_column", "or choose it as the phone_column"),
        (("Our customers",), "no_phone_column", "is it a title? Then delete it"),
        (("+919876543210", "Asha"), "no_header", "has “+919876543210”"),
        (("98765 43210",), "no_header", "the first row has to name the columns"),
        (("phone", "Phone"), "two_phone_columns", "“phone” and “Phone”"),
        (("phone", "phone"), "two_phone_columns", "choose one"),
    ],
)
def test_a_header_without_one_is_told_what_it_has(names: tuple[str, ...], code: str, told: str) -> None:
    """In the reference's words, and what there is."""
    with pytest.raises(UnreadableFile) as caught:
        phone_column(Header(1, names))
    assert caught.value.code == code
    assert told in caught.value.message
    if code != "two_phone_columns":
        assert caught.value.message.startswith("The uploaded file must include a phone_number column")


def test_other_sheets_are_named() -> None:
    """Whoever looked at the wrong one finds the right one."""
    header = Header(1, ("name",), "One", ("One", "Two"))
    with pytest.raises(UnreadableFile, match="of sheet “One”; other sheets: “Two”"):
        phone_column(header)
