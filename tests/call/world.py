"""A whole gateway in the test's own process, furnished, with its events kept."""

import asyncio
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.app.gateway import Gateway
from gateway.call.legs.dialling import Headers
from gateway.call.placing import CallRequest
from gateway.call.record import CallRecord
from gateway.config.loading import load_config
from gateway.events.bus import Event
from gateway.routing.outbound import OutboundRequest
from gateway.routing.table import Agent, AgentVersion, Dialect, PhoneNumber, Trunk, Workspace
from gateway.sip.target import Target
from gateway.store.configuration.agents import Agents
from gateway.store.configuration.numbers import Numbers
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.sql import SqlStore
from tests.call.phone import until
from tests.call.runtime import Runtime
from tests.tables import lay_tables

NUMBER = "+12125550101"
CALLEE = "+442079460018"
WORKSPACE, TRUNK, AGENT = "org_test", "trunk_test", "agent_test"
"Ids of what each world has: a workspace, its trunk, and the first agent, which is called Echo."

QUICK = {
    "SIP__T1_MS": "50",
    "SIP__T2_MS": "500",
    "SIP__T4_MS": "500",
    "SIP__LISTENERS__0__PORT": "0",
    "SIP__LISTENERS__1__PORT": "0",
    "HTTP__PORT": "0",
    "MEDIA__QUARANTINE_SECONDS": "0",
    "AGENTS__CONNECT_ATTEMPTS": "1",
    "AGENTS__CONNECT_TIMEOUT": "3",
    "SECURITY__ALLOW_PRIVATE": "yes",
    "LIMITS__SHED_LATE_MS": "1000",
}
"Settings that make a gateway quick to start and to give up."


