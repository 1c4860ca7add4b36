"""The longest prefix of a number that something is known about: rates, ranges, countries, network groups."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixMap(Generic[T]):
    """Values by digit prefix. A look-up costs one dictionary access for each prefix length in use.

    Build it once; ValueError if a prefix is not digits, or comes twice. An empty prefix matches everything.
    """

    __slots__ = ("_lengths", "_values")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        self._values: dict[str, T] = {}
        for prefix, value in entries:
            if prefix in self._values:
                raise ValueError(f"prefix {prefix!r} comes twice")
            if prefix and not (prefix.isascii() and prefix.isdecimal()):
                raise ValueError(f"a prefix is digits, not {prefix!r}")
            self._values[prefix] = value
        self._lengths = tuple(sorted({len(prefix) for prefix in self._values}, reverse=True))

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return iter(self._values.items())

    def longest(self, digits: str) -> tuple[str, T] | None:
        """The longest prefix of `digits` that is in here, with its value; None if there is none."""
        values = self._values
        for length in self._lengths:
            prefix = digits[:length]
            if prefix in values and len(prefix) == length:
                return prefix, values[prefix]
        return None
