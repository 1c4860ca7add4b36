"""Sounds that tenants name: WAV files of the operator's folders, and of no others.

The name comes from whoever has a key, so what is wrong with it is never said: a file that is not there, lies
elsewhere, is a pipe or is no WAV are one and the same. `gateway check` tells the operator which it was.
"""

import asyncio
import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.media.audio import AudioFormat, converter, read_wav

KEPT_BYTES = 64 << 20
"Of decoded sounds, all together; those that were not played for longest are let go."
READ_SECONDS = 5.0
"A sound that takes longer, from a disk that hangs, is none."


class NoSound(Exception):
    """There is no such sound. The message says no more than that; `reason` is for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__("it is no sound that this gateway has")
        self.reason = reason


_Key = tuple[int, int, int, int, AudioFormat]
"Device, inode, size, time of the last change, and the format that it was made into."


class Sounds:
    """The sounds in some folders; each is read and converted once for each format, off the loop."""

    def __init__(self, folders: Sequence[Path], most_bytes: int) -> None:
        self._folders = tuple(folders)
        self._most_bytes = most_bytes
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        # Its own thread: a folder on a disk that hangs delays sounds, and nothing else.
        self._reader = ThreadPoolExecutor(1, "sounds")

    def close(self) -> None:
        """Read no more."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    async def play(self, name: str, audio_format: AudioFormat) -> bytes:
        """A sound in this format; raises `NoSound`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await loop.run_in_executor(self._reader, self.read, name, audio_format)
        except TimeoutError:
            raise NoSound(f"it could not be read within {READ_SECONDS:g} s") from None

    def read(self, name: str, audio_format: AudioFormat) -> bytes:
        """The same, for whoever may block."""
        try:
            descriptor = _open(self._find(name))
        except (OSError, ValueError) as error:
            raise NoSound(str(error)) from error
        try:
            return self._known(descriptor, audio_format)
        except (OSError, ValueError) as error:
            raise NoSound(str(error)) from error
        finally:
            os.close(descriptor)

    def _find(self, name: str) -> str:
        """The path of a file within one of the folders, with every link on the way to it followed."""
        for folder in self._folders:
            root = os.path.realpath(folder)
            path = os.path.realpath(os.path.join(root, name))
            if os.path.commonpath([root, path]) == root and os.path.lexists(path):
                return path
        folders = ", ".join(map(str, self._folders))
        raise NoSound(f"there is no such file in {folders} ([media] sound_folders)")

    def _known(self, descriptor: int, audio_format: AudioFormat) -> bytes:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NoSound("it is not a regular file")
        if status.st_size > self._most_bytes:
            raise NoSound(f"it has more than {self._most_bytes} bytes ([media] max_sound_bytes)")
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, audio_format)
        known = self._kept.get(key)
        if known is None:
            known = _converted(_contents(descriptor, status.st_size), audio_format)
            self._keep(key, known)
        else:
            self._kept.move_to_end(key)
        return known

    def _keep(self, key: _Key, audio: bytes) -> None:
        self._kept[key] = audio
        self._kept_bytes += len(audio)
        while self._kept_bytes > KEPT_BYTES:
            _, old = self._kept.popitem(last=False)
            self._kept_bytes -= len(old)


def _open(path: str) -> int:
    # Not to wait for a pipe, not to own a terminal, not to follow a link that has just been put there.
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)


def _contents(descriptor: int, size: int) -> bytes:
    """As many bytes as the file said it had, and no more should it grow meanwhile."""
    read = bytearray()
    while len(read) < size and (piece := os.read(descriptor, size - len(read))):
        read += piece
    return bytes(read)


def _converted(data: bytes, audio_format: AudioFormat) -> bytes:
    own_format, audio = read_wav(data)
    convert = converter(own_format, audio_format)
    return audio if convert is None else convert(audio)
