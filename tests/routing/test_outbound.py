"""Which calls may go out, from which number, as whom, by which trunk, at what price."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.routing.decision import Reason, Rejected
from gateway.routing.number import NumberFormat
from gateway.routing.outbound import OutboundRequest, OutboundRoute, route_outbound
from gateway.routing.plan import Country, NumberingPlan, RangeKind, SpecialRange
from gateway.routing.rating import Rate, RateDeck, RateDecks
from gateway.routing.table import (
    Agent,
    AgentVersion,
    NetworkGroup,
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    RoutingTable,
    Trunk,
    Trunks,
    VersionState,
    Workspace,
)

PLAN = NumberingPlan(
    [Country("US", "United States", "1"), Country("GB", "United Kingdom", "44")],
    [SpecialRange("1900", RangeKind.PREMIUM)],
)

DECK = RateDeck("INR", [("1", Rate("United States", Decimal("0.85")))])

OWN = Trunk(
    "trunk_1", "org_1", "Own", termination_uri="sip.example:5060", number_format=NumberFormat.parse("digits")
)
PROVIDERS = Trunk("trunk_2", None, "Plivo", termination_uri="plivo.example", provider="plivo")

RENTED = PhoneNumber(
    "phn_1",
    "org_1",
    "+14155550100",
    provider="plivo",
    inbound_version_id="ver_1",
    outbound_version_id="ver_1",
)
LINKED = PhoneNumber(
    "phn_2", "org_1", "+442079460018", sip_trunk_enabled=True, trunk_id="trunk_1", outbound_version_id="ver_3"
)
FOREIGN = PhoneNumber("phn_9", "org_2", "+14155550199", outbound_version_id="ver_9")

Route = Callable[..., OutboundRoute]


def version(agent: str, number: int, state: VersionState = VersionState.PUBLISHED) -> AgentVersion:
    """A version of an agent, by its number in the table."""
    ids = {("agent_1", 1): "ver_1", ("agent_1", 2): "ver_2", ("agent_1", 3): "ver_3", ("agent_1", 4): "ver_4"}
    return AgentVersion(ids.get((agent, number), "ver_9"), agent, number, state, ring_duration_sec=25)


@pytest.fixture
def outbound_table(workspace: Workspace) -> RoutingTable:
    """Two numbers of one agent: a rented one as version 1, a linked one as version 3; 2 is a draft."""
    return RoutingTable(
        trunks=Trunks([OWN, PROVIDERS]),
        numbers=(RENTED, LINKED, FOREIGN),
        versions=(
            version("agent_1", 1),
            version("agent_1", 2, VersionState.DRAFT),
            version("agent_1", 3),
            version("agent_9", 1),
        ),
        agents=(
            Agent("agent_1", "org_1", "Sales"),
            Agent("agent_2", "org_1", "Idle"),
            Agent("agent_9", "org_2", "Spy"),
        ),
        workspaces=(replace(workspace, network_groups=(NetworkGroup("US", "All"),)),),
    )


@pytest.fixture
def route(outbound_table: RoutingTable, now: datetime) -> Route:
    """Route a call to the United States, but for what a test says otherwise."""

    def _route(**changes: Any) -> OutboundRoute:
        known = {name: changes.pop(name) for name in ("table", "plan", "deck", "balance") if name in changes}
        request = {"workspace_id": "org_1", "destination": "+12125550123"} | changes
        return route_outbound(
            known.get("table", outbound_table),
            OutboundRequest(**request),
            plan=PLAN,
            now_utc=now,
            decks=RateDecks({}, known.get("deck", DECK)),
            balance=known.get("balance"),
        )

    return _route


def with_rented(table: RoutingTable, **changes: Any) -> RoutingTable:
    """The table with its rented number changed."""
    return replace(table, numbers=(replace(RENTED, **changes), *table.numbers[1:]))


def refusal(route: Route, **changes: Any) -> Rejected:
    """The refusal that such a request gets."""
    with pytest.raises(Rejected) as caught:
        route(**changes)
    return caught.value


def test_a_call_in_order_goes_out(route: Route) -> None:
    """Number, version, trunk, price and limits are all in the route, and the decision says so."""
    found = route(agent_id="agent_1", version_number=1)
    assert (found.number.id, found.version.id, found.trunk.id) == ("phn_1", "ver_1", "trunk_2")
    assert (found.caller_id, found.dialled) == ("+14155550100", "+12125550123")
    assert (found.ring_seconds, found.max_seconds, found.paid_seconds) == (25.0, 600.0, None)
    assert found.quote is not None
    assert found.quote.prefix == "1"
    assert found.decision.lines()[5:] == [
        "✓ from number: “Sales” (agent_1) → +14155550100 (phn_1) is assigned for its outbound calls",
        "✓ number status: active → ready for calls",
        "✓ rental: active → without an end",
        "✓ outbound version: “Sales”, version 1 → published (ver_1)",
        "✓ agent version: “Sales”, version 1 → as asked for (ver_1)",
        "✓ agent: “Sales” → of workspace “Demo” (agent_1)",
        "✓ provider's trunk: “Plivo” → to plivo.example (trunk_2)",
        "✓ price: +12125550123 → 0.85 INR a minute: +12125550123 begins with 1, the longest prefix in the "
        "rate deck (United States)",
        "= allowed: +14155550100 calls +12125550123 by trunk “Plivo”, as version 1 of agent “Sales”",
    ]


def test_without_a_version_the_latest_published_one_speaks(route: Route) -> None:
    """From the number that is assigned to it."""
    found = route(agent_id="agent_1")
    assert (found.version.number, found.number.id) == (3, "phn_2")


def test_without_an_agent_the_number_says_who_speaks(route: Route) -> None:
    """The outbound version of the number, never the inbound one."""
    assert route(from_number="+442079460018").version.id == "ver_3"
    assert route(from_number="442079460018").number.id == "phn_2"


def test_a_number_of_an_older_version_still_calls_as_the_newer_one(
    route: Route, outbound_table: RoutingTable
) -> None:
    """Publishing a version does not take away the agent's number; the decision says which is assigned."""
    found = route(agent_id="agent_1", from_number="+14155550100")
    assert found.version.number == 3
    assert "· agent version: “Sales”, version 1 → assigned to the number (ver_1)" in found.decision.lines()


