"""An agent that is a SIP endpoint itself: its call is a second dialog, and its audio RTP.

There are no messages, so what other dialects say in frames goes between this one and the dialog that stands
for its connection: audio as it is, and digits as text.
"""

from collections.abc import Sequence

from gateway.agent.notices import Digit, Notice
from gateway.agent.protocol import (
    DIGITS,
    AgentEvent,
    Audio,
    CallStart,
    Dialect,
    Frame,
    Malformed,
    SendDigits,
)
from gateway.media.audio import ULAW_8K, AudioFormat

__all__ = ["SipDialect", "call_headers"]

MAX_VALUE = 200
"Characters of a parameter that still fit into a header of an INVITE by UDP."


class SipDialect(Dialect):
    """One call to an agent that speaks SIP. What it is told of the call stands in its INVITE."""

    name = "sip"
    format: AudioFormat = ULAW_8K
    live = True

    def start(self, call: CallStart) -> list[Frame]:
        """Nothing: the dialog has begun."""
        return []

    def audio(self, payload: bytes) -> Frame:
        """HOT: the audio itself."""
        return False, payload

    def notice(self, notice: Notice) -> list[Frame]:
        """A digit, to be sent as a telephone-event (RFC 4733); there are no messages for the rest."""
        return [(True, notice.digit.encode())] if isinstance(notice, Digit) else []

    def receive(self, text: bool, payload: bytes) -> Sequence[AgentEvent]:
        """HOT: audio is to be played, a digit to be pressed."""
        if not text:
            return (Audio(payload),)
        digit = payload.decode("ascii", "replace")
        return (SendDigits(digit),) if digit in DIGITS else (Malformed("no digit"),)


def call_headers(call: CallStart) -> list[tuple[str, str]]:
    """What an agent is told of its call, as headers of the INVITE; what no header can hold stays out."""
    facts = {
        "Call-ID": call.call_id,
        "Direction": call.direction,
        "From": call.from_number,
        "To": call.to_number,
        "Agent": f"{call.agent_id}/{call.agent_version}",
    }
    told = [(f"X-Trunkline-{name}", value) for name, value in facts.items() if _fits(name, value)]
    given = [
        (f"X-Trunkline-Parameter-{name}", value)
        for name, value in call.parameters.items()
        if _fits(name, value)
    ]
    return told + given


def _fits(name: str, value: str) -> bool:
    word = name.replace("-", "").replace("_", "")
    if not (word.isascii() and word.isalnum() and len(name) <= 64):
        return False
    return 0 < len(value) <= MAX_VALUE and value.isascii() and value.isprintable()
