"""`gateway call` and `gateway keys` as processes, against a running gateway."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import pytest

from gateway.sip.events import ByeReceived
from tests.api.carrier import Carrier
from tests.api.conftest import NUMBER, Api, client_of
from tests.call.phone import until

# Processes of their own: one at a time, and on the loop that the gateway takes.
pytestmark = pytest.mark.interop

THEM = "+14155550100"


async def start(api: Api, *words: str, terminal: int | None = None) -> Process:
    """The command, with the configuration of the running gateway; on a terminal where one is given."""
    config = api.world.gateway.config
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")},
        "TRUNKLINE_GATEWAY__DATA_DIR": str(config.gateway.data_dir),
        "TRUNKLINE_HTTP__PORT": str(api.world.gateway.http.port),
    }
    command = [sys.executable, "-m", "gateway", *words]
    if terminal is not None:
        return await asyncio.create_subprocess_exec(
            *command, env=environ, stdin=terminal, stdout=terminal, stderr=terminal
        )
    return await asyncio.create_subprocess_exec(*command, env=environ, stdout=PIPE, stderr=PIPE)


async def done(process: Process) -> tuple[int, list[dict[str, Any]], str]:
    """Its exit status, the JSON lines that it printed, and its complaints."""
    out, err = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode is not None
    lines = [json.loads(line) for line in out.decode().splitlines()]
    return process.returncode, lines, err.decode()


async def test_call_is_followed_to_its_end(out: Api, carrier: Carrier) -> None:
    """The command prints the call's events as they happen, and exits with 0 when it was answered."""
    (agent,) = await out.world.store.configuration.agents.list_all("org_test")
    words = [
        "--from",
        NUMBER,
        "--agent",
        agent.name.upper(),
        "--version",
        "1",
        "--data",
        "name=Ada",
        "-w",
        "Acme",
    ]
    process = await start(out, "call", THEM, *words)
    await until(lambda: out.world.told("call.answered"), 40)
    carrier.hang_up()
    status, lines, complaints = await done(process)
    assert (status, complaints) == (0, "")
    names = [line["event"] for line in lines]
    assert names[0] == "call.created"
    assert names[-1] == "call.ended"
    (created,) = out.world.told("call.created")
    assert str(created.fields["by"]).startswith("cli:")


async def test_interrupt_hangs_up(out: Api, carrier: Carrier) -> None:
    """Ctrl-C ends the call, not the following of it: the ending is still shown."""
    process = await start(out, "call", THEM, "--from", NUMBER, "-w", "Acme")
    await until(lambda: out.world.told("call.answered"), 40)
    assert process.stdout is not None
    first = json.loads(await asyncio.wait_for(process.stdout.readline(), 40))
    process.send_signal(signal.SIGINT)
    status, lines, _ = await done(process)
    assert isinstance(await carrier.until_over(), ByeReceived)
    names = [first["event"], *(line["event"] for line in lines)]
    assert len(names) == len(set(names)), "nothing is shown twice"
    assert (status, lines[-1]["event"], lines[-1]["reason"]) == (0, "call.ended", "ended_by_request")


async def test_exit_status_tells_what_became_of_it(out: Api, carrier: Carrier) -> None:
    """Not answered, refused by a rule, asked wrongly: each has its own, and the API's own words."""
    carrier.final = 486
    busy = await done(await start(out, "call", THEM, "--from", NUMBER, "-w", "Acme"))
    assert (busy[0], busy[1][-1]["status"]) == (4, "busy")
    premium = await done(await start(out, "call", "+19005550100", "--from", NUMBER, "-w", "Acme"))
    assert premium[0] == 3
    assert "Destination is in a premium range" in premium[2]
    assert "✗ special ranges: +19005550100" in premium[2]
    plain = await done(await start(out, "call", THEM[1:], "--from", NUMBER, "-w", "Acme"))
    assert plain[0] == 2
    assert f"? {THEM} was perhaps meant, without its plus" in plain[2]
    unsaid = await done(await start(out, "call", THEM, "--from", NUMBER))
    assert unsaid[0] == 2
    assert "workspace: should be one of" in unsaid[2]


async def test_keys_are_made_and_revoked(out: Api) -> None:
    """A key is shown once, opens the API of the running gateway at once, and nothing once it is revoked."""
    process = await start(out, "keys", "add", "crm", "--workspace", "Acme")
    made = json.loads((await asyncio.wait_for(process.communicate(), 40))[0])
    async with client_of(out.world, f"Bearer {made['key']}") as client:
        assert (await client.get("/v1/calls")).status_code == 200
        listed = (await asyncio.wait_for((await start(out, "keys", "list")).communicate(), 40))[0].decode()
        assert made["id"] in listed
        assert made["key"].partition(":")[2] not in listed
        assert (await done(await start(out, "keys", "remove", made["id"])))[0] == 2, "it asks first"
        revoking = await start(out, "keys", "remove", made["id"], "--yes")
        assert (await asyncio.wait_for(revoking.wait(), 40)) == 0
        assert (await client.get("/v1/calls")).status_code == 401


async def test_running_call_is_hung_up_and_followed_to_its_end(out: Api, carrier: Carrier) -> None:
    """`calls hangup` ends it, `tail` of it ends with it; both say so of a call that has ended."""
    calling = await start(out, "call", THEM, "--from", NUMBER, "-w", "Acme")
    await until(lambda: out.world.told("call.answered"), 40)
    (created,) = out.world.told("call.created")
    call_id = str(created.call_id)
    following = await start(out, "tail", call_id)
    assert following.stdout is not None
    hanging = await start(out, "calls", "hangup", call_id)
    said, complaints = await asyncio.wait_for(hanging.communicate(), 40)
    assert (hanging.returncode, complaints) == (0, b"")
    assert json.loads(said)["id"] == call_id
    assert isinstance(await carrier.until_over(), ByeReceived)
    assert (await done(calling))[0] == 0
    await asyncio.wait_for(following.wait(), 40)
    for words in (("calls", "hangup"), ("tail",)):
        status, lines, complaints_of = await done(await start(out, *words, call_id))
        assert (status, lines) == (1, [])
        assert f"{call_id} has ended" in complaints_of
