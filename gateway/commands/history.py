"""`gateway history`: who changed what, and when."""

from dataclasses import asdict
from typing import Annotated

import typer

from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, run
from gateway.store.ledger import Change

COLUMNS = ("at", "by", "kind", "action", "what")


def history(
    object_id: Annotated[str, typer.Argument(metavar="ID", help="trunk_…, phn_…, ver_…, agent_… or org_…")],
    limit: Annotated[int, typer.Option(help="How many changes.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who changed a thing, and how, newest first."""

    async def work(session: Session) -> None:
        rows = [_row(change) for change in await session.there.history(object_id, limit)]
        session.output.rows(rows, COLUMNS, f"Nothing has happened to {object_id}.")

    run(config, as_json, work)


def _row(change: Change) -> Row:
    differences = (f"{name}: {before} → {after}" for name, (before, after) in change.fields.items())
    return {**asdict(change), "at": change.at.isoformat(timespec="seconds"), "what": "; ".join(differences)}
