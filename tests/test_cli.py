"""The command line as a person or a script uses it: what it does, shows, and says about mistakes."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.commands.check_sockets import try_bind
from gateway.media.audio import ULAW_8K, wav_bytes
from gateway.store.engine.database import HEAD

ROOT = Path(__file__).parent.parent
FRONT_DESK = "+12025550101"

Gateway = Callable[..., Result]


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A configuration of its own, with the demo workspace."""
    given = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path / "data"),
        "TRUNKLINE_DEMO__SEED": str(ROOT / "gateway" / "data" / "demo.toml"),
        "TRUNKLINE_SIP__LISTENERS__0__PORT": str(free_port()),
        "TRUNKLINE_SIP__LISTENERS__1__PORT": str(free_port()),
        "TRUNKLINE_HTTP__PORT": str(free_port()),
    }
    for name in [*os.environ]:
        if name.startswith("TRUNKLINE_"):
            monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


@pytest.fixture
def gateway(environ: dict[str, str]) -> Gateway:
    """Runs the command; its output is no terminal."""
    return lambda *words, given=None: CliRunner().invoke(app, [str(word) for word in words], input=given)


def answer(result: Result) -> Any:
    """The JSON that a command that worked has printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# --- looking and changing


def test_lists_are_json_where_there_is_no_terminal(gateway: Gateway) -> None:
    """A script reads what is configured, with names where things refer to each other."""
    numbers = answer(gateway("numbers", "list"))
    assert [number["phone_number"] for number in numbers] == [FRONT_DESK, "+12025550102", "+442079460018"]
    assert (
        numbers[0]
        | {
            "trunk": "Loopback",
            "inbound": "Sample agent/1",
            "outbound": "Sample agent/1",
            "provider": "SIP trunk",
            "country_code": "1",
            "local_number": "2025550101",
            "status": "active",
            "rental_status": "active",
        }
        == numbers[0]
    )
    assert [trunk["name"] for trunk in answer(gateway("trunks", "list"))] == ["Loopback"]
    agents = {
        agent["name"]: (agent["published"], agent["drafts"]) for agent in answer(gateway("agents", "list"))
    }
    assert agents == {"Sample agent": ([1], [2]), "Sample agent (twilio)": ([1], [])}
    assert [each["state"] for each in answer(gateway("agents", "versions", "sample agent"))] == [
        "published",
        "draft",
    ]
    assert answer(gateway("workspaces", "list"))[0]["name"] == "Demo"
    assert answer(gateway("calls", "list")) == []


def test_lists_are_tables_on_a_terminal(environ: dict[str, str]) -> None:
    """A person sees a table with the columns of the numbers page."""
    read, write = pty.openpty()
    command = [sys.executable, "-m", "gateway", "numbers", "list"]
    surroundings = {**os.environ, "COLUMNS": "200", "TERM": "xterm"}
    subprocess.run(command, stdout=write, stderr=write, cwd=ROOT, env=surroundings, check=True, timeout=60)
    os.close(write)
    shown = b""
    while len(chunk := _read(read)) > 0:
        shown += chunk
    os.close(read)
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    for expected in (
        "phone number",
        "renews",
        "inbound",
        FRONT_DESK,
        "Sample agent/1",
        "SIP trunk",
        "Loopback",
    ):
        assert expected in text
    assert "{" not in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux tells the end of a terminal as an I/O error
        return b""


def test_number_lives_its_whole_life(gateway: Gateway) -> None:
    """A number is added, changed, assigned in each direction by itself, taken off, and removed."""
    added = answer(gateway("numbers", "add", "+442079460123", "nickname=Desk", "--trunk", "loopback"))
    assert (added["nickname"], added["trunk"], added["inbound"], added["sip_trunk_enabled"]) == (
        "Desk",
        "Loopback",
        None,
        True,
    )
    changed = answer(gateway("numbers", "set", "442079460123", "status=pending", "renews_at=2027-01-31"))
    assert (changed["status"], changed["renews"]) == ("pending", "2027-01-31")
    assigned = answer(gateway("numbers", "assign", "+442079460123", "inbound", "Sample agent"))
    assert (assigned["inbound"], assigned["outbound"]) == ("Sample agent/1", None)
    assigned = answer(gateway("numbers", "assign", "+442079460123", "outbound", "Sample agent (twilio)/1"))
    assert (assigned["inbound"], assigned["outbound"]) == ("Sample agent/1", "Sample agent (twilio)/1")
    assert answer(gateway("numbers", "unassign", "+442079460123", "inbound"))["inbound"] is None
    assert answer(gateway("numbers", "show", added["id"]))["outbound"] == "Sample agent (twilio)/1"
    answer(gateway("numbers", "remove", "+442079460123", "--yes"))
    assert gateway("numbers", "show", "+442079460123").exit_code == 2


def test_agent_goes_from_draft_to_published(gateway: Gateway) -> None:
    """A draft is made, changed, published; then it stays."""
    answer(gateway("agents", "add", "Booking", "runtime_url=ws://127.0.0.1:9/native", "dialect=native"))
    draft = answer(gateway("agents", "set", "Booking/1", "headers=X-Zone: b; X-Kind: c", "early_media=yes"))
    assert (draft["headers"], draft["early_media"], draft["dialect"]) == ("(set)", True, "native")
    published = answer(gateway("agents", "publish", "booking"))
    assert published["state"] == "published"
    refused = gateway("agents", "set", "Booking/1", "audio=l16_8k")
    assert refused.exit_code == 2
    assert "is published and never changes" in refused.stderr
    assert answer(gateway("agents", "draft", "Booking", "audio=l16_8k"))["number"] == 2
    assert answer(gateway("agents", "show", "Booking"))["number"] == 1
    answer(gateway("agents", "discard", "Booking/2", "--yes"))
    answer(gateway("agents", "rename", "Booking", "Reception"))
    answer(gateway("agents", "remove", "Reception", "--yes"))


def test_trunk_is_added_and_changed(gateway: Gateway) -> None:
    """A trunk's fields are given as FIELD=VALUE; an empty value clears what may be empty."""
    fields = ["sources=192.0.2.0/24, 198.51.100.7", "channel_limit=30", "number_format=national:GB"]
    added = answer(gateway("trunks", "add", "Carrier", *fields))
    assert (added["sources"], added["channel_limit"]) == (["192.0.2.0/24", "198.51.100.7"], 30)
    assert added["number_format"] == "national:GB"
    assert (
        answer(gateway("trunks", "set", "carrier", "channel_limit=", "enabled=no"))["channel_limit"] is None
    )
    assert answer(gateway("trunks", "show", added["id"]))["enabled"] is False
    assert answer(gateway("trunks", "add", "Ours", "--shared"))["workspace_id"] is None
    answer(gateway("trunks", "remove", "Carrier", "-y"))