class World:
    """A gateway, its agent's runtime, and what to do with both."""

    def __init__(self, folder: Path, runtime: Runtime, settings: dict[str, object]) -> None:
        first = 20_000 + 200 * random.randrange(100)
        given = {
            "GATEWAY__DATA_DIR": folder,
            "MEDIA__PORT_MIN": first,
            "MEDIA__PORT_MAX": first + 199,
            "MEDIA__SOUND_FOLDERS": json.dumps([str(folder.parent)]),
            **QUICK,
            **settings,
        }
        self.config = load_config(None, {f"TRUNKLINE_{name}": str(value) for name, value in given.items()})
        self.events: list[Event] = []
        self.expected_crashes: list[str] = []
        "Names of the events that tell of a bug; a test that makes one says so."
        self.runtime = runtime
        self.gateway = Gateway(self.config, self.events.append)
        self.workspace: Workspace
        self.trunk: Trunk

    async def start(self) -> None:
        """Start, and furnish where nobody has yet: a workspace with a trunk for 127.0.0.1 and ::1."""
        lay_tables(self.config.store_url)
        await self.gateway.start()
        book = self.store.configuration
        if WORKSPACE in {workspace.id for workspace in await book.workspaces.list_all()}:
            self.workspace, self.trunk = await book.workspaces.get(WORKSPACE), await book.trunks.get(TRUNK)
        else:
            self.workspace = await book.workspaces.add(Workspace(WORKSPACE, "Acme"), "test")
            trunk = Trunk(TRUNK, WORKSPACE, "Carrier", sources=("127.0.0.1", "::1"))
            self.trunk = await book.trunks.add(trunk, "test")
        await self.store.refresh()

    @property
    def store(self) -> SqlStore:
        """The gateway's store."""
        return self.gateway.store

    async def line(self, e164: str = NUMBER, **version: Any) -> AgentVersion:
        """A number, and an agent with one published version behind it; the first ones have known ids."""
        published = await self.version(**version)
        number = PhoneNumber(
            await self._id("phn", self.store.configuration.numbers),
            self.workspace.id,
            e164,
            inbound_version_id=published.id,
        )
        await self.store.configuration.numbers.add(number, "test")
        return published

    async def way_out(self, termination_uri: str, **fields: Any) -> PhoneNumber:
        """A number that calls go out from by the trunk, which leads there; the workspace may call anybody."""
        book = self.store.configuration
        await book.workspaces.change(self.workspace.id, {"kyc_verified": True}, "test")
        await self.change_trunk(termination_uri=termination_uri)
        published = await self.version(**fields)
        number = PhoneNumber(
            new_id("phn"),
            self.workspace.id,
            NUMBER,
            sip_trunk_enabled=True,
            trunk_id=self.trunk.id,
            outbound_version_id=published.id,
        )
        return await book.numbers.add(number, "test")

    async def place(self, to: str = CALLEE, *, headers: Headers = (), **fields: Any) -> CallRecord:
        """Ask for a call from the number."""
        extra = {name: fields.pop(name) for name in ("metadata", "notes", "id") if name in fields}
        asked = OutboundRequest(self.workspace.id, to, **{"from_number": NUMBER, **fields})
        request = CallRequest(asked, "test", headers=headers, **extra)
        return (await self.gateway.placing.place(request)).record

    async def version(self, *, publish: bool = True, **fields: Any) -> AgentVersion:
        """An agent with one version; the runtime's URL unless told otherwise."""
        book = self.store.configuration
        agent_id = await self._id("agent", book.agents)
        name = "Echo" if agent_id == AGENT else agent_id
        agent = await book.agents.add(Agent(agent_id, self.workspace.id, name), "test")
        given = {"runtime_url": self.runtime.url(), **fields}
        if "dialect" in given:
            given["dialect"] = Dialect(given["dialect"])
        made = await book.agents.draft(agent.id, given, "test")
        return await book.agents.publish(made.id, "test") if publish else made

    async def change_trunk(self, **fields: Any) -> None:
        """Change the trunk, and see to it that the gateway knows."""
        self.trunk = await self.store.configuration.trunks.change(self.trunk.id, fields, "test")
        await self.store.refresh()

    def at(self, transport: str = "UDP", host: str | None = None) -> Target:
        """Where the gateway listens."""
        for one in self.gateway.endpoint.listeners:
            if one.transport == transport and host in (None, one.host):
                return Target(transport, one.host, one.port)
        raise LookupError(transport)

    def told(self, name: str) -> list[Event]:
        """The events of this name."""
        return [event for event in self.events if event.name == name]

    async def hears(self, name: str, count: int = 1) -> Event:
        """Wait for an event."""
        await until(lambda: len(self.told(name)) >= count)
        return self.told(name)[count - 1]

    async def records(self) -> list[CallRow]:
        """The records of all calls, oldest first, when there was one and all are over."""
        await until(lambda: self.told("call.received") or self.told("call.created"))
        async with asyncio.timeout(10):
            await self.gateway.switchboard.quiet()
        await self.store.flush()
        page = await self.store.list_calls(CallFilter(limit=200, descending=False))
        for row in page.calls:
            assert self._endings(row.id) == 1, f"{row.id} has {self._endings(row.id)} endings"
            assert row.ended_at is not None
            assert row.end_reason is not None
        return list(page.calls)

    async def record(self) -> CallRow:
        """The record of the only call."""
        (row,) = await self.records()
        return row

    async def ended(self, status: str, reason: str, by: str) -> CallRow:
        """The record of the only call, which has to have ended this way."""
        row = await self.record()
        assert (row.status, row.end_reason, row.ended_by) == (status, reason, by), row.detail
        return row

    async def die(self) -> None:
        """To the next start it is killed: its last records are written, and its name is free."""
        await self.store.flush()
        tenure = self.gateway.tenure
        await tenure._sign()
        tenure._file.let_go()

    async def close(self) -> None:
        """End what is left, and check that nothing stays behind."""
        board = self.gateway.switchboard
        self.gateway.endpoint.user_agent.draining = True
        await self.gateway.close()
        assert board.active == 0
        assert self.gateway.parts.ports.in_use == 0
        assert [name for name in self._names() if name.endswith("crashed")] == self.expected_crashes

    async def _id(self, prefix: str, kept: Numbers | Agents) -> str:
        """`phn_test`, `agent_test` for the first one of a world, any other for those behind it."""
        return new_id(prefix) if await kept.list_all() else f"{prefix}_test"

    def _names(self) -> list[str]:
        return [event.name for event in self.events]

    def _endings(self, call_id: str) -> int:
        return sum(event.call_id == call_id for event in self.told("call.ended"))


def listeners(*more: dict[str, object]) -> dict[str, object]:
    """Settings for listeners beside UDP and TCP on 127.0.0.1."""
    given: dict[str, object] = {}
    for index, one in enumerate(more, 2):
        for key, value in {"port": 0, **one}.items():
            given[f"SIP__LISTENERS__{index}__{key.upper()}"] = value
    return given


__all__ = ["NUMBER", "World", "listeners", "replace"]
