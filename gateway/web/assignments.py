"""Who answers a number, and who dials by it: as pages show it, and as their forms choose it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from gateway.routing.table import PhoneNumber, VersionState
from gateway.store.configuration.number_list import VersionLabel
from gateway.store.configuration.numbers import Direction
from gateway.store.engine.errors import InvalidInput
from gateway.web.forms import Form

LATEST = "latest:"
"Before an agent's id: whichever of its versions was published last."

Labels = Mapping[str, VersionLabel]


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a direction of a number is assigned to."""

    label: VersionLabel
    how: str
    "`version 2`, `latest, now 2`, `80 % version 1, 20 % version 2`."

    def __str__(self) -> str:
        """For a sentence."""
        return f"{self.label.agent_name}, {self.how}"


def assigned(number: PhoneNumber, direction: str, labels: Labels) -> Assigned | None:
    """What a direction is assigned to; None: it is disabled."""
    label = labels.get(getattr(number, f"{direction}_version_id") or "")
    if label is None:
        return None
    shares = shares_of(number, direction)
    if shares:
        parts = (
            f"{100 * share:.3g} % version {labels[one].number}"
            for one, share in shares.items()
            if one in labels
        )
        return Assigned(label, ", ".join(parts))
    if getattr(number, f"{direction}_latest"):
        return Assigned(label, f"latest, now {label.number}")
    return Assigned(label, f"version {label.number}")


def shares_of(number: PhoneNumber, direction: str) -> dict[str, float]:
    """The shares of the callers by version; empty where one version has them all."""
    return dict(getattr(number, f"{direction}_split"))


def chosen(number: PhoneNumber, direction: str, labels: Labels) -> str:
    """Which of the `choices` a direction has."""
    version_id = getattr(number, f"{direction}_version_id") or ""
    if shares_of(number, direction):
        return ""
    if getattr(number, f"{direction}_latest") and version_id in labels:
        return LATEST + labels[version_id].agent_id
    return version_id


def published(labels: Labels) -> list[VersionLabel]:
    """What can be assigned: by agent, the newest first."""
    return [label for label in labels.values() if label.state is VersionState.PUBLISHED]


def choices(labels: Labels) -> list[tuple[str, str]]:
    """What the form offers: each agent's latest, and each version by itself."""
    found: list[tuple[str, str]] = []
    agents: set[str] = set()
    for label in published(labels):
        if label.agent_id not in agents:
            agents.add(label.agent_id)
            now = f"{label.agent_name} – always the latest (now {label.number})"
            found.append((LATEST + label.agent_id, now))
        found.append((label.id, f"{label.agent_name} – version {label.number}"))
    return found


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody has chosen for a direction."""

    direction: Direction
    version_id: str
    "Empty: nobody, unless there are shares."
    latest: bool = False
    shares: Sequence[tuple[str, float]] = ()


def choice(form: Form, labels: Labels) -> Choice:
    """The form's choice; `InvalidInput` where it makes no sense."""
    direction = cast(Direction, form.one_of("direction", ("inbound", "outbound"), "inbound"))
    if form.on("split"):
        return Choice(direction, "", shares=_shares(form, labels))
    given = form.text("version")
    if not given.startswith(LATEST):
        return Choice(direction, given)
    agent_id = given.removeprefix(LATEST)
    newest = next((label for label in published(labels) if label.agent_id == agent_id), None)
    if newest is None:
        raise InvalidInput("version", None, "That agent has no published version.", whole=True)
    return Choice(direction, newest.id, latest=True)


def _shares(form: Form, labels: Labels) -> list[tuple[str, float]]:
    """Percentages to shares."""
    found = []
    for label in published(labels):
        given = form.text(f"share-{label.id}")
        if given in ("", "0"):
            continue
        try:
            share = float(given) / 100
        except ValueError:
            raise InvalidInput("share", given, "should be a number of percent") from None
        found.append((label.id, share))
    if not found:
        raise InvalidInput("share", None, "Give at least one version a share.", whole=True)
    return found
