"""Refusals: each cause told apart from the outside, by its SIP answer, its record and its log line alone."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.routing.table import Dialect, RoutingTable, Secret, Trunk
from gateway.sip.events import Refused
from gateway.store.calls import CallFilter
from gateway.store.errors import StoreError
from tests.whole.conftest import NUMBER, House, Open, Phone


async def refusal(house: House, phone: Phone, to: str = NUMBER) -> tuple[int, str, str]:
    """Call; the status, its phrase, and the end reason in the record."""
    refused = await phone.refused(to)
    row = await house.record()
    (ended,) = house.named("call.ended")
    assert ended.fields["reason"] == row.end_reason
    assert row.decision is not None
    assert row.decision["reason"] in (row.end_reason, None)
    assert refused.reason_header is not None
    assert refused.reason_phrase in refused.reason_header
    return refused.status, refused.reason_phrase, str(row.end_reason)


async def test_an_unknown_number(house: House, phone: Phone) -> None:
    """A number that nobody has: 404."""
    assert await refusal(house, phone, "+442079460099") == (404, "Number Not Known Here", "unknown_number")


async def test_what_is_no_number(house: House, phone: Phone) -> None:
    """A service code: 484."""
    assert await refusal(house, phone, "*72") == (484, "Number Not Understood", "malformed_number")


async def test_a_missing_plus_never_costs_a_call(house: House, phone: Phone) -> None:
    """The number is normalised before it is compared, whatever the trunk's format says."""
    await phone.call(NUMBER.lstrip("+"))
    await phone.hang_up()
    assert (await house.record()).to_number == NUMBER


