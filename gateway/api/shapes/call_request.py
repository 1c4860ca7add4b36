"""What a request for a call may say, and the call that it stands for."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.api.keys import Caller
from gateway.call.legs.custom_headers import check_headers
from gateway.call.placing import CallRequest
from gateway.routing.outbound import MAX_SECONDS, OutboundRequest
from gateway.store.engine.errors import InvalidInput
from gateway.store.records.calls import Category

MAX_NOTES = 15
MAX_CATEGORY_ID = 128
CATEGORY_ID = r"^[!-+\--~]+$"
ASKED_FOR = "should be workflow, or left out; calls of a batch are the batch’s own"
"What the category of a call that is asked for can be."


def _json(value: dict[str, Any]) -> dict[str, Any]:
    """What can be kept and said back: no number beyond 64 bits, no half a character."""
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"should be an object of JSON that can be kept: {error}") from None
    return value


def _notes(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > MAX_NOTES:
        raise ValueError(f"should have at most {MAX_NOTES} keys, not {len(value)}")
    return value


def _category(value: str) -> str:
    if value != Category.WORKFLOW:
        raise ValueError(f"{ASKED_FOR}: there are {' and '.join(Category)}")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_json)]


class CallBody(BaseModel):
    """A request for a call."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # The rules, not the schema, say what is wrong with a missing number: it is the first of them.
        json_schema_extra={"required": ["phone_number"]},
    )

    phone_number: Annotated[
        str | None,
        Field(max_length=256, examples=["+14155550100"]),
        WithJsonSchema({"type": "string", "maxLength": 256, "examples": ["+14155550100"]}),
    ] = None
    "Whom to call, as `+`, calling code and number."
    agent_id: Annotated[str | None, Field(max_length=64, examples=["agent_01m85m1gbt83exwnbdjt8m8z3n"])] = (
        None
    )
    "The agent that speaks. May be left out where `from_number` is given: then it is that number's."
    agent_version_number: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    "A published version of the agent; without it the latest published one."
    metadata: JsonObject = {}
    "Kept in the record; its texts, numbers and truths are the agent's parameters."
    notes: Annotated[
        JsonObject, AfterValidator(_notes), Field(json_schema_extra={"maxProperties": MAX_NOTES})
    ] = {}
    "Kept in the record, up to 15 keys."
    from_number: Annotated[str | None, Field(max_length=256, examples=["+12025550101"])] = None
    "The number that is shown: one that the workspace owns or has verified. Without it, one of the agent's."
    ring_duration_sec: Annotated[int | None, Field(ge=1, le=600)] = None
    "How long it may ring; without it, as the version says."
    max_call_duration_sec: Annotated[int | None, Field(ge=1, le=MAX_SECONDS)] = None
    "How long the call may last; only ever shortens what the version allows."
    category: Annotated[str | None, AfterValidator(_category), WithJsonSchema({"enum": ["workflow"]})] = None
    "`workflow`, where a workflow engine asks; left out for a single call."
    category_id: Annotated[str | None, Field(max_length=MAX_CATEGORY_ID, pattern=CATEGORY_ID)] = None
    "Your own name for the workflow: printable ASCII, neither spaces nor commas."
    headers: dict[str, str] = {}
    "SIP headers for the INVITE; the operator decides which names are allowed."
    retry: Annotated[dict[str, Any] | None, Field(exclude=True)] = None
    "Of the reference platform's older requests: taken and not acted upon, a call is placed once."

    def canonical(self) -> bytes:
        """The same bytes for the same request, however written, and as before there were categories."""
        said = self.model_dump()
        for name in ("category", "category_id"):
            if said[name] is None:
                del said[name]
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def call_request(body: CallBody, caller: Caller, allowed_headers: Sequence[str]) -> CallRequest:
    """The call that is asked for; `InvalidInput` for a header that is not allowed, or half a category."""
    if body.category_id is not None and body.category is None:
        raise InvalidInput("category_id", body.category_id, "should stand beside category: workflow")
    return CallRequest(
        route=OutboundRequest(
            workspace_id=caller.workspace_id,
            destination=body.phone_number,
            agent_id=body.agent_id,
            version_number=body.agent_version_number,
            from_number=body.from_number,
            ring_seconds=body.ring_duration_sec,
            max_seconds=body.max_call_duration_sec,
        ),
        by=caller.by,
        metadata=body.metadata,
        notes=body.notes,
        category=None if body.category is None else Category(body.category),
        category_id=body.category_id,
        headers=check_headers(body.headers, allowed_headers),
    )
