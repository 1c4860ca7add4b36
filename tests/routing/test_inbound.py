"""Who may call in, and who answers."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.routing.decision import Reason, Rejected
from gateway.routing.inbound import (
    Credentials,
    CredentialState,
    InboundRoute,
    match_source,
    route_inbound,
)
from gateway.routing.number import NumberFormat
from gateway.routing.table import (
    Agent,
    AgentVersion,
    NumberStatus,
    PhoneNumber,
    RentalStatus,
    RoutingTable,
    Secret,
    Trunk,
    Trunks,
    VersionState,
)

Route = Callable[..., InboundRoute]


@pytest.fixture
def route(table: RoutingTable, now: datetime) -> Route:
    """Route a call to the number in order, but for what a test says otherwise."""

    def _route(**changes: Any) -> InboundRoute:
        arguments: dict[str, Any] = {
            "called": "+14155550123",
            "caller": "+442079460018",
            "source": "192.0.2.1",
            "now_utc": now,
        } | changes
        return route_inbound(arguments.pop("table", table), **arguments)

    return _route


def with_number(table: RoutingTable, **changes: Any) -> RoutingTable:
    """The table with its first number changed."""
    return replace(table, numbers=(replace(table.numbers[0], **changes), *table.numbers[1:]))


def with_trunks(table: RoutingTable, *trunks: Trunk) -> RoutingTable:
    """The table with other trunks."""
    return replace(table, trunks=Trunks(trunks))


def refusal(route: Route, **changes: Any) -> Rejected:
    """The refusal that such a call gets."""
    with pytest.raises(Rejected) as caught:
        route(**changes)
    return caught.value


def test_a_call_in_order_reaches_the_inbound_version(route: Route) -> None:
    """Trunk, number, inbound version, agent and caller are all in the route, and the decision says so."""
    found = route()
    assert (found.trunk.id, found.number.id, found.version.id, found.agent.id) == (
        "trunk_1",
        "phn_1",
        "ver_1",
        "agent_1",
    )
    assert (found.caller, found.called, found.max_seconds) == ("+442079460018", "+14155550123", 600.0)
    assert found.decision.lines() == [
        "✓ source address: 192.0.2.1 → in 192.0.2.0/29 of trunk “Carrier”",
        "✓ credentials: none sent → trunk “Carrier” asks for none",
        "✓ dialled number: +14155550123 → +14155550123, with its plus",
        "✓ number: +14155550123 → by trunk “Carrier” (trunk_1), number phn_1",
        "✓ number status: active → ready for calls",
        "✓ rental: active → without an end",
        "✓ inbound version: “Reception”, version 1 → published (ver_1)",
        "✓ agent: “Reception” → of workspace “Demo” (agent_1)",
        "· caller: +442079460018 → +442079460018",
        "= allowed: +14155550123 is answered by version 1 of agent “Reception”",
    ]


@pytest.mark.parametrize(
    "called",
    [
        "14155550123",
        "0014155550123",
        "01114155550123",
        "sip:14155550123@gw",
        "tel:+1-415-555-0123",
        "1 (415) 555-0123",
    ],
)
def test_another_writing_never_costs_a_call(route: Route, called: str) -> None:
    """A missing plus, an access code or separators are read leniently."""
    assert route(called=called).called == "+14155550123"


def test_a_lenient_reading_is_told(route: Route) -> None:
    """The decision says how the number was read, so that the trunk can be set right."""
    text = "\n".join(route(called="14155550123").decision.lines())
    assert "dialled number: 14155550123 → +14155550123, without its plus; read leniently" in text
    assert "the trunk's format is plus" in text


def test_six_broken_configurations_are_told_apart(route: Route, table: RoutingTable, now: datetime) -> None:
    """Each of the mistakes a new user makes is named by the decision's text alone."""
    yesterday = now - timedelta(days=1)
    broken: dict[str, dict[str, Any]] = {
        "192.0.2.77": {"source": "192.0.2.77"},
        "should be national": {"called": "4155550123"},
        "the rental expired on 2026-11-22": {"table": with_number(table, rental_expires_at=yesterday)},
        "version 3 is a draft": {"table": with_number(table, inbound_version_id="ver_3")},
        "no inbound agent version is assigned": {"table": with_number(table, inbound_version_id=None)},
        "no workspace has this number": {"called": "+14155550199"},
    }
    texts = {
        words: "\n".join(refusal(route, **changes).decision.lines()) for words, changes in broken.items()
    }
    for words in broken:
        assert [text for text in texts.values() if words in text] == [texts[words]]


