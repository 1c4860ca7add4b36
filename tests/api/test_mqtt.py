"""A gateway on a real broker: requests, answers, the events of calls, and what a restart of either costs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.carrier import Carrier
from tests.api.conftest import furnish_out, furnished
from tests.call.conftest import Build
from tests.call.phone import until
from tests.call.world import World
from tests.mosquitto import Heard, Listener, Mosquitto, listener

SECONDS = 20.0
TO = "+14155550100"
REQUESTS = "{prefix}/requests/org_test/calls"
ANSWERS = "{prefix}/answers/org_test"


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that lets everybody in; a test that stops it starts it again."""
    running = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    yield running
    running.stop()


@dataclass
class OnBroker:
    """A gateway on the broker, and somebody who asks and listens there."""

    world: World
    mosquitto: Mosquitto
    ear: Listener
    prefix: str
    key: str
    "`key_…:secret`"

    async def ask(self, correlation: str = "", *, key: str | None = None, **more: Any) -> str:
        """Ask for a call; the correlation data."""
        correlation = correlation or uuid4().hex
        body = more.pop("body", {"phone_number": TO, "agent_id": "agent_test", "metadata": {}})
        payload = body if isinstance(body, bytes | str) else json.dumps(body)
        authorization = f"Bearer {self.key if key is None else key}"
        topic = more.pop("topic", REQUESTS).format(prefix=self.prefix)
        more = {"authorization": authorization, "response": f"{self.answers}/test", **more}
        await self.ear.say(topic, payload, correlation=correlation.encode(), **more)
        return correlation

    @property
    def answers(self) -> str:
        """Where answers come."""
        return ANSWERS.format(prefix=self.prefix)

    def answered(self, correlation: str) -> list[Heard]:
        """The answers to a request so far."""
        return [
            each
            for each in self.ear.heard
            if each.topic.startswith(self.answers) and each.correlation == correlation.encode()
        ]

    async def answer(self, correlation: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a request."""
        await self.ear.until(lambda: self.answered(correlation))
        heard = self.answered(correlation)[0]
        return int(heard.properties["status"]), json.loads(heard.payload)

    async def call(self, **more: Any) -> tuple[int, dict[str, Any]]:
        """Ask, and wait for the answer."""
        return await self.answer(await self.ask(**more))

    def told(self, call_id: str) -> list[str]:
        """The names of a call's events, as they came."""
        return [each.topic.rsplit("/", 1)[1] for each in self.ear.heard if f"/{call_id}/" in each.topic]


@pytest.fixture
async def line(build: Build, carrier: Carrier, mosquitto: Mosquitto) -> AsyncIterator[OnBroker]:
    """A gateway that may call out through the carrier, on the broker under a prefix of its own."""
    prefix = f"t{uuid4().hex[:12]}"
    world = await furnished(
        build,
        MQTT__URL=mosquitto.url,
        MQTT__PREFIX=prefix,
        MQTT__WAIT_SECONDS=0.6,
        GATEWAY__NAME=prefix,
    )
    await furnish_out(world, carrier)
    key, secret = await world.store.configuration.keys.add("org_test", "tests", "test")
    async with listener(mosquitto.port, f"{prefix}/#", client_id=f"{prefix}-ear") as ear:
        assert world.gateway.link is not None
        async with asyncio.timeout(SECONDS):
            await world.gateway.link.broker.connected()
        yield OnBroker(world, mosquitto, ear, prefix, f"{key.id}:{secret}")


async def test_a_request_becomes_a_call_and_its_events(line: OnBroker, carrier: Carrier) -> None:
    """The answer is HTTP's, and the call is told in order, each event on its topic."""
    status, said = await line.call(body={"phone_number": TO, "agent_id": "agent_test", "metadata": {"n": 7}})
    assert (status, said["to_phone_number"], said["agent_id"]) == (201, TO, "agent_test")
    await carrier.until_called()
    await line.ear.until(lambda: "answered" in line.told(said["id"]))
    carrier.hang_up()
    await line.ear.until(lambda: "ended" in line.told(said["id"]))
    told = line.told(said["id"])
    wanted = ["created", "routed", "sent", "ringing", "answered", "ended"]
    assert [name for name in told if name in wanted] == wanted
    bodies = [json.loads(each.payload) for each in line.ear.heard if f"/{said['id']}/" in each.topic]
    assert {(body["call_id"], body["workspace_id"], body["gateway"]) for body in bodies} == {
        (said["id"], "org_test", line.prefix)
    }
    assert all(
        f"{line.prefix}/calls/org_test/" in each.topic for each in line.ear.heard if "calls/org" in each.topic
    )
    logged = [
        event for event in line.world.events if event.call_id == said["id"] and event.name.startswith("call.")
    ]
    assert [event.name.removeprefix("call.") for event in logged] == told
    record = await line.world.record()
    assert record.metadata == {"n": 7}


async def test_a_workflow_asks(line: OnBroker, carrier: Carrier) -> None:
    """Its category is in the record; another one is refused as HTTP refuses it."""
    asked = {"phone_number": TO, "agent_id": "agent_test", "category": "workflow", "category_id": "wf_7"}
    status, said = await line.call(body=asked)
    assert (status, said["category"], said["category_id"]) == (201, "workflow", "wf_7")
    status, said = await line.call(body={**asked, "category": "campaign"})
    assert (status, said["problems"][0]["field"]) == (400, "category")
    await carrier.until_called()
    carrier.hang_up()


async def test_the_same_request_twice_is_one_call(line: OnBroker, carrier: Carrier) -> None:
    """A broker may deliver twice, and people ask twice: the second answer names the first one's call."""
    first = await line.ask("same")
    status, said = await line.answer(first)
    assert status == 201
    await line.ask("same")
    await line.ear.until(lambda: len(line.answered("same")) == 2)
    again = line.answered("same")[1]
    assert (again.properties["status"], json.loads(again.payload)["id"]) == ("200", said["id"])
    assert len(carrier.invites) <= 1
    await line.ask("same", body={"phone_number": "+14155550199", "agent_id": "agent_test", "metadata": {}})
    await line.ear.until(lambda: len(line.answered("same")) == 3)
    assert line.answered("same")[2].properties["status"] == "409"
    await carrier.until_called()
    assert len(carrier.invites) == 1


async def test_http_and_the_broker_share_their_keys(line: OnBroker, carrier: Carrier) -> None:
    """A request that was made by one is known by the other."""
    body = {"phone_number": TO, "agent_id": "agent_test", "metadata": {}}
    _, said = await line.call(body=body, idempotency_key="shared")
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://127.0.0.1:{line.world.gateway.http.port}/v1/calls",
            json=body,
            headers={"Authorization": f"Bearer {line.key}", "Idempotency-Key": "shared"},
        )
    assert (answer.status_code, answer.json()["id"]) == (200, said["id"])
    await carrier.until_called()
    assert len(carrier.invites) == 1


