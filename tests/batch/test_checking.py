"""A whole file: every row judged by the rules of a single call, on a loop that other things run on."""

import asyncio
import csv
import io
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import thread_time

import phonenumbers
import pytest

from gateway.batch.checking import Checked, Checker, Choice, check_file
from gateway.batch.failures import FailureReason, error_file
from gateway.batch.files.upload import MAX_CELL, UnreadableFile, Upload
from gateway.routing.decision import LastWord, Rejected, Trail
from gateway.routing.destination import validate_destination
from gateway.routing.importer import read_countries, read_special_ranges
from gateway.routing.number import E164
from gateway.routing.plan import NumberingPlan
from gateway.routing.rating import Quote, Rate, RateDeck, quote_by_prefix
from gateway.routing.table import NetworkGroup, Workspace
from tests.batch.files import upload, workbook
from tests.cost import cost, no_collector, slowness

DATA = Path(__file__).parent.parent.parent / "gateway" / "data"
PLAN = NumberingPlan(
    read_countries((DATA / "countries.csv").read_text()),
    read_special_ranges((DATA / "special-ranges.csv").read_text()),
)
GROUPS = (
    NetworkGroup("IN", "Mobile", ("9", "8", "7", "6")),
    *(NetworkGroup(iso, iso) for iso in ("GB", "US", "FR", "001")),
)
OPEN = Workspace("org_1", "Demo", kyc_verified=True, network_groups=GROUPS)
DECK = RateDeck("INR", [("91", Rate("India", Decimal("0.50"))), ("44", Rate("UK", Decimal("1.25")))])


def checker(workspace: Workspace = OPEN, **given: object) -> Checker:
    """One for the rules of a provider's route."""
    return Checker(workspace=workspace, plan=PLAN, is_sip_trunk=False, **given)  # type: ignore[arg-type]  # mixed values


async def checked(
    folder: Path, text: str | bytes, judge: Checker | None = None, choice: Choice | None = None
) -> Checked:
    """What comes of a file."""
    file = upload(folder, text if isinstance(text, bytes) else text.encode())
    return await check_file(file, judge or checker(), folder=folder, choice=choice or Choice())


def reasons(found: Checked) -> dict[int, FailureReason]:
    """Why which rows failed."""
    return {failure.position: failure.reason for failure in found.failures()}


BAD = """phone_number,name
+919876543210,good
,none
hello,invalid
+9,short
919876543210,local
112,emergency
+919876543210,again
+91 98765-43210,again in another writing
+12345,short
+912222222222,prefix
+4930123456789,country
+19005550123,premium
+881612345678,satellite
+448443456789,shared
9.19876E+11,lost
"""


async def test_each_row_gets_its_group(tmp_path: Path) -> None:
    """By position in the file, and nothing of a bad row is a recipient."""
    found = await checked(tmp_path, BAD)
    assert reasons(found) == {
        3: FailureReason.NO_PHONE_NUMBER,
        4: FailureReason.INVALID_PHONE_NUMBER,
        5: FailureReason.SHORT_CODE,
        6: FailureReason.INVALID_PHONE_NUMBER,
        7: FailureReason.EMERGENCY_NUMBER,
        8: FailureReason.DUPLICATE,
        9: FailureReason.DUPLICATE,
        10: FailureReason.SHORT_CODE,
        11: FailureReason.UNSUPPORTED_PREFIX,
        12: FailureReason.UNSUPPORTED_COUNTRY,
        13: FailureReason.PREMIUM_NUMBER,
        14: FailureReason.SATELLITE_NUMBER,
        15: FailureReason.SHARED_COST_NUMBER,
        16: FailureReason.DIGITS_LOST,
    }
    report = found.report
    assert (report.total, report.good, report.failed) == (15, 1, 14)
    assert [(one.position, one.phone_number, one.variables) for one in found.recipients()] == [
        (2, "+919876543210", {"name": "good"})
    ]
    rows = {group.reason: group.rows for group in report.groups}
    assert rows[FailureReason.INVALID_PHONE_NUMBER] == (4, 6)
    assert rows[FailureReason.SHORT_CODE] == (5, 10)
    assert sum(group.count for group in report.groups) == 14
    details = {failure.position: failure.detail for failure in found.failures()}
    assert details[9] == "+919876543210 is in row 2 already"
    assert "perhaps meant" in details[6]
    found.close()


