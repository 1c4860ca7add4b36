"""`gateway wallet`: what a workspace has paid in advance, and what its calls took out."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.noun import noun
from gateway.commands.output import fail
from gateway.commands.questions import confirm
from gateway.commands.session import ConfigOption, JsonOption, Session, YesOption, run
from gateway.store.engine.errors import InvalidInput

if TYPE_CHECKING:
    from gateway.store.money.wallets import Wallet, WalletEntry

app = noun("What workspaces have paid in advance for their calls.")

WorkspaceArgument = Annotated[str, typer.Argument(metavar="WORKSPACE", help="Name or id.")]
AmountArgument = Annotated[str, typer.Argument(help="In the workspace's currency, such as 500 or 12.50.")]
NoteOption = Annotated[str, typer.Option(help="Kept with the entry: an invoice's number, say.")]


@app.command("list")
def list_all(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List all wallets."""

    async def work(session: Session) -> None:
        names = {each.id: each.name for each in await session.configuration.workspaces.list_all()}
        found = await session.store.wallets.list_all()
        rows = [{"workspace": names.get(each.workspace_id), **_row(each)} for each in found]
        columns = ("workspace", "balance", "held", "available", "currency", "is_open")
        session.output.rows(rows, columns, "No wallet yet, so no workspace pays in advance")

    run(config, as_json, work)


@app.command()
def show(
    workspace: WorkspaceArgument,
    last: Annotated[int, typer.Option(min=0, max=1000, help="How many entries to show.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a wallet and its newest entries."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        wallet = await session.store.wallets.get(owner.id)
        entries = [_entry(each) for each in await session.store.wallets.entries(owner.id, last)]
        if session.output.is_json:
            session.output.one({**_row(wallet), "entries": entries})
            return
        session.output.one(_row(wallet))
        columns = ("at", "kind", "amount", "balance", "call_id", "by", "note")
        session.output.rows(entries, columns, "")

    run(config, as_json, work)


@app.command("open")
def open_wallet(
    workspace: WorkspaceArgument,
    amount: AmountArgument = "0",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a wallet: from now on the workspace's calls out are paid in advance."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        wallet = await session.store.wallets.open(owner, _amount(amount), session.by)
        _done(session, wallet, f"{owner.name} has a wallet")

    run(config, as_json, work)


@app.command("top-up")
def top_up(
    workspace: WorkspaceArgument,
    amount: AmountArgument,
    note: NoteOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay something in; calls that were about to end for want of money go on."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        wallet = await session.store.wallets.top_up(owner.id, _amount(amount), session.by, note)
        _done(session, wallet, f"{owner.name} has {amount} more")

    run(config, as_json, work)


@app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    workspace: WorkspaceArgument,
    amount: AmountArgument,
    note: NoteOption,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct a balance, up or down (-50); the note says why."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        wallet = await session.store.wallets.adjust(owner.id, _amount(amount), session.by, note)
        _done(session, wallet, f"the wallet of {owner.name} is corrected")

    run(config, as_json, work)


@app.command()
def close(
    workspace: WorkspaceArgument,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a wallet: calls go on without, and nothing limits them; what is in it stays in it."""

    async def work(session: Session) -> None:
        owner = await session.configuration.workspaces.find(workspace)
        wallet = await session.store.wallets.get(owner.id)
        if not wallet.is_open:
            fail(f"the wallet of {owner.name} is closed already", 2)
        if not yes:
            question = f"Close the wallet of {owner.name}, with {wallet.balance:f} {wallet.currency} in it?"
            confirm(question)
        closed = await session.store.wallets.close(owner.id, session.by)
        _done(session, closed, f"the wallet of {owner.name} is closed")

    run(config, as_json, work)


def _amount(text: str) -> Decimal:
    from gateway.store.configuration.fields import money

    try:
        return money(text)
    except ValueError as error:
        raise InvalidInput("amount", text, str(error)) from None


def _done(session: Session, wallet: "Wallet", sentence: str) -> None:
    left = f"{wallet.balance:f} {wallet.currency} in it, {wallet.held:f} of them held by running calls"
    session.output.done(_row(wallet), f"{sentence}: {left}")


def _row(wallet: "Wallet") -> dict[str, object]:
    return {
        "workspace_id": wallet.workspace_id,
        "is_open": wallet.is_open,
        "currency": wallet.currency,
        "balance": f"{wallet.balance:f}",
        "held": f"{wallet.held:f}",
        "available": f"{wallet.available:f}",
        "opened_at": wallet.opened_at.isoformat(timespec="seconds"),
    }


def _entry(entry: "WalletEntry") -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(timespec="seconds"),
        "kind": entry.kind,
        "amount": f"{entry.amount:f}",
        "balance": f"{entry.balance:f}",
        "call_id": entry.call_id,
        "by": entry.by,
        "note": entry.note,
    }
