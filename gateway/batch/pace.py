"""How many calls of a batch may begin now, and with which number each is made.

A batch has what others leave: of every limit a share is kept free for single and inbound calls, of a trunk's
calls per second as well. Each call takes its places for itself when it is placed; what is here keeps a batch
from asking for those that it should not have, or would not get.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import phonenumbers

from gateway.routing.number import E164, country_of, parse_e164
from gateway.routing.plan import NORTH_AMERICA

MOST_SHARE = 0.9
"Of a trunk's pace: whatever is kept free, a batch goes on."

AREA_DIGITS = 3
"Of North America, where codes that look alike lie anywhere."


@dataclass(frozen=True, slots=True)
class Places:
    """The calls at once under one limit: a workspace's, a number's, a trunk's."""

    limit: int | None
    "None: no limit."
    taken: int = 0
    "By calls of every kind, ringing ones too."

    def kept_free(self, share: float) -> int:
        """Places that batches leave to others: the share, and at least one where there are two or more."""
        if self.limit is None or self.limit < 2 or share <= 0:
            return 0
        return min(self.limit - 1, max(1, int(self.limit * share)))

    def left(self, share: float) -> int | None:
        """How many more calls a batch may begin under this limit; None: any number."""
        return None if self.limit is None else max(0, self.limit - self.kept_free(share) - self.taken)


@dataclass(frozen=True, slots=True)
class Pace:
    """A trunk's calls per second, as far as batches use them (the cell rate algorithm of ITU-T I.371)."""

    per_second: float | None
    "None: no limit."
    due: float = 0.0
    "When the next call of a batch is due, by the clock of whoever asks."

    @classmethod
    def of_trunk(cls, calls_per_second: float | None, share: float, due: float = 0.0) -> "Pace":
        """What a batch has of a trunk's pace while `share` of it is kept for others."""
        return cls(
            None if calls_per_second is None else calls_per_second * (1 - min(max(share, 0.0), MOST_SHARE)),
            due,
        )

    def left(self, now: float, seconds: float) -> int | None:
        """How many calls may begin from now on within so many seconds; None: any number."""
        if self.per_second is None:
            return None
        room = now + seconds - max(self.due, now)
        return 0 if room < 0 else int(room * self.per_second + 1e-6) + 1

    def take(self, now: float, calls: int = 1) -> "Pace":
        """The pace after so many calls have begun, or been promised."""
        if self.per_second is None:
            return self
        return replace(self, due=max(self.due, now) + calls / self.per_second)

    def wait(self, now: float) -> float:
        """Seconds until the next call is due."""
        return 0.0 if self.per_second is None else max(0.0, self.due - now)


def may_begin(
    limits: Sequence[Places],
    *,
    share: float,
    running: int,
    max_concurrent: int | None = None,
    by_pace: int | None = None,
    most: int = 1000,
) -> int:
    """How many calls a batch may begin now, under all limits together.

    `running` are the batch's own calls, `max_concurrent` how many of these there may be; `by_pace` is
    `Pace.left`.
    """
    own = None if max_concurrent is None else max(0, max_concurrent - running)
    left = [limit.left(share) for limit in limits]
    return min(room for room in (*left, own, by_pace, most) if room is not None)


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
