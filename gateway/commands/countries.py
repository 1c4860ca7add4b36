"""`gateway workspaces countries`: which countries and network groups a workspace may call."""

import csv
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.noun import noun
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run
from gateway.commands.sheets import read_sheet
from gateway.store.engine.errors import InvalidInput

if TYPE_CHECKING:
    from gateway.routing.groups import GroupBook, KnownGroup
    from gateway.routing.table import NetworkGroup, Workspace

app = noun("Which countries and network groups a workspace may call.")

SHIPPED = "shipped"
COLUMNS = ("country_iso", "name", "prefixes", "enabled")

CountriesArgument = Annotated[
    list[str], typer.Argument(metavar="COUNTRY…", help="Codes or names, such as IN or India.")
]
GroupOption = Annotated[
    str | None, typer.Option("--group", help="Only groups whose name has this in it, such as Mobile.")
]


@app.command("list")
def list_all(
    search: Annotated[str, typer.Argument(help="Code, name, or the beginning of a number.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Those that are not enabled, too.")] = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a workspace may call; with a search, all that it finds."""

    async def work(session: Session) -> None:
        from gateway.routing.groups import searched

        owner = await session.configuration.workspaces.find(workspace)
        found = searched(_book(session).of(owner), search)
        shown = [each for each in found if each.group.enabled or everything or search]
        columns = ("country_iso", "country", "name", "prefixes", "enabled")
        empty = (
            f"nothing fits {search!r}"
            if search
            else "nothing is enabled: gateway workspaces countries enable IN"
        )
        session.output.rows([_row(each) for each in shown], columns, empty)

    run(config, as_json, work)


@app.command()
def enable(
    countries: CountriesArgument,
    group: GroupOption = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a workspace call countries: all of their groups, or some."""
    _switch(countries, group, workspace, config, as_json, enabled=True)


@app.command()
def disable(
    countries: CountriesArgument,
    group: GroupOption = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a workspace call countries no more: none of their groups, or not some."""
    _switch(countries, group, workspace, config, as_json, enabled=False)


@app.command("import")
def import_file(
    file: Annotated[
        str, typer.Argument(metavar="FILE.csv", help="- is standard input, shipped the shipped one.")
    ],
    keep: Annotated[bool, typer.Option("--keep", help="Keep groups that the file does not name.")] = False,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace what a workspace may call by a CSV file: all of it, or nothing where a line is wrong."""

    async def work(session: Session) -> None:
        from gateway.numbering.files import NETWORK_GROUPS, load_plan
        from gateway.routing.groups import merged
        from gateway.routing.importer import read_network_groups

        plan = load_plan(session.config.outbound)
        groups = read_sheet(file, (SHIPPED, NETWORK_GROUPS), lambda text: read_network_groups(text, plan))
        owner = await session.configuration.workspaces.find(workspace)

        def replaced(before: "Workspace") -> "Sequence[NetworkGroup]":
            return merged(before.network_groups if keep else (), groups)

        changed = await session.configuration.workspaces.change_groups(owner.id, replaced, session.by)
        enabled = sum(each.enabled for each in changed.network_groups)
        counts = {"groups": len(changed.network_groups), "enabled": enabled}
        sentence = f"{changed.name} has {counts['groups']} network groups, {enabled} of them enabled"
        session.output.done({"workspace_id": changed.id, **counts}, sentence)

    run(config, as_json, work)


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a workspace's groups as CSV, as import reads them."""

    async def work(session: Session) -> None:
        from gateway.routing.importer import LIST_SEPARATOR

        owner = await session.configuration.workspaces.find(workspace)
        rows = [
            (each.country_iso, each.name, LIST_SEPARATOR.join(each.prefixes), str(each.enabled).lower())
            for each in owner.network_groups
        ]
        sheet = sys.stdout if out is None else out.open("w", newline="", encoding="utf-8")
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerows([COLUMNS, *rows])
        if out is not None:
            sheet.close()

    run(config, False, work)


def _switch(
    countries: Sequence[str],
    group: str | None,
    workspace: str | None,
    config: Path | None,
    as_json: bool,
    *,
    enabled: bool,
) -> None:
    async def work(session: Session) -> None:
        from gateway.routing.groups import switched

        groups = _book(session)
        owner = await session.configuration.workspaces.find(workspace)
        wanted = [each.key for country in countries for each in _find(groups.of(owner), country, group)]

        def chosen(before: "Workspace") -> "Sequence[NetworkGroup]":
            return switched(before, groups.of(before), wanted, enabled)

        changed = await session.configuration.workspaces.change_groups(owner.id, chosen, session.by)
        rows = [_row(each) for each in groups.of(changed) if each.key in wanted]
        done = "enabled" if enabled else "disabled"
        sentence = f"{changed.name}: {len(rows)} network groups are {done}"
        session.output.done({"workspace_id": changed.id, "groups": rows}, sentence)

    run(config, as_json, work)


def _book(session: Session) -> "GroupBook":
    from gateway.numbering.files import known_groups, load_plan

    return known_groups(load_plan(session.config.outbound))


def _find(known: "Sequence[KnownGroup]", country: str, group: str | None) -> "list[KnownGroup]":
    """The groups of one country that a person means; `InvalidInput` offers what is near."""
    text = country.strip().lower()
    theirs = [each for each in known if text in (each.country.iso.lower(), each.country.name.lower())]
    if not theirs:
        names = {each.country.name for each in known}
        near = [name for name in sorted(names) if text in name.lower()]
        near = near or difflib.get_close_matches(country, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "give its two-letter code, such as IN"
        raise InvalidInput("country", country, f"there is no such country; {hint}")
    found = [each for each in theirs if group is None or group.lower() in each.group.name.lower()]
    if not found:
        names_there = ", ".join(each.group.name for each in theirs)
        raise InvalidInput("group", group, f"{theirs[0].country.name} has {names_there}")
    return found

    return group.country_iso, group.name


def _row(known: "KnownGroup") -> dict[str, object]:
    group = known.group
    return {
        "country_iso": group.country_iso,
        "country": known.country.name,
        "name": group.name,
        "prefixes": list(group.prefixes),
        "calling_code": known.country.calling_code,
        "enabled": group.enabled,
    }
