"""Rows in lots, so that no transaction is long, and others have their turn in between."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_lots(rows: Iterable[T], most: int) -> Iterator[list[T]]:
    """The rows in their order, at most so many together."""
    left = iter(rows)
    while lot := list(islice(left, most)):
        yield lot
