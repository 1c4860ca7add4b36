"""Secrets at rest: sealed with a key that is not in the database."""

import os
from base64 import urlsafe_b64decode
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.routing.table import Secret
from gateway.store.engine.errors import StoreError

KEY_CHECK = "trunkline"
"What is sealed once in every database, to tell at start whether the key fits."


class SecretBox:
    """Seals and opens secrets with one key (Fernet: AES-128-CBC and HMAC-SHA256)."""

    def __init__(self, key: str | bytes) -> None:
        self._fernet = Fernet(key)
        self._key = urlsafe_b64decode(key)

    def __repr__(self) -> str:
        return "SecretBox()"

    def key_for(self, purpose: str) -> bytes:
        """32 bytes for another use than secrets in the database; they tell nothing of the key (RFC 5869)."""
        return HKDF(SHA256(), 32, salt=None, info=f"trunkline {purpose}".encode()).derive(self._key)

    def seal(self, secret: Secret | None) -> str | None:
        """The secret as text that only this key opens; None stays None."""
        return None if secret is None else self.sealed(secret.reveal())

    def sealed(self, text: str) -> str:
        """Text as `seal` writes it."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str | None) -> Secret | None:
        """The secret again; `StoreError` where it was sealed with another key, or changed."""
        if sealed is None:
            return None
        try:
            return Secret(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken:
            raise StoreError("a secret in the database was sealed with another key") from None


def load_key(key: str | None, key_file: Path) -> SecretBox:
    """The box for the configured key, or for the one in `key_file`, which is made where it is missing.

    The file is readable by its owner only; one that others can read is refused.
    """
    if key is not None:
        return SecretBox(key)
    try:
        return _read(key_file)
    except FileNotFoundError:
        return _make(key_file)
    except OSError as error:
        raise StoreError(f"the key file {key_file} cannot be read: {error.strerror}") from None


def _read(key_file: Path) -> SecretBox:
    if key_file.stat().st_mode & 0o077:
        raise StoreError(f"the key file {key_file} can be read by others: chmod 600 {key_file}")
    try:
        return SecretBox(key_file.read_text("ascii").strip())
    except ValueError:
        raise StoreError(f"the key file {key_file} should hold 32 bytes in URL-safe base64") from None


def _make(key_file: Path) -> SecretBox:
    key = Fernet.generate_key()
    scratch = key_file.with_name(f".{key_file.name}.{os.getpid()}")
    try:
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key + b"\n")
            os.fsync(file.fileno())
        try:
            # A link, since it fails where another process has made the file meanwhile.
            os.link(scratch, key_file)
        except FileExistsError:
            return _read(key_file)
        finally:
            scratch.unlink()
    except OSError as error:
        raise StoreError(f"the key file {key_file} cannot be made: {error.strerror}") from None
    return SecretBox(key)
