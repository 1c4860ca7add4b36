"""Agents and versions: what answers and speaks, drafted, published, and from then on as it is."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.routing.table import Agent, AgentVersion, Dialect, Secret, VersionState
from gateway.store.configuration.fields import VERSION, parse_fields
from gateway.store.engine.errors import InvalidInput
from gateway.store.engine.ids import new_id
from gateway.web.changes import shown_changes
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.who import who_of

PLAIN = (
    "runtime_url",
    "dialect",
    "audio",
    "max_call_duration_sec",
    "ring_duration_sec",
    "fallback_url",
    "fallback_wav",
)
DIALECTS = (
    (Dialect.TWILIO.value, "twilio – media streams"),
    (Dialect.NATIVE.value, "native – Trunkline's own"),
    (Dialect.PLIVO.value, "plivo – audio streaming"),
    (Dialect.TELNYX.value, "telnyx – media streaming"),
    (Dialect.EXOTEL.value, "exotel – AgentStream"),
    (Dialect.ASTERISK.value, "asterisk – chan_websocket"),
    (Dialect.AUDIOSOCKET.value, "audiosocket – Asterisk's, over TCP"),
)
AUDIO = (
    ("ulaw_8k", "μ-law, 8 kHz"),
    ("alaw_8k", "A-law, 8 kHz"),
    ("l16_8k", "linear PCM, 8 kHz"),
    ("l16_16k", "linear PCM, 16 kHz"),
    ("l16_24k", "linear PCM, 24 kHz"),
    ("l16_48k", "linear PCM, 48 kHz"),
)


async def table(visit: Visit, problem: str = "", name: str = "") -> Response:
    """The page of all agents."""
    store = visit.site.parts.store
    found = await store.configuration.agents.list_all(visit.workspace.id)
    labels = await store.number_list.labels(visit.workspace.id)
    versions = {agent.id: [each for each in labels.values() if each.agent_id == agent.id] for agent in found}
    return visit.page(
        "agents.html",
        "agents",
        400 if problem else 200,
        agents=found,
        versions=versions,
        problem=problem,
        name=name,
    )


async def create(visit: Visit) -> Response:
    """A new agent with an empty first draft."""
    name = visit.form.text("name")
    agent = Agent(new_id("agent"), visit.workspace.id, name)
    try:
        async with visit.site.parts.store.configuration.together(visit.by) as configuration:
            await configuration.agents.add(agent, visit.by)
            draft = await configuration.agents.draft(agent.id, {}, visit.by)
    except InvalidInput as error:
        return await table(visit, complaint(error), name)
    return await visit.go(
        f"/versions/{draft.id}", f"{agent.name} is there. Say where its runtime is, then publish."
    )


async def show(visit: Visit) -> Response:
    """One agent with its versions."""
    agent = await _own_agent(visit)
    store = visit.site.parts.store
    versions = await store.configuration.agents.versions(agent.id)
    labels = await store.number_list.labels(visit.workspace.id)
    own = {version.id for version in versions}
    numbers = await store.configuration.numbers.speaking(list(own))
    used: dict[str, list[str]] = {version.id: [] for version in versions}
    for number in numbers:
        for direction, version_id in (("in", number.inbound_version_id), ("out", number.outbound_version_id)):
            if version_id in own:
                used[version_id].append(f"{number.e164} {direction}")
    return visit.page(
        "agent.html",
        "agents",
        agent=agent,
        versions=list(reversed(versions)),
        used=used,
        changes=shown_changes(await store.configuration.history(agent.id, 20), labels, await who_of(visit)),
    )


async def rename(visit: Visit) -> Response:
    """Another name."""
    agent = await _own_agent(visit)
    renamed = await visit.site.parts.store.configuration.agents.rename(
        agent.id, visit.form.text("name"), visit.by
    )
    return await visit.go(f"/agents/{agent.id}", f"It is called {renamed.name} now.")


async def remove(visit: Visit) -> Response:
    """Remove an agent that no number uses."""
    agent = await _own_agent(visit)
    await visit.site.parts.store.configuration.agents.remove(agent.id, visit.by)
    return await visit.go("/agents", f"{agent.name} is removed.")


async def draft(visit: Visit) -> Response:
    """A new draft from the newest version."""
    agent = await _own_agent(visit)
    made = await visit.site.parts.store.configuration.agents.draft(agent.id, {}, visit.by)
    return await visit.go(
        f"/versions/{made.id}", f"Version {made.number} is a draft: change it, then publish it."
    )


async def version(
    visit: Visit,
    problem: str = "",
    given: Mapping[str, Any] | None = None,
    field: str = "",
    said: Mapping[str, Any] | None = None,
) -> Response:
    """One version: a form while it is a draft, and as it stands for ever once it is published."""
    found, agent = await _own_version(visit)
    store = visit.site.parts.store
    labels = await store.number_list.labels(visit.workspace.id)
    return visit.page(
        "version.html",
        "agents",
        400 if problem else 200,
        agent=agent,
        version=found,
        given=_given(found) if given is None else given,
        is_draft=found.state is VersionState.DRAFT,
        dialects=DIALECTS,
        audio=AUDIO,
        problem=problem,
        wrong=field,
        report=None if said is None else said["report"],
        passed=said is not None and said["passed"],
        changes=shown_changes(await store.configuration.history(found.id, 20), labels, await who_of(visit)),
    )


async def test(visit: Visit) -> Response:
    """Test the version's runtime as it is saved, step by step."""
    found, agent = await _own_version(visit)
    report = await visit.site.parts.runtime_trials.try_version(found, agent.workspace_id)
    said = {"problem": "", "report": report.as_dict(), "passed": report.passed}
    if visit.request.headers.get("x-part") is not None:
        return visit.part("trial.html", **said)
    return await version(visit, said=said)