async def test_a_refusal_is_https(line: OnBroker, carrier: Carrier) -> None:
    """Status, message, reason and decision, word for word; and there is no record."""
    body = {"phone_number": "+911", "agent_id": "agent_test", "metadata": {}}
    status, said = await line.call(body=body)
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://127.0.0.1:{line.world.gateway.http.port}/v1/calls",
            json=body,
            headers={"Authorization": f"Bearer {line.key}"},
        )
    assert (status, said) == (answer.status_code, answer.json())
    assert said["decision"]["checks"]
    assert not line.world.told("call.created")
    assert not carrier.invites


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"key": "key_1:wrong"}, 401, "unauthorized"),
    ({"authorization": ""}, 401, "unauthorized"),
    ({"topic": "{prefix}/requests/org_other/calls", "response": ""}, 401, "unauthorized"),
    ({"body": b"no json"}, 400, "invalid_request"),
    ({"body": b"[" * 50_000}, 400, "invalid_request"),
    ({"body": b"x" * 70_000}, 413, "too_large"),
    ({"body": {"phone_number": TO, "who": "me"}}, 400, "invalid_request"),
    ({"response": "somebody/else"}, 400, "invalid_request"),
    ({"body": {"phone_number": TO, "agent_id": "agent_none", "metadata": {}}}, 404, "agent_missing"),
]


async def test_what_is_wrong_is_answered(line: OnBroker, carrier: Carrier) -> None:
    """Every mistake has its answer, one line in the log, and none of it reaches the carrier."""
    for given, status, reason in MISTAKES:
        asked = await line.ask(**given)
        heard = await answer_to(line, asked)
        said = json.loads(heard.payload)
        assert (int(heard.properties["status"]), said["statusCode"], said["reason"]) == (
            status,
            status,
            reason,
        )
    lines = [(each.fields["status"], each.fields["reason"]) for each in line.world.told("mqtt.request")]
    assert lines == [(status, reason) for _, status, reason in MISTAKES]
    assert not line.world.told("mqtt.request_crashed")
    assert not carrier.invites