def test_an_unknown_source_names_the_trunk_that_was_meant(route: Route) -> None:
    """The trunk of the dialled number is offered, with its list."""
    rejected = refusal(route, source="198.51.100.9")
    assert rejected.reason is Reason.UNKNOWN_SOURCE
    assert rejected.decision.near_misses == (
        "trunk “Carrier” would match, but 198.51.100.9 is not in its list (192.0.2.0/29, 2001:db8::/48)",
    )


def test_an_unknown_source_close_by_names_the_trunk(route: Route) -> None:
    """Another host of the carrier's network is offered even when the number is unknown."""
    near = refusal(route, source="192.0.2.77", called="+15005550006").decision.near_misses
    assert near[0].startswith("trunk “Carrier” would match, but 192.0.2.77")


@pytest.mark.parametrize("source", ["::ffff:192.0.2.1", "[2001:db8::7]", "2001:db8::7%eth0"])
def test_an_address_is_the_same_in_each_writing(route: Route, source: str) -> None:
    """IPv4-mapped addresses, brackets and scopes do not hide a known source."""
    assert route(source=source).trunk.id == "trunk_1"


def test_what_is_no_address_is_an_unknown_source(route: Route) -> None:
    """A source that is not an address at all is refused like any stranger."""
    assert refusal(route, source="carrier.example").reason is Reason.UNKNOWN_SOURCE


def test_a_disabled_trunk_takes_no_calls(route: Route, table: RoutingTable, trunk: Trunk) -> None:
    """Its addresses are known, but the refusal says that the trunk is disabled."""
    rejected = refusal(route, table=with_trunks(table, replace(trunk, enabled=False)))
    assert rejected.reason is Reason.TRUNK_DISABLED
    assert "disabled" in rejected.message


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        (Credentials(), Reason.CREDENTIALS_REQUIRED),
        (Credentials(CredentialState.WRONG, "alice"), Reason.BAD_CREDENTIALS),
        (Credentials(CredentialState.STALE, "alice"), Reason.STALE_CREDENTIALS),
        (Credentials(CredentialState.VERIFIED, "bob"), Reason.BAD_CREDENTIALS),
        (Credentials(CredentialState.VERIFIED, "alice"), None),
    ],
)
def test_credentials_are_held_to_the_trunk(
    route: Route, table: RoutingTable, trunk: Trunk, credentials: Credentials, reason: Reason | None
) -> None:
    """Only the trunk's own user passes, and each failure has its own reason."""
    guarded = with_trunks(table, replace(trunk, username="alice", password=Secret("secret")))
    if reason is None:
        assert route(table=guarded, credentials=credentials).trunk.id == "trunk_1"
    else:
        assert refusal(route, table=guarded, credentials=credentials).reason is reason


