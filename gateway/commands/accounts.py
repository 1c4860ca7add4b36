"""`gateway accounts`: who may log in to the dashboard."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.assignments import confirmed
from gateway.commands.noun import noun
from gateway.commands.output import Row
from gateway.commands.questions import prompt
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, YesOption, run

if TYPE_CHECKING:
    from gateway.store.configuration.accounts import Account

app = noun("Who may log in to the dashboard.")
NameArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="E-mail address or name, or an id.")]
PasswordOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input; else it is asked.")
]


@app.command("list")
def list_all(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the accounts, of one workspace or of all."""

    async def work(session: Session) -> None:
        within = await session.workspace_id(workspace)
        names = {each.id: each.name for each in await session.configuration.workspaces.list_all()}
        found = await session.store.accounts.list_all(within)
        rows = [{**_row(account), "workspace": names[account.workspace_id]} for account in found]
        columns = ("name", "workspace", "last_login", "id")
        session.output.rows(rows, columns, "No account yet: gateway accounts add anna@example.com")

    run(config, as_json, work)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="E-mail address or name.")],
    workspace: WorkspaceOption = None,
    stdin: PasswordOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account: gateway accounts add anna@example.com"""
    password = _password(stdin)

    async def work(session: Session) -> None:
        owner = await session.owner(workspace)
        added = await session.store.accounts.add(owner.id, name, password, session.by)
        session.output.done(_row(added), f"{added.name} can log in to workspace {owner.name}")

    run(config, as_json, work)


@app.command()
def password(
    name: NameArgument,
    stdin: PasswordOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account another password; whoever was logged in with the old one is logged out."""
    fresh = _password(stdin)

    async def work(session: Session) -> None:
        found = await session.store.accounts.find(name)
        changed = await session.store.accounts.set_password(found.id, fresh, session.by)
        session.output.done(_row(changed), f"{changed.name} logs in with the new password from now on")

    run(config, as_json, work)


@app.command()
def remove(
    name: NameArgument, yes: YesOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Remove an account; whoever is logged in with it is logged out."""

    async def work(session: Session) -> None:
        found = await session.store.accounts.find(name)
        confirmed(f"Remove {found.name}?", yes=yes)
        await session.store.accounts.remove(found.id, session.by)
        session.output.done(_row(found), f"{found.name} can no longer log in")

    run(config, as_json, work)


def _password(stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = prompt("Password", twice=True, err=False)
    return given


def _row(account: "Account") -> Row:
    return {
        "name": account.name,
        "id": account.id,
        "workspace_id": account.workspace_id,
        "created_at": account.created_at.isoformat(timespec="seconds"),
        "last_login": None if account.seen_at is None else account.seen_at.isoformat(timespec="seconds"),
    }