def test_first_thing_of_all_makes_a_workspace(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an empty database a trunk can be added at once."""
    monkeypatch.delenv("TRUNKLINE_DEMO__SEED")
    assert answer(gateway("trunks", "list")) == []
    answer(gateway("trunks", "add", "Carrier"))
    assert [each["name"] for each in answer(gateway("workspaces", "list"))] == ["Default"]


def test_secrets_are_asked_for_and_never_shown(gateway: Gateway) -> None:
    """A password comes from a pipe or a prompt, and no command prints it again."""
    changed = gateway("trunks", "set", "Loopback", "username=u", "password=-", given="geheim\n")
    assert answer(changed)["password"] == "(set)"
    shown = gateway("trunks", "show", "Loopback")
    history = gateway("history", answer(shown)["id"])
    assert "geheim" not in changed.output + shown.output + history.output
    assert answer(history)[0]["fields"]["password"] == [None, "(set)"]


def test_history_names_who_did_it(gateway: Gateway) -> None:
    """Every change from the command line has the user's name."""
    number = answer(gateway("numbers", "set", FRONT_DESK, "nickname=Lobby"))
    newest, oldest = answer(gateway("history", number["id"]))
    assert newest["by"].startswith("cli:")
    assert newest["fields"] == {"nickname": ["Front desk", "Lobby"]}
    assert (oldest["by"], oldest["action"]) == ("seed", "add")


def test_migrate_says_what_it_did(gateway: Gateway) -> None:
    """The first time it makes the tables, the second time there is nothing to do."""
    assert "it was empty" in gateway("migrate").stdout
    assert gateway("migrate").stdout == f"the database is at {HEAD}\n"


def test_version_is_told(gateway: Gateway) -> None:
    """`--version` names the program."""
    assert gateway("--version").stdout.startswith("trunkline ")


# --- mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trunks", "add", "X", "sorces=1"], "sorces: there is no such field; did you mean sources?"),
        (["trunks", "add", "X", "sources=300"], "sources = 300: should be an address or network, such as"),
        (["trunks", "add", "X", "channel_limit=many"], "channel_limit = many: should be a whole number"),
        (["trunks", "add", "X", "enabled=perhaps"], "enabled = perhaps: should be true or false"),
        (["trunks", "add", "X", "flat_rate=free"], "flat_rate = free: should be an amount such as 0.0125"),
        (["trunks", "add", "X", "auth_mode=none"], "auth_mode = none: should be userpass or ip"),
        (["trunks", "add", "X", "number_format=odd"], "number_format = odd: unknown number format"),
        (["trunks", "add", "X", "password=geheim"], "username: should be set"),
        (["trunks", "add", "X", "sources"], "sources: should be written FIELD=VALUE"),
        (
            ["trunks", "add", "X", "-w", "Demmo"],
            "--workspace Demmo: there is no such workspace; did you mean Demo?",
        ),
        (["trunks", "show", "Lopback"], "TRUNK Lopback: there is no such trunk; did you mean Loopback?"),
        (["trunks", "remove", "Loopback", "-y"], f"is used by {FRONT_DESK}"),
        (["numbers", "add", "02079460018"], "NUMBER 02079460018: should be a possible international"),
        (["numbers", "add", FRONT_DESK], "Phone number already registered"),
        (["numbers", "remove", FRONT_DESK, "-y"], "is the workspace's default number"),
        (["numbers", "remove", "+442079460018"], "--yes: should be given where nobody can be asked"),
        (
            ["numbers", "set", FRONT_DESK, "status=gone"],
            "status = gone: should be pending or active or unavail",
        ),
        (
            ["numbers", "set", FRONT_DESK, "renews_at=soon"],
            "renews_at = soon: should be a day or time such as",
        ),
        (
            ["numbers", "assign", FRONT_DESK, "inbound", "Sample agent/2"],
            "inbound_version = Sample agent/2: Version 2 of agent Sample agent is a draft. Publish it first.",
        ),
        (
            ["numbers", "assign", FRONT_DESK, "inbound", "Sample agent/9"],
            "VERSION Sample agent/9: Agent Sample agent has no version 9. Published versions: 1.",
        ),
        (["agents", "add", "X", "runtime_url=http://x"], "runtime_url = http://x: should be a WebSocket URL"),
        (["agents", "publish", "Sample agent (twilio)"], "has no draft"),
        (["calls", "list", "--limit", "500"], "--limit 500: should be from 1 to 200"),
        (["calls", "list", "--since", "x"], "--since x: should be a day or time"),
        (["calls", "show", "call_x"], "CALL call_x: there is no such call"),
        (["explain", "--to", FRONT_DESK], "--source: should be given, or --trunk, but not both"),
        (["explain", "--to", FRONT_DESK, "--source", "x"], "--source x: should be an IP address"),
        (
            ["numbers", "list", "--config", "/none.toml"],
            "/none.toml: cannot be read: No such file or directory",
        ),
    ],
)
def test_mistake_is_one_sentence(gateway: Gateway, words: list[str], said: str) -> None:
    """Field, what was given, what would be right; exit status 2, and no traceback."""
    result = gateway(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert "geheim" not in result.output


def test_unknown_command_is_helped(gateway: Gateway) -> None:
    """A typing mistake in a command is answered with the nearest one."""
    result = gateway("nmbers")
    assert result.exit_code == 2
    assert "numbers" in result.stderr


def test_database_that_is_away_is_one_sentence(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback and no password, and exit status 1."""
    monkeypatch.setenv("TRUNKLINE_STORE__URL", "postgresql://u:geheim@127.0.0.1:1/x")
    result = gateway("numbers", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the database postgresql://u:***@127.0.0.1:1/x")
    assert "geheim" not in result.output


def test_serve_says_why_it_cannot_start(environ: dict[str, str], tmp_path: Path) -> None:
    """A port that is taken, and a certificate that is not there: one sentence each, exit status 1."""
    listener = {"transport": "tls", "certificate": str(tmp_path / "none.pem"), "private_key": "none.key"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", int(environ["TRUNKLINE_SIP__LISTENERS__0__PORT"])))
        found = serve({})
        others = {f"TRUNKLINE_SIP__LISTENERS__{index}__PORT": "" for index in (0, 1)}
        without = serve({**others, "TRUNKLINE_SIP__LISTENERS": json.dumps([listener])})
    assert "`gateway check` tells which address or port" in found
    assert "none.pem" in without


def serve(surroundings: dict[str, str]) -> str:
    """What `gateway serve` says when it cannot."""
    command = [sys.executable, "-m", "gateway", "serve"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **surroundings}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# --- explain


def _draft_assigned(environ: dict[str, str]) -> None:
    """What the rules do not let happen, but an old backup might bring."""
    import sqlite3

    with sqlite3.connect(Path(environ["TRUNKLINE_GATEWAY__DATA_DIR"]) / "trunkline.db") as database:
        database.execute(
            "UPDATE phone_numbers SET inbound_version_id ="
            " (SELECT id FROM agent_versions WHERE state = 'draft' LIMIT 1) WHERE e164 = ?",
            (FRONT_DESK,),
        )
        database.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")
    database.close()


def test_explain_says_yes(gateway: Gateway) -> None:
    """A call that would be answered: by whom, and by which checks."""
    result = gateway("explain", "--to", FRONT_DESK, "--from", "+12025550190", "--source", "127.0.0.1")
    decision = answer(result)
    assert decision["allowed"]
    assert "version 1 of agent “Sample agent”" in decision["summary"]
    assert decision == answer(
        gateway("explain", "--to", FRONT_DESK, "--from", "+12025550190", "--trunk", "loopback")
    ) | {"source": "127.0.0.1", "checks": decision["checks"]}


def test_missing_plus_costs_no_call(gateway: Gateway) -> None:
    """A number without its plus is the same number."""
    assert answer(gateway("explain", "--to", "12025550101", "--source", "127.0.0.1"))["allowed"]


@pytest.mark.parametrize(
    ("break_it", "to", "source", "reason"),
    [
        ([], FRONT_DESK, "192.0.2.1", "unknown_source"),
        ([], "+12025550199", "127.0.0.1", "unknown_number"),
        ([], "anonymous", "127.0.0.1", "malformed_number"),
        ([], "+442079460018", "127.0.0.1", "no_inbound_version"),
        (["numbers", "set", FRONT_DESK, "rental_status=expired"], FRONT_DESK, "127.0.0.1", "rental_expired"),
        (["numbers", "set", FRONT_DESK, "status=pending"], FRONT_DESK, "127.0.0.1", "number_not_active"),
        (["trunks", "set", "Loopback", "enabled=no"], FRONT_DESK, "127.0.0.1", "trunk_disabled"),
        (["draft"], FRONT_DESK, "127.0.0.1", "version_not_published"),
    ],
)
def test_explain_tells_refusals_apart(
    gateway: Gateway, environ: dict[str, str], break_it: list[str], to: str, source: str, reason: str
) -> None:
    """Each way to break a route has its own reason, and exit status 1."""
    answer(gateway("numbers", "list"))
    if break_it == ["draft"]:
        _draft_assigned(environ)
    elif break_it:
        answer(gateway(*break_it))
    result = gateway("explain", "--to", to, "--source", source)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["reason"] == reason


# --- check


def findings(result: Result) -> dict[str, list[tuple[str, str]]]:
    """What was looked at, with each level and finding."""
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(result.stdout):
        found.setdefault(finding["what"], []).append((finding["level"], finding["found"]))
        assert (finding["level"] == "ok") == (not finding["mend"]), finding
    return found


def test_check_of_the_demo_is_fine(gateway: Gateway) -> None:
    """The demo works on this machine; what others could not reach is told, and fails nothing."""
    answer(gateway("numbers", "list"))
    result = gateway("check")
    assert result.exit_code == 0
    found = findings(result)
    assert found["listener udp-1"][0][0] == "ok"
    assert found["udp-1 advertises"] == [("warn", "127.0.0.1: only this machine can call")]
    assert found["database"][0][1].endswith(f"at migration {HEAD}")
    assert found["numbers"] == [("warn", "1 of 3 take no calls: +442079460018")]
    assert found["agent Sample agent/1"] == [("ok", "ws://127.0.0.1:8765/native")]


def test_check_of_where_tenants_lead(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo lets them lead anywhere, which is told; else its own runtime and carrier are out of reach."""
    answer(gateway("numbers", "list"))
    found = findings(gateway("check"))
    assert found["allow_private"][0][0] == "warn"
    assert "proxies" not in found
    monkeypatch.setenv("TRUNKLINE_SECURITY__ALLOW_PRIVATE", "no")
    monkeypatch.setenv("TRUNKLINE_WEB__PUBLIC_URL", "https://voice.example.com")
    result = gateway("check")
    assert result.exit_code == 1
    found = findings(result)
    assert [found[what][0][0] for what in ("agent Sample agent/1", "trunk Loopback", "proxies")] == [
        "fail",
        "fail",
        "warn",
    ]
    monkeypatch.setenv("TRUNKLINE_SECURITY__ALLOWED_NETWORKS", '["127.0.0.0/8"]')
    monkeypatch.setenv("TRUNKLINE_HTTP__PROXIES", '["127.0.0.1"]')
    found = findings(gateway("check"))
    assert found["agent Sample agent/1"][0][0] == "ok"
    assert {"allow_private", "trunk Loopback", "proxies"} & found.keys() == set()


def test_check_of_recordings(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An announcement that cannot be played means calls that are not recorded; room counts too."""
    monkeypatch.setenv("TRUNKLINE_MEDIA__SOUND_FOLDERS", f'["{tmp_path}"]')
    notice = tmp_path / "notice.wav"
    answer(gateway("numbers", "set", FRONT_DESK, "recording=both", f"recording_announcement={notice}"))
    result = gateway("check")
    assert result.exit_code == 1
    ((level, found),) = findings(result)[f"number {FRONT_DESK}"]
    assert (level, "no such file" in found) == ("fail", True)
    notice.write_bytes(wav_bytes(ULAW_8K, bytes(8000)))
    monkeypatch.setenv("TRUNKLINE_RECORDINGS__MIN_FREE_MB", "0")
    found_now = findings(gateway("check"))
    assert found_now[f"number {FRONT_DESK}"][0][0] == "ok"
    assert found_now["recordings"][0][0] == "ok"
    assert found_now["recordings"][1] == ("ok", "deleted after 90 days")
    answer(gateway("workspaces", "set", "Demo", "recording_keep_days=30"))
    assert findings(gateway("check"))["recordings"][1] == ("ok", "deleted after 90 days; Demo's after 30")


def test_check_before_the_first_start(gateway: Gateway) -> None:
    """Where nothing is there yet, that is no failure."""
    result = gateway("check")
    assert result.exit_code == 0
    assert findings(result)["database"][0][1].endswith("will be made at the first start")


def test_check_finds_taken_ports(gateway: Gateway, environ: dict[str, str]) -> None:
    """A port that somebody else has is a failure, with the command that tells who."""
    port = int(environ["TRUNKLINE_SIP__LISTENERS__0__PORT"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))
        result = gateway("check")
    assert result.exit_code == 1
    assert findings(result)["listener udp-1"] == [("fail", f"udp 127.0.0.1:{port}: Address already in use")]
    assert f"sport = :{port}" in result.stdout


def test_check_finds_foreign_addresses(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is none of this machine's can be neither listened on nor sent from."""
    monkeypatch.setenv("TRUNKLINE_SIP__LISTENERS__0__BIND", "192.0.2.77")
    monkeypatch.setenv("TRUNKLINE_MEDIA__BIND", "192.0.2.77")
    found = findings(gateway("check"))
    assert found["listener udp-1"][0][0] == "fail"
    assert found["RTP on 192.0.2.77"][0][0] == "fail"


def test_check_finds_a_range_that_is_too_small(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer port pairs than calls, and a listener inside the range, are told."""
    monkeypatch.setenv("TRUNKLINE_MEDIA__PORT_MIN", "24000")
    monkeypatch.setenv("TRUNKLINE_MEDIA__PORT_MAX", "24101")
    monkeypatch.setenv("TRUNKLINE_SIP__LISTENERS__0__PORT", "24050")
    found = findings(gateway("check"))["RTP ports"]
    assert ("warn", "24000–24101: 51 calls at once") in found
    assert ("fail", "24050 of listener udp-1 lies in the RTP range") in found


def test_check_dials_agents_when_asked(gateway: Gateway) -> None:
    """A runtime that nobody runs is found before the first call; one that listens is fine."""
    with socket.socket() as runtime:
        runtime.bind(("127.0.0.1", 0))
        runtime.listen()
        url = f"runtime_url=ws://127.0.0.1:{runtime.getsockname()[1]}/"
        answer(gateway("agents", "add", "There", url, "--publish"))
        found = findings(gateway("check", "--connect"))
    assert found["agent There/1"][0][0] == "ok"
    answer(gateway("agents", "add", "Gone", f"runtime_url=ws://127.0.0.1:{free_port()}/", "--publish"))
    result = gateway("check", "--connect")
    assert result.exit_code == 1
    assert findings(result)["agent Gone/1"][0][0] == "fail"


def test_check_looks_at_every_agent(gateway: Gateway) -> None:
    """A name that does not resolve, speech in clear over the internet, no sound there, no secret."""
    answer(gateway("agents", "add", "A", "runtime_url=wss://no-such-host.invalid/", "--publish"))
    answer(
        gateway("agents", "add", "B", "runtime_url=ws://8.8.8.8/", "fallback_wav=/no/such.wav", "--publish")
    )
    found = findings(gateway("check"))
    assert found["agent A/1"][0][0] == "fail"
    assert [level for level, _ in found["agent B/1"]] == ["warn", "fail", "warn"]


def test_check_finds_a_wrong_key(gateway: Gateway, environ: dict[str, str]) -> None:
    """A key file that does not fit the database is a failure."""
    answer(gateway("trunks", "set", "Loopback", "username=u", "password=x"))
    (Path(environ["TRUNKLINE_GATEWAY__DATA_DIR"]) / "secret.key").unlink()
    result = gateway("check")
    assert result.exit_code == 1
    assert "is not what the database's secrets are sealed with" in result.stdout


def test_check_tells_all_mistakes_of_the_file(gateway: Gateway, tmp_path: Path) -> None:
    """A configuration that cannot be used is a list of failures."""
    path = tmp_path / "t.toml"
    path.write_text("[sip]\nt1_m = 5\n[http]\nprt = 1\n")
    result = gateway("check", "--config", path)
    assert result.exit_code == 1
    assert len(findings(result)["configuration"]) == 2


def test_check_finds_secrets_that_others_can_read(gateway: Gateway, tmp_path: Path) -> None:
    """A key in a file that everybody can read is told."""
    path = tmp_path / "t.toml"
    path.write_text('[security]\nkey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="\n')
    path.chmod(0o644)
    found = findings(gateway("check", "--config", path))["configuration"]
    assert ("warn", f"{path} holds secrets and others can read it") in found


def certificate(folder: Path, name: str, days: int) -> tuple[Path, Path]:
    """A certificate for a name that ends in so many days, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}-{days}.pem", folder / f"{name}-{days}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    )
    return paths


def tls_findings(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, files: tuple[Path, Path], host: str
) -> list[tuple[str, str]]:
    """What `check` says about a listener with these files."""
    listener = {"transport": "tls", "port": free_port(), "advertised_host": host}
    listener |= {"certificate": str(files[0]), "private_key": str(files[1])}
    for index in (0, 1):
        monkeypatch.delenv(f"TRUNKLINE_SIP__LISTENERS__{index}__PORT", raising=False)
    monkeypatch.setenv("TRUNKLINE_SIP__LISTENERS", json.dumps([listener]))
    return findings(gateway("check"))["certificate of tls-1"]


@pytest.mark.parametrize(
    ("name", "days", "host", "levels"),
    [
        ("localhost", 365, "localhost", ["ok", "ok"]),
        ("localhost", 10, "localhost", ["warn", "ok"]),
        ("localhost", -1, "localhost", ["fail", "ok"]),
        ("sip.example.com", 365, "localhost", ["ok", "warn"]),
    ],
)
def test_check_looks_at_certificates(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    days: int,
    host: str,
    levels: list[str],
) -> None:
    """Soon expired is told, expired fails, another name is told."""
    found = tls_findings(gateway, monkeypatch, certificate(tmp_path, name, days), host)
    assert [level for level, _ in found] == levels


def test_check_finds_a_key_of_another_certificate(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Certificate and key have to belong together, and to be there."""
    first, second = certificate(tmp_path, "a.example.com", 99), certificate(tmp_path, "b.example.com", 99)
    ((level, found),) = tls_findings(gateway, monkeypatch, (first[0], second[1]), "localhost")
    assert (level, "is not that of" in found) == ("fail", True)
    ((level, found),) = tls_findings(gateway, monkeypatch, (tmp_path / "none.pem", second[1]), "localhost")
    assert level == "fail"
    assert "none.pem" in found


def test_ports_are_tried_on_both_families() -> None:
    """Binding is tried the way it is done, IPv6 apart from IPv4."""
    assert try_bind(socket.SOCK_DGRAM, "127.0.0.1", 0) is None
    assert try_bind(socket.SOCK_STREAM, "::1", 0) is None


# --- tail


def test_tail_without_gateway_is_one_sentence(gateway: Gateway, environ: dict[str, str]) -> None:
    """Nobody to follow, no token: each said plainly, with exit status 1."""
    result = gateway("tail")
    assert result.exit_code == 1
    assert "operator.token cannot be read" in result.stderr
    folder = Path(environ["TRUNKLINE_GATEWAY__DATA_DIR"])
    folder.mkdir()
    (folder / "operator.token").write_text("x")
    result = gateway("tail")
    assert result.exit_code == 1
    assert "no gateway to follow at http://127.0.0.1:" in result.stderr
