"""The strings that the cells of a workbook share: kept as bytes in a row, since there can be a million."""

from array import array
from collections.abc import Iterable, Iterator

from gateway.batch.files.upload import MAX_CELL, UnreadableFile
from gateway.batch.files.xml import parsed

MAX_BYTES = 64 * 1024 * 1024
"Of all together: a file of 10 MB has less."


class SharedStrings:
    """Strings by their place; `read` them first."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("L", [0])
        self._parts: list[str] = []
        self._kept = 0
        self._is_text = self._is_phonetic = False

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:
        """The string at a place, IndexError where there is none."""
        if place < 0:
            raise IndexError(place)
        return self._text[self._ends[place] : self._ends[place + 1]].decode()

    def read(self, pieces: Iterable[bytes]) -> Iterator[None]:
        """Read the part that has them; raises as `xml.parsed`."""
        yield from parsed(pieces, self._start, self._end, self._characters)

    def _start(self, name: str, _: dict[str, str]) -> None:
        if name == "si":
            self._parts.clear()
            self._kept = 0
        elif name == "rPh":  # how the text is spoken, in Japanese: not part of it
            self._is_phonetic = True
        elif name == "t":
            self._is_text = not self._is_phonetic

    def _end(self, name: str) -> None:
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "si":
            self._text += "".join(self._parts).encode()
            self._ends.append(len(self._text))
            if len(self._text) + 8 * len(self._ends) > MAX_BYTES:
                raise UnreadableFile(
                    "zip_bomb", f"The workbook has more than {MAX_BYTES >> 20} MB of text in it"
                )

    def _characters(self, text: str) -> None:
        if self._is_text and self._kept <= MAX_CELL:
            self._parts.append(text[: MAX_CELL + 1 - self._kept])
            self._kept += len(self._parts[-1])