def test_a_number_in_order_is_preferred(route: Route, outbound_table: RoutingTable) -> None:
    """Of several numbers of an agent, one that is out of order is not taken."""
    out = replace(LINKED, status=NumberStatus.UNAVAILABLE)
    assert (
        route(table=replace(outbound_table, numbers=(RENTED, out)), agent_id="agent_1").number.id == "phn_1"
    )


def test_the_destination_comes_first(route: Route, outbound_table: RoutingTable) -> None:
    """However broken the rest is: the rules of the destination give the reason."""
    broken = with_rented(outbound_table, status=NumberStatus.PENDING, outbound_version_id=None)
    for destination, reason in (
        ("", Reason.DESTINATION_MISSING),
        ("911", Reason.DESTINATION_EMERGENCY),
        ("+442079460018", Reason.COUNTRY_NOT_ENABLED),
        ("+19002345678", Reason.DESTINATION_PREMIUM),
    ):
        rejected = refusal(route, table=broken, from_number="+14155550100", destination=destination)
        assert rejected.reason is reason


def test_a_country_rule_does_not_hide_that_there_is_no_number(route: Route) -> None:
    """The first failure wins; what comes next is told as a near miss, but only where it may have decided."""
    rejected = refusal(route, agent_id="agent_9", destination="+442079460018")
    assert rejected.reason is Reason.COUNTRY_NOT_ENABLED
    assert rejected.decision.near_misses == ("there is no number to call from either: no such agent",)
    premium = refusal(route, agent_id="agent_9", destination="+19002345678")
    found = refusal(route, from_number="+14155550100", destination="+442079460018")
    assert premium.decision.near_misses == found.decision.near_misses == ()