async def test_an_expired_rental(house: House, phone: Phone) -> None:
    """By its date alone, before any sweep has said so: 480."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await house.store.configuration.numbers.change("phn_test", {"rental_expires_at": yesterday}, "test")
    assert await refusal(house, phone) == (480, "Number Rental Expired", "rental_expired")


async def test_a_number_that_is_not_active(house: House, phone: Phone) -> None:
    """Pending: 480, with words of its own."""
    await house.store.configuration.numbers.change("phn_test", {"status": "pending"}, "test")
    assert await refusal(house, phone) == (480, "Number Not Active", "number_not_active")


async def test_no_inbound_assignment(house: House, phone: Phone) -> None:
    """The outbound version never answers; that there is one is told as a near miss."""
    numbers = house.store.configuration.numbers
    version = (await numbers.get("phn_test")).inbound_version_id
    assert version is not None
    await numbers.assign("phn_test", "outbound", version, "test")
    await numbers.unassign("phn_test", "inbound", "test")
    assert await refusal(house, phone) == (480, "No Inbound Agent Assigned", "no_inbound_version")
    decision = (await house.record()).decision
    assert decision is not None
    assert "never answers inbound calls" in str(decision["near_misses"])


async def test_a_wrong_source_gets_silence_and_a_log_line(open_house: Open) -> None:
    """An address of no trunk: nothing on the wire, no record, one line that says which trunk was near."""
    house = await open_house()
    await house.furnish(trunk={"sources": ("127.0.0.9",)})
    phone = Phone(house)
    await phone.dial()
    with pytest.raises(TimeoutError):
        await phone.expect(Refused, seconds=0.5)
    await phone.close()
    assert not [data for ours, _, data in phone.messages if not ours]
    assert not await house.records()
    ignored = house.named("sip.ignored")
    assert ignored[0].fields["reason"] == "unknown_source"
    assert "127.0.0.1 is not in its list (127.0.0.9)" in str(ignored[0].fields["near_misses"])
    assert house.gateway.endpoint.user_agent.counters["ignored.unknown_source"] >= 1
    assert not house.gateway.endpoint.user_agent.transaction_count


async def test_a_wrong_source_can_be_refused_instead(open_house: Open) -> None:
    """With `unknown_sources = "refuse"` it gets 403."""
    house = await open_house(sip__unknown_sources="refuse")
    await house.furnish(trunk={"sources": ("127.0.0.9",)})
    phone = Phone(house)
    refused = await phone.refused()
    await phone.close()
    assert (refused.status, refused.reason_phrase) == (403, "Source Not Allowed")


async def test_a_full_trunk_says_when_to_try_again(open_house: Open) -> None:
    """Beyond the channel limit 503 with Retry-After; a place that is given back is a place."""
    house = await open_house()
    await house.furnish(trunk={"channel_limit": 1})
    first, second, third = Phone(house), Phone(house), Phone(house)
    await first.call()
    refused = await second.refused()
    assert (refused.status, refused.reason_phrase) == (503, "Trunk Channel Limit")
    assert dict(refused.headers)["Retry-After"].isdecimal()
    await first.hang_up()
    await house.records()
    await third.call()
    await third.hang_up()
    assert [row.end_reason for row in await house.records()] == [
        "user_disconnected",
        "trunk_channel_limit",
        "user_disconnected",
    ]
    for phone in (first, second, third):
        await phone.close()


async def test_a_trunk_has_its_pace(open_house: Open) -> None:
    """Beyond the calls per second 503 with Retry-After."""
    house = await open_house()
    await house.furnish(trunk={"calls_per_second": 0.5})
    first, second = Phone(house), Phone(house)
    await first.call()
    refused = await second.refused()
    assert (refused.status, refused.reason_phrase) == (503, "Trunk Calls Per Second Limit")
    await first.hang_up()
    await house.records()
    for phone in (first, second):
        await phone.close()


async def test_a_runtime_that_nobody_runs(open_house: Open) -> None:
    """503 before any answer, with the URL and the cause in the record."""
    house = await open_house()
    await house.furnish(runtime_url="ws://127.0.0.1:9/")
    phone = Phone(house)
    status, phrase, reason = await refusal(house, phone)
    await phone.close()
    assert (status, phrase, reason) == (503, "Agent Runtime Not Reachable", "agent_unreachable")
    assert "ws://127.0.0.1:9/" in (await house.record()).detail


async def test_no_common_codec(house: House, phone: Phone) -> None:
    """An offer of G.729 alone: 488."""
    offer = (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 40000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n"
    )
    await phone.dial(body=offer)
    assert (await phone.expect(Refused)).status == 488
    assert (await house.record()).end_reason == "no_common_codec"


async def test_a_session_that_makes_no_sense(house: House, phone: Phone) -> None:
    """A body that is no SDP: 400."""
    await phone.dial(body=b"hello")
    refused = await phone.expect(Refused)
    assert (refused.status, refused.reason_phrase) == (400, "Session Description Not Understood")
    assert (await house.record()).end_reason == "bad_session"


async def test_a_change_counts_for_the_next_call(house: House, phone: Phone) -> None:
    """A version that was published and assigned a moment ago answers, without a restart."""
    book = house.store.configuration
    fields = {"runtime_url": house.agents.url("new"), "dialect": Dialect.TWILIO}
    draft = await book.agents.draft("agent_test", fields, "test")
    version = await book.agents.publish(draft.id, "test")
    await book.numbers.assign("phn_test", "inbound", version.id, "test")
    await phone.call()
    await phone.hang_up()
    assert (await house.record()).version_number == 2
    assert house.agents.calls[0].said[0]["event"] == "connected"


async def test_a_401_always_carries_a_challenge(open_house: Open) -> None:
    """Where only one of a source's trunks asks for credentials, its number is challenged, not refused."""
    house = await open_house()
    await house.furnish(trunk={"username": "carrier", "password": Secret("secret")})
    book = house.store.configuration
    open_trunk = Trunk("trunk_open", "org_test", "open", sources=("127.0.0.1",))
    await book.trunks.add(open_trunk, "test")
    await book.numbers.change("phn_test", {"trunk_id": "trunk_test"}, "test")
    await house.store.refresh()
    phone = Phone(house)
    refused = await phone.refused()
    await phone.close()
    assert refused.status == 401
    assert [name for name, _ in refused.headers].count("WWW-Authenticate") == 2
    await house.store.flush()
    assert not (await house.store.list_calls(CallFilter())).calls, "a challenge is no call yet"


async def test_a_database_that_is_away(house: House, phone: Phone) -> None:
    """503 with its own words where nothing is known of the number; no crash is told."""

    async def away(called: str) -> RoutingTable:
        raise StoreError("the database does not answer")

    house.store.routing_table = away  # type: ignore[method-assign]
    refused = await phone.refused()
    assert (refused.status, refused.reason_phrase) == (503, "Routing Database Not Reachable")
    assert (await house.record()).end_reason == "store_unavailable"
