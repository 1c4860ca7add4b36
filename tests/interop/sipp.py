"""Runs SIPp, and says what it saw when a scenario did not go as written."""

import os
import random
import shutil
import socket
import subprocess
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"
CAPTURES = Path("/usr/share/sip-tester")
"Where Debian keeps the RTP captures that come with SIPp."

LONGEST_RUN = 30
"Seconds after which SIPp gives up."


def free_port(host: str = "127.0.0.1", count: int = 2) -> int:
    """An even port from which on `count` ports are not taken at the moment, neither of UDP nor of TCP.

    Below those that the kernel gives to whoever connects, and those of our RTP: between this and its use
    nobody gets one by chance.
    """
    while True:
        first = random.randrange(10_000, 20_000 - count, 2)
        try:
            with ExitStack() as held:
                for port in range(first, first + count):
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        held.enter_context(_bound(kind, host, port))
                return first
        except OSError:
            continue  # somebody has one of them: look elsewhere


def _bound(kind: int, host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


@dataclass(frozen=True, slots=True)
class Run:
    """A SIPp run that is over."""

    tag: str
    "In the Call-ID of each of its calls."
    folder: Path
    status: int
    "SIPp's exit status: 0 when all calls went as the scenario says."
    output: str

    def explanation(self) -> str:
        """The errors, and the messages up to a few pages."""
        errors = "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*errors.log"))
        messages = "\n".join(path.read_text(errors="replace") for path in self.folder.glob("*messages.log"))
        return f"SIPp ended with {self.status}\n{errors}\n{messages[:20_000]}\n{self.output[-1500:]}"


def run_sipp(
    scenario: str,
    port: int,
    folder: Path,
    *options: str,
    number: str = "+12125550101",
    caller: str = "+14155550122",
    source: str = "127.0.0.1",
    host: str = "127.0.0.1",
    calls: int = 1,
    expected: int = 0,
) -> Run:
    """Call `host`:`port` by one of our scenarios, or by one of SIPp's own (`uac`, `uac_pcap`).

    Runs in `folder`, where `pcap/` leads to SIPp's captures. Fails, telling what SIPp saw, unless SIPp's exit
    status is `expected`.
    """
    folder.mkdir(exist_ok=True)
    if not (folder / "pcap").exists() and CAPTURES.is_dir():
        (folder / "pcap").symlink_to(CAPTURES)
    own = SCENARIOS / f"{scenario}.xml"
    tag = uuid.uuid4().hex[:12]
    command = [
        shutil.which("sipp") or "sipp",
        *(("-sf", str(own)) if own.exists() else ("-sn", scenario)),
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        *("-s", number, "-key", "caller", caller, "-cid_str", f"{tag}-%u-%p@%s"),
        *(
            "-i",
            source,
            "-p",
            str(free_port(host=source)),
            "-mi",
            source,
            "-mp",
            str(free_port(host=source, count=4)),
        ),
        *("-m", str(calls), "-nostdin", "-timeout", f"{LONGEST_RUN}s", "-timeout_error"),
        *("-trace_err", "-error_file", "errors.log"),
        *(("-trace_msg", "-message_file", "messages.log") if calls <= 5 else ()),
        *options,
    ]
    result = subprocess.run(  # what SIPp prints is only looked at when it failed
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_RUN + 20,
        check=False,
        env={**os.environ, "TERM": "dumb"},
    )
    run = Run(tag, folder, result.returncode, result.stdout.decode(errors="replace"))
    assert run.status == expected, run.explanation()
    return run
