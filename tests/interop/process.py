"""Processes that a test starts: a peer that prints JSON lines, and the gateway itself."""

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.interop.sipp import free_port

ROOT = Path(__file__).parent.parent.parent
Line = dict[str, Any]

STARTUP_SECONDS = 30.0
PATIENCE_SECONDS = 10.0


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class JsonProcess:
    """A process whose output is one JSON object a line; what is no JSON is kept apart."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self._read = 0
        "Bytes of the output that have been looked at."
        self._lines: list[Line] = []
        self._stray_lines: list[str] = []
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to end, insist when it does not; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end on SIGTERM\n{self.output[-3000:]}") from None

    @property
    def output(self) -> str:
        """Everything it has printed."""
        return self.log.read_text(errors="replace")

    @property
    def lines(self) -> list[Line]:
        """The JSON lines so far."""
        self._read_on()
        return self._lines

    @property
    def stray_lines(self) -> list[str]:
        """What it printed that is no JSON: tracebacks, warnings."""
        self._read_on()
        return self._stray_lines

    def _read_on(self) -> None:
        """Take in the lines that were finished since the last time: a log is long, and asked for often."""
        with self.log.open("rb") as log:
            log.seek(self._read)
            whole, end, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        for line in whole.decode(errors="replace").splitlines():
            parsed = _parsed(line)
            if parsed is not None:
                self._lines.append(parsed)
            elif line.strip():
                self._stray_lines.append(line)

    def wait_for(self, **fields: object) -> Line:
        """The first line with these fields, as soon as it is there."""
        assert wait_until(lambda: any(self.find(**fields))), f"no line {fields} in\n{self.output[-5000:]}"
        return next(self.find(**fields))

    def find(self, **fields: object) -> Iterator[Line]:
        """The lines with these fields."""
        return (line for line in self.lines if fields.items() <= line.items())

    def wait_listening(self, port: int) -> None:
        """Until something accepts TCP on the port."""
        self._wait_started(lambda: _accepts(port))

    def _wait_started(self, is_up: Callable[[], bool]) -> None:
        wait_until(lambda: self.process.poll() is not None or is_up(), STARTUP_SECONDS)
        status, up = self.process.poll(), is_up()
        if status is None and up:
            return
        # Nobody has it yet who could end it.
        self.process.kill()
        self.process.wait()
        why = "did not start" if status is None else f"ended with {status}"
        raise AssertionError(f"{why}\n{self.output[-5000:]}")


class Gateway(JsonProcess):
    """A real gateway, serving from a configuration of its own in `folder`."""

    def __init__(self, folder: Path, seed: str, settings: dict[str, dict[str, object]] | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.sip_port = free_port()
        self.http_port = free_port()
        config = folder / "gateway.toml"
        config.write_text(self._config(settings or {}))
        (folder / "seed.toml").write_text(seed)
        super().__init__(
            [sys.executable, "-m", "gateway", "serve", "--config", str(config)], folder / "gateway.log"
        )
        self._wait_started(self.is_ready)

    def _config(self, settings: dict[str, dict[str, object]]) -> str:
        sections: dict[str, dict[str, object]] = {
            "gateway": {"name": "interop", "data_dir": str(self.folder / "data")},
            "log": {"format": "json", "level": "debug"},
            "http": {"port": self.http_port},
            "limits": {"shed_late_ms": 1000.0},  # the machine runs other tests as well
            "demo": {"seed": str(self.folder / "seed.toml")},
        }
        for name, values in settings.items():
            sections.setdefault(name, {}).update(values)
        text = "\n".join(f"[{name}]\n{_keys(values)}" for name, values in sections.items())
        return text + "".join(f"\n[[sip.listeners]]\n{_keys(listener)}" for listener in self._listeners())

    def _listeners(self) -> list[dict[str, object]]:
        self.tls_port = free_port()
        files = self_signed(self.folder)
        plain = {"bind": "127.0.0.1", "port": self.sip_port}
        return [
            {"transport": "udp", **plain},
            {"transport": "tcp", **plain},
            {"transport": "tls", "bind": "127.0.0.1", "port": self.tls_port, **files},
            *([{"transport": "udp", "bind": "::1", "port": self.sip_port}] if has_ipv6() else []),
        ]

    def command(self, *arguments: str) -> str:
        """What `gateway …` prints, run on this gateway's configuration; it has to succeed."""
        command = [sys.executable, "-m", "gateway", *arguments, "--config", str(self.folder / "gateway.toml")]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def is_ready(self) -> bool:
        """Whether `/readyz` says so."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def calls(self, tag: str = "") -> list[Line]:
        """The records of the calls whose SIP Call-ID begins so, as they stand in the database."""
        with closing(sqlite3.connect(f"file:{self.folder}/data/trunkline.db?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM calls WHERE sip_call_id LIKE ?", (f"{tag}%",))
            return [dict(row) for row in rows]

    def ended_calls(self, tag: str, count: int = 1) -> list[Line]:
        """The same, as soon as `count` of them have ended; and there are no others."""
        wait_until(lambda: len([row for row in self.calls(tag) if row["ended_at"]]) >= count)
        rows = self.calls(tag)
        assert [bool(row["ended_at"]) for row in rows] == [True] * count, rows
        return rows

    def assert_clean(self) -> None:
        """Nothing went wrong in it: no traceback, no error, and one ending and one record for each call."""
        self.assert_no_errors()
        endings = [line["call_id"] for line in self.lines if line["event"] == "call.ended"]
        records = self.calls()
        assert sorted(endings) == sorted(record["id"] for record in records)
        assert all(record["ended_at"] and record["end_reason"] for record in records), records

    def assert_no_errors(self) -> None:
        """No traceback, and no error in its log.

        A busy machine may keep a disk waiting, or a database: nothing is lost by it, and the log says so.
        """
        assert not self.stray_lines, "\n".join(self.stray_lines[:100])
        wrong = [
            line
            for line in self.lines
            if (line.get("level") in ("error", "critical") or "exception" in line)
            and line["event"] != "store.stalled"
        ]
        assert not wrong, wrong[:5]


Start = Callable[..., Gateway]
"Starts a gateway; keyword arguments are sections of its configuration."


def require(command: str, package: str) -> None:
    """Skip where the peer is not installed; in CI that counts as a failure (tests/conftest.py)."""
    if not shutil.which(command):
        pytest.skip(f"{command} is not installed: apt-get install {package}")


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def self_signed(folder: Path) -> dict[str, object]:
    """A certificate for 127.0.0.1 that nobody vouches for; the keys of a TLS listener."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return {"certificate": str(folder / "cert.pem"), "private_key": str(folder / "key.pem")}


def _parsed(line: str) -> Line | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _keys(values: Mapping[str, object]) -> str:
    """TOML for a flat table: JSON's strings, numbers and truth values are TOML's."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
