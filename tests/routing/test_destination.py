"""Where outbound calls may go: the rules, one by one and in their order."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.decision import Decision, Reason, ReasonGroup, Rejected, Trail
from gateway.routing.destination import validate_destination
from gateway.routing.importer import read_countries, read_special_ranges
from gateway.routing.number import country_of, parse_e164
from gateway.routing.plan import NumberingPlan
from gateway.routing.table import NetworkGroup, Workspace
from tests.cost import cost

SHIPPED = Path(__file__).parent.parent.parent / "gateway" / "data"

CASES = Path(__file__).parent / "data" / "destinations.csv"

PLAN = NumberingPlan(
    read_countries((SHIPPED / "countries.csv").read_text()),
    read_special_ranges((SHIPPED / "special-ranges.csv").read_text()),
)


def countries(*codes: str) -> tuple[NetworkGroup, ...]:
    """Each of these countries, whole."""
    return tuple(NetworkGroup(code, f"All of {code}") for code in codes)


VERIFIED = Workspace("org_1", "Demo", kyc_verified=True)
UNVERIFIED = Workspace("org_1", "Demo", verification_number="+44 20 7946 0018")
MOBILE = NetworkGroup("IN", "Mobile", ("98", "99"))
DELHI = NetworkGroup("IN", "Delhi", ("11",))

WORKSPACES = {
    "open": replace(
        VERIFIED, network_groups=countries(*{country.iso for country in PLAN.countries} - {"001"})
    ),
    "none": VERIFIED,
    "off": replace(VERIFIED, network_groups=(NetworkGroup("US", "Off", enabled=False),)),
    "byoc": replace(VERIFIED, sip_byoc_enabled=True),
    "sip": VERIFIED,
    "premium": replace(VERIFIED, allow_premium=True),
    "satellite": replace(VERIFIED, allow_satellite=True),
    "shared_cost": replace(VERIFIED, allow_shared_cost=True),
    "unverified": replace(UNVERIFIED, network_groups=countries("US", "GB")),
    "unverified_sip": UNVERIFIED,
    "unverified_us": replace(UNVERIFIED, network_groups=countries("US")),
    "unverified_premium": replace(
        UNVERIFIED, network_groups=countries("GB"), verification_number="+449098790123"
    ),
    "unregistered": replace(UNVERIFIED, network_groups=countries("US", "GB"), verification_number=None),
    "in": replace(VERIFIED, network_groups=(MOBILE, *countries("IN"))),
    "in_mobile": replace(VERIFIED, network_groups=(MOBILE,)),
    "in_both": replace(VERIFIED, network_groups=(MOBILE, DELHI)),
    "in_off": replace(VERIFIED, network_groups=(MOBILE, replace(DELHI, enabled=False))),
    "in_deep": replace(VERIFIED, network_groups=(NetworkGroup("IN", "One operator", ("981",)),)),
    "in_sip": replace(VERIFIED, network_groups=(MOBILE,)),
    "us_west": replace(VERIFIED, network_groups=(NetworkGroup("US", "West", ("415", "408", "650")),)),
    **{
        code: replace(VERIFIED, network_groups=countries(code.upper()))
        for code in ("us", "ca", "jm", "ru", "kz", "gb", "je", "gg", "im", "it", "no", "au", "fr", "de")
    },
}
"What the second column of destinations.csv means; `open` has every country."

ON_SIP_TRUNKS = {"sip", "in_sip", "unverified_sip", "premium", "satellite", "shared_cost"}
"The workspaces that call from a SIP trunk number."


def decide(destination: str | None, workspace: Workspace, *, is_sip_trunk: bool = False) -> Decision:
    """The decision, in favour or not."""
    trail = Trail()
    try:
        validate_destination(
            destination, workspace=workspace, plan=PLAN, is_sip_trunk=is_sip_trunk, trail=trail
        )
    except Rejected as rejected:
        return rejected.decision
    return trail.decided("allowed")


def cases() -> list[tuple[str, str, str]]:
    """The table of cases."""
    lines = CASES.read_text().splitlines()
    return [(r["destination"], r["workspace"], r["expected"]) for r in csv.DictReader(lines[1:])]


@pytest.mark.parametrize(("destination", "workspace", "expected"), cases())
def test_the_table_of_destinations_holds(destination: str, workspace: str, expected: str) -> None:
    """Every case of destinations.csv is decided as it says."""
    decision = decide(destination, WORKSPACES[workspace], is_sip_trunk=workspace in ON_SIP_TRUNKS)
    assert (decision.reason or "allowed") == expected, decision.lines()


def test_the_table_is_large_and_has_every_reason() -> None:
    """At least 150 cases, and each refusal of a destination among them."""
    reasons = {expected for _, _, expected in cases()}
    assert len(cases()) >= 150
    about = [Reason.KYC_NOT_VERIFIED, Reason.NO_ENABLED_COUNTRIES, Reason.COUNTRY_NOT_ENABLED]
    about += [reason for reason in Reason if reason.name.startswith("DESTINATION_")]
    assert {*about, Reason.PREFIX_NOT_ENABLED, "allowed"} == reasons


@pytest.mark.parametrize(
    ("destination", "workspace", "group", "message"),
    [
        ("", "open", ReasonGroup.FORMAT, "phone_number must be a valid E.164 phone number"),
        ("+999", "open", ReasonGroup.FORMAT, "Emergency numbers and short codes are never dialled"),
        ("+14155550123", "unverified", ReasonGroup.POLICY, "KYC is not verified"),
        ("+14155550123", "none", ReasonGroup.POLICY, "No enabled countries configured"),
        (
            "+14155550123",
            "gb",
            ReasonGroup.POLICY,
            "Destination country or network prefix is not enabled for this workspace",
        ),
        (
            "+911123456789",
            "in_mobile",
            ReasonGroup.POLICY,
            "Destination country or network prefix is not enabled for this workspace",
        ),
        ("+19002345678", "us", ReasonGroup.POLICY, "Destination is in a premium range"),
        ("+448443456789", "gb", ReasonGroup.POLICY, "Destination is in a shared cost range"),
    ],
)
def test_the_requester_reads_the_references_words(
    destination: str, workspace: str, group: ReasonGroup, message: str
) -> None:
    """The message is the platform's, whatever more the decision knows."""
    with pytest.raises(Rejected) as caught:
        validate_destination(
            destination, workspace=WORKSPACES[workspace], plan=PLAN, is_sip_trunk=False, trail=Trail()
        )
    assert caught.value.message.startswith(message)
    assert caught.value.reason.group is group


