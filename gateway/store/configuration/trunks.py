"""Trunks: who may call in, and how calls go out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.routing.table import PhoneNumber, Trunk, Workspace
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Editing, pick_named
from gateway.store.configuration.rules import checked_trunk
from gateway.store.engine.errors import Conflict
from gateway.store.engine.schema import numbers, trunks


@dataclass(frozen=True, slots=True)
class Trunks:
    """The trunks in the store."""

    editing: Editing
    caps: Caps

    async def list_all(self, workspace_id: str | None = None) -> list[Trunk]:
        """Those of a workspace, or all; oldest first."""
        conditions = [] if workspace_id is None else [trunks.c.workspace_id == workspace_id]
        return await self.editing.read(Trunk, *conditions)

    async def get(self, trunk_id: str) -> Trunk:
        """One by its id."""
        return await self.editing.get(Trunk, trunk_id)

    async def find(self, name_or_id: str, workspace_id: str | None = None) -> Trunk:
        """The one that a person means by id or name."""
        return pick_named(Trunk, name_or_id, await self.list_all(workspace_id), lambda trunk: trunk.name)

    async def add(self, trunk: Trunk, by: str) -> Trunk:
        """Add a trunk under a name that is free in its workspace."""
        trunk = checked_trunk(trunk)
        async with self.editing.changing(by) as changing:
            if trunk.workspace_id is not None:
                await changing.get(Workspace, trunk.workspace_id)
            await changing.refuse_taken(trunk)
            await self.caps.trunk(changing, None, trunk)
            await changing.add(trunk)
        return trunk

    async def change(self, trunk_id: str, fields: Mapping[str, Any], by: str) -> Trunk:
        """Change some fields; the workspace stays."""
        async with self.editing.changing(by) as changing:
            before = await changing.get(Trunk, trunk_id)
            after = checked_trunk(replace(before, **fields, workspace_id=before.workspace_id))
            await changing.refuse_taken(after)
            await self.caps.trunk(changing, before, after)
            await changing.change(before, after)
        return after

    async def remove(self, trunk_id: str, by: str) -> Trunk:
        """Remove a trunk that no number uses."""
        async with self.editing.changing(by) as changing:
            trunk = await changing.get(Trunk, trunk_id)
            users = await changing.read(PhoneNumber, numbers.c.trunk_id == trunk_id)
            if users:
                right = (
                    f"is used by {', '.join(number.e164 for number in users[:10])}: take it off them first"
                )
                raise Conflict("trunk", trunk.name, right)
            await changing.remove(trunk)
        return trunk
