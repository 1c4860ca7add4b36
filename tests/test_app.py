"""The gateway as a whole: it starts, drains, stops, and leaves nothing behind."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from http import HTTPStatus
from pathlib import Path
from typing import cast

import pytest
from fastapi import Request

from gateway.api.keys import KeyGate
from gateway.api.refusal import Declined
from gateway.app.http import operator_token
from gateway.sip.events import ByeReceived
from gateway.store.configuration.nouns import Configuration
from tests.call.conftest import Build, agent, build, make_phone, phone, world  # noqa: F401  fixtures
from tests.call.phone import Leg, Phone, sdp, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, QUICK, World

# Fixtures are arguments by their names.
# ruff: noqa: F811


async def test_drain(build: Build, agent: Runtime, phone: Phone) -> None:
    """New calls get 503, the running one goes on to the deadline, then BYE says why."""
    world = await build(SIP__DRAIN_SECONDS=0.5)
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    talk = await agent.talk()
    world.gateway.stop()
    serving = asyncio.create_task(world.gateway.serve())
    await world.hears("gateway.draining")
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert refused.status == 503
    assert "Retry-After" in dict(refused.headers)
    assert world.gateway.switchboard.active == 1
    await leg.next(ByeReceived)
    assert 'text="gateway_drained"' in (phone.received("BYE")[0].headers.get("Reason") or "")
    await serving
    await world.ended("completed", "gateway_drained", "gateway")
    assert (await talk.gone())[0] == 1000


async def test_drain_ends_early(world: World, phone: Phone) -> None:
    """When the last call is over the drain is."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    world.gateway.stop()
    serving = asyncio.create_task(world.gateway.serve())
    await world.hears("gateway.draining")
    leg.bye()
    await asyncio.wait_for(serving, 5)
    await world.ended("completed", "user_disconnected", "caller")


async def test_drain_while_ringing(build: Build, agent: Runtime, phone: Phone) -> None:
    """A call that was never answered is not said to be completed: 503."""
    world = await build(SIP__DRAIN_SECONDS=0.2)
    await world.line()
    agent.hold.clear()
    leg = phone.invite(world.at(), NUMBER)
    await until(lambda: agent.requests)
    world.gateway.stop()
    await world.gateway.serve()
    refused = await leg.refused()
    assert refused.status == 503
    assert "gateway_drained" in (refused.reason_header or "")
    await world.ended("failed", "gateway_drained", "gateway")
    agent.hold.set()


async def test_closing_without_a_drain(build: Build, agent: Runtime, phone: Phone) -> None:
    """A gateway that is closed in mid-call leaves records that are closed as well."""
    world = await build()
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    await world.gateway.switchboard.close()
    await world.ended("completed", "gateway_drained", "gateway")
    assert (await talk.gone())[0] == 1000


async def test_a_killed_gateway(build: Build, agent: Runtime, phone: Phone) -> None:
    """The next start closes the records that a killed one left open, and says so."""
    killed = await build()
    await killed.line()
    leg = phone.invite(killed.at(), NUMBER)
    await leg.answered()
    await killed.die()
    call_id = killed.told("call.received")[0].call_id
    started = World(killed.config.gateway.data_dir, agent, {})
    await started.gateway.start()
    try:
        (told,) = started.told("call.closed_at_start")
        assert told.call_id == call_id
        assert call_id is not None
        row = await started.gateway.store.get_call(call_id)
        assert row is not None
        assert (row.status, row.end_reason) == ("failed", "gateway_restarted")
    finally:
        await started.gateway.close()
    leg.bye()
    await until(lambda: not killed.gateway.switchboard.active)


async def test_a_start_that_fails(build: Build) -> None:
    """A port that is taken is named in the error; what was open by then is closed."""
    world = await build()
    taken = world.at("TCP").port
    other = World(world.config.gateway.data_dir / "other", world.runtime, {"SIP__LISTENERS__1__PORT": taken})
    with pytest.raises(OSError, match=f"TCP 127.0.0.1 port {taken}"):
        await other.gateway.start()
    await other.gateway.close()


async def test_nothing_is_left(world: World, agent: Runtime, phone: Phone) -> None:
    """After fifty calls of every kind nothing is held: no dialog, transaction, port, task or connection."""
    await world.line()
    await world.line("+12125550102", runtime_url="ws://127.0.0.1:9/")
    before = _open_sockets()
    tasks = len(asyncio.all_tasks())
    for number in range(50):
        await _KINDS[number % len(_KINDS)](world, agent, phone)
    rows = await world.records()
    assert len(rows) == 50
    assert {row.end_reason for row in rows} >= {
        "user_disconnected",
        "agent_disconnected",
        "agent_unreachable",
        "unknown_number",
        "no_common_codec",
        "caller_cancelled",
    }
    for talk in agent.talks:
        await talk.gone()
    user_agent = world.gateway.endpoint.user_agent
    board = world.gateway.switchboard
    await until(lambda: user_agent.transaction_count == 0 and user_agent.dialog_count == 0)
    dialogs = world.gateway.parts.dialogs
    assert world.gateway.parts.ports.in_use == 0
    assert (dialogs._receivers, dialogs._ladders, board._tasks) == ({}, {}, {})
    assert user_agent.next_timeout() is None
    await until(lambda: _open_sockets() <= before)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def _caller_hangs_up(world: World, agent: Runtime, phone: Phone) -> None:
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    leg.bye()
    await _over(world)


