"""`gateway batch` as processes, against a running gateway."""

import asyncio
import contextlib
import json
import os
import pty
from pathlib import Path
from typing import Any

import pytest

from tests.api.carrier import Carrier
from tests.api.conftest import Api
from tests.api.test_batches import GOOD, LATER, MIXED, PATH
from tests.api.test_command import start

# Processes of their own: one at a time, and on the loop that the gateway takes.
pytestmark = pytest.mark.interop


async def run(api: Api, *words: str) -> tuple[int, str, str]:
    """The command to its end: exit status, what it printed, what it complained of."""
    process = await start(api, "batch", *words, "-w", "Acme")
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def said(api: Api, *words: str) -> Any:
    """The JSON of a command that worked."""
    status, out, err = await run(api, *words)
    assert (status, err) == (0, "")
    return json.loads(out)


async def test_checked_made_and_ended(out: Api, tmp_path: Path) -> None:
    """What fails is told in groups; a draft is started, paused, cancelled; files come as they are."""
    good, mixed, wrong = (tmp_path / name for name in ("good.csv", "mixed.csv", "wrong.csv"))
    good.write_bytes(GOOD)
    mixed.write_bytes(MIXED)
    status, printed, _ = await run(out, "check", str(mixed), "--errors", str(wrong))
    assert (status, json.loads(printed)["failed_records"]) == (3, 4)
    assert wrong.read_text().startswith("position,phone_number,failed_parsing_reason")
    status, printed, complaints = await run(out, "start", str(mixed))
    assert (status, printed) == (3, "")
    assert "4 of 6 rows cannot be called" in complaints
    assert "Duplicate phone number" in complaints
    words = ["--at", LATER, "--skip-invalid", "--draft", "--retries", "1", "--hours", "09:00-18:00"]
    made = await said(out, "start", str(mixed), *words)
    assert (made["title"], made["total_records"], made["status"]) == ("mixed", 2, "draft")
    started = await said(out, "start", made["id"])
    assert started["campaign"]["status"] == "scheduled"
    assert [one["id"] for one in await said(out, "list", "--status", "scheduled")] == [made["id"]]
    assert (await said(out, "pause", made["id"]))["message"] == "Campaign paused successfully"
    assert (await said(out, "show", made["id"]))["calling_hours_end"] == "18:00"
    assert (await said(out, "cancel", made["id"], "--yes"))["affectedCalls"]["removedFromQueue"] == 2
    assert (await run(out, "errors", made["id"]))[1] == wrong.read_bytes().decode()
    status, _, complaints = await run(out, "resume", made["id"])
    assert (status, "cannot be resumed" in complaints) == (2, True)


async def test_on_a_terminal(out: Api, carrier: Carrier, tmp_path: Path) -> None:
    """The groups, a question whether to go ahead without them, a bar to the end, and how it stands then."""
    carrier.final = 486
    file = tmp_path / "mixed.csv"
    file.write_bytes(MIXED)
    screen, keyboard = pty.openpty()
    process = await start(out, "batch", "start", str(file), "--watch", "-w", "Acme", terminal=keyboard)
    os.close(keyboard)
    os.write(screen, b"y\n")
    shown = await asyncio.wait_for(asyncio.to_thread(read_all, screen), 40)
    assert await process.wait() == 0
    for expected in ("Duplicate phone number", "Go ahead with the 2 others?", "2/2", "100%", "completed"):
        assert expected in shown, shown


def read_all(screen: int) -> str:
    """What a terminal was shown until nobody holds it any more."""
    shown = b""
    with os.fdopen(screen, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while part := terminal.read(4096):
            shown += part
    return shown.decode()


async def test_watched_to_its_end(out: Api, carrier: Carrier, tmp_path: Path) -> None:
    """A line of JSON at every change; the last one says that all have been called."""
    carrier.final = 486
    file = tmp_path / "people.csv"
    file.write_bytes(GOOD)
    status, printed, complaints = await run(out, "start", str(file), "--watch")
    assert (status, complaints) == (0, "")
    batch_id = json.loads(printed[: printed.index("\n}\n") + 2])["id"]
    last = json.loads(printed.splitlines()[-1])
    assert (last["id"], last["status"], last["processed_lead_count"]) == (batch_id, "completed", 2)
    status, printed, _ = await run(out, "results", batch_id)
    assert printed.splitlines()[0].startswith("position,phone_number,state,outcome")
    assert len(printed.split()) >= 3
    assert (await out.client.get(PATH)).json()["total"] == 1
