"""What a dialect costs per packet: the two functions that run for every frame, with nothing around them.

Alone: `python -m scripts.benchmark.dialects`.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gateway.agent.dialects import DIALECTS, dialect_named
from gateway.agent.protocol import CallStart, Dialect

CALL = CallStart("call_1", "str_1", "org_1", "+442079460018", "+14155550100", "inbound", "agt_1", 1, {})

ROUNDS = 7
PACKETS = 20_000


@dataclass(frozen=True, slots=True)
class DialectFigures:
    """One dialect with one format, by the fastest of several rounds."""

    dialect: str
    "With its format."
    to_agent_us: float
    "Microseconds for `audio`, of 20 ms."
    from_agent_us: float
    "Microseconds for `receive`, of an agent's 20 ms."
    to_agent_bytes: int
    from_agent_bytes: int


def measure_dialects() -> list[DialectFigures]:
    """Every dialect in every format it has; a SIP agent's audio never passes through its dialect."""
    framed = {name: entry for name, entry in DIALECTS.items() if name != "sip"}
    return [_measured(name, audio) for name, entry in framed.items() for audio in entry.audio]


def _measured(name: str, audio: str) -> DialectFigures:
    dialect = dialect_named(name, audio=audio)
    dialect.start(CALL)
    frame = bytes(range(256)) * 8
    frame = frame[: dialect.format.bytes_per_ms * 20]
    text, message = said_by_agent(dialect, frame)
    events = dialect.receive(text, message)
    assert events, (name, message)
    return DialectFigures(
        dialect=f"{name} {audio}",
        to_agent_us=_microseconds(lambda: dialect.audio(frame)),
        from_agent_us=_microseconds(lambda: dialect.receive(text, message)),
        to_agent_bytes=len(dialect.audio(frame)[1]),
        from_agent_bytes=len(message),
    )


def said_by_agent(dialect: Dialect, frame: bytes) -> tuple[bool, bytes]:
    """The frame as this dialect's agents send it."""
    heard_text, heard = dialect.audio(frame)
    if not heard_text:
        return False, heard
    payload = base64.b64encode(frame).decode()
    ours = json.loads(heard)
    if dialect.name == "plivo":
        described = {"contentType": "audio/x-mulaw", "sampleRate": dialect.format.rate, "payload": payload}
        if dialect.format.encoding == "l16":
            described["contentType"] = "audio/x-l16"
        return True, json.dumps({"event": "playAudio", "media": described}).encode()
    ids = {key: ours[key] for key in ("streamSid", "stream_id", "stream_sid") if key in ours}
    return True, json.dumps({"event": "media", **ids, "media": {"payload": payload}}).encode()


def _microseconds(once: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(PACKETS):
            once()
        best = min(best, time.process_time() - began)
    return round(best / PACKETS * 1e6, 2)


if __name__ == "__main__":
    for figures in measure_dialects():
        print(json.dumps(asdict(figures)))
