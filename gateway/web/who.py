"""Who did something, by the names that people know: accounts, API keys, and whoever runs the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.web.page import Visit

OPERATOR = "whoever runs the gateway"


@dataclass(frozen=True, slots=True)
class Who:
    """The names of a workspace's API keys, revoked ones too, and of its accounts, by their ids."""

    keys: Mapping[str, str]
    accounts: Mapping[str, str]

    def name(self, by: str) -> str:
        """`api:key_…` as the key's name, and its id second; `web:anna@…` as anna@…"""
        kind, _, what = by.partition(":")
        if kind == "api":
            return f"API key “{self.keys[what]}” ({what})" if what in self.keys else f"API key {what}"
        if kind == "web":
            return what
        return OPERATOR if kind in ("cli", "seed") else by


async def who_of(visit: Visit) -> Who:
    """Everybody who may have done something in the visitor's workspace."""
    keys = await visit.site.parts.store.configuration.keys.list_all(visit.workspace.id)
    accounts = await visit.site.parts.store.accounts.list_all(visit.workspace.id)
    return Who({key.id: key.name for key in keys}, {account.id: account.name for account in accounts})
