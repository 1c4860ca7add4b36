"""Who decides whether a call is recorded."""

import pytest

from gateway.routing.decision import Trail
from gateway.routing.recording import RecordingRule, recording_rule
from gateway.routing.table import AgentVersion, PhoneNumber, RecordingMode, Trunk

OFF, IN, OUT, BOTH, ASKED = RecordingMode


def rule(
    number: RecordingMode | None = None,
    version: RecordingMode | None = None,
    trunk: RecordingMode | None = None,
    direction: str = "inbound",
    announcements: tuple[str | None, str | None] = (None, None),
) -> tuple[RecordingRule, list[str]]:
    """The rule where the three say this, and what the decision says of it."""
    trail = Trail()
    found = recording_rule(
        trail,
        PhoneNumber(
            "phn_1",
            "org_1",
            "+442079460018",
            recording=number,
            recording_announcement=announcements[0],
        ),
        AgentVersion("ver_1", "agent_1", 3, recording=version, recording_announcement=announcements[1]),
        Trunk("trunk_1", "org_1", "Carrier", recording=trunk),
        direction,
    )
    return found, trail.decided("").lines()


@pytest.mark.parametrize(
    ("mode", "direction", "begins", "allowed"),
    [
        (OFF, "inbound", False, False),
        (OFF, "outbound", False, False),
        (IN, "inbound", True, True),
        (IN, "outbound", False, False),
        (OUT, "inbound", False, False),
        (OUT, "outbound", True, True),
        (BOTH, "inbound", True, True),
        (BOTH, "outbound", True, True),
        (ASKED, "inbound", False, True),
        (ASKED, "outbound", False, True),
    ],
)
def test_a_mode_says_which_calls(mode: RecordingMode, direction: str, begins: bool, allowed: bool) -> None:
    """Each mode means these directions, wherever it is set."""
    for place in ("number", "version", "trunk"):
        found, _ = rule(**{place: mode}, direction=direction)  # type: ignore[arg-type]
        assert (found.begins, found.allowed) == (begins, allowed)


def test_the_number_comes_before_the_version_and_that_before_the_trunk() -> None:
    """An off of the number's wins over everything, and the decision names who decided."""
    assert rule(OFF, BOTH, BOTH)[0] == RecordingRule()
    assert rule(None, OFF, BOTH)[0] == RecordingRule()
    assert "· recording: both → version 3 says so: recorded" in rule(None, BOTH, OFF)[1]
    assert "· recording: off → number +442079460018 says so: not recorded" in rule(OFF, BOTH)[1]
    assert "· recording: on_demand → trunk “Carrier” says so: recorded on demand" in rule(trunk=ASKED)[1]


def test_where_nobody_says_anything_nothing_is_recorded() -> None:
    """Silence is no consent, and needs no line in the decision."""
    found, lines = rule()
    assert found == RecordingRule()
    assert not [line for line in lines if "recording" in line]


def test_the_announcement_is_the_numbers_or_the_versions() -> None:
    """It stands before recordings that begin by themselves, and no others."""
    both = ("number.wav", "version.wav")
    assert rule(BOTH, announcements=both)[0].announcement == "number.wav"
    assert rule(BOTH, announcements=(None, "version.wav"))[0].announcement == "version.wav"
    assert rule(ASKED, announcements=both)[0].announcement is None
    assert rule(OFF, announcements=both)[0].announcement is None
