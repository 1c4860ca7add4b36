"""Whether a call is recorded: as its number says, else its agent version, else its trunk; else it is not."""

from dataclasses import dataclass

from gateway.routing.decision import Trail
from gateway.routing.table import AgentVersion, PhoneNumber, RecordingMode, Trunk


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """What holds for one call."""

    begins: bool = False
    "It is recorded from its answer on."
    allowed: bool = False
    "Whoever handles the call may start a recording."
    announcement: str | None = None
    "WAV file that the caller hears before a recording begins by itself."


NOT_RECORDED = RecordingRule()


def recording_rule(
    trail: Trail, number: PhoneNumber | None, version: AgentVersion, trunk: Trunk | None, direction: str
) -> RecordingRule:
    """The rule for a call that is `inbound` or `outbound`, noted in the decision where anybody says anything.

    The number comes first: it can be changed at any time, for the law of the country that it is in, while a
    published version never changes, and a trunk carries the numbers of many. A web call has neither.
    """
    said = [(version.recording, f"version {version.number}")]
    if number is not None:
        said.insert(0, (number.recording, f"number {number.e164}"))
    if trunk is not None:
        said.append((trunk.recording, f"trunk “{trunk.name}”"))
    mode, source = next(((mode, who) for mode, who in said if mode is not None), (None, ""))
    if mode is None:
        return NOT_RECORDED
    begins = mode is RecordingMode.BOTH or mode.value == direction
    allowed = begins or mode is RecordingMode.ON_DEMAND
    what = "recorded" if begins else "recorded on demand" if allowed else "not recorded"
    trail.noted("recording", mode.value, f"{source} says so: {what}")
    own = None if number is None else number.recording_announcement
    announcement = own or version.recording_announcement
    return RecordingRule(begins, allowed, announcement if begins else None)
