"""A recording as it is: the WAV file itself."""

import os


class Plain:
    """The content of one plain file."""

    def __init__(self, file: int) -> None:
        self._file = file
        self.size = os.fstat(file).st_size

    def write(self, head: bytes, more: bytes) -> None:
        """The samples first, so that the head never tells of more than there is."""
        end = max(self.size, len(head))
        try:
            write_at(self._file, end, more)
            write_at(self._file, 0, head)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size = end + len(more)

    def read(self, start: int, length: int) -> bytes:
        """A part of it."""
        return os.pread(self._file, length, start)

    def mend(self) -> None:
        """Nothing to do: every byte that is there can be read."""

    def cut(self, size: int) -> None:
        """Drop what is beyond `size`."""
        os.ftruncate(self._file, size)
        self.size = size


def write_at(file: int, at: int, data: bytes) -> None:
    """All of `data`, however the system cuts it."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, at)
        at += written
        left = left[written:]