def test_a_guarded_trunk_is_not_reached_beside_an_open_one(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """Two tenants of one carrier: the open trunk of the one does not let calls to the other through."""
    guarded = replace(trunk, username="alice", password=Secret("secret"))
    neighbour = Trunk("trunk_2", "org_2", "Neighbour", sources=trunk.sources)
    both = with_trunks(table, neighbour, guarded)
    assert refusal(route, table=both).reason is Reason.CREDENTIALS_REQUIRED
    proof = Credentials(CredentialState.VERIFIED, "alice")
    assert route(table=both, credentials=proof).trunk.id == "trunk_1"


def test_tenants_of_one_carrier_are_told_apart_by_number(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """Of several trunks with the same addresses, the one that carries the number is meant."""
    neighbour = Trunk("trunk_2", "org_2", "Neighbour", sources=("192.0.2.1",))
    assert route(table=with_trunks(table, neighbour, trunk)).trunk.id == "trunk_1"


def test_a_number_of_another_workspace_is_not_reached(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """The neighbour's trunk does not reach our number, and is not told whose it is."""
    rejected = refusal(route, table=with_trunks(table, replace(trunk, workspace_id="org_2")))
    assert rejected.reason is Reason.NUMBER_IN_OTHER_WORKSPACE
    assert "org_1" not in str(rejected.decision.as_dict())
    assert "Demo" not in str(rejected.decision.as_dict())


def test_a_number_comes_in_by_its_own_trunk(route: Route, table: RoutingTable, trunk: Trunk) -> None:
    """Another trunk of the same workspace is refused, naming the right one."""
    other = replace(trunk, id="trunk_2", name="Other")
    rejected = refusal(route, table=with_trunks(table, other, replace(trunk, sources=("198.51.100.1",))))
    assert rejected.reason is Reason.NUMBER_ON_OTHER_TRUNK
    assert (
        rejected.message == "comes in by trunk “Carrier”, not by “Other”" or "“Carrier”" in rejected.message
    )


@pytest.mark.parametrize("workspace_id", [None, "org_1"])
def test_a_number_without_a_trunk_comes_in_by_any_that_serves_its_workspace(
    route: Route, table: RoutingTable, trunk: Trunk, workspace_id: str | None
) -> None:
    """The operator's trunk, or any of the workspace."""
    free = with_number(with_trunks(table, replace(trunk, workspace_id=workspace_id)), trunk_id=None)
    assert route(table=free).number.id == "phn_1"


@pytest.mark.parametrize(
    "called", ["*72", "911", "+112", "22395", "alice", "", "9" * 65, "anonymous", "+1\u0661"]
)
def test_what_is_no_number_is_malformed(route: Route, called: str) -> None:
    """Service codes, short codes, names and rubbish are told apart from unknown numbers."""
    assert refusal(route, called=called).reason is Reason.MALFORMED_NUMBER


def test_an_unknown_number_offers_those_that_end_alike(route: Route) -> None:
    """A mistyped country or area code is seen at a glance."""
    rejected = refusal(route, called="+12125550123")
    assert rejected.reason is Reason.UNKNOWN_NUMBER
    assert rejected.decision.near_misses == ("+14155550123 has the same last 7 digits",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": NumberStatus.PENDING}, Reason.NUMBER_NOT_ACTIVE),
        ({"status": NumberStatus.UNAVAILABLE}, Reason.NUMBER_NOT_ACTIVE),
        ({"rental_status": RentalStatus.EXPIRED}, Reason.RENTAL_EXPIRED),
        ({"rental_status": RentalStatus.AVAILABLE}, Reason.RENTAL_NOT_TAKEN),
        ({"inbound_version_id": None}, Reason.NO_INBOUND_VERSION),
        ({"inbound_version_id": "ver_9"}, Reason.VERSION_MISSING),
        ({"inbound_version_id": "ver_3"}, Reason.VERSION_NOT_PUBLISHED),
    ],
)
def test_a_number_out_of_order_is_refused(
    route: Route, table: RoutingTable, changes: dict[str, Any], reason: Reason
) -> None:
    """Each thing that is wrong with a number or its assignment has a reason of its own."""
    assert refusal(route, table=with_number(table, **changes)).reason is reason


def test_a_rental_ends_by_its_date(route: Route, table: RoutingTable, now: datetime) -> None:
    """Whatever the rental status still says; until that moment calls are answered."""
    assert route(table=with_number(table, rental_expires_at=now + timedelta(seconds=1))).number.id == "phn_1"
    assert refusal(route, table=with_number(table, rental_expires_at=now)).reason is Reason.RENTAL_EXPIRED


def test_the_outbound_version_never_answers(route: Route, table: RoutingTable) -> None:
    """Without an inbound version the call is refused, and the near miss says what was not used."""
    rejected = refusal(route, table=with_number(table, inbound_version_id=None))
    assert rejected.decision.near_misses == (
        "an outbound version is assigned, but it never answers inbound calls",
    )


def test_a_draft_names_the_published_version(route: Route, table: RoutingTable) -> None:
    """Whoever assigned a draft probably meant the latest published one."""
    near = refusal(route, table=with_number(table, inbound_version_id="ver_3")).decision.near_misses
    assert near == ("version 2 (ver_2) of the same agent is published",)


def test_an_agent_that_is_gone_or_a_strangers_is_refused(route: Route, table: RoutingTable) -> None:
    """A version without its agent, or with one of another workspace, answers nobody."""
    assert refusal(route, table=replace(table, agents=())).reason is Reason.AGENT_MISSING
    assert refusal(route, table=replace(table, workspaces=())).reason is Reason.AGENT_MISSING
    stranger = replace(table, agents=(Agent("agent_1", "org_2", "Spy"),))
    assert refusal(route, table=stranger).reason is Reason.AGENT_MISSING


@pytest.mark.parametrize("caller", ["anonymous", "", "Restricted", "sip:anonymous@anonymous.invalid"])
def test_callers_may_withhold_their_number(route: Route, caller: str) -> None:
    """An anonymous caller is a caller like any other."""
    assert route(caller=caller).caller is None


def test_the_asserted_caller_counts_only_where_trusted(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """P-Asserted-Identity is used on a trusted trunk, and visibly ignored on any other."""
    trusting = with_trunks(table, replace(trunk, trust_pai=True))
    arguments = {"caller": "anonymous", "asserted": ["tel:+442079460018"]}
    assert route(table=trusting, **arguments).caller == "+442079460018"
    doubting = route(**arguments)
    assert doubting.caller is None
    assert any("ignored" in line for line in doubting.decision.lines())


def test_the_tech_prefix_is_the_called_numbers_only(route: Route, table: RoutingTable, trunk: Trunk) -> None:
    """A caller whose number begins like the tech prefix keeps it."""
    prefixed = with_trunks(table, replace(trunk, number_format=NumberFormat.parse("digits;tech=44")))
    found = route(table=prefixed, called="4414155550123", caller="442079460018")
    assert (found.called, found.caller) == ("+14155550123", "+442079460018")


def test_what_strangers_send_is_shown_short_and_printable(route: Route) -> None:
    """Terminal escapes and floods do not get into decisions."""
    decision = refusal(route, called="\x1b[31m" + "5" * 60_000).decision
    assert all(len(line) < 300 and line.isprintable() for line in decision.lines())


def test_the_match_tells_whether_to_challenge(trunk: Trunk) -> None:
    """A challenge goes out when no trunk of the address can do without credentials."""
    guarded = replace(trunk, id="trunk_2", username="alice", password=Secret("secret"))
    assert not match_source(Trunks([trunk, guarded]), "192.0.2.1").needs_credentials
    match = match_source(Trunks([guarded]), "192.0.2.1")
    assert match.needs_credentials
    assert match.password_of("alice") == "secret"
    assert match.password_of("bob") is None
    assert not match_source(Trunks([trunk]), "198.51.100.1")


def test_many_tenants_of_one_carrier_make_a_short_decision(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """Five hundred trunks with the same addresses are summed up, not listed."""
    crowd = [replace(trunk, id=f"trunk_{i}", workspace_id=None, name=f"T{i}") for i in range(2, 500)]
    found = route(table=with_trunks(table, *crowd, trunk))
    assert found.trunk.id == "trunk_1"
    assert found.decision.checks[0].found == "in 192.0.2.0/29 of trunk “T2”, “T3”, “T4” and 496 more"


@pytest.mark.parametrize("theirs", [{"username": "bob", "password": Secret("x")}, {}, {"enabled": False}])
@pytest.mark.parametrize("called", ["+14155550123", "+14155550199", "+12025550100", "no number"])
def test_a_decision_names_only_what_its_workspace_may_know(
    route: Route, table: RoutingTable, trunk: Trunk, theirs: dict[str, Any], called: str
) -> None:
    """Whatever becomes of a call, its workspace reads of its own and shared trunks, never of another's."""
    narrow = replace(
        trunk, id="trunk_9", workspace_id="org_9", name="Theirs", sources=("192.0.2.1/32",), **theirs
    )
    shared = replace(trunk, id="trunk_8", workspace_id=None, name="Shared", sources=("192.0.2.0/30",))
    number = PhoneNumber("phn_9", "org_9", "+14155550199", trunk_id="trunk_9", inbound_version_id="ver_1")
    both = replace(table, numbers=(*table.numbers, number))
    for others in ((narrow,), (narrow, shared)):
        try:
            decision, whose = route(table=with_trunks(both, *others, trunk), called=called).decision, "org_1"
        except Rejected as refusal:
            decision, whose = refusal.decision, str(refusal.subject.workspace_id)
        told = "\n".join(decision.lines())
        assert whose != "org_1" or not re.search(r"Theirs|192\.0\.2\.1/32", told), told
        if called == "+14155550123":
            assert "“Carrier”" in told


def test_who_reads_of_credentials_reads_of_its_own_trunks_alone(
    route: Route, table: RoutingTable, trunk: Trunk
) -> None:
    """An address that two workspaces share: the refusal is the number's workspace's, and names its trunk."""
    theirs = replace(
        trunk, id="trunk_9", workspace_id="org_9", name="Theirs", username="bob", password=Secret("x")
    )
    number = PhoneNumber("phn_9", "org_9", "+14155550199", trunk_id="trunk_9")
    refused = refusal(
        route, table=replace(with_trunks(table, theirs, trunk), numbers=(number,)), called=number.e164
    )
    assert refused.reason is Reason.CREDENTIALS_REQUIRED
    assert refused.subject.workspace_id == "org_9"
    assert trunk.name not in "\n".join(refused.decision.lines())
    assert "trunk “Theirs” asks for digest credentials" in refused.decision.summary


def test_the_versions_limit_is_the_routes(route: Route, table: RoutingTable) -> None:
    """How long the call may take comes from the version that answers."""
    short = AgentVersion("ver_1", "agent_1", 1, VersionState.PUBLISHED, max_call_duration_sec=60)
    assert route(table=replace(table, versions=(short,))).max_seconds == 60.0


def test_a_number_is_shown_without_its_nickname(
    route: Route, table: RoutingTable, number: PhoneNumber
) -> None:
    """The id alone: a nickname changes no decision, so a table in memory may have the one before."""
    found = route(table=with_number(table, nickname="Front desk")).decision.checks[3].found
    assert found == f"by trunk “Carrier” (trunk_1), number {number.id}"


@pytest.mark.parametrize(
    ("asserted", "caller"),
    [
        (["alice", "+442079460018"], "+442079460018"),
        (["tel:anonymous", "sip:+442079460018@carrier.example"], "+442079460018"),
        (["2079460018;phone-context=+44"], "+442079460018"),
        (["alice"], "+14155550199"),
        ([], "+14155550199"),
    ],
)
def test_the_asserted_value_with_a_number_wins(
    route: Route, table: RoutingTable, trunk: Trunk, asserted: list[str], caller: str
) -> None:
    """Whichever of them it is; without one the caller is who From says."""
    trusting = with_trunks(table, replace(trunk, trust_pai=True))
    assert route(table=trusting, caller="+14155550199", asserted=asserted).caller == caller


@pytest.mark.parametrize(
    ("caller", "called", "writing", "e164"),
    [
        ("2025550190", "+14155550123", "plus", None),
        ("4155550190", "+14155550123", "plus", None),
        ("02079460018", "+14155550123", "plus", None),
        ("01179460018", "+14155550123", "plus", None),
        ("442079460018", "+14155550123", "plus", None),
        ("442079460018", "14155550123", "plus", "+442079460018"),
        ("442079460018", "+14155550123", "digits", "+442079460018"),
        ("00442079460018", "+14155550123", "plus", "+442079460018"),
        ("+442079460018", "14155550123", "digits", "+442079460018"),
        ("2025550190", "4155550123", "national:US", "+12025550190"),
        ("2025550190;phone-context=+1", "+14155550123", "plus", "+12025550190"),
        ("2025550190;phone-context=%2B1", "+14155550123", "plus", "+12025550190"),
        ("2025550190;phone-context=carrier.example", "+14155550123", "digits", None),
        ("2025550190;phone-context=carrier.example", "4155550123", "national:US", "+12025550190"),
    ],
)
def test_a_caller_is_an_international_number_where_something_says_so(
    route: Route,
    table: RoutingTable,
    trunk: Trunk,
    caller: str,
    called: str,
    writing: str,
    e164: str | None,
) -> None:
    """A plus, a context, the trunk's format, the access code 00, or the called number of the same call."""
    trunks = with_trunks(table, replace(trunk, number_format=NumberFormat.parse(writing)))
    found = route(table=trunks, caller=caller, called=called)
    assert (found.caller, found.caller_raw) == (e164, caller)


@pytest.mark.parametrize(
    "called",
    [
        "4155550123;phone-context=+1",
        "555-0123;phone-context=+1-415",
        "tel:4155550123;phone-context=+1",
        "sip:4155550123;phone-context=+1@gw.example;user=phone",
    ],
)
def test_a_called_number_may_be_local_to_a_context(route: Route, called: str) -> None:
    """What it is local to stands before it (RFC 3966 section 5.1.5)."""
    assert route(called=called).called == "+14155550123"


def test_a_called_number_local_to_a_domain_claims_nothing(route: Route) -> None:
    """What a carrier's own domain calls a number is not known here."""
    rejected = refusal(route, called="14155550123;phone-context=carrier.example")
    assert rejected.reason is Reason.MALFORMED_NUMBER
    assert "local to carrier.example" in rejected.message


def test_a_caller_who_wants_to_be_nobody_is_nobody(route: Route, table: RoutingTable, trunk: Trunk) -> None:
    """Not for the agent, nor in the decision; the operator's trunk may say otherwise."""
    trusting = replace(trunk, trust_pai=True)
    who = {"caller": "+442079460018", "asserted": ["+442079460019"], "private": True}
    found = route(table=with_trunks(table, trusting), **who)
    assert (found.caller, found.caller_raw, found.withheld) == (None, "anonymous", "+442079460019")
    assert "4420794600" not in str(found.decision.as_dict())
    revealing = replace(trusting, reveal_withheld=True)
    shown = route(table=with_trunks(table, revealing), **who)
    assert (shown.caller, shown.withheld) == ("+442079460019", "")
