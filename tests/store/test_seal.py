"""The key of the secrets at rest."""

import stat
from pathlib import Path

import pytest

from gateway.routing.table import Secret
from gateway.store.engine.errors import StoreError
from gateway.store.engine.seal import load_key

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def test_key_file_is_made_once_for_its_owner(tmp_path: Path) -> None:
    """Where there is no key, one is made that only its owner can read, and it stays."""
    path = tmp_path / "data" / "secret.key"
    sealed = load_key(None, path).seal(Secret("geheim"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(None, path).open(sealed) == Secret("geheim")
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


def test_configured_key_needs_no_file(tmp_path: Path) -> None:
    """A key from the configuration is used, and no file is made."""
    sealed = load_key(KEY, tmp_path / "secret.key").seal(Secret("geheim"))
    assert load_key(KEY, tmp_path / "secret.key").open(sealed) == Secret("geheim")
    assert list(tmp_path.iterdir()) == []


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A key that the whole machine can read is none, and the mending command is told."""
    path = tmp_path / "secret.key"
    path.write_text(KEY)
    path.chmod(0o644)
    with pytest.raises(StoreError, match=f"chmod 600 {path}"):
        load_key(None, path)


def test_key_file_with_something_else_is_refused(tmp_path: Path) -> None:
    """A file that holds no key is told as such."""
    path = tmp_path / "secret.key"
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(StoreError, match="should hold 32 bytes in URL-safe base64"):
        load_key(None, path)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    """Neither box nor secret has anything to read in its repr, and what is sealed differs every time."""
    box = load_key(KEY, tmp_path / "x")
    assert KEY not in repr(box)
    assert box.seal(Secret("geheim")) != box.seal(Secret("geheim"))
    assert box.seal(None) is None
    assert box.open(None) is None


def test_other_key_does_not_open(tmp_path: Path) -> None:
    """What one key sealed, another does not open."""
    sealed = load_key(KEY, tmp_path / "x").seal(Secret("geheim"))
    with pytest.raises(StoreError, match="sealed with another key"):
        load_key(None, tmp_path / "other.key").open(sealed)