def test_a_call_that_may_go_on_says_why() -> None:
    """Each rule is named with what it found."""
    assert decide("+91 98123 45678", WORKSPACES["in_mobile"]).lines()[:-1] == [
        "✓ destination: +91 98123 45678 → +919812345678, a possible international number",
        "✓ KYC: “Demo” → verified (org_1)",
        "✓ destination country: India (IN) → enabled in the workspace's telephony config",
        "✓ network prefix: 9812345678 → 98 of network group “Mobile”",
        "✓ special ranges: +919812345678 → neither premium, satellite nor shared cost",
    ]


def test_a_bypass_is_a_grant_with_its_source() -> None:
    """The country rules are not passed over in silence."""
    lines = decide("+8613912345678", WORKSPACES["byoc"], is_sip_trunk=True).lines()
    assert lines[2] == (
        "◆ destination country: China (CN) → not asked: the calling number is a SIP trunk number, "
        "and the workspace's SIP/BYOC configuration is enabled"
    )
    assert lines[3].startswith("◆ network prefix: 13912345678 → not asked")


def test_a_number_without_a_plus_is_answered_with_what_was_perhaps_meant() -> None:
    """Nothing is guessed for a number that costs money, but the guess is told."""
    decision = decide("14155550123", WORKSPACES["us"])
    assert decision.near_misses == ("+14155550123 was perhaps meant, without its plus",)


def test_nothing_behind_the_bound_is_dialled() -> None:
    """A number that is cut off is another number: what is too long is refused whole."""
    assert decide("+14155550123" + " " * 60 + "9", WORKSPACES["us"]).reason is Reason.DESTINATION_UNPARSEABLE


def test_an_absent_destination_is_missing() -> None:
    """None and blanks are the same."""
    assert decide(None, WORKSPACES["us"]).reason is Reason.DESTINATION_MISSING


GROUPS = st.lists(
    st.builds(
        NetworkGroup,
        country_iso=st.sampled_from(["US", "CA", "GB", "JE", "IN", "001"]),
        name=st.just("group"),
        prefixes=st.lists(st.from_regex(r"[0-9]{1,3}", fullmatch=True), max_size=3).map(tuple),
        enabled=st.booleans(),
    ),
    max_size=6,
).map(tuple)

