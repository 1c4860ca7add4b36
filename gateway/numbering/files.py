"""Numbering data as files: those that ship with the package, or the operator's own."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from gateway.config.loading import ConfigError, Problem
from gateway.config.settings import OutboundSettings
from gateway.routing.groups import GroupBook
from gateway.routing.importer import (
    DataError,
    decoded,
    read_countries,
    read_network_groups,
    read_special_ranges,
)
from gateway.routing.plan import NumberingPlan

T = TypeVar("T")

COUNTRIES = "countries.csv"
SPECIAL_RANGES = "special-ranges.csv"
NETWORK_GROUPS = "network-groups.csv"
SAMPLE_RATES = "rates.csv"


def shipped(name: str) -> str:
    """The text of a data file that ships with the package."""
    return (files("gateway") / "data" / name).read_text("utf-8")


def load_plan(settings: OutboundSettings) -> NumberingPlan:
    """Countries and special ranges, from the operator's files where they are set; blocks on the disk.

    Takes some 10 ms: call it once, at the start. ConfigError names every line that is wrong.
    """
    countries = _read("countries_file", settings.countries_file, COUNTRIES, read_countries)
    ranges = _read("special_ranges_file", settings.special_ranges_file, SPECIAL_RANGES, read_special_ranges)
    return NumberingPlan(countries, ranges)


def known_groups(plan: NumberingPlan) -> GroupBook:
    """The network groups that ship with the package."""
    return GroupBook(plan, read_network_groups(shipped(NETWORK_GROUPS)))


def _read(key: str, own: Path | None, name: str, parse: Callable[[str], T]) -> T:
    """One file, parsed; what is wrong with it is told as what is wrong with its key."""
    if own is None:
        return parse(shipped(name))
    try:
        return parse(decoded(own.read_bytes()))
    except DataError as error:
        problems = [str(problem) for problem in error.problems]
    except OSError as error:
        problems = [f"cannot be read: {error.strerror}"]
    raise ConfigError([Problem(str(own), f"[outbound] {key}", "", what) for what in problems])
