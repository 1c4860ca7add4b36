"""Do-not-call lists as people bring them: texts to numbers, each once, and what is no number by its line."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter

from gateway.routing.number import MAX_RAW, SEPARATORS
from gateway.routing.typed import cleaned
from gateway.routing.written import NoNumber, read_number

SHARDS = 256
"A set of a million numbers stands still for 20 ms when it grows; each of so many small ones does not."
MOST_TOLD = 20
"Wrong lines that are told one by one."
SLICE_SECONDS = 0.002
"Others on the event loop have their turn after so long."


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """A text that is no number."""

    line: int
    "Of the file, or the place in the list; from 1."
    given: str
    why: str
    "What would be right."


class Numbers(Collection[str]):
    """Numbers in E.164, each once, at a tenth of what their texts take."""

    def __init__(self) -> None:
        self._shards: tuple[set[int], ...] = tuple(set() for _ in range(SHARDS))

    def add(self, digits: str) -> bool:
        """Take a number without its plus; False where it is there already."""
        number = int(digits)
        shard = self._shards[number % SHARDS]
        before = len(shard)
        shard.add(number)
        return len(shard) > before

    def __iter__(self) -> Iterator[str]:
        return (f"+{number}" for shard in self._shards for number in shard)

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def __contains__(self, e164: object) -> bool:
        number = int(str(e164).removeprefix("+"))
        return number in self._shards[number % SHARDS]


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

    def take(self, line: int, text: str) -> None:
        """Take a text; an empty one is passed by."""
        if not text.strip():
            return
        try:
            number = read_number(text, self._country)
        except NoNumber as error:
            self._refuse(WrongNumber(line, text.strip()[:MAX_RAW], str(error)))
            return
        if not self.numbers.add(number.digits):
            self.twice += 1

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
    gathered = Gathered(country)
    until = perf_counter() + SLICE_SECONDS
    for line, text in lines:
        gathered.take(line, text)
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + SLICE_SECONDS
    return gathered
