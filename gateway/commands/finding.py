"""What `gateway check` finds: one line each, with how to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    "`fail`: calls will not work. `warn`: they may not, or not from everywhere."
    what: str
    "What was looked at: `listener udp-1`, `certificate`, `database`."
    found: str
    "What that turned out to be."
    mend: str = ""
    "What to do about it; empty where nothing needs doing."


def ok(what: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", what, found)


def warn(what: str, found: str, mend: str) -> Finding:
    """It may be meant, or may be a mistake."""
    return Finding("warn", what, found, mend)


def bad(what: str, found: str, mend: str) -> Finding:
    """Calls will not work like this."""
    return Finding("fail", what, found, mend)


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level among them."""
    levels = {finding.level for finding in findings}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"
