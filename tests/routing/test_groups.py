"""Network groups: found as people search them, switched, added up."""

import pytest

from gateway.routing.groups import KnownGroup, merged, opened_by_country, searched, switched
from gateway.routing.plan import Country
from gateway.routing.table import NetworkGroup, Workspace

INDIA = Country("IN", "India", "91", (), 10)
MOBILE = KnownGroup(INDIA, NetworkGroup("IN", "India - Mobile", ("98", "99"), enabled=False))
FIXED = KnownGroup(INDIA, NetworkGroup("IN", "India - Fixed", ("22",), enabled=False))
BRITAIN = KnownGroup(Country("GB", "United Kingdom", "44"), NetworkGroup("GB", "United Kingdom", (), False))
ALL = [BRITAIN, FIXED, MOBILE]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ALL),
        ("india", [FIXED, MOBILE]),
        ("MOBILE", [MOBILE]),
        ("in", [FIXED, MOBILE]),
        ("gb", [BRITAIN]),
        ("+91 98", [MOBILE]),
        ("9198", [MOBILE]),
        ("98", [MOBILE]),
        ("+91 9876543210", [MOBILE]),
        ("+4420", [BRITAIN]),
        ("7", []),
        ("nowhere", []),
    ],
)
def test_search(text: str, found: list[KnownGroup]) -> None:
    """Groups are found by country, ISO code, name, and by prefix with or without the calling code."""
    assert searched(ALL, text) == found


def test_switching() -> None:
    """Only what is named changes; a group that was never enabled leaves no row behind when it is disabled."""
    workspace = Workspace("org_1", "A")
    on = switched(workspace, ALL, [MOBILE.key, "XX|none"], True)
    assert [(group.name, group.enabled, group.prefixes) for group in on] == [
        ("India - Mobile", True, ("98", "99"))
    ]
    open_one = Workspace("org_1", "A", network_groups=on)
    known = [KnownGroup(INDIA, on[0]), FIXED]
    assert switched(open_one, known, [FIXED.key], False) == on
    assert [group.enabled for group in switched(open_one, known, [MOBILE.key], False)] == [False]


def test_merging() -> None:
    """Each group stands once, as the latter has it; those of another name or country stay."""
    before = (NetworkGroup("IN", "Mobile"), NetworkGroup("GB", "Mobile"))
    after = NetworkGroup("IN", "Mobile", enabled=False)
    assert merged(before, [after]) == (after, before[1])
    assert merged((), [after, after]) == (after,)


def test_adding_up() -> None:
    """Enabled groups of a country add up; one without prefixes opens all of it, a disabled one nothing."""
    groups = [
        NetworkGroup("in", "Mobile", ("98", "99")),
        NetworkGroup("IN", "Fixed", ("22", "98")),
        NetworkGroup("GB", "Mobile", ("7",)),
        NetworkGroup("GB", "All"),
        NetworkGroup("US", "All", enabled=False),
    ]
    assert opened_by_country(groups) == {"IN": ["98", "99", "22"], "GB": []}
