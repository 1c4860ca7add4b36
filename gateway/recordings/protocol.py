"""What the gateway needs of a place that keeps recordings. All of it blocks: call it in a thread."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

_KEY = re.compile(r"\d{4}/\d\d/\d\d/call_[0-9A-Za-z]{1,64}\.wav")
_CALL_ID = re.compile(r"call_[0-9A-Za-z]{1,64}")


def key_of(call_id: str, created_at: datetime) -> str:
    """Where a call's recording belongs: `2026/11/26/call_….wav`, by the day that the call began (UTC)."""
    return checked_key(f"{created_at:%Y/%m/%d}/{call_id}.wav")


def checked_key(key: str) -> str:
    """The key, which can lead nowhere but into the store; ValueError for any other."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not the key of a recording")
    return key


def call_in(key: str) -> str:
    """The call that a key belongs to."""
    return checked_key(key).rpartition("/")[2].removesuffix(".wav")


def is_call_id(text: str) -> bool:
    """Whether a text can be a call's id."""
    return _CALL_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished recording in the store."""

    key: str
    size: int
    "Bytes of the WAV file as it is read, whatever it takes up where it is kept."


class RecordingFile(Protocol):
    """A recording that is being written: a head of fixed length, and samples that only grow."""

    @property
    def key(self) -> str:
        """Where it will be found once it is finished."""

    def write(self, head: bytes, more: bytes) -> None:
        """Append samples, and let the file begin with `head` from now on: readable at any moment.

        OSError where that cannot be done; what was written before stays as it was.
        """

    def finish(self) -> Kept:
        """Make it lasting and findable under its key."""

    def discard(self) -> None:
        """Throw it away: there is nothing in it."""


class Unfinished(Protocol):
    """A recording that a killed run left behind, now ours alone."""

    @property
    def key(self) -> str:
        """Where it belongs."""

    @property
    def size(self) -> int:
        """Bytes that can be read."""

    def head(self, length: int) -> bytes:
        """Its first bytes."""

    def finish(self, head: bytes, size: int) -> Kept:
        """Cut it to `size`, give it this head, and make it findable under its key."""

    def discard(self) -> None:
        """Throw it away: there is nothing in it."""

    def leave(self) -> None:
        """Leave it as it is, for a person to look at."""


class RecordingStore(Protocol):
    """Keeps recordings under their keys. Failures are `OSError`; an unknown key is `FileNotFoundError`."""

    def open(self, key: str) -> RecordingFile:
        """Begin a recording."""

    def size(self, key: str) -> int:
        """Bytes of a finished recording."""

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """A part of a finished recording, in pieces."""

    def delete(self, key: str) -> bool:
        """Remove a recording; False where there was none."""

    def list_all(self) -> Iterator[Kept]:
        """Every finished recording, oldest day first."""

    def unfinished(self) -> Sequence[Unfinished]:
        """What killed runs left behind; what another running gateway is writing is not among it."""

    def free_bytes(self) -> int | None:
        """Room that is left; None where nobody can know."""
