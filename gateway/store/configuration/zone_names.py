"""Names of time zones, of the tz database that comes with the gateway: in any case, or by the city alone."""

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

MAX_NAME = 64
"Characters of a name that are looked at."


def zone_name(written: str) -> str | None:
    """The zone of this name, in whatever case it is written; None where there is none."""
    return _names().get(_folded(written))


def zone_of_city(written: str) -> str | None:
    """The zone of a city that is written alone; costs a microsecond."""
    return _cities().get(_folded(written))


def zone_like(written: str) -> str | None:
    """A zone that was perhaps meant: of that city, or of nearly that name; costs a millisecond."""
    near = difflib.get_close_matches(_folded(written[:MAX_NAME]), _names(), n=1)
    return zone_of_city(written) or (_names()[near[0]] if near else None)


def zone_names() -> Sequence[str]:
    """Those that people choose from: UTC, and those of places."""
    return _places()


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


@cache
def _names() -> Mapping[str, str]:
    """All names of the tz database, by themselves in lower case."""
    names = (files("tzdata") / "zones").read_text("utf-8").split()
    return {_folded(name): name for name in names if name != "Factory"}


@cache
def _cities() -> Mapping[str, str]:
    """Zones by their city alone, which is what people write who have forgotten the rest."""
    return {name.rpartition("/")[2]: zone for name, zone in _names().items() if "/" in name}


@cache
def _places() -> tuple[str, ...]:
    return ("UTC", *sorted(name for name in _names().values() if "/" in name and not name.startswith("Etc/")))
