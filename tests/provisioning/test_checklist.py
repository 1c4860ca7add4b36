"""The checklist's step on the trunk that calls go out by, in words for whoever reads it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.provisioning.checklist import Facts, Item, judge
from gateway.routing.outbound import trunks_for, way_out
from gateway.routing.table import PhoneNumber, Trunk, Trunks, Workspace

LINKED: dict[str, Any] = {"provider": "sip_trunk", "sip_trunk_enabled": True, "trunk_id": "trunk_1"}
RENTED: dict[str, Any] = {"provider": "plivo"}
OWN = Trunk("trunk_1", "org_1", "Own", termination_uri="sip.example:5060")


def step(number: dict[str, Any], *trunks: Trunk) -> Item:
    """The step for a number among these trunks."""
    called = PhoneNumber("phn_1", "org_1", "+442079460018", **number)
    trunk, trouble = way_out(trunks_for(Trunks(trunks), called), called)
    facts = Facts(
        number=called,
        workspace=Workspace("org_1", "Acme"),
        inbound=None,
        outbound=None,
        pending="",
        trunk=trunk,
        trouble=trouble,
        inbound_test=None,
        outbound_test=None,
        now=datetime(2026, 12, 1, tzinfo=UTC),
    )
    return next(item for item in judge(facts) if item.key == "trunk")


def test_a_way_out() -> None:
    """The trunk is named, and where it leads; nothing is left to mend."""
    item = step(LINKED, OWN)
    assert (item.done, item.found, item.mend) == (True, "trunk “Own”, to sip.example:5060", "")


@pytest.mark.parametrize(
    ("trunks", "found"),
    [
        ((), "no trunk is linked to the number"),
        ((Trunk("trunk_1", "org_1", "Own", enabled=False),), "trunk “Own” is disabled"),
        (
            (Trunk("trunk_1", "org_1", "Own"),),
            "trunk “Own” has no termination URI, so it only takes calls in",
        ),
        ((Trunk("trunk_1", "org_2", "Theirs"),), "the trunk belongs to another workspace"),
    ],
)
def test_no_way_out_of_ones_own(trunks: tuple[Trunk, ...], found: str) -> None:
    """A number of the workspace's own carrier says what is wrong with its trunk, and how to mend it."""
    item = step(LINKED, *trunks)
    assert (item.done, item.found) == (False, found)
    assert item.mend == "gateway trunks set TRUNK termination_uri=HOST enabled=true"


def test_no_way_out_of_the_provider() -> None:
    """A rented number goes by a trunk of the provider, which whoever runs the gateway sets up."""
    nobody_does = (
        "no trunk of the number's provider takes calls out yet; whoever runs the gateway sets one up"
    )
    missing = step(RENTED, OWN)
    assert (missing.done, missing.found) == (False, nobody_does)
    assert missing.mend == "gateway trunks add NAME provider=plivo termination_uri=HOST"
    off = Trunk("trunk_2", None, "Plivo", enabled=False, termination_uri="plivo.example", provider="plivo")
    assert step(RENTED, off).found == f"{nobody_does}: trunk “Plivo” is disabled"
