"""`gateway history`: who changed what, and when."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, run
from gateway.store.engine.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from gateway.store.configuration.history import Change

COLUMNS = ("at", "by", "kind", "action", "what")
NOTHING = "there is, and was, nothing of this id, number or name"


def history(
    what: Annotated[
        str, typer.Argument(metavar="WHAT", help="A name, a number in any writing, AGENT/NUMBER, or an id.")
    ],
    limit: Annotated[int, typer.Option(min=1, help="How many changes.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who changed a thing, and how, newest first; things that are gone, too.

    Where several things have, or had, the name, it is the history of them all.
    """

    async def work(session: Session) -> None:
        rows = [_row(change) for change in await _changes(session, what, limit)]
        if not rows:
            raise NotFound("what", what, NOTHING)
        columns = (*COLUMNS, "object_id") if len({row["object_id"] for row in rows}) > 1 else COLUMNS
        session.output.rows(rows, columns, "")

    run(config, as_json, work)


async def _changes(session: Session, given: str, limit: int) -> "list[Change]":
    """By the id, by the agent's version that is meant, or by whatever was ever called so."""
    from gateway.routing.number import parse_e164
    from gateway.routing.typed import cleaned

    by_id = await session.configuration.history(given, limit)
    if by_id:
        return by_id
    number = parse_e164("+" + "".join(filter(str.isdigit, cleaned(given))))
    written_as_number = not any(map(str.isalpha, given))
    name = number.e164 if number is not None and written_as_number else given
    named = await session.configuration.history_of_name(name, limit)
    if named or "/" not in given:
        return named
    try:
        version = await session.configuration.agents.find_version(given)
    except InvalidInput:
        return []
    return await session.configuration.history(version.id, limit)


def _row(change: "Change") -> Row:
    differences = (f"{name}: {before} → {after}" for name, (before, after) in change.fields.items())
    return {**asdict(change), "at": change.at.isoformat(timespec="seconds"), "what": "; ".join(differences)}