def test_a_sip_trunk_number_goes_by_its_own_trunk_and_past_the_country_rules(route: Route) -> None:
    """Written as the trunk wants it, at the flat rate; premium stays closed."""
    found = route(from_number="+442079460018", destination="+442079460019")
    assert (found.trunk.id, found.dialled) == ("trunk_1", "442079460019")
    assert found.quote is not None
    assert found.quote.prefix is None
    assert refusal(route, from_number="+442079460018", destination="+19002345678").reason is (
        Reason.DESTINATION_PREMIUM
    )


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        ({"workspace_id": "org_7"}, Reason.AGENT_MISSING, "Agent or phone number not found"),
        ({}, Reason.FROM_NUMBER_MISSING, "Neither an agent nor a number to call from is given"),
        ({"agent_id": "agent_7"}, Reason.AGENT_MISSING, "Agent or phone number not found"),
        ({"agent_id": "agent_9"}, Reason.AGENT_MISSING, "Agent or phone number not found"),
        (
            {"agent_id": "agent_2"},
            Reason.NO_OUTBOUND_NUMBER,
            "No outbound phone number is assigned to agent agent_2",
        ),
        (
            {"from_number": "sales"},
            Reason.FROM_NUMBER_UNKNOWN,
            "from_number must be a valid E.164 phone number: it has LATIN SMALL LETTER S (U+0073)",
        ),
        (
            {"from_number": "+14155550177"},
            Reason.CALLER_ID_NOT_ALLOWED,
            "from_number must be a number that this workspace owns or has verified",
        ),
        (
            {"from_number": "+14155550199"},
            Reason.CALLER_ID_NOT_ALLOWED,
            "from_number must be a number that this workspace owns or has verified",
        ),
        (
            {"from_number": "+14155550100", "agent_id": "agent_2"},
            Reason.FROM_NUMBER_OF_OTHER_AGENT,
            "Phone number +14155550100 places its calls as another agent",
        ),
        (
            {"from_number": "+14155550100", "agent_id": "agent_9"},
            Reason.AGENT_MISSING,
            "Agent or phone number not found",
        ),
        (
            {"agent_id": "agent_1", "version_number": 9},
            Reason.VERSION_MISSING,
            "Agent agent_1 has no version 9. Published versions: 1, 3.",
        ),
        (
            {"agent_id": "agent_1", "version_number": 2},
            Reason.VERSION_NOT_PUBLISHED,
            "Version 2 of agent agent_1 is a draft. Publish it before starting a call.",
        ),
        (
            {"agent_id": "agent_1", "version_number": 2, "what": "a batch call"},
            Reason.VERSION_NOT_PUBLISHED,
            "Version 2 of agent agent_1 is a draft. Publish it before starting a batch call.",
        ),
    ],
)
def test_a_request_that_cannot_be_met_is_told_why(
    route: Route, changes: dict[str, Any], reason: Reason, message: str
) -> None:
    """In the reference's words, where it has them; what is another workspace's does not exist."""
    rejected = refusal(route, **changes)
    assert (rejected.reason, rejected.message) == (reason, message)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": NumberStatus.PENDING}, Reason.NUMBER_NOT_ACTIVE),
        ({"rental_status": RentalStatus.EXPIRED}, Reason.RENTAL_EXPIRED),
        ({"rental_status": RentalStatus.AVAILABLE}, Reason.RENTAL_NOT_TAKEN),
        ({"outbound_version_id": None}, Reason.NO_OUTBOUND_VERSION),
        ({"outbound_version_id": "ver_7"}, Reason.VERSION_MISSING),
        ({"outbound_version_id": "ver_2"}, Reason.VERSION_NOT_PUBLISHED),
        ({"provider": "twilio"}, Reason.NO_OUTBOUND_TRUNK),
    ],
)
def test_a_number_out_of_order_calls_nobody(
    route: Route, outbound_table: RoutingTable, changes: dict[str, Any], reason: Reason
) -> None:
    """Each thing that is wrong with a number or its assignment has a reason of its own."""
    broken = with_rented(outbound_table, **changes)
    assert refusal(route, table=broken, from_number="+14155550100").reason is reason


