"""`gateway check` about drafts, shared sources, folders, the broker and the database's age."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from gateway.commands.check_secrets import check_secret
from gateway.commands.check_times import check_times
from gateway.config.loading import Config, load_config
from gateway.routing.table import AgentVersion, Dialect, Secret
from tests.commands.conftest import answer
from tests.interop.process import self_signed
from tests.mosquitto import Mosquitto, free_tcp_port

Gateway = Callable[..., Result]

MORE = {
    "AGENTS__CONNECT_ATTEMPTS": {"TRUNKLINE_AGENTS__CONNECT_TIMEOUT": "3"},
    "STORE__KEEP_CALLS_DAYS": {
        "TRUNKLINE_WEBHOOKS__RETRIES": "10",
        "TRUNKLINE_WEBHOOKS__RETRY_SECONDS": "3600",
    },
}
"Settings that make a contradiction of another."


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


def guarded_broker(folder: Path, **tls: Path) -> Mosquitto:
    """One that wants a password, and speaks TLS where files for it are given."""
    passwords = folder / "passwords"
    subprocess.run(["/usr/bin/mosquitto_passwd", "-b", "-c", passwords, "gw", "secret"], check=True)
    passwords.chmod(0o600)
    lines = (f"password_file {passwords}", "allow_anonymous false")
    return Mosquitto(folder / "broker", *lines, tls=tls)


# The library leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_broker_lets_us_in_or_says_why(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one: let in, a wrong password, an authority that nobody knows, a file that is not there."""
    files = self_signed(tmp_path)
    certificate, key = Path(str(files["certificate"])), Path(str(files["private_key"]))
    broker = guarded_broker(tmp_path, certfile=certificate, keyfile=key)

    def told_with(**settings: object) -> tuple[str, str, str]:
        for name, value in {"url": f"mqtts://127.0.0.1:{broker.port}", "ca": certificate, **settings}.items():
            monkeypatch.setenv(f"TRUNKLINE_MQTT__{name.upper()}", str(value))
        return told(gateway, "mqtt")[-1]

    try:
        level, found, mend = told_with(username="gw", password="secret")
        assert (level, found.endswith("lets us in as gw"), mend) == ("ok", True, "")
        level, found, mend = told_with(password="wrong")
        assert (level, mend.startswith("mend [mqtt] username and password")) == ("fail", True), found
        assert "wrong" not in found
        level, found, mend = told_with(ca="")
        assert (level, mend.startswith("mend [mqtt] ca")) == ("fail", True), found
        assert "certificate" in found
        level, found, mend = told_with(ca=tmp_path / "none.pem")
        assert (level, "PEM" in mend) == ("fail", True), found
    finally:
        broker.stop()


@pytest.mark.parametrize(
    ("name", "value", "found", "mend"),
    [
        ("AGENTS__CONNECT_TIMEOUT", "20", "given up after 60.75 s", "connect_timeout"),
        ("AGENTS__CONNECT_ATTEMPTS", "8", "is away is given up after", "connect_attempts"),
        ("SIP__INVITE_SECONDS", "20", "64 T1", "invite_seconds"),
        ("SIP__DRAIN_SECONDS", "5", "last words", "drain_seconds"),
        ("MEDIA__ONE_WAY_SECONDS", "30", "nobody is warned", "one_way_seconds"),
        ("MEDIA__STALL_MS", "100", "silence comes first", "stall_ms"),
        ("STORE__KEEP_CALLS_DAYS", "1", "are tried for", "retries"),
        ("RECORDINGS__KEEP_DAYS", "3", "links work for", "link_days"),
    ],
)
def test_times_that_contradict_are_told(name: str, value: str, found: str, mend: str) -> None:
    """Each with the setting to change; the defaults contradict nothing."""
    assert not [*check_times(Config())]
    config = load_config(None, {f"TRUNKLINE_{name}": value, **MORE.get(name, {})})
    told_of = [(each.level, each.found, each.mend) for each in check_times(config)]
    assert any(found in said and mend in what for level, said, what in told_of if level == "warn"), told_of


def test_login_without_its_secret_is_told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the broker, and of the number provider, with which nothing starts."""
    monkeypatch.setenv("TRUNKLINE_MQTT__URL", f"mqtt://127.0.0.1:{free_tcp_port()}")
    monkeypatch.setenv("TRUNKLINE_MQTT__USERNAME", "gw")
    assert told(gateway, "mqtt")[0][:2] == ("warn", "no password for gw")
    monkeypatch.setenv("TRUNKLINE_PROVISIONING__PROVIDER", "plivo")
    ((level, found, _),) = told(gateway, "configuration")
    assert (level, "auth_id and auth_token" in found) == ("fail", True)
    assert "environment variable" not in found, "none of them alone is wrong"


@pytest.mark.parametrize(
    ("url", "more", "warns"),
    [
        ("wss://bots.example.com/x", {}, True),
        ("wss://8.8.8.8/x", {"dialect": Dialect.NATIVE}, True),
        ("wss://bots.example.com/x", {"secret": Secret("s")}, False),
        ("wss://u:p@bots.example.com/x", {}, False),
        ("wss://bots.example.com/x", {"headers": (("authorization", "Bearer x"),)}, False),
        ("tcp://bots.example.com:9", {"dialect": Dialect.AUDIOSOCKET}, False),
        ("ws://10.0.0.7/x", {}, False),
        ("ws://localhost:8765/x", {}, False),
        ("ws://bots.internal/x", {}, False),
    ],
)
def test_public_runtimes_without_a_secret_are_told(url: str, more: dict[str, Any], warns: bool) -> None:
    """Where it could have one, and proves nothing in another way."""
    version = AgentVersion("ver_1", "agt_1", 1, runtime_url=url, **more)
    assert [each.level for each in check_secret("agent Bot/1", version)] == ["warn"] * warns


def test_older_database_says_what_will_run(gateway: Gateway) -> None:
    """The migrations by their numbers and names."""
    answer(gateway("trunks", "list"))
    change("UPDATE alembic_version SET version_num = '0013'")
    ((level, found, _),) = told(gateway, "database")
    assert level == "warn"
    assert "is at migration 0013" in found
    assert "0014 books, 0015 withheld callers" in found
    assert "0013 calling" not in found