def _given(version: AgentVersion) -> dict[str, Any]:
    """The form's fields as a version has them; header values are secrets, and stay behind."""
    return {
        **{name: getattr(version, name) for name in PLAIN},
        "early_media": version.early_media,
        "parameters": "\n".join(f"{name}: {value}" for name, value in version.parameters),
        "options": "\n".join(f"{name}: {value}" for name, value in version.options),
        "headers": "",
        "header_names": ", ".join(name for name, _ in version.headers),
        "secret_is_set": version.secret is not None,
    }


async def save(visit: Visit) -> Response:
    """Keep what the form says; with “publish” pressed, publish it as well."""
    found, agent = await _own_version(visit)
    configuration = visit.site.parts.store.configuration
    is_published = visit.form.on("publish")
    try:
        fields = _fields(visit)
        async with configuration.together(visit.by) as configuration:
            await configuration.agents.change_draft(found.id, fields, visit.by)
            if is_published:
                await configuration.agents.publish(found.id, visit.by)
    except InvalidInput as error:
        form = visit.form
        typed = {name: form.text(name) for name in (*PLAIN, "options", "parameters", "headers")}
        given = {**_given(found), **typed, "early_media": form.on("early_media")}
        return await version(visit, complaint(error), given, error.field)
    if is_published:
        say = f"Version {found.number} of {agent.name} is published. Numbers can be assigned to it."
        return await visit.go(f"/agents/{agent.id}", say)
    return await visit.go(f"/versions/{found.id}", "The draft is saved.")


def _fields(visit: Visit) -> dict[str, Any]:
    form = visit.form
    fields = parse_fields(VERSION, {name: form.text(name) for name in PLAIN})
    fields["early_media"] = form.on("early_media")
    fields["options"] = _pairs("options", form.text("options"))
    fields["parameters"] = _pairs("parameters", form.text("parameters"))
    if form.text("headers"):
        fields["headers"] = _pairs("headers", form.text("headers"))
    elif form.on("clear_headers"):
        fields["headers"] = ()
    if form.raw("secret"):
        fields["secret"] = Secret(form.raw("secret"))
    elif form.on("clear_secret"):
        fields["secret"] = None
    return fields


def _pairs(field: str, text: str) -> tuple[tuple[str, str], ...]:
    """`name: value`, one a line."""
    pairs = []
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not name.strip():
            raise InvalidInput(field, line[:60], "should be written name: value, one a line")
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


async def remove_draft(visit: Visit) -> Response:
    """Remove a draft."""
    found, agent = await _own_version(visit)
    await visit.site.parts.store.configuration.agents.remove_draft(found.id, visit.by)
    return await visit.go(f"/agents/{agent.id}", f"Draft {found.number} is removed.")


async def _own_agent(visit: Visit) -> Agent:
    agent = await visit.site.parts.store.configuration.agents.get(visit.path["id"])
    visit.own("agent", agent.id, agent.workspace_id)
    return agent


async def _own_version(visit: Visit) -> tuple[AgentVersion, Agent]:
    agents = visit.site.parts.store.configuration.agents
    found = await agents.version(visit.path["id"])
    agent = await agents.get(found.agent_id)
    visit.own("version", found.id, agent.workspace_id)
    return found, agent


PAGES: tuple[Page, ...] = (
    get("/agents", table),
    post("/agents", create),
    get("/agents/{id}", show),
    post("/agents/{id}", rename),
    post("/agents/{id}/remove", remove),
    post("/agents/{id}/draft", draft),
    get("/versions/{id}", version),
    post("/versions/{id}", save),
    post("/versions/{id}/test", test),
    post("/versions/{id}/remove", remove_draft),
)
