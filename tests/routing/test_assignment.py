"""Which version of a split a caller gets: always the same one, and all of them their share."""

from collections import Counter
from dataclasses import replace

import pytest

from gateway.routing.assignment import assigned_version
from gateway.routing.decision import Reason, Rejected, Trail
from gateway.routing.table import AgentVersion, PhoneNumber, RoutingTable, VersionState

ONE = AgentVersion("ver_1", "agent_1", 1, VersionState.PUBLISHED)
TWO = AgentVersion("ver_2", "agent_1", 2, VersionState.PUBLISHED)
TABLE = RoutingTable(versions=(ONE, TWO))
SPLIT = (("ver_1", 0.8), ("ver_2", 0.2))
NUMBER = PhoneNumber(
    "phn_1",
    "org_1",
    "+442079460018",
    inbound_version_id="ver_1",
    outbound_version_id="ver_2",
    inbound_split=SPLIT,
)


def answers(caller: str, number: PhoneNumber = NUMBER) -> str:
    """The version that a caller gets."""
    return assigned_version(Trail(), TABLE, number, "inbound", caller).id


def test_each_version_gets_its_share() -> None:
    """Over many callers the shares come out as they are set."""
    counted = Counter(answers(f"+1415555{caller:04}") for caller in range(5000))
    assert abs(counted["ver_1"] / 5000 - 0.8) < 0.02


def test_a_caller_stays_with_a_version() -> None:
    """The same caller gets the same version on every call to a number, but not on all numbers."""
    callers = [f"+1415555{caller:04}" for caller in range(200)]
    first = [answers(caller) for caller in callers]
    assert first == [answers(caller) for caller in callers]
    assert first != [answers(caller, replace(NUMBER, id="phn_2")) for caller in callers]


def test_the_other_direction_knows_nothing_of_it() -> None:
    """An inbound split never leaks into outbound calls."""
    trail = Trail()
    assert assigned_version(trail, TABLE, NUMBER, "outbound", "+14155550100").id == "ver_2"
    assert [check.name for check in trail.checks] == ["outbound version"]


def test_the_decision_shows_the_split() -> None:
    """Shares and place stand in the decision, and that a version follows the latest one."""
    trail = Trail()
    assigned_version(trail, TABLE, NUMBER, "inbound", "+14155550100")
    assert trail.checks[0].name == "version split"
    assert "0.8, 0.2" in trail.checks[0].found
    trail = Trail()
    latest = replace(NUMBER, inbound_split=(), inbound_latest=True)
    assigned_version(trail, TABLE, latest, "inbound", "+14155550100")
    assert "latest published" in trail.checks[0].found


def test_a_version_that_is_gone_is_refused() -> None:
    """A share of a version that is not there is refused as any other assignment to it would be."""
    number = replace(NUMBER, inbound_split=(("ver_9", 1.0),))
    with pytest.raises(Rejected) as told:
        answers("+14155550100", number)
    assert told.value.reason is Reason.VERSION_MISSING
