"""Workspaces: the tenants."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.routing.table import Workspace
from gateway.store.book import Book, pick_named
from gateway.store.errors import InvalidInput
from gateway.store.rules import checked_workspace

DEFAULT_NAME = "Default"


@dataclass(frozen=True, slots=True)
class Workspaces:
    """The workspaces in the store."""

    book: Book

    async def list_all(self) -> list[Workspace]:
        """All of them, oldest first."""
        return await self.book.read(Workspace)

    async def get(self, workspace_id: str) -> Workspace:
        """One by its id."""
        return await self.book.get(Workspace, workspace_id)

    async def find(self, given: str | None) -> Workspace:
        """The one that a person means by id or name; None is the only one there is."""
        found = await self.list_all()
        if given is not None:
            return pick_named(Workspace, given, found, lambda workspace: workspace.name)
        if len(found) == 1:
            return found[0]
        names = ", ".join(workspace.name for workspace in found)
        raise InvalidInput("workspace", None, f"should be one of {names}" if names else "there is none yet")

    async def add(self, workspace: Workspace, by: str) -> Workspace:
        """Add a workspace under a name that is free."""
        workspace = checked_workspace(workspace)
        async with self.book.changing(by) as changing:
            await changing.refuse_taken(workspace)
            await changing.add(workspace)
        return workspace

    async def change(self, workspace_id: str, fields: Mapping[str, Any], by: str) -> Workspace:
        """Change some fields."""
        async with self.book.changing(by) as changing:
            before = await changing.get(Workspace, workspace_id)
            after = checked_workspace(replace(before, **fields))
            await changing.refuse_taken(after)
            await changing.change(before, after)
        return after