NUMBERS = st.sampled_from([destination for destination, _, _ in cases()]) | st.from_regex(
    r"\+(1(415|416|900|500)|44(20|1534|90|84)|91[19]|881[67]|7[79])[0-9]{5,8}", fullmatch=True
)

ANY_WORKSPACE = st.builds(
    Workspace,
    id=st.just("org_1"),
    name=st.just("Any"),
    kyc_verified=st.booleans(),
    verification_number=st.none() | NUMBERS,
    sip_byoc_enabled=st.booleans(),
    network_groups=GROUPS,
    allow_premium=st.booleans(),
    allow_satellite=st.booleans(),
    allow_shared_cost=st.booleans(),
)

RULE_1 = {reason for reason in Reason if reason.name.startswith("DESTINATION_")} - {
    Reason.DESTINATION_PREMIUM,
    Reason.DESTINATION_SATELLITE,
    Reason.DESTINATION_SHARED_COST,
}
COUNTRY_RULES = {Reason.NO_ENABLED_COUNTRIES, Reason.COUNTRY_NOT_ENABLED, Reason.PREFIX_NOT_ENABLED}
WIDE_OPEN = replace(
    WORKSPACES["open"],
    network_groups=(*WORKSPACES["open"].network_groups, *countries("001")),
    allow_premium=True,
    allow_satellite=True,
    allow_shared_cost=True,
)


@given(NUMBERS, ANY_WORKSPACE, st.booleans())
def test_the_first_failing_rule_wins(destination: str, workspace: Workspace, is_sip_trunk: bool) -> None:
    """Whatever else is wrong: each rule alone, asked in order, gives the reason of the whole."""
    known = {"kyc_verified": True, "verification_number": None}
    groups = workspace.network_groups
    alone = [
        WIDE_OPEN,
        replace(
            WIDE_OPEN,
            kyc_verified=workspace.kyc_verified,
            verification_number=workspace.verification_number,
        ),
        replace(WIDE_OPEN, network_groups=groups, sip_byoc_enabled=workspace.sip_byoc_enabled),
        replace(workspace, **known, network_groups=WIDE_OPEN.network_groups),  # type: ignore[arg-type]  # mixed values
    ]
    reasons = [decide(destination, one, is_sip_trunk=is_sip_trunk).reason for one in alone]
    if parse_e164(destination) is not None and country_of(destination) is None:
        return  # wide open is not open to countries that do not exist
    first = next((reason for reason in reasons if reason is not None), None)
    assert decide(destination, workspace, is_sip_trunk=is_sip_trunk).reason is first


@given(NUMBERS, ANY_WORKSPACE)
def test_a_bypass_skips_the_country_rules_and_nothing_else(destination: str, workspace: Workspace) -> None:
    """Format, KYC and special ranges refuse a SIP trunk just as they refuse any route."""
    plain = decide(destination, replace(workspace, sip_byoc_enabled=False))
    for bypassed in (
        decide(destination, replace(workspace, sip_byoc_enabled=False), is_sip_trunk=True),
        decide(destination, replace(workspace, sip_byoc_enabled=True)),
    ):
        if plain.reason in COUNTRY_RULES:
            everywhere = replace(workspace, network_groups=WIDE_OPEN.network_groups)
            assert bypassed.reason not in RULE_1 | {Reason.KYC_NOT_VERIFIED}
            if country_of(destination) is not None:  # no workspace can be open to one that does not exist
                assert bypassed.reason is decide(destination, everywhere).reason
        else:
            assert bypassed.reason is plain.reason
        granted = [check.name for check in bypassed.checks if check.outcome == "grant"]
        reached = bypassed.reason not in RULE_1 | {Reason.KYC_NOT_VERIFIED}
        assert ("destination country" in granted) == reached


@given(st.text(max_size=80))
def test_any_text_is_decided(destination: str) -> None:
    """Nothing that a requester writes raises anything but a refusal, and what passes is E.164."""
    decision = decide(destination, WIDE_OPEN)
    assert decision.reason in RULE_1 or parse_e164(decision.checks[-1].looked_at) is not None


@pytest.mark.parametrize("unit", ["+", "1", "+1", " ", "9" * 10, "٣"])
def test_floods_are_refused_at_once(unit: str) -> None:
    """64 kB of anything costs less than 5 ms."""
    flood = unit * (65_536 // len(unit))
    assert decide(flood, WIDE_OPEN).reason in RULE_1
    assert cost(lambda: decide(flood, WIDE_OPEN)) < 5