async def answer_to(line: OnBroker, correlation: str) -> Heard:
    """The only answer to a request, whoever's topic it comes on."""

    def found() -> list[Heard]:
        wanted = correlation.encode()
        return [each for each in line.ear.heard if "/answers/" in each.topic and each.correlation == wanted]

    await line.ear.until(found)
    (heard,) = found()
    return heard


async def test_a_full_workspace_makes_requests_wait_then_refuses(line: OnBroker, carrier: Carrier) -> None:
    """While a limit is reached a request waits; it goes as soon as it may, or gets 429."""
    there = line.world.store.configuration
    await there.workspaces.change("org_test", {"concurrency_limit": 1}, "test")
    await line.world.store.refresh()
    status, first = await line.call()
    assert status == 201
    status, said = await line.call()
    assert (status, said["reason"]) == (429, "workspace_concurrency_limit")
    waiting = await line.ask()
    await carrier.until_called()
    await line.ear.until(lambda: "answered" in line.told(first["id"]))
    carrier.hang_up()
    status, _ = await line.answer(waiting)
    assert status == 201


async def test_a_workspace_that_the_broker_vouches_for_needs_no_key(
    build: Build, carrier: Carrier, mosquitto: Mosquitto
) -> None:
    """Only where the configuration says so; a wrong key does not become right by it."""
    prefix = f"t{uuid4().hex[:12]}"
    world = await furnished(
        build,
        MQTT__URL=mosquitto.url,
        MQTT__PREFIX=prefix,
        MQTT__WORKSPACES='["org_test"]',
        GATEWAY__NAME=prefix,
    )
    await furnish_out(world, carrier)
    carrier.final = 486
    async with listener(mosquitto.port, f"{prefix}/#") as ear:
        assert world.gateway.link is not None
        await world.gateway.link.broker.connected()
        line = OnBroker(world, mosquitto, ear, prefix, "")
        status, said = await line.call(authorization="")
        assert status == 201
        status, _ = await line.call(key="key_1:wrong")
        assert status == 401
    row = await world.record()
    assert row.id == said["id"]
    assert row.requested_by == "mqtt:org_test"


async def test_the_broker_may_restart_in_mid_call(line: OnBroker, carrier: Carrier) -> None:
    """The call goes on; what it tells meanwhile comes afterwards, in order, once the broker is back."""
    _, said = await line.call()
    await carrier.until_called()
    await line.ear.until(lambda: "answered" in line.told(said["id"]))
    before = len(line.told(said["id"]))
    line.mosquitto.stop()
    await until(lambda: line.world.told("mqtt.away"), SECONDS)
    assert line.world.gateway.switchboard.active == 1
    carrier.hang_up()
    await until(lambda: line.world.told("call.ended"), SECONDS)
    assert line.world.gateway.link is not None
    assert line.world.gateway.link.outbox.waiting > 0
    line.mosquitto.start()
    async with listener(line.mosquitto.port, f"{line.prefix}/#", client_id=f"{line.prefix}-ear") as ear:
        await ear.until(lambda: [each for each in ear.heard if each.topic.endswith("/ended")])
        later = [each.topic.rsplit("/", 1)[1] for each in ear.heard if f"/{said['id']}/" in each.topic]
        told = [event.name for event in line.world.events if event.call_id == said["id"]]
        all_told = [name.removeprefix("call.") for name in told if name.startswith("call.")]
        assert without_repeats(later)[-1] == "ended"
        assert all_told[before:] == without_repeats(later)[-len(all_told[before:]) :]


async def test_a_drained_gateway_says_so_and_leaves_requests_to_others(line: OnBroker) -> None:
    """It unsubscribes, its state is draining and then offline, and what still comes is answered with 503."""

    def state() -> list[str]:
        found = [each for each in line.ear.heard if each.topic.endswith("/state")]
        return [json.loads(each.payload)["state"] for each in found]

    link = line.world.gateway.link
    assert link is not None
    await link.drain()
    await line.ear.until(lambda: state()[-1:] == ["draining"])
    asked = await line.ask()
    await asyncio.sleep(0.3)
    assert not line.answered(asked)
    await line.world.gateway.close()
    await line.ear.until(lambda: state()[-1:] == ["offline"])
    assert state() == ["online", "draining", "offline"]


def without_repeats(names: list[str]) -> list[str]:
    """A message that was under way when the broker went may come twice."""
    return list(dict.fromkeys(names))
