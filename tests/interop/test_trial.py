"""The connection test against SIPp, which checks our digest by its own arithmetic."""

import asyncio
from pathlib import Path

import pytest

from gateway.provisioning.trial import Peer
from gateway.sip.settings import Login
from tests.interop.carrier import carrier
from tests.interop.sipp import free_port
from tests.provisioning.sip_peer import trials_on
from tests.provisioning.test_trial import plain

pytestmark = pytest.mark.interop


@pytest.mark.parametrize(("password", "outcome"), [("open sesame", "pass"), ("close sesame", "fail")])
async def test_a_login_at_sipp(sipp: Path, password: str, outcome: str) -> None:
    """SIPp takes the right password and refuses the wrong one, and the test says so."""
    port = free_port()
    with carrier("options_asks_who", port, sipp):
        async with trials_on(plain, seconds=5) as trials, asyncio.timeout(20):
            report = await trials.try_peer(Peer(f"127.0.0.1:{port}", login=Login("ali", password)))
    assert [step.outcome for step in report.steps] == ["pass", "pass", "pass", outcome], report.lines()
