"""How fast calls of batches begin, and with which number each is made.

Each call takes its places, and its turn of the trunk’s pace, when it is placed, as any call does:
`routing.limits`, where a batch leaves a share to others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import phonenumbers

from gateway.routing.number import E164, country_of, parse_e164
from gateway.routing.plan import NORTH_AMERICA

AREA_DIGITS = 3
"Of North America, where codes that look alike lie anywhere."


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls a second, evenly (the cell rate algorithm of ITU-T I.371)."""

    per_second: float | None
    "None: no limit."
    due: float = 0.0
    "When the next call is due, by the clock of whoever asks."

    def take(self, now: float, calls: int = 1) -> "Pace":
        """The pace after so many calls have begun, or been promised."""
        if self.per_second is None:
            return self
        return replace(self, due=max(self.due, now) + calls / self.per_second)

    def wait(self, now: float) -> float:
        """Seconds until the next call is due."""
        return 0.0 if self.per_second is None else max(0.0, self.due - now)


@dataclass(frozen=True, slots=True)
class FromNumber:
    """A number that a batch calls from."""

    id: str
    e164: str
    country: str | None
    "ISO 3166 code."
    calling_code: str
    area: str
    "Its area code; empty: it has none, as most mobile numbers."

    @classmethod
    def of(cls, number_id: str, e164: str) -> "FromNumber":
        """What is known of a number by its digits; costs some 50 µs, so make it once a batch."""
        number = parse_e164(e164)
        if number is None:
            return cls(number_id, e164, None, "", "")
        return cls(number_id, e164, country_of(e164), number.calling_code, _area_code(number))

    def nearness(self, callee: E164, country: str | None) -> tuple[bool, int]:
        """How local it looks to a callee: of the same country, and how many digits of its area code."""
        if callee.calling_code != self.calling_code:
            return (False, 0)
        same = 0
        while same < len(self.area) and callee.national[same : same + 1] == self.area[same]:
            same += 1
        if self.calling_code == NORTH_AMERICA and same < len(self.area):
            same = 0
        return (country is None or country == self.country, same)


def _area_code(number: E164) -> str:
    if number.calling_code == NORTH_AMERICA:
        return number.national[:AREA_DIGITS]
    length = phonenumbers.length_of_geographical_area_code(phonenumbers.parse(number.e164))
    return number.national[:length]


@dataclass(frozen=True, slots=True)
class Rota:
    """The numbers of a batch, the one first that has rested longest."""

    numbers: tuple[FromNumber, ...]

    def choose(
        self, callee: E164, country: str | None, is_free: Callable[[FromNumber], bool]
    ) -> "tuple[FromNumber, Rota] | None":
        """The most local of the free numbers, in turn where several are; and the rota after it.

        None: all are taken. A number that would be nearer and is taken is not waited for.
        """
        free = [number for number in self.numbers if is_free(number)]
        if not free:
            return None
        chosen = max(free, key=lambda number: number.nearness(callee, country))  # of equals, the first
        others = tuple(number for number in self.numbers if number is not chosen)
        return chosen, Rota((*others, chosen))
