"""docs/agents.md and its schema, held against what the dialects do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.agent.asterisk import COMMANDS, AsteriskDialect
from gateway.agent.dialects import DIALECTS, dialect_named
from gateway.agent.native import AUDIO_FORMATS, NativeDialect
from gateway.agent.notices import (
    Answered,
    BalanceLow,
    Cleared,
    Digit,
    Dropped,
    Held,
    MarkPlayed,
    Misunderstood,
    Quality,
    RecordingIs,
    TransferFailed,
)
from gateway.agent.placeholders import OF_EVERY_CALL
from gateway.agent.protocol import CallStart, Dialect, Frame, Malformed, Reply
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
    yield from dialect.notice(Digit("5", 160))
    yield from dialect.notice(MarkPlayed("greeting"))
    yield from dialect.notice(Cleared([] if isinstance(dialect, TwilioDialect) else ["question 2"], 7300))
    yield from dialect.notice(Dropped(120))
    yield from dialect.notice(Answered())
    yield from dialect.notice(Held(True))
    yield from dialect.notice(Held(False))
    yield from dialect.notice(BalanceLow(14.6))
    yield from dialect.notice(Quality({"in": {"jitter_ms": 3.1, "concealed_ms": 20}, "out": {"mos": 4.4}}))
    yield from dialect.notice(RecordingIs("paused"))
    yield from dialect.notice(RecordingIs("idle", "this call is not to be recorded"))
    yield from dialect.notice(TransferFailed("+15550100", "user_busy", "the trunk answered 486 Busy Here"))
    yield from dialect.notice(Misunderstood("why"))
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


DIALECTS_PAGE = (ROOT / "docs/dialects.md").read_text()
DOCUMENTED = CallStart(
    call_id="call_5f0c",
    stream_id="str_91ab",
    account_id="org_demo",
    from_number="+442079460018",
    to_number="+14155550100",
    direction="inbound",
    agent_id="agt_reception",
    agent_version=3,
    parameters={"tier": "gold"},
)


def blocks(heading: str) -> list[list[str]]:
    """The code blocks under a heading of the page of dialects, each as its lines."""
    section = DIALECTS_PAGE.partition(f"\n## {heading}\n")[2].split("\n## ")[0]
    return [block.strip().splitlines() for block in re.findall(r"```(?:json)?\n(.*?)```", section, re.DOTALL)]


def all_said(dialect: Dialect) -> list[str]:
    """Everything that a dialect of others ever says in text, in the order of the page."""
    frames = [*dialect.start(DOCUMENTED)]
    if isinstance(dialect, AsteriskDialect):
        frames += dialect.notice(Digit("5", 160))
        for command in (b"MARK_MEDIA greeting", b"STOP_MEDIA_BUFFERING 7", b"GET_STATUS"):
            (event,) = dialect.receive(True, command)
            frames += event.frames if isinstance(event, Reply) else dialect.notice(MarkPlayed(event.name))  # type: ignore[union-attr]
    else:
        frames += [dialect.audio(b"\xff\xfe\xfd"), *dialect.notice(Digit("5", 160))]
        frames += [*dialect.notice(MarkPlayed("greeting")), *dialect.notice(Cleared([], 7300))]
    frames += [*dialect.notice(Misunderstood("why")), *dialect.stop("user_disconnected", "caller")]
    return [payload.decode() for _, payload in frames]


@pytest.mark.parametrize(
    ("name", "block", "options"),
    [
        ("plivo", 0, {}),
        ("telnyx", 0, {}),
        ("exotel", 0, {}),
        ("asterisk", 0, {}),
        ("asterisk", 1, {"control": "json"}),
    ],
)
def test_page_of_dialects_shows_what_is_sent(name: str, block: int, options: dict[str, str]) -> None:
    """To the byte, ids included; only Plivo's silent frame is shortened there."""
    said = [re.sub("/{200,}w==", "//…w==", each) for each in all_said(dialect_named(name, options=options))]
    assert blocks(name)[block] == said


@pytest.mark.parametrize("name", ["plivo", "telnyx", "exotel"])
def test_page_of_dialects_is_obeyed(name: str) -> None:
    """What the page shows agents say is understood."""
    dialect = dialect_named(name)
    dialect.start(DOCUMENTED)
    for message in blocks(name)[1]:
        (event,) = dialect.receive(True, message.encode())
        assert not isinstance(event, Malformed), message


def test_page_of_dialects_has_every_choice() -> None:
    """Each format of each dialect stands in the table, its default first, and each option with its values."""
    rows = [line.split(" | ") for line in DIALECTS_PAGE.splitlines() if line.startswith("| `audio`")]
    shown = [re.findall("`(.*?)`", cell) for cell in rows[0][1:]]
    others = [name for name in DIALECTS if name not in ("native", "sip")]
    assert shown == [list(DIALECTS[name].audio) for name in others]
    for name in others:
        for option, values in DIALECTS[name].options.items():
            (row,) = [line for line in DIALECTS_PAGE.splitlines() if line.startswith(f"| `{option}`")]
            assert all(f"`{value}`" in row for value in values)
            assert f"| `{name}` |" in row
    for name in OF_EVERY_CALL:
        assert f"`{{{name}}}`" in DIALECTS_PAGE
    for command in COMMANDS:
        assert f"`{command}" in DIALECTS_PAGE
