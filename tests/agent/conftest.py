"""A call for dialects to speak about."""

import pytest

from gateway.agent.protocol import CallStart


@pytest.fixture
def call() -> CallStart:
    return CallStart(
        call_id="call_8d1f",
        stream_id="str_77aa",
        account_id="org_demo",
        from_number="+442079460018",
        to_number="+14155550100",
        direction="inbound",
        agent_id="agt_1",
        agent_version=3,
        parameters={"tier": "gold", "from_number": "spoofed"},
    )
