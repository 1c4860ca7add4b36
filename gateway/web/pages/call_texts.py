"""What an agent's runtime has posted about a call, as its page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.store.records.call_texts import CallTexts

MOST_TURNS = 500
MOST_CHARACTERS = 2000
"Of one turn or field; the API has them whole."
OURS = frozenset({"assistant", "agent", "bot", "system", "ai"})
"Roles on the agent's side."


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that one side said."""

    role: str
    is_ours: bool
    at: float | None
    "Seconds from the answer."
    text: str


@dataclass(frozen=True, slots=True)
class ShownTexts:
    """Transcript, summary, sentiment and extracted fields."""

    turns: tuple[Turn, ...]
    left_out: int
    "Turns that the page has no room for."
    has_transcript: bool
    summary: str
    sentiment: str
    fields: tuple[tuple[str, str], ...]
    has_fields: bool


def shown_texts(texts: CallTexts | None) -> ShownTexts | None:
    """What there is to show; None where nothing was posted."""
    if texts is None:
        return None
    turns = texts.transcript or ()
    return ShownTexts(
        turns=tuple(map(_turn, turns[:MOST_TURNS])),
        left_out=max(0, len(turns) - MOST_TURNS),
        has_transcript=texts.transcript is not None,
        summary=_short(texts.summary or ""),
        sentiment=texts.sentiment or "",
        fields=tuple((name, _written(value)) for name, value in (texts.extracted or {}).items()),
        has_fields=texts.extracted is not None,
    )


def _turn(given: Mapping[str, Any]) -> Turn:
    role = str(given.get("role", ""))
    start = given.get("start")
    at = float(start) if isinstance(start, int | float) else None
    return Turn(role, role.lower() in OURS, at, _short(str(given.get("content", ""))))


def _written(value: object) -> str:
    """A field's value on one line: text as it is, the rest as people or JSON write it."""
    if isinstance(value, str):
        return _short(value)
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    return _short(orjson.dumps(value, default=str).decode())


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
