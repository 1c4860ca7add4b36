"""Which numbers a file has had already, and in which line first: a million in 24 MB, none ever slow to add.

A dictionary of so many stands still for 50 ms when it grows.
"""

import mmap

from gateway.batch.files.upload import MAX_ROWS

_SLOTS = 2 * MAX_ROWS
"A power of two, and never more than half full."
_SPREAD = 0x9E3779B97F4A7C15
"2**64 divided by the golden ratio: neighbours come far apart."
_SHIFT = 64 - (_SLOTS.bit_length() - 1)
_WORD = 0xFFFFFFFFFFFFFFFF


class Seen:
    """Numbers with the line that had each first; no more than MAX_ROWS of them."""

    def __init__(self) -> None:
        # The system gives the pages when they are first written to.
        self._numbers = memoryview(mmap.mmap(-1, 8 * _SLOTS)).cast("Q")
        self._lines = memoryview(mmap.mmap(-1, 4 * _SLOTS)).cast("I")

    def first(self, digits: str, line: int) -> int:
        """Remember a number of up to 15 digits; the line that had it before, 0 where this is the first."""
        number = int(digits)
        slot = (number * _SPREAD & _WORD) >> _SHIFT
        numbers = self._numbers
        while found := numbers[slot]:
            if found == number:
                return self._lines[slot]
            slot = (slot + 1) % _SLOTS
        numbers[slot] = number
        self._lines[slot] = line
        return 0
