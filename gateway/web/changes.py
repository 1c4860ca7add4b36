"""The history of a thing as its page tells it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.store.configuration.history import Change
from gateway.store.configuration.number_list import VersionLabel
from gateway.web.who import Who

_ACTIONS = {
    "add": "added it",
    "change": "changed it",
    "assign": "assigned an agent",
    "unassign": "took the agent off",
    "publish": "published it",
    "remove": "removed it",
    "revoke": "revoked it",
    "password": "set the password of it",
}
MOST_NAMED = 8
"Network groups that a line names: one click can switch hundreds."
MOST_SHOWN = 60
"Characters of a value that a line shows."
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$")
"As the history has the times that a thing was published, or expires."


@dataclass(frozen=True, slots=True)
class Line:
    """One field that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One change in words."""

    by: str
    action: str
    at: datetime
    lines: tuple[Line, ...]


def shown_changes(
    changes: Sequence[Change], labels: Mapping[str, VersionLabel], who: Who
) -> list[ShownChange]:
    """Changes in words; ids of versions and keys by the names that people know them by."""
    names = _names_in(changes)
    return [
        ShownChange(
            who.name(change.by),
            _what(change, {**names, **who.keys, **who.accounts}),
            change.at,
            () if change.action in ("add", "remove") else tuple(_lines(change.fields, labels)),
        )
        for change in changes
    ]


def _names_in(changes: Sequence[Change]) -> dict[str, str]:
    """What things were called when they were added or removed: they may be gone."""
    return {
        change.object_id: str(value)
        for change in changes
        for pair in [change.fields.get("name") or change.fields.get("url") or ()]
        for value in pair
        if value is not None
    }


_NOUNS = {"key": "API key", "account": "account", "webhook": "webhook"}
"What stands in the history of its workspace, where it has none of its own that is there for good."


def _what(change: Change, names: Mapping[str, str]) -> str:
    """What was done, and to what where that is another thing than the page is about."""
    action = _ACTIONS.get(change.action, change.action)
    if change.kind == "do_not_call":
        return _listed(change)
    if change.kind not in _NOUNS or change.kind == "webhook":
        return action
    name = names.get(change.object_id)
    thing = f"{_NOUNS[change.kind]} “{name}”" if name else f"{_NOUNS[change.kind]} {change.object_id}"
    return f"{action.removesuffix(' it')} {thing}"


def _listed(change: Change) -> str:
    """What came or went on the do-not-call list: a number by itself, several by their count."""
    before, after = change.fields["numbers"]
    numbers = next(filter(None, change.fields.get("e164", ())), f"{abs(after - before)} numbers")
    way = ("put", "on") if change.action == "add" else ("took", "off")
    return f"{way[0]} {numbers} {way[1]} the do-not-call list"


def _lines(fields: Mapping[str, Any], labels: Mapping[str, VersionLabel]) -> list[Line]:
    return [
        Line(name.removesuffix("_id").replace("_", " "), _shown(before, labels), _shown(after, labels))
        for name, (before, after) in fields.items()
        if name != "network_groups"
    ] + _groups(*fields.get("network_groups", ((), ())))


def _groups(before: object, after: object) -> list[Line]:
    """The network groups that were switched, by name: on and off, a line each."""
    was, now = _enabled(before), _enabled(after)
    switched = (
        ("enabled", [one for one in now if one not in was]),
        ("disabled", [one for one in was if one not in now]),
    )
    return [Line(f"network groups {how}", "", _some(names)) for how, names in switched if names]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"


def _shown(value: object, labels: Mapping[str, VersionLabel]) -> str:
    if value is None or value in ("", []):
        return "–"
    if isinstance(value, str) and value in labels:
        return str(labels[value])
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else _moment(str(value))
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _moment(text: str) -> str:
    """A time as everywhere on the pages; any other text as it is."""
    if not _TIME.match(text):
        return text
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _enabled(groups: object) -> list[str]:
    found = groups if isinstance(groups, list) else []
    return [f"{group.get('country_iso')} {group.get('name')}" for group in found if group.get("enabled")]
