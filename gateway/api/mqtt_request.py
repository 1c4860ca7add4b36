"""Requests for calls as they come from a broker, and their answers: HTTP's, with topics and properties.

The topic stands for the path and the workspace, user properties for the headers, the payload for the body.
Only values here: `api/mqtt.py` does what they ask.
"""

import hashlib
import re
from dataclasses import dataclass, field

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from gateway.api.refusal import Answer, Declined, Problem, invalid
from gateway.api.shapes.call_request import CallBody
from gateway.events.mqtt import Topics
from gateway.net.mqtt import Delivery, Publication

MAX_CORRELATION = 256
MAX_TOPIC = 512
BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sender:
    """Where the answer to a request goes."""

    workspace_id: str
    "As the topic says: not proven by anything yet."
    topic: str
    correlation: bytes | None
    problem: Problem | None = None
    "Why it does not go where the request wants it."


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a call."""

    workspace_id: str
    token: str | None = field(repr=False)
    "What `authorization` brings, `key_…:secret`."
    key: str
    "Under which the request is placed once, however often it comes."
    body: CallBody


def sender_of(topics: Topics, delivery: Delivery) -> Sender | None:
    """Who gets the answer; None where the topic names no workspace, so that nobody can.

    A response topic outside the workspace's own would let the requester speak where only we may: the answer
    goes to the workspace's topic then, and says so.
    """
    workspace_id = topics.workspace_of(delivery.topic)
    if workspace_id is None:
        return None
    own = topics.answers(workspace_id)
    correlation, wanted = delivery.correlation, delivery.response_topic
    if correlation is not None and len(correlation) > MAX_CORRELATION:
        right = f"should be at most {MAX_CORRELATION} bytes"
        return Sender(workspace_id, own, None, Problem("correlation data", len(correlation), right))
    if wanted is None or wanted == own:
        return Sender(workspace_id, own, correlation)
    if not wanted.startswith(f"{own}/") or len(wanted) > MAX_TOPIC or set(wanted) & set("+#\x00"):
        right = f"should be {own}, or begin with {own}/"
        return Sender(workspace_id, own, correlation, Problem("response topic", wanted[:MAX_TOPIC], right))
    return Sender(workspace_id, wanted, correlation)


def asked(sender: Sender, delivery: Delivery, max_bytes: int) -> Asked:
    """The request in a message; raises what `refusal.answer_to` turns into 400 or 413."""
    if sender.problem is not None:
        raise invalid(sender.problem)
    if len(delivery.payload) > max_bytes:
        message = f"The request is larger than {max_bytes} bytes"
        raise Declined(Answer(413, message, "too_large"))
    found = BEARER.fullmatch(delivery.properties.get("authorization", ""))
    return Asked(
        sender.workspace_id,
        found and found[1],
        _key(sender, delivery),
        _body(delivery.payload),
    )


def answer(sender: Sender, said: Answer | dict[str, object], status: int) -> Publication:
    """The message that answers a request."""
    properties = [("status", str(status))]
    if isinstance(said, Answer):
        if said.retry_after is not None:
            properties.append(("retry-after", str(max(1, round(said.retry_after)))))
        said = said.body()
    try:
        payload = orjson.dumps(said, default=str)
    except TypeError:  # a number beyond 64 bits, or half a character, said back to whoever sent it
        payload = orjson.dumps({**said, "problems": []}, default=str)
    return Publication(sender.topic, payload, correlation=sender.correlation, properties=properties)


def _key(sender: Sender, delivery: Delivery) -> str:
    """The property `idempotency-key`, or else the correlation data together with where the answer goes."""
    given = delivery.properties.get("idempotency-key")
    if given:
        return given
    if delivery.correlation is None:
        right = "is required, or correlation data: a broker may deliver a request twice"
        raise invalid(Problem("idempotency-key", None, right))
    digest = hashlib.sha256(sender.topic.encode() + b"\0" + delivery.correlation)
    return f"mqtt-{digest.hexdigest()}"


def _body(payload: bytes) -> CallBody:
    try:
        return CallBody.model_validate_json(payload or b"{}")
    except ValidationError as error:
        found = [{**details, "loc": ("body", *details["loc"])} for details in error.errors(include_url=False)]
        raise RequestValidationError(found) from None
