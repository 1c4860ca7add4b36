"""Who may call in, and what everybody else learns: on the wire, in the log and in the record."""

import asyncio
import secrets
import socket
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from gateway.routing.table import NumberStatus, PhoneNumber, RoutingTable, Secret, Trunk
from gateway.sip.authenticator import Authenticator
from gateway.sip.digest import Challenge, answer
from gateway.sip.events import ByeReceived
from gateway.sip.settings import Login
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallFilter
from tests.call.conftest import Build, MakePhone
from tests.call.phone import Phone, until
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World

EXPIRED, DRAFT, UNASSIGNED, PENDING = (f"+1212555010{digit}" for digit in (2, 3, 4, 5))


@pytest.mark.both_loops
async def test_broken_configurations(world: World, agent: Runtime, phone: Phone) -> None:
    """Each is told apart by its SIP answer alone, and by its one log event alone."""
    await world.line()
    numbers = world.gateway.store.configuration.numbers
    ready = await world.version()
    draft = await world.version(publish=False)
    for e164, fields in {
        EXPIRED: {
            "inbound_version_id": ready.id,
            # By its date alone, before any sweep has said so.
            "rental_expires_at": datetime.now(UTC) - timedelta(days=1),
        },
        PENDING: {"inbound_version_id": ready.id, "status": NumberStatus.PENDING},
        UNASSIGNED: {"outbound_version_id": ready.id},
    }.items():
        await numbers.add(PhoneNumber(new_id("phn"), world.workspace.id, e164, **fields), "test")  # type: ignore[arg-type]
    await numbers.add(PhoneNumber(new_id("phn"), world.workspace.id, DRAFT), "test")
    # No interface lets a draft be assigned; a database that was edited by hand can have one.
    await _assign_by_hand(world, DRAFT, draft.id)
    outcomes = {}
    for dialled in ("+13125550101", EXPIRED, DRAFT, UNASSIGNED, PENDING, "nobody", "*72"):
        refused = await phone.invite(world.at(), dialled).refused()
        assert refused.reason_phrase in (refused.reason_header or "")
        row = (await world.records())[-1]
        assert row.sip_status == refused.status
        ended = world.told("call.ended")[-1]
        assert ended.fields["refused"] is True
        assert ended.fields["detail"]
        assert row.decision is not None
        assert row.decision["reason"] == row.end_reason == ended.fields["reason"]
        outcomes[row.end_reason] = (refused.status, refused.reason_phrase)
    assert outcomes == {
        "unknown_number": (404, "Number Not Known Here"),
        "rental_expired": (480, "Number Rental Expired"),
        "version_not_published": (480, "Assigned Agent Version Not Published"),
        "no_inbound_version": (480, "No Inbound Agent Assigned"),
        "number_not_active": (480, "Number Not Active"),
        "malformed_number": (484, "Number Not Understood"),
    }
    assert agent.requests == []
    decisions = {event.fields["reason"]: str(event.fields["decision"]) for event in world.told("call.ended")}
    assert NUMBER in decisions["unknown_number"], "what was probably meant"
    assert "never answers inbound calls" in decisions["no_inbound_version"]


async def test_a_number_without_plus(world: World, phone: Phone) -> None:
    """It reaches its agent all the same."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER.removeprefix("+"))
    await leg.answered()
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert row.to_number == NUMBER


async def test_a_wrong_source(world: World, make_phone: MakePhone) -> None:
    """Silence on the wire; in the log the address, the number, and which trunk would have let it in."""
    await world.line()
    stranger = await make_phone("127.0.0.2")
    stranger.invite(world.at(), NUMBER)
    event = await world.hears("sip.ignored")
    await asyncio.sleep(0.3)
    assert all(sent for _, sent, _ in stranger.trace)
    assert str(event.fields["source"]).startswith("127.0.0.2:")
    assert "Carrier" in str(event.fields["near_misses"])
    assert event.fields["reason"] == "unknown_source"
    assert world.told("call.received") == []
    agent = world.gateway.endpoint.user_agent
    assert agent.counters["ignored.unknown_source"] > 0
    assert (agent.dialog_count, agent.transaction_count) == (0, 0)


async def test_a_wrong_source_can_be_refused_instead(build: Build, make_phone: MakePhone) -> None:
    """With `unknown_sources = "refuse"` it gets 403."""
    world = await build(SIP__UNKNOWN_SOURCES="refuse")
    stranger = await make_phone("127.0.0.2")
    refused = await stranger.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (403, "Source Not Allowed")


async def test_a_database_that_is_away(world: World, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with its own words where nothing is known of the number; no crash is told."""

    async def away(called: str) -> RoutingTable:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(world.store, "routing_table", away)
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Routing Database Not Reachable")
    assert (await world.record()).end_reason == "store_unavailable"


