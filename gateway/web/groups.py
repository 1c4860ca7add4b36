"""The network groups that a workspace can enable: all that are known, and how the workspace has them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.numbering import NETWORK_GROUPS, shipped
from gateway.routing.importer import read_network_groups
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
    """All network groups that ship with the gateway, by country."""

    def __init__(self, plan: NumberingPlan) -> None:
        self._countries: Mapping[str, Country] = {country.iso: country for country in plan.countries}
        self._shipped = {_key(group): group for group in read_network_groups(shipped(NETWORK_GROUPS))}

    def of(self, workspace: Workspace) -> list[KnownGroup]:
        """Every group, as the workspace has it; by country and name."""
        known = {key: replace(group, enabled=False) for key, group in self._shipped.items()}
        known.update({_key(group): group for group in workspace.network_groups})
        found = [
            KnownGroup(self._countries[group.country_iso], group)
            for group in known.values()
            if group.country_iso in self._countries
        ]
        return sorted(found, key=lambda each: (each.country.name, each.group.name))


def _key(group: NetworkGroup) -> tuple[str, str]:
    return group.country_iso, group.name


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
    kept = {_key(group): group for group in workspace.network_groups}
    # What was never enabled needs no row to stay disabled.
    return tuple(
        {**kept, **{key: group for key, group in changed.items() if enabled or key in kept}}.values()
    )