async def test_the_error_file_has_every_failed_row(tmp_path: Path) -> None:
    """And one group's alone, for whoever asks for it."""
    found = await checked(tmp_path, BAD)
    rows = list(csv.DictReader(io.StringIO("".join(error_file(found.failures())))))
    assert [int(row["position"]) for row in rows] == list(range(3, 17))
    assert rows[0]["failed_parsing_reason"].startswith("No phone number")
    only = list(found.failures(FailureReason.DUPLICATE))
    assert [failure.position for failure in only] == [8, 9]
    found.close()


@pytest.mark.parametrize(
    ("workspace", "reason"),
    [
        (replace(OPEN, network_groups=()), FailureReason.NO_ENABLED_COUNTRIES),
        (replace(OPEN, kyc_verified=False), FailureReason.KYC_NOT_VERIFIED),
    ],
)
async def test_a_workspace_that_may_call_nobody(
    tmp_path: Path, workspace: Workspace, reason: FailureReason
) -> None:
    """The whole file is one group."""
    found = await checked(tmp_path, "phone\n+919876543210\n+919876543211\n", checker(workspace))
    assert [(group.reason, group.count) for group in found.report.groups] == [(reason, 2)]
    found.close()


async def test_local_numbers_are_of_the_default_country(tmp_path: Path) -> None:
    """Said in the preview; what has its plus is left alone, and two writings are one number."""
    text = "phone\n09876543210\n98765 43211\n919876543212\n+442079460018\n+919876543210\n112\n"
    found = await checked(tmp_path, text, checker(default_country="IN"))
    assert [one.phone_number for one in found.recipients()] == [
        "+919876543210",
        "+919876543211",
        "+919876543212",
        "+442079460018",
    ]
    assert reasons(found) == {6: FailureReason.DUPLICATE, 7: FailureReason.EMERGENCY_NUMBER}
    assert found.report.notes == ("3 local numbers were read as numbers of IN (+91)",)
    assert found.report.preview[0].written == "09876543210"
    assert found.report.countries == {"IN": 3, "GB": 1}
    found.close()


async def test_prices_and_the_list_of_those_not_called(tmp_path: Path) -> None:
    """Each in a group of its own; what a minute with all of them costs at most."""
    judge = checker(
        quote=lambda number: quote_by_prefix(number, DECK, OPEN), blocked={"+919876543211"}.__contains__
    )
    text = "phone\n+919876543210\n+919876543211\n+442079460018\n+33612345678\n"
    found = await checked(tmp_path, text, judge)
    assert reasons(found) == {3: FailureReason.DO_NOT_CALL, 5: FailureReason.NO_RATE}
    assert [one.price for one in found.recipients()] == [Decimal("0.50"), Decimal("1.25")]
    assert (found.report.most_per_minute, found.report.currency) == (Decimal("1.75"), "INR")
    assert found.report.as_dict()["most_per_minute"] == "1.75"
    found.close()


async def test_a_failed_row_is_nobodys_first(tmp_path: Path) -> None:
    """Whoever is mended in a later row is called."""
    long = "x" * (MAX_CELL + 1)
    rows = (f"{long},", ",Mars/Base", "ok,asia/kolkata")
    text = "phone,note,timezone\n" + "".join(f"+919876543210,{row}\n" for row in rows)
    found = await checked(tmp_path, text)
    assert reasons(found) == {2: FailureReason.CELL_TOO_LONG, 3: FailureReason.BAD_TIME_ZONE}
    (one,) = found.recipients()
    assert (one.position, one.timezone, one.variables["timezone"]) == (4, "asia/kolkata", "asia/kolkata")
    assert "column “note”" in next(iter(found.failures())).detail
    found.close()


