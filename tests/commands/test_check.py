"""`gateway check` about drafts, shared sources, folders, the broker and the database's age."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from gateway.config.loading import load_config
from tests.commands.conftest import answer
from tests.mosquitto import free_tcp_port

Gateway = Callable[..., Result]


def told(gateway: Gateway, what: str) -> list[tuple[str, str, str]]:
    """What was found of one thing, with its level and what mends it."""
    found = json.loads(gateway("check").stdout)
    return [(each["level"], each["found"], each["mend"]) for each in found if each["what"] == what]


def change(statement: str) -> None:
    """Straight in the database: what the rules let nobody do."""
    with sqlite3.connect(str(load_config(None, dict(os.environ)).store_url.database)) as database:
        database.execute(statement)
    database.close()


def test_drafts_that_numbers_have_are_named(gateway: Gateway) -> None:
    """A number whose version is a draft fails, an agent with nothing published is told."""
    answer(gateway("agents", "add", "Fresh", "runtime_url=ws://127.0.0.1:9/native"))
    assert told(gateway, "agent Fresh")[0][:2] == ("warn", "has no published version: no number can have it")
    change(
        "UPDATE phone_numbers SET inbound_version_id ="
        " (SELECT id FROM agent_versions WHERE state = 'draft' LIMIT 1) WHERE e164 = '+12025550101'"
    )
    ((level, found, mend),) = told(gateway, "number +12025550101")
    assert (level, "is a draft: calls are refused" in found) == ("fail", True)
    assert "gateway agents publish" in mend


def test_trunks_of_one_source_are_told(gateway: Gateway) -> None:
    """Which one a call comes by, and where logins contradict."""
    answer(gateway("trunks", "add", "One", "sources=192.0.2.0/24"))
    answer(gateway("trunks", "add", "Two", "sources=192.0.2.7"))
    assert "the trunk of the number" in told(gateway, "trunks One, Two")[0][1]
    answer(gateway("trunks", "set", "Two", "username=u", "password=a"))
    assert "One asks for no login" in told(gateway, "trunks One, Two")[0][1]
    answer(gateway("trunks", "set", "One", "username=u", "password=b"))
    assert told(gateway, "trunks One, Two")[0][0] == "fail"


def test_database_newer_than_the_program_fails(gateway: Gateway) -> None:
    """It would not start, and says what to install."""
    answer(gateway("trunks", "list"))
    change("UPDATE alembic_version SET version_num = '9999'")
    ((level, found, mend),) = told(gateway, "database")
    assert (level, "is at migration 9999" in found) == ("fail", True)
    assert mend.startswith("install the version")


def test_folders_that_cannot_be_written_are_named(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recordings below a file, a journal that is a folder, sounds that are not there: for root, too."""
    answer(gateway("trunks", "list"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRUNKLINE_RECORDINGS__FOLDER", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("TRUNKLINE_MEDIA__SOUND_FOLDERS", json.dumps([str(tmp_path / "none")]))
    (tmp_path / "data" / "calls-trunkline.jsonl").mkdir()
    assert told(gateway, "recordings folder")[0][0] == "fail"
    assert "cannot be written" in told(gateway, "journal")[0][1]
    assert told(gateway, "sounds")[0][0] == "warn"


def test_broker_that_is_not_there_fails(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what to look at; without a broker nothing is said of one."""
    assert told(gateway, "mqtt") == []
    monkeypatch.setenv("TRUNKLINE_MQTT__URL", f"mqtt://127.0.0.1:{free_tcp_port()}")
    ((level, _, mend),) = told(gateway, "mqtt")
    assert (level, mend) == ("fail", "start the broker, open the firewall, or mend [mqtt] url")
