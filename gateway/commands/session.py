"""What every command that touches the store begins with: its configuration, the store, who is asking."""

import getpass
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.output import Output, mistakes_told

if TYPE_CHECKING:
    from gateway.config.loading import Config
    from gateway.routing.table import Workspace
    from gateway.store.configuration.nouns import Configuration
    from gateway.store.configuration.values import Value
    from gateway.store.sql import SqlStore

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="TRUNKLINE_CONFIG", help="Configuration file. Default: none."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, as it always is where there is no terminal.")]
WorkspaceOption = Annotated[
    str | None,
    typer.Option("--workspace", "-w", help="Name or id. Default: the only workspace there is."),
]

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True, slots=True)
class Session:
    """A command at work."""

    config: "Config"
    store: "SqlStore"
    output: Output
    by: str
    "Who is asking, for the history: `cli:` and the user's name."

    @property
    def configuration(self) -> "Configuration":
        """What is configured."""
        return self.store.configuration

    async def workspace_id(self, given: str | None) -> str | None:
        """The workspace that a list is about; None: all of them."""
        return None if given is None else (await self.configuration.workspaces.find(given)).id

    async def owner(self, given: str | None) -> "Workspace":
        """The workspace that something new belongs to; the first thing of all makes one."""
        from gateway.routing.table import Workspace
        from gateway.store.configuration.workspaces import DEFAULT_NAME
        from gateway.store.engine.ids import new_id

        if given is None and not await self.configuration.workspaces.list_all():
            return await self.configuration.workspaces.add(Workspace(new_id("org"), DEFAULT_NAME), self.by)
        return await self.configuration.workspaces.find(given)


Work = Callable[[Session], Coroutine[Any, Any, None]]


def run(config: Path | None, as_json: bool, work: Work) -> None:
    """Do some work with the store of a configuration, and tell mistakes plainly."""
    with mistakes_told():
        import asyncio

        from gateway.config.loading import load_config

        asyncio.run(_run(load_config(config, os.environ), Output(as_json=as_json), work))


async def _run(config: "Config", output: Output, work: Work) -> None:
    from gateway.store.sql import open_store

    store = await open_store(config, serving=False)
    try:
        await work(Session(config, store, output, f"cli:{user_name()}"))
    finally:
        await _in_any_case(store.close())


async def _in_any_case(work: Coroutine[Any, Any, None]) -> None:
    """Finish it, and only then be interrupted: a connection that is cut off in its closing complains."""
    import asyncio

    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def shown(value: "Value") -> dict[str, Any]:
    """The fields of a value for people; secrets only as set or not."""
    from gateway.store.configuration import values

    return values.shown(value)


def user_name() -> str:
    """Who is at the terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
