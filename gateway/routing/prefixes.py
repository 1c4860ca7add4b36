"""The longest prefix of a number that something is known about: rates, ranges, countries, network groups."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixMap(Generic[T]):
    """Values by digit prefix. A look-up costs one dictionary access for each prefix length in use.

    Build it before anybody else sees it; ValueError if a prefix is not digits, or comes twice. An empty
    prefix matches everything.
    """

    __slots__ = ("_lengths", "_values")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        self._values: dict[str, T] = {}
        self._lengths: tuple[int, ...] = ()
        self.extend(entries)

    def extend(self, entries: Iterable[tuple[str, T]]) -> None:
        """Add more while it is being built: whoever must not be busy for long adds a slice at a time."""
        lengths = set(self._lengths)
        for prefix, value in entries:
            if prefix in self._values:
                raise ValueError(f"prefix {prefix!r} comes twice")
            if prefix and not (prefix.isascii() and prefix.isdecimal()):
                raise ValueError(f"a prefix is digits, not {prefix!r}")
            self._values[prefix] = value
            lengths.add(len(prefix))
        self._lengths = tuple(sorted(lengths, reverse=True))

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._values.items())

    def longest(self, digits: str) -> tuple[str, T] | None:
        """The longest prefix of `digits` that is in here, with its value; None if there is none."""
        values = self._values
        for length in self._lengths:
            prefix = digits[:length]
            if prefix in values:  # all digits, where they are fewer
                return prefix, values[prefix]
        return None
