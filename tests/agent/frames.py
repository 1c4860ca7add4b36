"""What tests say to a dialect, and how they read what it says."""

import base64
import json
from typing import Any

from gateway.agent.protocol import AgentEvent, Dialect, Frame, Malformed


def read(frame: Frame) -> Any:
    """The JSON of a text frame."""
    text, payload = frame
    assert text
    return json.loads(payload)


def say(dialect: Dialect, **message: object) -> list[AgentEvent]:
    """What a dialect makes of a JSON message."""
    return list(dialect.receive(True, json.dumps(message).encode()))


def command(dialect: Dialect, words: str) -> list[AgentEvent]:
    """What a dialect makes of a line of plain text."""
    return list(dialect.receive(True, words.encode()))


def why(events: list[AgentEvent]) -> str:
    """The reason of the only event, which is that the message made no sense."""
    (event,) = events
    assert isinstance(event, Malformed)
    return event.why


def in_base64(audio: bytes) -> str:
    """As JSON carries it."""
    return base64.b64encode(audio).decode()
