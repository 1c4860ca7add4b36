"""The last rule about a destination: who does not want to be called is not, whatever the route."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gateway.routing.decision import Reason
from gateway.routing.do_not_call import Listed
from gateway.routing.outbound import OutboundRoute
from gateway.routing.table import RoutingTable
from tests.routing.test_outbound import outbound_table, refusal, route

__all__ = ["outbound_table", "route"]

Route = Callable[..., OutboundRoute]
CALLED = "+12125550123"
LISTED = Listed(CALLED, "asked us on 3 May", "api:key_1", datetime(2026, 5, 3, tzinfo=UTC))


def with_list(table: RoutingTable, listed: Listed | None) -> RoutingTable:
    """The table of a workspace that has a list, which says this of the called number."""
    return replace(table, has_do_not_call=True, listed=listed)


def test_a_listed_number_is_not_called(route: Route, outbound_table: RoutingTable) -> None:
    """The decision says since when and why, and that nothing else was in the way."""
    refused = refusal(route, agent_id="agent_1", table=with_list(outbound_table, LISTED))
    assert refused.reason is Reason.DO_NOT_CALL
    assert refused.message == "Destination is on the do-not-call list of this workspace"
    lines = refused.decision.lines()
    why = "on the list since 2026-05-03: “asked us on 3 May”"
    assert lines[-3] == f"✗ do-not-call list: {CALLED} → {why}"
    assert lines[-2] == f"? all rules of the destination but this one let {CALLED} be called"


def test_no_route_goes_around_it(route: Route, outbound_table: RoutingTable) -> None:
    """A SIP trunk number skips the rules for countries, and not this one; a reason need not be there."""
    table = with_list(outbound_table, replace(LISTED, reason=""))
    refused = refusal(route, from_number="+442079460018", table=table)
    assert refused.decision.checks[-1].found == "on the list since 2026-05-03"


def test_the_rules_before_it_come_first(route: Route, outbound_table: RoutingTable) -> None:
    """What may not be called in any case is refused for that."""
    far = replace(LISTED, phone_number="+442079460000")
    table = with_list(outbound_table, far)
    refused = refusal(route, agent_id="agent_1", version_number=1, destination="+442079460000", table=table)
    assert refused.reason is Reason.COUNTRY_NOT_ENABLED


def test_others_are_called(route: Route, outbound_table: RoutingTable) -> None:
    """The decision says that the list was asked; of a list that is empty it says nothing."""

    def about_it(**changes: Any) -> list[str]:
        return [
            line for line in route(agent_id="agent_1", **changes).decision.lines() if "do-not-call" in line
        ]

    asked = [f"✓ do-not-call list: {CALLED} → not on the list"]
    assert about_it(table=with_list(outbound_table, None)) == asked
    other = replace(LISTED, phone_number="+12125550124")
    assert about_it(table=with_list(outbound_table, other)) == asked, (
        "another number's entry is not this one's"
    )
    assert about_it() == []
