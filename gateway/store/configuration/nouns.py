"""Everything that people configure, by its nouns."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.store.configuration.agents import Agents
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.do_not_call import DoNotCall
from gateway.store.configuration.editing import Editing
from gateway.store.configuration.history import Change, history, history_of_name, history_of_workspace
from gateway.store.configuration.key_ring import KeyRing
from gateway.store.configuration.keys import Keys
from gateway.store.configuration.numbers import Numbers
from gateway.store.configuration.trunks import Trunks
from gateway.store.configuration.webhooks import Webhooks
from gateway.store.configuration.workspaces import Workspaces
from gateway.store.money.decks import Decks
from gateway.store.money.purchases import Purchases


class Configuration:
    """The configuration in the store. Every change names who makes it."""

    def __init__(self, editing: Editing, caps: Caps, ring: KeyRing) -> None:
        self._editing = editing
        self._caps = caps
        self._ring = ring
        self.workspaces = Workspaces(editing)
        self.trunks = Trunks(editing, caps)
        self.agents = Agents(editing, caps)
        self.numbers = Numbers(editing, caps)
        self.keys = Keys(editing, caps, ring)
        self.webhooks = Webhooks(editing, caps)
        self.do_not_call = DoNotCall(editing, caps)
        self.decks = Decks(editing)
        self.purchases = Purchases(editing)

    @asynccontextmanager
    async def together(self, by: str) -> AsyncIterator["Configuration"]:
        """The same, but all that is done with it happens in one transaction, or not at all."""
        async with self._editing.changing(by) as changing:
            yield Configuration(replace(self._editing, joined=changing), self._caps, self._ring)

    async def history(self, object_id: str, limit: int = 100) -> list[Change]:
        """Who changed an object, and how; newest first."""
        return await history(self._editing.database, object_id, limit)

    async def history_of_name(self, name: str, limit: int = 100) -> list[Change]:
        """The same of whatever has, or had, a name, a number, or a provider's deck."""
        return await history_of_name(self._editing.database, name, limit)

    async def history_of_workspace(self, workspace_id: str, limit: int = 100) -> list[Change]:
        """Who changed the workspace, who may log in to it, and its keys; newest first."""
        return await history_of_workspace(self._editing.database, workspace_id, limit)
