"""Do-not-call lists as people bring them: texts to numbers, each once, and what is none by its line."""

import asyncio
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator
from dataclasses import dataclass

from gateway.batch.checking import Choice
from gateway.batch.columns import looks_like_number, phone_column
from gateway.batch.files.opening import opening
from gateway.batch.files.upload import Header, UnreadableFile, Upload
from gateway.batch.local import LocalNumbers
from gateway.batch.slices import in_slices
from gateway.batch.writings import DigitsLost, as_meant
from gateway.routing.number import MAX_RAW, SEPARATORS, parse_e164
from gateway.routing.typed import cleaned
from gateway.routing.written import NoNumber, read_number
from gateway.store.configuration.do_not_call import DoNotCall

SHARDS = 256
"A set of a million numbers stands still for 20 ms when it grows; each of so many small ones does not."
BLOCK = 20_000
"Neighbours are in one shard: the database writes what lies side by side seven times as fast."
MOST_TOLD = 20
"Wrong lines that are told one by one."

AS_IT_IS = Choice()

Busy = Callable[[], bool]
"Whether calls run: then reading takes half of the core at most."


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """A text that is no number."""

    line: int
    "Of the file, or the place in the list."
    given: str
    why: str
    "What would be right."


class Numbers(Collection[str]):
    """Numbers in E.164, each once, in a third of the memory that their texts take."""

    def __init__(self) -> None:
        self._shards: tuple[set[int], ...] = tuple(set() for _ in range(SHARDS))

    def add(self, digits: str) -> bool:
        """Take a number without its plus; False where it is there already."""
        number = int(digits)
        shard = self._shard(number)
        before = len(shard)
        shard.add(number)
        return len(shard) > before

    def __iter__(self) -> Iterator[str]:
        return (f"+{number}" for shard in self._shards for number in sorted(shard))

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def __contains__(self, e164: object) -> bool:
        number = int(str(e164).removeprefix("+"))
        return number in self._shard(number)

    def _shard(self, number: int) -> set[int]:
        return self._shards[number // BLOCK % SHARDS]


class NeverCalled(Container[str]):
    """A workspace's list while a file is held to it: eight bytes a number, since there can be a million.

    The texts come in their order, in which those of one length are in the order of their numbers: nothing has
    to be sorted, which would keep all calls waiting.
    """

    def __init__(self) -> None:
        self._by_length: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))

    def take(self, e164: str) -> None:
        """The next number of the list."""
        self._by_length[len(e164)].append(int(e164[1:]))

    def __contains__(self, e164: object) -> bool:
        text = str(e164)
        found, number = self._by_length.get(len(text), ()), int(text[1:])
        place = bisect_left(found, number)
        return place < len(found) and found[place] == number


async def never_called(lists: DoNotCall, workspace_id: str) -> NeverCalled:
    """The list of a workspace as it stands."""
    listed = NeverCalled()
    async for part in lists.numbers(workspace_id):
        for e164 in part:
            listed.take(e164)
        await asyncio.sleep(0)
    return listed


class Gathered:
    """The numbers of a list, as they are taken from it."""

    def __init__(self, country: str | None) -> None:
        """`country`: whose numbers may be written as they are dialled there."""
        self.numbers = Numbers()
        self.twice = 0
        "Numbers that came again."
        self.wrong: list[WrongNumber] = []
        "The first of those that are none."
        self.wrong_count = 0
        self._country = country
        self._local = None if country is None else LocalNumbers(country)

    def take(self, line: int, text: str, *, is_number: bool = False) -> None:
        """Take a text; an empty one is passed by. `is_number`: a spreadsheet holds it as a number."""
        text = text.strip()
        if not text:
            return
        try:
            digits = self._digits(as_meant(text, is_number=is_number))
        except DigitsLost as lost:
            self._refuse(WrongNumber(line, text[:MAX_RAW], f"has lost digits in a spreadsheet: {lost}"))
        except NoNumber as error:
            self._refuse(WrongNumber(line, text[:MAX_RAW], str(error)))
        else:
            self.twice += not self.numbers.add(digits)

    def _digits(self, text: str) -> str:
        """Most local numbers are read at once; others, and what is none, in the way that explains itself."""
        if self._local is not None and text[:1] != "+":
            plain = cleaned(text[: 4 * MAX_RAW]).translate(SEPARATORS)
            e164 = self._local.read(plain) if plain.isascii() and plain.isdecimal() else None
            number = None if e164 is None or len(plain) > MAX_RAW else parse_e164(e164)
            if number is not None:
                return number.digits
        return read_number(text, self._country).digits

    def _refuse(self, wrong: WrongNumber) -> None:
        self.wrong_count += 1
        if len(self.wrong) < MOST_TOLD:
            self.wrong.append(wrong)


def beginning(text: str, country: str | None) -> str:
    """What a search finds: a number in any writing, or the digits that numbers begin with."""
    try:
        return read_number(text, country).e164
    except NoNumber:
        plain = cleaned(text).translate(SEPARATORS)
        digits = plain.removeprefix("+").removeprefix("00")
        return f"+{digits}" if digits.isdecimal() else plain


async def gather(lines: Iterable[tuple[int, str]], country: str | None) -> Gathered:
    """Take all of a list, and let others on the event loop have their turn in between."""

    def steps() -> Generator[float, None, Gathered]:
        gathered = Gathered(country)
        for line, text in lines:
            yield 0.0
            gathered.take(line, text)
        return gathered

    return await in_slices(steps())


async def gather_file(
    upload: Upload, country: str | None, choice: Choice = AS_IT_IS, busy: Busy = bool
) -> Gathered:
    """Take the numbers of a file, in the same way; UnreadableFile where it is no table.

    They are in the column that is chosen, or called as in files of recipients; or in the only one there is.
    Its first line may be a number already.
    """
    return await in_slices(_of_file(upload, country, choice), busy=busy)


def _of_file(upload: Upload, country: str | None, choice: Choice) -> Generator[float, None, Gathered]:
    gathered = Gathered(country)
    table = yield from opening(
        upload, sheet=choice.sheet, separator=choice.separator, encoding=choice.encoding
    )
    try:
        header = table.header
        place = _place(header, choice.phone_column)
        if looks_like_number(header.names[place]):
            gathered.take(header.line, header.names[place])
        for row in table.steps:
            yield 0.0
            if row is not None and place < len(row.cells):
                gathered.take(row.line, row.cells[place], is_number=place in row.numbers)
    finally:
        table.close()
    return gathered


def _place(header: Header, chosen: str) -> int:
    """The column with the numbers, of a file that may be without a header."""
    try:
        return phone_column(header, chosen)
    except UnreadableFile:
        named = [place for place, name in enumerate(header.names) if name]
        numbers = [place for place in named if looks_like_number(header.names[place])]
        if chosen or len(numbers or named) != 1:
            raise
        return (numbers or named)[0]