async def test_what_is_not_used_does_no_harm(tmp_path: Path) -> None:
    """Empty rows, trailing commas, columns without a name, cells beyond the header; all is said."""
    text = (
        "phone,Name,name,,Name\n+919876543210, a ,b,x,c,,,\n,,,,\n \n+919876543211\n+919876543212,a,b,c,d,e\n"
    )
    found = await checked(tmp_path, text)
    assert [dict(one.variables) for one in found.recipients()] == [
        {"Name": " a ", "name": "b"},
        {"Name": "", "name": ""},
        {"Name": "a", "name": "b"},
    ]
    assert found.report.total == 3
    assert found.report.notes == (
        "2 empty rows were left out",
        "1 row has values beyond the header's columns, which are not used: 6",
        "Of columns with the same name the first is used: “Name”",
        "1 column has no name and is not used",
    )
    found.close()


async def test_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    """Number cells are read to the digit; one of six digits and zeros is lost, and as text it is not."""
    rows = [
        ("Phone",),
        (919876543210,),
        (919876543211.0,),
        (919876000000,),
        ("+919876000000",),
        (91987654.5,),
    ]
    found = await checked(tmp_path, workbook({"People": rows}), checker(default_country="IN"))
    assert [one.phone_number for one in found.recipients()] == [
        "+919876543210",
        "+919876543211",
        "+919876000000",
    ]
    assert reasons(found) == {4: FailureReason.DIGITS_LOST, 6: FailureReason.INVALID_PHONE_NUMBER}
    assert found.report.sheet == "People"
    found.close()


@pytest.mark.parametrize("text", ["phone,name\n", "phone\n\n \n,,\n"])
async def test_a_header_alone_is_no_batch(tmp_path: Path, text: str) -> None:
    """Nor are empty rows."""
    with pytest.raises(UnreadableFile) as caught:
        await checked(tmp_path, text)
    assert caught.value.code == "no_rows"


async def test_choices_are_heeded(tmp_path: Path) -> None:
    """Column, separator and encoding."""
    text = "mobile|büro\n+919876543210|ü\n".encode("cp1252")
    found = await checked(tmp_path, text, choice=Choice("MOBILE", separator="pipe", encoding="windows-1252"))
    assert [dict(one.variables) for one in found.recipients()] == [{"büro": "ü"}]
    assert found.report.phone_column == "mobile"
    found.close()


async def test_choices_without_a_use_are_told(tmp_path: Path) -> None:
    """Whoever chose a sheet of a text file may have sent the wrong one."""
    found = await checked(tmp_path, "phone\n+919876543210\n", choice=Choice(sheet="People"))
    assert found.report.notes == ("A text file has no sheets: the one that was chosen is not used",)
    found.close()
    book = workbook({"One": [("phone",), ("+919876543210",)]})
    found = await checked(tmp_path, book, choice=Choice(separator="comma"))
    assert found.report.notes[-1].startswith("A workbook has neither separator nor encoding")
    found.close()


async def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    """Neither when it is done, nor when it is given up, nor when the file is none."""
    folder = tmp_path / "spool"
    folder.mkdir()
    file = upload(tmp_path, b"phone\n" + b"+919876543210\n" * 50_000)
    task = asyncio.create_task(check_file(file, checker(), folder=folder))
    await asyncio.sleep(0.02)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    found = await check_file(file, checker(), folder=folder)
    assert list(folder.iterdir()) == []
    assert found.report.failed == 49_999
    found.close()


async def test_progress_is_told(tmp_path: Path) -> None:
    """In bytes and rows, never back, up to the end."""
    told: list[tuple[int, int, int]] = []
    file = upload(tmp_path, b"phone,name\n" + b"+919876543210,x\n" * 30_000)
    found = await check_file(file, checker(), folder=tmp_path, progress=lambda *word: told.append(word))
    found.close()
    size = file.path.stat().st_size
    assert told == sorted(told)
    assert all(whole in (0, size) for _, whole, _ in told)
    assert told[-1][2] > 10_000


