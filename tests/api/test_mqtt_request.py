"""Requests from a broker as values: who gets the answer, what is taken, what is refused and how."""

import json

import orjson
import pytest

from gateway.api.mqtt_request import MAX_CORRELATION, answer, asked, sender_of
from gateway.api.refusal import Answer, answer_to
from gateway.events.mqtt import Topics
from gateway.net.mqtt import Delivery

TOPICS = Topics("t", "gw")
BODY = {"phone_number": "+14155550100", "agent_id": "agent_1", "metadata": {}}


def delivery(body: object = None, *, topic: str = "t/requests/org_1/calls", **more: object) -> Delivery:
    """A request."""
    payload = body if isinstance(body, bytes) else json.dumps(BODY if body is None else body).encode()
    fields: dict[str, object] = {"correlation": b"c1", **more}
    return Delivery(topic, payload, lambda: None, **fields)  # type: ignore[arg-type]


def refused(given: Delivery, max_bytes: int = 10_000) -> Answer:
    """The answer to a request that is not taken."""
    sender = sender_of(TOPICS, given)
    assert sender is not None
    with pytest.raises(Exception) as caught:
        asked(sender, given, max_bytes)
    return answer_to(caught.value)


def test_a_request_is_that_of_http() -> None:
    """The body has HTTP's fields, the properties stand for its headers."""
    given = delivery(properties={"authorization": "Bearer key_1:secret", "idempotency-key": "k1"})
    sender = sender_of(TOPICS, given)
    assert sender is not None
    request = asked(sender, given, 10_000)
    assert (request.workspace_id, request.token, request.key) == ("org_1", "key_1:secret", "k1")
    assert request.body.phone_number == "+14155550100"
    assert "secret" not in repr(request)


def test_correlation_data_stands_in_for_the_key() -> None:
    """Who gives no key is recognised by the correlation data and the response topic together."""

    def key(**more: object) -> str:
        given = delivery(**more)  # type: ignore[arg-type]
        sender = sender_of(TOPICS, given)
        assert sender is not None
        return asked(sender, given, 10_000).key

    assert key() == key(properties={"idempotency-key": ""})
    assert len({key(), key(correlation=b"c2"), key(response_topic="t/answers/org_1/a")}) == 3


def test_neither_key_nor_correlation_data_is_refused() -> None:
    """A request that could not be recognised the second time might be dialled twice."""
    said = refused(delivery(correlation=None))
    assert (said.status, said.problems[0].field) == (400, "idempotency-key")


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        (None, "t/answers/org_1"),
        ("t/answers/org_1", "t/answers/org_1"),
        ("t/answers/org_1/client/7", "t/answers/org_1/client/7"),
    ],
)
def test_the_answer_goes_where_the_workspace_may_listen(wanted: str | None, goes_to: str) -> None:
    """To the workspace's topic, or to one below it."""
    sender = sender_of(TOPICS, delivery(response_topic=wanted))
    assert sender is not None
    assert (sender.topic, sender.problem) == (goes_to, None)


@pytest.mark.parametrize(
    "wanted",
    ["t/answers/org_2", "t/answers/org_1x", "t/gateways/gw/state", "t/answers/org_1/#", "$SYS/x", "x" * 1000],
)
def test_nobody_makes_us_speak_elsewhere(wanted: str) -> None:
    """A response topic of another's is refused, and the refusal goes to the workspace's own."""
    given = delivery(response_topic=wanted)
    sender = sender_of(TOPICS, given)
    assert sender is not None
    assert sender.topic == "t/answers/org_1"
    said = refused(given)
    assert (said.status, said.problems[0].field) == (400, "response topic")


def test_a_topic_without_workspace_has_nobody_to_answer() -> None:
    """Nothing is made up."""
    assert sender_of(TOPICS, delivery(topic="t/requests/or g/calls")) is None


def test_long_correlation_data_is_refused_and_not_said_back() -> None:
    """We keep what we are given until the broker has the answer: within bounds."""
    given = delivery(correlation=b"x" * (MAX_CORRELATION + 1))
    sender = sender_of(TOPICS, given)
    assert sender is not None
    assert sender.correlation is None
    assert refused(given).status == 400


def test_a_large_request_is_refused() -> None:
    """By its size alone, before it is read."""
    assert refused(delivery(b"{" * 300), max_bytes=299).status == 413


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"not json", "body"),
        (b"[]", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 100_000, "body"),
        ({**BODY, "workspace_id": "org_2"}, "workspace_id"),
        ({**BODY, "metadata": "x"}, "metadata"),
        ({**BODY, "agent_version_number": "3"}, "agent_version_number"),
    ],
)
def test_a_body_that_makes_no_sense_names_its_field(body: object, field: str | None) -> None:
    """What is wrong is said as HTTP says it; an empty body is for the rules to refuse."""
    given = delivery(body)
    if field is None:
        sender = sender_of(TOPICS, given)
        assert sender is not None
        assert asked(sender, given, 1_000_000).body.phone_number is None
    else:
        said = refused(given, 1_000_000)
        assert (said.status, [each.field for each in said.problems]) == (400, [field])


def test_an_answer_is_that_of_http() -> None:
    """Status and Retry-After are properties, the rest is the body; the correlation data comes back."""
    given = delivery(response_topic="t/answers/org_1/a")
    sender = sender_of(TOPICS, given)
    assert sender is not None
    made = answer(sender, Answer(429, "Later", "trunk_rate_limit", retry_after=1.6), 429)
    assert (made.topic, made.correlation, made.retain) == ("t/answers/org_1/a", b"c1", False)
    assert dict(made.properties) == {"status": "429", "retry-after": "2"}
    assert orjson.loads(made.payload) == {
        "statusCode": 429,
        "message": "Later",
        "error": "Too Many Requests",
        "reason": "trunk_rate_limit",
    }