def test_a_rental_that_ended_calls_nobody(route: Route, outbound_table: RoutingTable, now: datetime) -> None:
    """By its date, whatever the status still says."""
    over = with_rented(outbound_table, rental_expires_at=now - timedelta(seconds=1))
    assert refusal(route, table=over, from_number="+14155550100").reason is Reason.RENTAL_EXPIRED


def test_the_inbound_version_never_calls(route: Route, outbound_table: RoutingTable) -> None:
    """Without an outbound version the call is refused, and the near miss says what was not used."""
    rejected = refusal(
        route, table=with_rented(outbound_table, outbound_version_id=None), from_number="+14155550100"
    )
    assert rejected.decision.near_misses == (
        "an inbound version is assigned, but it never places outbound calls",
    )


def test_a_verified_caller_id_is_shown_by_a_number_of_the_agent(
    route: Route, outbound_table: RoutingTable, workspace: Workspace
) -> None:
    """The call goes by the agent's own number and trunk, and shows the verified one."""
    owner = replace(outbound_table.workspaces[0], verified_caller_ids=("+14155550177",))
    table = replace(outbound_table, workspaces=(owner,))
    found = route(table=table, agent_id="agent_1", version_number=1, from_number="+1 415 555 0177")
    assert (found.caller_id, found.number.id) == ("+14155550177", "phn_1")
    assert "verified as caller ID" in "\n".join(found.decision.lines())
    assert refusal(route, table=table, from_number="+14155550177").reason is Reason.FROM_NUMBER_MISSING


@pytest.mark.parametrize(
    ("trunks", "found"),
    [
        ([], "there is none"),
        ([replace(OWN, enabled=False)], "trunk “Own” is disabled"),
        (
            [replace(OWN, termination_uri=None)],
            "trunk “Own” has no termination URI, so it only takes calls in",
        ),
        ([replace(OWN, workspace_id="org_2")], "the trunk belongs to another workspace"),
        ([replace(PROVIDERS, provider="sip_trunk")], "there is none"),
    ],
)
def test_a_sip_trunk_number_never_goes_by_another_trunk(
    route: Route, outbound_table: RoutingTable, trunks: list[Trunk], found: str
) -> None:
    """What passes the country rules on its owner's trunk must not then use somebody else's."""
    rejected = refusal(
        route, table=replace(outbound_table, trunks=Trunks(trunks)), from_number="+442079460018"
    )
    assert rejected.reason is Reason.NO_OUTBOUND_TRUNK
    assert rejected.decision.checks[-1].found == found
    assert rejected.message == "Phone number +442079460018 has no trunk that calls can go out by"


def test_a_destination_without_a_rate_is_refused(route: Route) -> None:
    """But nothing is charged where no deck is loaded at all."""
    number = {"from_number": "+14155550100"}
    assert refusal(route, **number, deck=RateDeck("INR")).reason is Reason.NO_RATE
    assert refusal(route, **number, deck=RateDeck("USD")).reason is Reason.NO_RATE
    assert route(**number, deck=None).quote is None


def test_a_wallet_covers_the_first_minute_or_refuses(route: Route) -> None:
    """The route says how long the balance lasts."""
    number = {"from_number": "+14155550100"}
    assert route(**number, balance=Decimal("1.80")).paid_seconds == 120.0
    rejected = refusal(route, **number, balance=Decimal("0.84"))
    assert (rejected.reason, rejected.message) == (
        Reason.INSUFFICIENT_BALANCE,
        "Insufficient billing wallet balance",
    )


def test_a_request_shortens_a_call_but_never_lengthens_it(route: Route) -> None:
    """Ring time is the request's own; the version's limit holds."""
    number = {"from_number": "+14155550100"}
    found = route(**number, ring_seconds=60, max_seconds=90)
    assert (found.ring_seconds, found.max_seconds) == (60.0, 90.0)
    assert route(**number, max_seconds=5000).max_seconds == 600.0
