"""What was refused, where its owner finds it: gathered for a moment, and bounded for each workspace."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.events.bus import Event
from gateway.events.legible import legible
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.refusals import Refusals, RefusedRequest

GATHER_SECONDS = 1.0
"Same requests that are refused for the same reason within this time are one, counted."
MAX_WAITING, MAX_OF_ONE = 2000, 100
"Refusals that wait to be written, in all and of one workspace; further ones are counted only."
KEEP = timedelta(days=30)
SWEEP_SECONDS = 3600.0
LONGEST = 200
"Characters of what somebody asked for."

Key = tuple[str, ...]


class RefusalDesk:
    """Hears `call.refused`, and writes it down: `hear` events, `run` it beside."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._waiting: dict[Key, RefusedRequest] = {}
        self._of_one: Counter[str] = Counter()
        self._came = asyncio.Event()
        self.dropped = 0
        "Refusals that found no place."

    def hear(self, event: Event) -> None:
        """Take a refusal, if it is one."""
        workspace_id = event.fields.get("workspace_id")
        if event.name != "call.refused" or not isinstance(workspace_id, str):
            return
        refusal = _of(event, workspace_id)
        key = (
            *(workspace_id, refusal.type, refusal.by, str(refusal.agent_id)),
            *(refusal.from_number, refusal.to_number, refusal.reason),
        )
        known = self._waiting.get(key)
        if known is not None:
            self._waiting[key] = replace(known, count=known.count + 1)
        elif len(self._waiting) >= MAX_WAITING or self._of_one[workspace_id] >= MAX_OF_ONE:
            self.dropped += 1
        else:
            self._waiting[key] = refusal
            self._of_one[workspace_id] += 1
        self._came.set()

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_all())
            tasks.create_task(self._sweep())

    async def write(self) -> None:
        """Write what waits; a database that is away gets it later."""
        waiting, self._waiting = self._waiting, {}
        self._of_one.clear()
        try:
            await self._refusals.keep(sorted(waiting.values(), key=lambda one: one.id))
        except StoreError:
            self._waiting = {**waiting, **self._waiting}
            self._of_one = Counter(one.workspace_id for one in self._waiting.values())
            raise

    async def finish(self) -> None:
        """Write what waits, at the gateway's end: where the database is away, it is lost."""
        with suppress(StoreError):
            await self.write()

    async def _write_all(self) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.write()
            except StoreError:
                self._came.set()

    async def _sweep(self) -> None:
        while True:
            try:
                await self._refusals.sweep(datetime.now(UTC) - KEEP)
            except StoreError:
                pass  # what is too old goes an hour later
            await asyncio.sleep(SWEEP_SECONDS)


def _of(event: Event, workspace_id: str) -> RefusedRequest:
    fields = event.fields
    agent_id, decision = fields.get("agent_id"), fields.get("decision")
    return RefusedRequest(
        id=new_id("ref"),
        workspace_id=workspace_id,
        at=event.time,
        type=_text(fields, "type"),
        by=_text(fields, "by"),
        agent_id=str(agent_id)[:LONGEST] if agent_id else None,
        from_number=_text(fields, "from"),
        to_number=_text(fields, "to"),
        reason=_text(fields, "reason"),
        message=_text(fields, "detail"),
        decision=decision if isinstance(decision, dict) else None,
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    """Short, and in characters that a database and a page take."""
    return legible(str(fields.get(name) or "")[:LONGEST])[:LONGEST]