async def test_a_stranger_cannot_touch_a_call(world: World, agent: Runtime, phone: Phone) -> None:
    """A BYE for a running call from another socket, with the wrong tags, changes nothing."""
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await agent.talk()
    target = world.at()
    forged = (
        f"BYE sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1\r\n"
        f"From: <sip:a@b>;tag=guess\r\nTo: <sip:c@d>;tag=guess\r\nCall-ID: {leg.dialog.call_id}\r\n"
        f"CSeq: 9 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(forged.encode(), (target.host, target.port or 0))
    await asyncio.sleep(0.1)
    assert world.gateway.switchboard.active == 1
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_credentials(world: World, phone: Phone) -> None:
    """A trunk with a login is challenged; with the right password the call goes through."""
    await world.line()
    await world.change_trunk(username="carrier", password=Secret("a secret"))
    leg = phone.invite(world.at(), NUMBER, login=Login("carrier", "a secret"))
    await leg.answered()
    assert len(phone.received("401")) == 1
    challenges = phone.received("401")[0].headers.get_all("WWW-Authenticate")
    assert [Challenge.parse(text).algorithm for text in challenges] == ["SHA-256", "MD5"]
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    assert "verified" in str(row.decision)


async def test_wrong_credentials(world: World, phone: Phone) -> None:
    """A wrong password is refused for that reason, and no password is ever told."""
    await world.line()
    await world.change_trunk(username="carrier", password=Secret("a secret"))
    login = Login("carrier", "another secret")
    refused = await phone.invite(world.at(), NUMBER, login=login).refused()
    assert (refused.status, refused.reason_phrase) == (403, "Credentials Wrong")
    row = await world.ended("failed", "bad_credentials", "gateway")
    assert "carrier" in str(row.decision)
    assert "secret" not in str(row) + str(world.events)


async def test_no_credentials(world: World, phone: Phone) -> None:
    """Without any the caller is left with our challenge, and we with no state."""
    await world.line()
    await world.change_trunk(username="carrier", password=Secret("a secret"))
    assert (await phone.invite(world.at(), NUMBER).refused()).status == 401
    assert world.told("call.received") == []
    assert world.gateway.endpoint.user_agent.dialog_count == 0


async def test_a_401_always_carries_a_challenge(world: World, phone: Phone) -> None:
    """Where only one of a source's trunks asks for credentials, its number is challenged, not refused."""
    await world.line()
    await world.change_trunk(username="carrier", password=Secret("a secret"))
    book = world.store.configuration
    unlocked = Trunk(new_id("trunk"), world.workspace.id, "Open", sources=("127.0.0.1",))
    await book.trunks.add(unlocked, "test")
    await book.numbers.change("phn_test", {"trunk_id": world.trunk.id}, "test")
    await world.store.refresh()
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert refused.status == 401
    assert [name for name, _ in refused.headers].count("WWW-Authenticate") == 2
    await world.store.flush()
    assert not (await world.store.list_calls(CallFilter())).calls, "a challenge is no call yet"


async def test_stale_credentials(world: World, phone: Phone) -> None:
    """A nonce that is not ours any more gets a new challenge that says so (RFC 7616 section 3.3)."""
    await world.line()
    await world.change_trunk(username="carrier", password=Secret("a secret"))
    uri = f"sip:{NUMBER}@127.0.0.1:{world.at().port}"
    old = Authenticator(secrets.token_bytes(32), "trunkline", lifetime=300).challenge(0.0, "127.0.0.1")[0]
    credentials = answer(old, "carrier", "a secret", "INVITE", uri, b"", "cnonce", 1)
    leg = phone.invite(world.at(), NUMBER, headers=[("Authorization", str(credentials))])
    refused = await leg.refused()
    assert refused.status == 401
    texts = [value for name, value in refused.headers if name == "WWW-Authenticate"]
    assert all(Challenge.parse(text).stale for text in texts)


async def test_channel_limit(world: World, phone: Phone) -> None:
    """When all channels are taken: 503, and when to try again; a channel that is free again is given."""
    await world.line()
    await world.change_trunk(channel_limit=1)
    first = phone.invite(world.at(), NUMBER)
    await first.answered()
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Trunk Channel Limit")
    assert int(dict(refused.headers)["Retry-After"]) >= 1
    first.bye()
    await until(lambda: world.gateway.switchboard.active == 0)
    third = phone.invite(world.at(), NUMBER)
    await third.answered()
    third.bye()
    assert [row.end_reason for row in await world.records()] == [
        "user_disconnected",
        "trunk_channel_limit",
        "user_disconnected",
    ]


async def test_calls_per_second_of_a_trunk(world: World, phone: Phone) -> None:
    """Faster than the trunk may: 503 with Retry-After, and the reason in the record."""
    await world.line()
    await world.change_trunk(calls_per_second=1)
    first = phone.invite(world.at(), NUMBER)
    await first.answered()
    refused = await phone.invite(world.at(), NUMBER).refused()
    assert (refused.status, refused.reason_phrase) == (503, "Trunk Calls Per Second Limit")
    assert dict(refused.headers)["Retry-After"] == "1"
    first.bye()
    assert {row.end_reason for row in await world.records()} == {"user_disconnected", "trunk_rate_limit"}


async def test_calls_per_second_of_the_gateway(build: Build, phone: Phone) -> None:
    """Faster than the gateway takes: a stateless 503 with Retry-After."""
    world = await build(LIMITS__CALLS_PER_SECOND=1)
    await world.line()
    legs = [phone.invite(world.at(), NUMBER) for _ in range(4)]
    refusals = [await leg.refused() for leg in legs[2:]]
    assert {refused.reason_phrase for refused in refusals} == {"Gateway Calls Per Second Limit"}
    assert all(dict(refused.headers)["Retry-After"] == "1" for refused in refusals)
    for leg in legs[:2]:
        await leg.answered()
        leg.bye()
    assert len(await world.records()) == 2


async def test_a_disabled_trunk(world: World, phone: Phone) -> None:
    """Its calls are refused, and the reason is that it is disabled."""
    await world.line()
    await world.change_trunk(enabled=False)
    assert (await phone.invite(world.at(), NUMBER).refused()).status == 403
    await world.ended("failed", "trunk_disabled", "gateway")


async def test_a_route_changes(world: World, agent: Runtime, phone: Phone) -> None:
    """The next call goes to the version that the number was given; a running one stays where it is."""
    await world.line()
    first = phone.invite(world.at(), NUMBER)
    await first.answered()
    other = await world.version(runtime_url=agent.url("/other"))
    numbers = world.gateway.store.configuration.numbers
    (number,) = await numbers.list_all()
    await numbers.assign(number.id, "inbound", other.id, "test")
    second = phone.invite(world.at(), NUMBER)
    await second.answered()
    assert [request.path for request in agent.requests] == ["/talk", "/other"]
    await agent.talks[0].close()
    await first.next(ByeReceived)
    second.bye()
    assert len({row.version_id for row in await world.records()}) == 2


async def _assign_by_hand(world: World, e164: str, version_id: str) -> None:
    url = world.config.store_url.set(drivername="sqlite")

    def write() -> None:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(
                text("UPDATE phone_numbers SET inbound_version_id = :version WHERE e164 = :number"),
                {"version": version_id, "number": e164},
            )
        engine.dispose()

    await asyncio.to_thread(write)
