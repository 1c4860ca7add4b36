"""Workspaces: the tenants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from gateway.routing.table import NetworkGroup, Workspace
from gateway.store.configuration.editing import Changing, Editing, pick_named
from gateway.store.configuration.rules import checked_workspace
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.schema import wallets

DEFAULT_NAME = "Default"


@dataclass(frozen=True, slots=True)
class Workspaces:
    """The workspaces in the store."""

    editing: Editing

    async def list_all(self) -> list[Workspace]:
        """All of them, oldest first."""
        return await self.editing.read(Workspace)

    async def get(self, workspace_id: str) -> Workspace:
        """One by its id."""
        return await self.editing.get(Workspace, workspace_id)

    async def find(self, name_or_id: str | None) -> Workspace:
        """The one that a person means by id or name; None is the only one there is."""
        found = await self.list_all()
        if name_or_id is not None:
            return pick_named(Workspace, name_or_id, found, lambda workspace: workspace.name)
        if len(found) == 1:
            return found[0]
        names = ", ".join(workspace.name for workspace in found)
        raise InvalidInput("workspace", None, f"should be one of {names}" if names else "there is none yet")

    async def add(self, workspace: Workspace, by: str) -> Workspace:
        """Add a workspace under a name that is free."""
        workspace = checked_workspace(workspace)
        async with self.editing.changing(by) as changing:
            await changing.refuse_taken(workspace)
            await changing.add(workspace)
        return workspace

    async def change(self, workspace_id: str, fields: Mapping[str, Any], by: str) -> Workspace:
        """Change some fields."""
        async with self.editing.changing(by) as changing:
            before = await changing.get(Workspace, workspace_id)
            after = checked_workspace(replace(before, **fields))
            await changing.refuse_taken(after)
            if before.currency != after.currency:
                await _refuse_paid_in(changing, before, after)
            await changing.change(before, after)
        return after

    async def change_groups(
        self, workspace_id: str, decide: Callable[[Workspace], Sequence[NetworkGroup]], by: str
    ) -> Workspace:
        """Change its network groups; `decide` is asked in the transaction, so no other change is undone."""
        async with self.editing.changing(by) as changing:
            before = await changing.get(Workspace, workspace_id)
            after = checked_workspace(replace(before, network_groups=tuple(decide(before))))
            await changing.change(before, after)
        return after


async def _refuse_paid_in(changing: Changing, before: Workspace, after: Workspace) -> None:
    """`Conflict` where there is a wallet in the currency that a workspace would leave."""
    query = sa.select(wallets.c.balance).where(wallets.c.workspace_id == before.id)
    if (await changing.connection.execute(query)).first() is not None:
        raise Conflict("currency", after.currency, f"the workspace has a wallet in {before.currency}")
