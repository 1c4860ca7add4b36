"""An agent that is a softphone: baresip calls a number, and baresip answers as its agent."""

from pathlib import Path

import pytest

from tests.interop.process import Gateway
from tests.interop.sipp import free_port
from tests.interop.softphones import answering_baresip, call_with_baresip
from tests.interop.sound import assert_came_back, speech_like

pytestmark = [pytest.mark.interop, pytest.mark.alone]

NUMBER = "+12125550150"

SEED = """
[[workspaces]]
name = "sip agent"

[[trunks]]
name = "loopback"
sources = ["127.0.0.1"]

[[agents]]
name = "softphone"

[[agents.versions]]
runtime_url = "sip:bot@127.0.0.1:{port}"
dialect = "sip"
state = "published"

[[numbers]]
e164 = "{number}"
trunk = "loopback"
sip_trunk_enabled = true
inbound = "softphone/1"
"""


def test_two_softphones_hear_each_other(baresip: Path) -> None:
    """What the caller says reaches the agent, and what the agent says the caller, whole."""
    port = free_port()
    asked, answered = speech_like(4.0), speech_like(6.0, seed=2)
    with (
        Gateway(baresip / "gateway", SEED.format(port=port, number=NUMBER)) as gateway,
        answering_baresip(port, "bot", answered, baresip / "agent") as agent,
    ):
        caller = call_with_baresip(gateway.sip_port, NUMBER, asked, baresip / "caller")
    assert_came_back(answered[: len(asked)], caller.samples)
    assert_came_back(asked, agent.samples, 0.8, agent.output)
    gateway.assert_clean()
