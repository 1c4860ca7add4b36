"""What to look at: every way not to reach a runtime, and every way for one to leave, has its sentence."""

import pytest

from gateway.net.agent import AgentUnreachable
from gateway.net.agent_advice import CLEAN_CLOSES, Unreachable, closing_advice, reaching_advice


@pytest.mark.parametrize("why", list(Unreachable))
def test_every_reason(why: Unreachable) -> None:
    """Each says something, in words of its own, and none of our configuration."""
    advice = AgentUnreachable(why, "").look_at
    assert advice
    assert "[" not in advice
    assert sum(advice == reaching_advice(other) for other in Unreachable) == 1


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (200, "ordinary web page"),
        (204, "ordinary web page"),
        (301, "redirects"),
        (308, "redirects"),
        (400, "proxy"),
        (401, "secret"),
        (403, "secret"),
        (404, "path"),
        (418, "refused the upgrade"),
        (426, "WebSocket"),
        (429, "limits"),
        (500, "log"),
        (502, "proxy"),
        (503, "room"),
        (504, "waited"),
        (599, "log"),
    ],
)
def test_every_status(status: int, word: str) -> None:
    """The answer to an upgrade says where to look."""
    assert word in reaching_advice(Unreachable.STATUS, status)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (None, "without a goodbye"),
        (1002, "protocol"),
        (1003, "dialect"),
        (1006, "without a goodbye"),
        (1007, "could not read"),
        (1008, "secret"),
        (1009, "too big"),
        (1010, "extension"),
        (1011, "own log"),
        (1012, "restarted"),
        (1013, "load"),
        (1014, "proxy"),
        (1015, "TLS"),
        (1099, "own log"),
        (3000, "secret"),
        (3003, "secret"),
        (3008, "waited"),
        (3999, "framework"),
        (4000, "its own"),
        (4999, "its own"),
    ],
)
def test_every_close(code: int | None, word: str) -> None:
    """A close that is no hang-up says where to look."""
    assert word in closing_advice(code)


@pytest.mark.parametrize("code", sorted(CLEAN_CLOSES))
def test_who_hangs_up_is_not_advised(code: int) -> None:
    """There is nothing to look at."""
    assert closing_advice(code) == ""