def test_a_trail_of_the_last_word_decides_the_same() -> None:
    """Whatever the number: the same place, or the same refusal in the same words."""
    rng = random.Random(3)
    codes = list(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    for _ in range(4000):
        body = "".join(rng.choices("0123456789", k=rng.randrange(2, 13)))
        text = rng.choice(("", "+", "+", "+")) + f"{rng.choice(codes)}{rng.choice(('', ' ', '(0)'))}{body}"
        found = [_decided(text, trail) for trail in (Trail(), LastWord())]
        assert found[0] == found[1], text


def _decided(text: str, trail: Trail) -> object:
    try:
        return validate_destination(text, workspace=OPEN, plan=PLAN, is_sip_trunk=False, trail=trail)
    except Rejected as refused:
        return refused.reason, refused.message, refused.decision.checks[-1], refused.decision.near_misses


def rows_of(count: int, write: Callable[[int], str]) -> bytes:
    """A file of so many different numbers."""
    return (
        "phone,name,city\n" + "".join(f"{write(place)},Asha {place},Delhi\n" for place in range(count))
    ).encode()


@pytest.mark.parametrize(
    "write",
    [
        lambda place: f"+9198{place:08}",
        lambda place: f"098{place:08}",
        lambda place: f"+44 (0)20 {70_000_000 + place}",
    ],
    ids=["international", "local", "trunk-zero"],
)
def test_twenty_thousand_rows_take_a_second(tmp_path: Path, write: Callable[[int], str]) -> None:
    """In CPU time of an idle machine, with a price each; however the numbers are written."""
    file = upload(tmp_path, rows_of(4000, write))

    def check() -> None:
        judge = checker(default_country="IN", quote=lambda number: quote_by_prefix(number, DECK, OPEN))
        found = asyncio.run(check_file(file, judge, folder=tmp_path))
        assert found.report.good == 4000
        found.close()

    with no_collector():
        assert cost(check) < 200


@pytest.mark.parametrize(
    "content", ["rows", "quotes", "line", "cell", "commas", "newlines", "doubled", "workbook"]
)
async def test_the_loop_never_waits_for_a_file(tmp_path: Path, content: str) -> None:
    """Whatever it is made of, other work has its turn after a few milliseconds of its processor's time."""
    file = upload(tmp_path, _floods()[content]())
    with no_collector():
        longest = min([await _longest_turn(file, tmp_path) for _ in range(2)])
    assert longest < 0.008 * slowness()


def _floods() -> dict[str, Callable[[], bytes]]:
    """Files that have much of one thing."""
    numbers = ((919800000000 + place, f"Asha {place}") for place in range(2000))
    return {
        "rows": lambda: rows_of(5000, lambda place: f"+9198{place:08}"),
        "quotes": lambda: rows_of(2000, lambda place: f'"+9198{place:08}"'),
        "line": lambda: b"phone\n" + b"x" * 2_000_000,
        "cell": lambda: b'phone,name\n1,"' + b"y," * 1_000_000 + b'"\n',
        "commas": lambda: b"phone" + b"," * 100_000 + b"\n1\n",
        "newlines": lambda: b"phone\n" + b"\n" * 200_000 + b"1\n",
        "doubled": lambda: b'phone\n1\n"' + b'""' * 100_000 + b'"\n',
        "workbook": lambda: workbook({"One": [("phone", "name"), *numbers]}),
    }


async def _longest_turn(file: Upload, folder: Path) -> float:
    """For how long the processor was kept from other work at most while a file was checked."""
    longest, last = 0.0, thread_time()
    task = asyncio.create_task(check_file(file, checker(default_country="IN"), folder=folder))
    while not task.done():
        await asyncio.sleep(0)
        now = thread_time()
        longest, last = max(longest, now - last), now
    (await task).close()
    return longest


def test_a_price_is_asked_for_what_may_be_called(tmp_path: Path) -> None:
    """Nobody looks for a price of a number that no rule lets pass."""
    asked: list[E164] = []

    def quote(number: E164) -> Quote | None:
        asked.append(number)
        return quote_by_prefix(number, DECK, OPEN)

    found = asyncio.run(checked(tmp_path, BAD, checker(quote=quote)))
    found.close()
    assert {number.e164 for number in asked} == {"+919876543210"}
