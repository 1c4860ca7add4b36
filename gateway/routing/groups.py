"""The network groups that a workspace can enable: all that are known, and how the workspace has them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.routing.plan import Country, NumberingPlan
from gateway.routing.table import NetworkGroup, Workspace
from gateway.routing.typed import cleaned


@dataclass(frozen=True, slots=True)
class KnownGroup:
    """A network group with its country, as it can be enabled."""

    country: Country
    group: NetworkGroup
    "As the workspace has it, or as it is known and not enabled."

    @property
    def key(self) -> str:
        """How a form names it."""
        return f"{self.group.country_iso}|{self.group.name}"

    @property
    def full_prefixes(self) -> tuple[str, ...]:
        """Its prefixes with the calling code; those of the whole country where it has none."""
        own = self.group.prefixes or self.country.prefixes or ("",)
        return tuple(self.country.calling_code + prefix for prefix in own)


class GroupBook:
    """All network groups that are known, whether or not a workspace has them."""

    def __init__(self, plan: NumberingPlan, groups: Iterable[NetworkGroup]) -> None:
        self._countries: Mapping[str, Country] = {country.iso: country for country in plan.countries}
        self._groups = _by_key(groups)

    def of(self, workspace: Workspace) -> list[KnownGroup]:
        """Every group, as the workspace has it; by country and name."""
        known = {key: replace(group, enabled=False) for key, group in self._groups.items()}
        known.update(_by_key(workspace.network_groups))
        found = [
            KnownGroup(self._countries[group.country_iso], group)
            for group in known.values()
            if group.country_iso in self._countries
        ]
        return sorted(found, key=lambda each: (each.country.name, each.group.name))


def _key(group: NetworkGroup) -> tuple[str, str]:
    return group.country_iso, group.name


def _by_key(groups: Iterable[NetworkGroup]) -> dict[tuple[str, str], NetworkGroup]:
    return {_key(group): group for group in groups}


def searched(groups: Iterable[KnownGroup], text: str) -> list[KnownGroup]:
    """Groups whose country or name has the text, or that numbers which begin with the digits may be in."""
    wanted = cleaned(text).lower()
    if not wanted:
        return list(groups)
    digits = "".join(filter(str.isdecimal, wanted))
    if digits and not any(character.isalpha() for character in wanted):
        return [each for each in groups if _covers(each, digits)]
    groups = list(groups)
    coded = [each for each in groups if wanted == each.country.iso.lower()]
    return coded or [each for each in groups if wanted in f"{each.country.name}\n{each.group.name}".lower()]


def _covers(known: KnownGroup, digits: str) -> bool:
    """By prefix with or without the calling code: what begins with the digits, or what they begin with."""
    fits = _fits(digits)
    return any(map(fits, known.full_prefixes)) or any(
        prefix.startswith(digits) for prefix in known.group.prefixes
    )


def _fits(digits: str) -> Callable[[str], bool]:
    return lambda prefix: prefix.startswith(digits) or digits.startswith(prefix)


def switched(
    workspace: Workspace, known: Sequence[KnownGroup], keys: Iterable[str], enabled: bool
) -> tuple[NetworkGroup, ...]:
    """The workspace's groups with some of them enabled or disabled; keys that are unknown change nothing."""
    wanted = set(keys)
    changed = {_key(each.group): replace(each.group, enabled=enabled) for each in known if each.key in wanted}
    kept = _by_key(workspace.network_groups)
    # What was never enabled needs no row to stay disabled.
    return tuple(
        {**kept, **{key: group for key, group in changed.items() if enabled or key in kept}}.values()
    )


def merged(groups: Iterable[NetworkGroup], others: Iterable[NetworkGroup]) -> tuple[NetworkGroup, ...]:
    """Both, each group once; where both have it, as the others do."""
    return tuple((_by_key(groups) | _by_key(others)).values())


def opened_by_country(groups: Iterable[NetworkGroup]) -> dict[str, list[str]]:
    """The prefixes that enabled groups open; a group without any opens the whole country: none are listed."""
    opened: dict[str, list[str]] = {}
    whole = set()
    for group in groups:
        if group.enabled:
            iso = group.country_iso.upper()
            prefixes = opened.setdefault(iso, [])
            prefixes += [prefix for prefix in group.prefixes if prefix not in prefixes]
            if not group.prefixes:
                whole.add(iso)
    return {iso: [] if iso in whole else prefixes for iso, prefixes in opened.items()}
