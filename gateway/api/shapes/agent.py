"""Agents as the API shows and takes them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.agent.dialects import AUDIO
from gateway.api.description import without_defaults
from gateway.api.shapes.page import ListPage
from gateway.routing.table import Dialect, RecordingMode
from gateway.store.configuration.rules import MAX_NAME

EXAMPLE: dict[str, Any] = {
    "name": "Front desk",
    "runtime_url": "wss://agents.example.com/calls",
    "is_published": True,
}
CLOSED: dict[str, Any] = {"additionalProperties": False, "examples": [EXAMPLE]}
# What the following say beyond a type is for the description alone: the rules refuse in words of their own.
Name = Annotated[
    str,
    Field(
        json_schema_extra={
            "minLength": 1,
            "maxLength": MAX_NAME,
            "pattern": r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$",
        }
    ),
]
Pairs = Annotated[
    Any,
    WithJsonSchema(
        {"anyOf": [{"type": "object", "additionalProperties": {"type": "string"}}, {"type": "string"}]}
    ),
]
Recorded = Annotated[str | None, Field(json_schema_extra={"enum": [*RecordingMode, "", None]})]


def _closed(schema: dict[str, Any]) -> None:
    schema |= CLOSED
    without_defaults(schema)


class AgentChange(BaseModel):
    """What is to change of an agent; what is left out stays."""

    model_config = ConfigDict(
        strict=True,
        use_attribute_docstrings=True,
        # A field that there is none of gets the store's own sentence, which says the one that is like it.
        extra="allow",
        json_schema_extra=_closed,
    )

    name: Name | None = None
    "What people call it."
    is_published: bool | None = None
    "True publishes the draft."
    inbound_phone_number_id: str | None = None
    "A number that the version answers that this request publishes; empty: detaches all."
    outbound_phone_number_id: str | None = None
    "A number that it calls from; empty: detaches all."
    runtime_url: Annotated[str, Field(json_schema_extra={"maxLength": 2048})] = ""
    "Where the agent's runtime is: `wss://…`; `tcp://host:port` for audiosocket, a SIP URI for sip."
    dialect: Annotated[str, Field(json_schema_extra={"enum": [*Dialect]})] = Dialect.TWILIO
    "What the runtime speaks."
    headers: Pairs = {}
    "Sent with the upgrade."
    secret: str | None = None
    "Signs the upgrade; never shown again."
    audio: Annotated[str, Field(json_schema_extra={"enum": [*AUDIO]})] = "ulaw_8k"
    "One of those that the dialect has."
    options: Pairs = {}
    "Of the dialect."
    parameters: Pairs = {}
    "Given to the runtime at the start."
    max_call_duration_sec: Annotated[int, Field(json_schema_extra={"minimum": 60, "maximum": 5400})] = 600
    "Longest call."
    ring_duration_sec: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 300})] = 30
    "Longest ringing."
    early_media: bool = False
    "The agent hears what comes before the answer."
    fallback_url: str | None = None
    "The runtime to go to when the first one fails."
    fallback_wav: str | None = None
    "The sound file to play when it fails."
    recording: Recorded = None
    "Which of its calls are recorded; null: as the trunk says."
    recording_announcement: str | None = None
    "The WAV file that a caller hears before a recording begins."

    def given(self) -> dict[str, Any]:
        """What the request says, and no more."""
        return self.model_dump(exclude_unset=True)


class AgentBody(AgentChange):
    """An agent to be made, with its first version."""

    model_config = ConfigDict(json_schema_extra=CLOSED)

    name: Name
    "What people call it."


class VersionItem(BaseModel):
    """A version of an agent: a draft can change and takes no calls, a published one never changes."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    id: Annotated[str, Field(examples=["ver_01m85m1gbt83exwnbdjt8m8z3n"])]
    "What it is named by."
    agent_id: str
    "`agent_…`"
    version_number: int
    "1, 2, 3, … within the agent."
    is_published: bool
    "Whether it takes calls."
    published_at: str | None
    "Null while it is a draft."
    runtime_url: str
    "Where the agent's runtime is. Secrets and headers are not shown, only whether they are set."


class AgentItem(BaseModel):
    """An agent."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: Annotated[str, Field(examples=["agent_01m85m1gbt83exwnbdjt8m8z3n"])]
    "What it is named by."
    name: str
    "What people call it."
    latest_published_version: int | None
    "The number of the version that new assignments take; null: none."
    draft_version: int | None
    "The newest version, where it is a draft."
    inbound_phone_number_ids: list[str]
    "Numbers that a version of it answers."
    outbound_phone_number_ids: list[str]
    "Numbers that a version of it calls from."
    warnings: list[str]
    "What of a change was not done, and why."


class AgentPage(ListPage[AgentItem]):
    """A page of agents, oldest first."""
