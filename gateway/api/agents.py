"""`/v1/agents`: agents and their versions, as far as telephony goes; and which numbers are theirs."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from fastapi import Path as InPath

from gateway.api.calls import json
from gateway.api.description import answers, in_path
from gateway.api.keys import Caller, KeyGate
from gateway.api.numbers import NUMBER_ID
from gateway.api.refusal import Problem, invalid, not_found
from gateway.api.shapes.agent import AgentBody, AgentChange, AgentItem, AgentPage, VersionItem
from gateway.api.shapes.page import Limit, Page, paged
from gateway.routing.table import Agent, AgentVersion, PhoneNumber, VersionState
from gateway.store.configuration.fields import VERSION, parse_fields
from gateway.store.configuration.nouns import Configuration
from gateway.store.configuration.values import shown
from gateway.store.engine.errors import NotFound
from gateway.store.engine.ids import new_id

AGENT_ID = re.compile(r"^agent_[0-9A-Za-z_]{1,40}$")
AgentId = Annotated[str, in_path("an agent", "agent_01m85m1gbt83exwnbdjt8m8z3n", AGENT_ID)]
BINDINGS: Mapping[str, Literal["inbound", "outbound"]] = {
    "inbound_phone_number_id": "inbound",
    "outbound_phone_number_id": "outbound",
}
OWN_FIELDS = ("name", "is_published", *BINDINGS)
OF_RUNTIMES = frozenset(
    {
        "end_call_on_silence_sec",
        "reminder_message_interval",
        "reminder_message_frequency",
        "pause_before_speaking_sec",
        "voicemail_detection",
        "hangup_on_voicemail",
        "voicemail_message",
        "listen_for_keypad",
        "keypad_timeout_sec",
        "termination_key",
        "digit_limit",
        "denoising_mode",
        "ambient_noise",
        "background_sound",
        "background_sound_volume",
        "allow_interruptions",
        "interruption_sensitivity",
        "conversation_start_type",
        "opt_out_sensitive_data_storage",
        "opt_in_secure_urls",
        "timezone",
    }
)
"Fields of the reference's agents that say how one talks: here that is its runtime's own affair."
NOT_HERE = "{field} has no effect here: how an agent talks is up to its runtime"
NOT_LIVE = (
    "{field} was left as it is: a number is bound to published versions only, with is_published: true in the"
    " same request"
)


def agents(gate: KeyGate, configuration: Configuration) -> APIRouter:
    """The routes about agents.

    Long, since each route stands in it as a function of its own.
    """
    router = APIRouter(prefix="/v1/agents", tags=["agents"])

    @router.get("", response_model=AgentPage, responses=answers(400))
    async def list_agents(
        caller: Annotated[Caller, Depends(gate)],
        limit: Limit = 20,
        page: Page = 1,
    ) -> Response:
        """The workspace's agents."""
        own = await configuration.agents.list_all(caller.workspace_id)
        chosen = own[(page - 1) * limit : page * limit]
        items = [await _item(configuration, agent) for agent in chosen]
        return paged(items, len(own), page, limit)

    @router.post("", status_code=201, response_model=AgentItem, responses=answers(400, 404, 409))
    async def add_agent(body: AgentBody, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Add an agent with its first version, a draft unless `is_published` is true."""
        async with configuration.together(caller.by) as together:
            agent = Agent(new_id("agent"), caller.workspace_id, body.name)
            await together.agents.add(agent, caller.by)
            warnings = await _change(together, agent, {**body.given(), "name": None}, caller)
        return json(await _item(configuration, agent, warnings), 201)

    @router.get("/{agent_id}", response_model=AgentItem, responses=answers(400, 404))
    async def get_agent(agent_id: AgentId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """One agent."""
        return json(await _item(configuration, await _own(configuration, agent_id, caller)))

    @router.patch("/{agent_id}", response_model=AgentItem, responses=answers(400, 404, 409))
    async def change_agent(
        agent_id: AgentId, body: AgentChange, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Change an agent: its name, its draft (made where there is none), what is published, its numbers."""
        async with configuration.together(caller.by) as together:
            agent = await _own(together, agent_id, caller)
            warnings = await _change(together, agent, body.given(), caller)
        return json(await _item(configuration, await configuration.agents.get(agent_id), warnings))

    @router.delete("/{agent_id}", status_code=204, responses=answers(400, 404, 409))
    async def remove_agent(agent_id: AgentId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Remove an agent with all its versions, where no number is assigned to one."""
        agent = await _own(configuration, agent_id, caller)
        await configuration.agents.remove(agent.id, caller.by)
        return Response(status_code=204)

    @router.get("/{agent_id}/versions", response_model=list[VersionItem], responses=answers(400, 404))
    async def list_versions(agent_id: AgentId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """All versions of an agent, oldest first."""
        agent = await _own(configuration, agent_id, caller)
        return json([_version(version) for version in await configuration.agents.versions(agent.id)])

    @router.post(
        "/{agent_id}/versions/{version_number}/publish",
        response_model=VersionItem,
        responses=answers(400, 404, 409),
    )
    async def publish_version(
        agent_id: AgentId,
        version_number: Annotated[int, InPath(description="1, 2, 3, … within the agent.")],
        caller: Annotated[Caller, Depends(gate)],
    ) -> Response:
        """Publish a draft: it takes calls from now on, and never changes again."""
        agent = await _own(configuration, agent_id, caller)
        found = await configuration.agents.versions(agent.id)
        version = next((each for each in found if each.number == version_number), None)
        if version is None:
            raise not_found("Version")
        return json(_version(await configuration.agents.publish(version.id, caller.by)))

    return router


async def _own(configuration: Configuration, agent_id: str, caller: Caller) -> Agent:
    if AGENT_ID.fullmatch(agent_id) is None:
        problem = Problem("agent_id", agent_id[:200], "should be agent_ and 26 characters")
        raise invalid(problem, message="Invalid agent ID format")
    try:
        agent = await configuration.agents.get(agent_id)
    except NotFound:
        raise not_found("Agent") from None
    if agent.workspace_id != caller.workspace_id:
        raise not_found("Agent")
    return agent


async def _change(
    configuration: Configuration, agent: Agent, given: Mapping[str, Any], caller: Caller
) -> list[str]:
    """Do what a request asks for, in the transaction that is under way; what was not done, in words."""
    if given.get("name") is not None:
        await configuration.agents.rename(agent.id, str(given["name"]), caller.by)
    elsewhere = sorted(OF_RUNTIMES & given.keys())
    own = {name: value for name, value in given.items() if name not in (*OWN_FIELDS, *elsewhere)}
    fields = parse_fields(VERSION, own)
    versions = await configuration.agents.versions(agent.id)
    draft = versions[-1] if versions and versions[-1].state is VersionState.DRAFT else None
    if fields or not versions:
        draft = (
            await configuration.agents.draft(agent.id, fields, caller.by)
            if draft is None
            else await configuration.agents.change_draft(draft.id, fields, caller.by)
        )
    published = None
    if given.get("is_published") is True:
        published = await _published(configuration, versions, draft, caller)
    told = [NOT_HERE.format(field=field) for field in elsewhere]
    return told + await _bind(configuration, given, published, caller)


async def _published(
    configuration: Configuration, versions: Sequence[AgentVersion], draft: AgentVersion | None, caller: Caller
) -> AgentVersion | None:
    """The draft, published; without a draft the newest version is published already."""
    if draft is not None:
        return await configuration.agents.publish(draft.id, caller.by)
    return versions[-1] if versions else None


async def _bind(
    configuration: Configuration, given: Mapping[str, Any], published: AgentVersion | None, caller: Caller
) -> list[str]:
    warnings = []
    for field, direction in BINDINGS.items():
        wanted = given.get(field)
        if wanted is None:
            continue
        if published is None:
            warnings.append(NOT_LIVE.format(field=field))
        elif wanted == "":
            await _detach(configuration, published, direction, caller)
        else:
            number = await _number(configuration, field, str(wanted), caller)
            await configuration.numbers.assign(number.id, direction, published.id, caller.by)
    return warnings


async def _detach(
    configuration: Configuration,
    version: AgentVersion,
    direction: Literal["inbound", "outbound"],
    caller: Caller,
) -> None:
    """Take all numbers off an agent, in one direction."""
    own = {each.id for each in await configuration.agents.versions(version.agent_id)}
    for number in await configuration.numbers.speaking(list(own)):
        if getattr(number, f"{direction}_version_id") in own:
            await configuration.numbers.unassign(number.id, direction, caller.by)


async def _number(configuration: Configuration, field: str, number_id: str, caller: Caller) -> PhoneNumber:
    if NUMBER_ID.fullmatch(number_id) is None:
        raise invalid(Problem(field, number_id[:200], "should be phn_ and 26 characters"))
    try:
        number = await configuration.numbers.get(number_id)
    except NotFound:
        raise not_found("Phone number") from None
    if number.workspace_id != caller.workspace_id:
        raise not_found("Phone number")
    return number


async def _item(configuration: Configuration, agent: Agent, warnings: Sequence[str] = ()) -> dict[str, Any]:
    versions = await configuration.agents.versions(agent.id)
    ids = [version.id for version in versions]
    published = [version.number for version in versions if version.state is VersionState.PUBLISHED]
    newest = versions[-1] if versions else None
    is_draft = newest is not None and newest.state is VersionState.DRAFT
    inbound, outbound = await configuration.numbers.spoken_for(ids)
    return {
        "id": agent.id,
        "name": agent.name,
        "latest_published_version": published[-1] if published else None,
        "draft_version": newest.number if newest is not None and is_draft else None,
        "inbound_phone_number_ids": inbound,
        "outbound_phone_number_ids": outbound,
        "warnings": list(warnings),
    }


def _version(version: AgentVersion) -> dict[str, Any]:
    fields = shown(version)
    number = fields.pop("number")
    state = fields.pop("state")
    return {**fields, "version_number": number, "is_published": state == VersionState.PUBLISHED.value}
