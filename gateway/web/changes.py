"""The history of a thing as its page tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.ledger import Change
from gateway.store.number_list import VersionLabel

_SAID = {
    "add": "added it",
    "change": "changed it",
    "assign": "assigned an agent",
    "unassign": "took the agent off",
    "publish": "published it",
    "remove": "removed it",
}
MOST_SHOWN = 60
"Characters of a value that a line shows."


@dataclass(frozen=True, slots=True)
class Line:
    """One field that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Told:
    """One change in words."""

    by: str
    said: str
    at: datetime
    lines: tuple[Line, ...]


def told(changes: Sequence[Change], labels: Mapping[str, VersionLabel]) -> list[Told]:
    """Changes in words; ids of versions by the names that people know them by."""
    return [
        Told(
            change.by,
            _SAID.get(change.action, change.action),
            change.at,
            () if change.action in ("add", "remove") else tuple(_lines(change.fields, labels)),
        )
        for change in changes
    ]


def _lines(fields: Mapping[str, Any], labels: Mapping[str, VersionLabel]) -> list[Line]:
    return [
        Line(name.removesuffix("_id").replace("_", " "), _shown(before, labels), _shown(after, labels))
        for name, (before, after) in fields.items()
        if name not in ("network_groups",)
    ] + [
        Line("network groups", _enabled(before), _enabled(after))
        for name, (before, after) in fields.items()
        if name == "network_groups"
    ]


def _shown(value: object, labels: Mapping[str, VersionLabel]) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, str) and value in labels:
        return str(labels[value])
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _enabled(groups: object) -> str:
    found = groups if isinstance(groups, list) else []
    return f"{sum(bool(group.get('enabled')) for group in found)} enabled"
