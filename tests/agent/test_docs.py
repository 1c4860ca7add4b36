"""docs/agents.md and its schema, held against what the dialects do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.agent.native import AUDIO_FORMATS, NativeDialect
from gateway.agent.protocol import CallStart, Frame, Malformed
from gateway.agent.twilio import TwilioDialect, stream_sid
from gateway.media.audio import ULAW_8K
from tests.agent.schema import Schema

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs/native-dialect.schema.json").read_text())
TO_AGENT = Schema(DOCUMENT, {"$ref": "#/$defs/toAgent"})
FROM_AGENT = Schema(DOCUMENT, {"$ref": "#/$defs/fromAgent"})


def examples(heading: str) -> list[dict[str, Any]]:
    """The messages in the JSON block under a heading of the page, one a line."""
    page = (ROOT / "docs/agents.md").read_text()
    _, _, section = page.partition(f"\n### {heading}\n")
    block = re.search(r"```json\n(.*?)```", section.split("\n#")[0], re.DOTALL)
    assert block, heading
    return [json.loads(line) for line in block[1].splitlines()]


def types_of(direction: str) -> set[str]:
    """The types of message that the schema knows in a direction."""
    names = [rule["$ref"].rpartition("/")[2] for rule in DOCUMENT["$defs"][direction]["oneOf"]]
    return {DOCUMENT["$defs"][name]["properties"]["type"]["const"] for name in names}


def all_frames(dialect: NativeDialect | TwilioDialect, call: CallStart) -> Iterator[Frame]:
    """Everything that a dialect ever says in text."""
    yield from dialect.start(call)
    if isinstance(dialect, TwilioDialect):
        yield dialect.audio(b"\xff\xfe\xfd")
    yield from dialect.digit("5", 160)
    yield from dialect.mark_played("greeting")
    yield from dialect.cleared([] if isinstance(dialect, TwilioDialect) else ["question 2"], 7300)
    yield from dialect.dropped(120)
    yield from dialect.answered()
    yield from dialect.hold()
    yield from dialect.resume()
    yield from dialect.balance_low(14.6)
    yield from dialect.quality({"in": {"jitter_ms": 3.1, "concealed_ms": 20}, "out": {"mos": 4.4}})
    yield from dialect.recording("paused", "")
    yield from dialect.recording("idle", "this call is not to be recorded")
    yield from dialect.malformed("why")
    yield from dialect.stop("user_disconnected", "caller")


@pytest.mark.parametrize("audio", sorted(AUDIO_FORMATS))
def test_every_frame_that_we_emit_fits_the_schema(call: CallStart, audio: str) -> None:
    """Each native text frame is documented to its last field, and each documented type is emitted."""
    frames = [json.loads(payload) for _, payload in all_frames(NativeDialect(AUDIO_FORMATS[audio]), call)]
    assert {str(frame): TO_AGENT.errors(frame, strict=True) for frame in frames} == {
        str(frame): [] for frame in frames
    }
    assert {frame["type"] for frame in frames} == types_of("toAgent")


def test_documented_examples_fit_the_schema() -> None:
    """Every example on the page is valid, and every type has one."""
    for heading, schema, direction in (
        ("From the gateway to the agent", TO_AGENT, "toAgent"),
        ("From the agent to the gateway", FROM_AGENT, "fromAgent"),
    ):
        messages = examples(heading)
        assert [schema.errors(message, strict=True) for message in messages] == [[] for _ in messages]
        assert {message["type"] for message in messages} == types_of(direction)


def test_documented_examples_are_obeyed() -> None:
    """What the page tells agents to say is understood."""
    for message in examples("From the agent to the gateway"):
        (event,) = NativeDialect(ULAW_8K).receive(True, json.dumps(message).encode())
        assert not isinstance(event, Malformed), message


@pytest.mark.parametrize(
    "message",
    [
        {"type": "mark", "name": "n" * 1024},
        {"type": "mark", "name": "n" * 1025},
        {"type": "mark", "name": 1},
        {"type": "mark", "name": True},
        {"type": "mark"},
        {"type": "clear", "more": {"than": "asked"}},
        {"type": "digits", "digits": ""},
        {"type": "digits", "digits": "0" * 64},
        {"type": "digits", "digits": "0" * 65},
        {"type": "digits", "digits": "1E"},
        {"type": "hangup", "reason": None},
        {"type": "hangup", "reason": ""},
        {"type": "recording.pause"},
        {"type": "recording.rewind"},
        {"type": "recording"},
        {"type": "other"},
        {"type": 1},
        {},
    ],
)
def test_schema_and_code_agree(message: dict[str, object]) -> None:
    """A message fits the schema if and only if the gateway obeys it."""
    (event,) = NativeDialect(ULAW_8K).receive(True, json.dumps(message).encode())
    assert bool(FROM_AGENT.errors(message)) is isinstance(event, Malformed)


def shape(value: Any) -> Any:
    """A message with its strings of our own making left out."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, str) and re.fullmatch(r"(MZ|CA|AC)[0-9a-f…]+", value):
        return value[:2]
    return value


def test_twilio_examples_are_what_we_send(call: CallStart) -> None:
    """The page shows the frames of the twilio dialect with every field and type."""
    sent = [json.loads(payload) for _, payload in all_frames(TwilioDialect(), call)]
    assert [shape(message) for message in examples("What Twilio's side says")] == [
        shape(message) for message in sent
    ]


def test_twilio_examples_are_obeyed(call: CallStart) -> None:
    """The page's messages of a Twilio agent are understood, once they name this stream."""
    dialect = TwilioDialect()
    dialect.start(call)
    for message in examples("What the agent says"):
        message["streamSid"] = stream_sid(call.stream_id)
        (event,) = dialect.receive(True, json.dumps(message).encode())
        assert not isinstance(event, Malformed), message
