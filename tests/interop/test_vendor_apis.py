"""The vendors' own SDKs, when they end and transfer calls by our copy of the vendors' APIs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.agent.identity import uuid_text
from gateway.agent.twilio import call_sid
from gateway.sip.events import ByeReceived
from tests.api.test_vendors import SECRET, Line, line  # noqa: F401  a fixture
from tests.call.conftest import agent, build, make_phone, phone, world  # noqa: F401  fixtures
from tests.call.world import CALLEE
from tests.interop.softphones import PEERS

# Fixtures are arguments by their names.
# ruff: noqa: F811

pytestmark = pytest.mark.interop


async def by_sdk(python: Path, line: Line, vendor: str, act: str) -> Any:
    """Have a vendor's SDK do something to the call; what came of it."""
    asked = {
        "vendor": vendor,
        "act": act,
        "base": str(line.client.base_url),
        "call": call_sid(line.call_id) if vendor == "twilio" else uuid_text(line.call_id),
        "secret": SECRET,
        "to": CALLEE,
    }
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(PEERS / "vendor_apis.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), 60)
    assert process.returncode == 0
    return json.loads(out)


@pytest.mark.parametrize("vendor", ["twilio", "plivo"])
async def test_sdks_hang_up(vendors: Path, line: Line, vendor: str) -> None:
    """Each SDK takes our answers for its vendor's, that the call is gone too."""
    assert await by_sdk(vendors, line, vendor, "hang up") == "done"
    await line.leg.next(ByeReceived)
    await line.world.ended("completed", "agent_disconnected", "agent")
    assert await by_sdk(vendors, line, vendor, "hang up") == "gone"


async def test_twilios_sdk_reads_and_transfers(vendors: Path, line: Line) -> None:
    """The call as the SDK's object; TwiML made by the SDK's builder puts it through."""
    shown = await by_sdk(vendors, line, "twilio", "fetch")
    assert shown == {"status": "in-progress", "direction": "inbound", "sid": call_sid(line.call_id)}
    assert await by_sdk(vendors, line, "twilio", "transfer") == "done"
    (await line.other.called()).accept()
    await line.world.hears("call.transferred")
    line.leg.bye()
    await line.world.records()
