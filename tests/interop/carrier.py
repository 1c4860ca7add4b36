"""SIPp as the carrier that our calls go out to: it waits for one call, and plays its scenario."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.process import wait_until
from tests.interop.sipp import LONGEST_RUN, SCENARIOS, free_port


@contextmanager
def carrier(scenario: str, port: int, folder: Path, calls: int = 1, *options: str) -> Iterator[None]:
    """A SIPp that listens at `port` while the context is open; fails unless all went as the scenario says."""
    folder.mkdir(exist_ok=True)
    own = SCENARIOS / f"{scenario}.xml"
    command = [
        shutil.which("sipp") or "sipp",
        *(("-sf", str(own)) if own.exists() else ("-sn", scenario)),
        *("-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-mp", str(free_port(count=4))),
        *("-m", str(calls), "-nostdin", "-timeout", f"{LONGEST_RUN}s", "-timeout_error"),
        *("-trace_err", "-error_file", "errors.log"),
        *(("-trace_msg", "-message_file", "messages.log") if calls <= 5 else ()),
        *options,
    ]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "TERM": "dumb"}
        )
    try:
        wait_bound(port)
        yield
        status = process.wait(LONGEST_RUN + 10)
    finally:
        process.kill()
        process.wait()
    assert status == 0, "\n".join(
        path.read_text(errors="replace")[:20_000] for path in sorted(folder.glob("*.log"))
    )


def wait_bound(port: int) -> None:
    """Until somebody has the UDP port: neither SIPp nor baresip says when it is ready."""
    entry = f":{port:04X} "
    bound = wait_until(lambda: entry in Path("/proc/net/udp").read_text())
    assert bound, f"nobody listens at UDP port {port}"