async def _agent_hangs_up(world: World, agent: Runtime, phone: Phone) -> None:
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await agent.talks[-1].close()
    await leg.next(ByeReceived)
    await _over(world)


async def _agent_dies(world: World, agent: Runtime, phone: Phone) -> None:
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    agent.talks[-1].die()
    await leg.next(ByeReceived)
    await _over(world)


async def _unreachable(world: World, agent: Runtime, phone: Phone) -> None:
    await phone.invite(world.at(), "+12125550102").refused()


async def _unknown(world: World, agent: Runtime, phone: Phone) -> None:
    await phone.invite(world.at(), "+12125550199").refused()


async def _no_codec(world: World, agent: Runtime, phone: Phone) -> None:
    await phone.invite(world.at(), NUMBER, sdp(9, payload_types="9")).refused()


async def _cancelled(world: World, agent: Runtime, phone: Phone) -> None:
    asked = len(agent.requests)
    agent.hold.clear()
    leg = phone.invite(world.at(), NUMBER)
    await until(lambda: len(agent.requests) > asked)
    leg.cancel()
    await _over(world)
    agent.hold.set()


async def _refused_by_the_runtime(world: World, agent: Runtime, phone: Phone) -> None:
    agent.status = HTTPStatus.FORBIDDEN
    await phone.invite(world.at(), NUMBER).refused()
    agent.status = None


_KINDS = (
    _caller_hangs_up,
    _agent_hangs_up,
    _agent_dies,
    _unreachable,
    _unknown,
    _no_codec,
    _cancelled,
    _refused_by_the_runtime,
)


async def _over(world: World) -> None:
    await until(lambda: world.told("call.received") and world.gateway.switchboard.active == 0)


def _open_sockets() -> int:
    """Descriptors of this process that are sockets; the database opens and keeps files as it likes."""
    return sum(_target(number).startswith("socket:") for number in os.listdir("/proc/self/fd"))


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


async def test_many_at_once(world: World, agent: Runtime, phone: Phone) -> None:
    """Thirty calls at the same time are thirty calls, each with its own agent and its own record."""
    await world.line()
    legs: list[Leg] = [phone.invite(world.at(), NUMBER) for _ in range(30)]
    for leg in legs:
        await leg.answered()
    assert world.gateway.switchboard.active == 30
    assert world.gateway.parts.ports.in_use == 30
    for leg in legs:
        leg.bye()
    rows = await world.records()
    assert len({row.id for row in rows}) == len({row.sip_call_id for row in rows}) == 30
    assert len(agent.talks) == 30


@pytest.mark.parametrize("left", ["", "\n", "short"])
def test_a_token_that_was_never_written_is_made_anew(tmp_path: Path, left: str) -> None:
    """A start that was killed, or whose disk was full, leaves an empty file: nobody is let in by nothing."""
    (tmp_path / "operator.token").write_text(left)
    token = operator_token(tmp_path / "operator.token")
    assert len(token) >= 32
    assert operator_token(tmp_path / "operator.token") == token
    assert [(one.name, one.stat().st_mode & 0o777) for one in tmp_path.iterdir()] == [
        ("operator.token", 0o600)
    ]


async def test_no_token_is_no_key() -> None:
    """Even a gate without an operator's token does not take the lack of a key for it."""
    gate = KeyGate(cast("Configuration", None), "", 60)
    with pytest.raises(Declined) as refused:
        await gate(cast("Request", None), None)
    assert refused.value.answer.status == 401


LOADED = """
import asyncio, sys
from gateway.app.gateway import Gateway
from gateway.config.loading import load_config
from gateway.media.audio import L16_16K, ULAW_8K, converter

async def main():
    gateway = Gateway(load_config(None, dict(__import__("os").environ)))
    assert "numpy" not in sys.modules, "it is loaded early anyway: prepare_resampling() can go"
    await gateway.start()
    before = set(sys.modules)
    converter(ULAW_8K, L16_16K)
    print(len(set(sys.modules) - before))
    await gateway.close()

asyncio.run(main())
"""


@pytest.mark.one_loop
async def test_no_call_waits_for_a_library(tmp_path: Path) -> None:
    """What the first change of rate needs was loaded at the start: in a call it would hold up all calls."""
    settings = {"GATEWAY__DATA_DIR": tmp_path, **QUICK}
    environ = {f"TRUNKLINE_{name}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOADED, env=os.environ | environ, stdout=PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, out.decode().split()) == (0, ["0"])
