"""A recording sealed at rest: AES-256-GCM in blocks, so that a player can ask for any part of it.

The file is `MAGIC`, 16 random bytes that name it, the sealed head, then blocks of `BLOCK` bytes of samples,
the last one shorter. Each block is nonce, ciphertext and tag, bound to its file and place: none can be
changed, moved, or brought in from elsewhere. The last block is written anew, with another nonce, as it grows.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.media.stereo import HEAD_BYTES
from gateway.recordings.plain import write_at

MAGIC = b"TRNKREC1"
BLOCK = 64 * 1024
_NAME = 16
_NONCE = 12
_EXTRA = _NONCE + 16
_BODY = len(MAGIC) + _NAME + _EXTRA + HEAD_BYTES


class Sealed:
    """The content of one sealed file."""

    def __init__(self, file: int, key: bytes) -> None:
        self._file = file
        self._box = AESGCM(key)
        self._name = os.pread(file, _NAME, len(MAGIC))
        self.size = _recording_bytes(os.fstat(file).st_size)
        whole = (max(self.size, HEAD_BYTES) - HEAD_BYTES) // BLOCK
        self._block = whole
        "The block that is not full yet."
        self._tail: bytes | None = None
        "What is in it; None until it is needed."

    @classmethod
    def begin(cls, file: int, key: bytes) -> "Sealed":
        """An empty one."""
        write_at(file, 0, MAGIC + os.urandom(_NAME))
        return cls(file, key)

    def write(self, head: bytes, more: bytes) -> None:
        """Seal the last block with what is new behind it, then the head."""
        if self._tail is None:
            self._tail = self._opened(self._block) if self.size > HEAD_BYTES + self._block * BLOCK else b""
        samples, block = self._tail + more, self._block
        try:
            for start in range(0, len(samples), BLOCK):
                self._seal(block + start // BLOCK, samples[start : start + BLOCK])
            self._seal(-1, head)
        except OSError:
            os.ftruncate(self._file, _offset(block))
            if self._tail:
                self._seal(block, self._tail)
            raise
        self.size = len(head) + block * BLOCK + len(samples)
        self._block = block + len(samples) // BLOCK
        self._tail = samples[len(samples) // BLOCK * BLOCK :]

    def read(self, start: int, length: int) -> bytes:
        """A part of it, which costs the blocks that it touches; PermissionError where a seal is broken."""
        end = min(start + length, self.size)
        parts = []
        while start < end:
            block, skip = (-1, start) if start < HEAD_BYTES else divmod(start - HEAD_BYTES, BLOCK)
            part = self._opened(block)[skip : skip + end - start]
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def mend(self) -> None:
        """Drop the last block where it was torn while it was written."""
        try:
            self.read(max(0, self.size - 1), 1)
        except PermissionError:
            self.cut(HEAD_BYTES + self._block * BLOCK)

    def cut(self, size: int) -> None:
        """Drop what is beyond `size`."""
        if size < HEAD_BYTES:
            os.ftruncate(self._file, len(MAGIC) + _NAME)
            self.size, self._block, self._tail = 0, 0, b""
            return
        block, rest = divmod(size - HEAD_BYTES, BLOCK)
        tail = self._opened(block)[:rest] if rest else b""
        os.ftruncate(self._file, _offset(block))
        if tail:
            self._seal(block, tail)
        self.size, self._block, self._tail = size, block, tail

    def _seal(self, block: int, plain: bytes) -> None:
        nonce = os.urandom(_NONCE)
        write_at(self._file, _offset(block), nonce + self._box.encrypt(nonce, plain, self._bound(block)))

    def _opened(self, block: int) -> bytes:
        length = _EXTRA + (HEAD_BYTES if block < 0 else BLOCK)
        sealed = os.pread(self._file, length, _offset(block))
        try:
            return self._box.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(block))
        except (InvalidTag, ValueError):
            raise PermissionError("the recording was sealed with another key, or changed") from None

    def _bound(self, block: int) -> bytes:
        return self._name + block.to_bytes(8, "big", signed=True)


def _offset(block: int) -> int:
    """Where a block begins; -1 is the head."""
    return len(MAGIC) + _NAME if block < 0 else _BODY + block * (BLOCK + _EXTRA)


def _recording_bytes(file_bytes: int) -> int:
    """How long the recording in a file of this length is."""
    if file_bytes <= _BODY:
        return HEAD_BYTES if file_bytes == _BODY else 0
    whole, rest = divmod(file_bytes - _BODY, BLOCK + _EXTRA)
    return HEAD_BYTES + whole * BLOCK + max(0, rest - _EXTRA)
