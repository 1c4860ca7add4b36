"""Rows on disk."""

from collections import deque
from pathlib import Path

import pytest

from gateway.batch import spool
from gateway.batch.checker import Recipient
from gateway.batch.files.upload import UnreadableFile
from gateway.batch.spool import Spool


def recipient(position: int) -> Recipient:
    """One of a file's."""
    return Recipient(position, "+14155550100", "+14155550100", {"name": "Ann"}, "", None)


def test_rows_come_back_as_often_as_one_likes(tmp_path: Path) -> None:
    """In their order; closed, they leave nothing."""
    rows = Spool(Recipient, tmp_path)
    given = [recipient(position) for position in range(2, 2002)]
    for one in given:
        rows.add(one)
    rows.finish()
    assert list(rows) == given
    assert list(rows) == given
    rows.close()
    assert not list(tmp_path.iterdir())


def test_rows_take_no_more_disk_than_they_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short file with long names of columns is a long spool."""
    monkeypatch.setattr(spool, "MAX_SPOOLED", 1000)
    rows = Spool(Recipient, tmp_path)
    for position in range(5):
        rows.add(recipient(position))
    with pytest.raises(UnreadableFile, match="send fewer columns") as caught:
        deque(map(rows.add, map(recipient, range(100))), maxlen=0)
    assert caught.value.code == "too_much_text"
    rows.close()
