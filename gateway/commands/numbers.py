"""`gateway numbers`: the phone numbers, and which agent version answers and dials by each."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.assignments import AssignmentsArgument, assigned
from gateway.commands.noun import NUMBER, noun
from gateway.commands.output import Row
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run, shown
from gateway.store.engine.errors import NotFound
from gateway.store.engine.ids import new_id

if TYPE_CHECKING:
    from gateway.routing.table import AgentVersion, PhoneNumber

app = noun("The phone numbers, and which agent version answers each.")
NumberArgument = Annotated[str, typer.Argument(metavar="NUMBER", help="In any writing, or an id.")]
TrunkOption = Annotated[str | None, typer.Option("--trunk", help="The trunk that carries it; '' for none.")]
COLUMNS = (
    "phone_number",
    "nickname",
    "status",
    "rental",
    "provider",
    "renews",
    "trunk",
    "inbound",
    "outbound",
)


SHARE = re.compile(r"(.+/\d+):(0?\.\d+|1(?:\.0+)?)")
"A version with its share of the callers."


class Direction(StrEnum):
    """Which of a number's two assignments."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@app.command("list")
def list_all(
    workspace: WorkspaceOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the numbers, of one workspace or of all."""

    async def work(session: Session) -> None:
        within = await session.workspace_id(workspace)
        rows = await described(session, await session.configuration.numbers.list_all(within))
        session.output.rows(
            rows, COLUMNS, "No number yet: gateway numbers add +… --trunk NAME --inbound AGENT"
        )

    run(config, as_json, work)


@app.command()
def show(number: NumberArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a number."""

    async def work(session: Session) -> None:
        (row,) = await described(session, [await session.configuration.numbers.find(number)])
        session.output.one(row)

    run(config, as_json, work)


async def described(session: Session, numbers: "Iterable[PhoneNumber]") -> list[Row]:
    """The numbers with names where they refer to others by id."""
    trunks = {trunk.id: trunk.name for trunk in await session.configuration.trunks.list_all()}
    labels: dict[str | None, str | None] = {None: None}
    for agent in await session.configuration.agents.list_all():
        for version in await session.configuration.agents.versions(agent.id):
            labels[version.id] = f"{agent.name}/{version.number}"
    return [_row(number, trunks, labels) for number in numbers]


def _row(number: "PhoneNumber", trunks: dict[str, str], labels: dict[str | None, str | None]) -> Row:
    fields = shown(number)
    fields["phone_number"] = fields.pop("e164")
    return {
        "phone_number": fields["phone_number"],
        **fields,
        "provider": "SIP trunk" if number.provider == "sip_trunk" else number.provider,
        "rental": number.rental_status.value,
        "renews": None if number.renews_at is None else number.renews_at.date().isoformat(),
        "trunk": trunks.get(number.trunk_id or ""),
        "inbound": _assigned(labels, number.inbound_version_id, number.inbound_latest, number.inbound_split),
        "outbound": _assigned(
            labels, number.outbound_version_id, number.outbound_latest, number.outbound_split
        ),
    }


def _assigned(
    labels: dict[str | None, str | None],
    version_id: str | None,
    latest: bool,
    split: Sequence[tuple[str, float]],
) -> str | None:
    """`Echo/2`, `Echo/2 (latest)`, `Echo/1:0.8, Echo/2:0.2`."""
    if split:
        return ", ".join(f"{labels.get(version)}:{share:g}" for version, share in split)
    label = labels.get(version_id)
    return f"{label} (latest)" if label and latest else label


@app.command(cls=NUMBER.command)
def add(
    number: Annotated[str, typer.Argument(help="In E.164, such as +442079460018.")],
    fields: AssignmentsArgument = None,
    trunk: TrunkOption = None,
    inbound: Annotated[
        str | None, typer.Option(help="The version that answers: AGENT or AGENT/NUMBER.")
    ] = None,
    outbound: Annotated[str | None, typer.Option(help="The version that dials by it.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a number: gateway numbers add +442079460018 --trunk Carrier --inbound Echo"""

    async def work(session: Session) -> None:
        from gateway.routing.table import PhoneNumber

        given = assigned(NUMBER, fields)
        owner = await session.owner(workspace)
        given |= await _trunk_field(session, trunk, owner.id)
        for direction, version in (("inbound", inbound), ("outbound", outbound)):
            if version is not None:
                found = await _version(session, f"--{direction}", version, owner.id)
                given[f"{direction}_version_id"] = found.id
        added = PhoneNumber(new_id("phn"), owner.id, number, **given)
        await _say(session, await session.configuration.numbers.add(added, session.by), "is there")

    run(config, as_json, work)


@app.command("set", cls=NUMBER.command)
def change(
    number: NumberArgument,
    fields: AssignmentsArgument = None,
    trunk: TrunkOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change fields of a number: gateway numbers set +442079460018 status=active nickname='Front desk'"""

    async def work(session: Session) -> None:
        given = assigned(NUMBER, fields)
        found = await session.configuration.numbers.find(number)
        given |= await _trunk_field(session, trunk, found.workspace_id)
        await _say(
            session, await session.configuration.numbers.change(found.id, given, session.by), "is changed"
        )

    run(config, as_json, work)


async def _trunk_field(session: Session, trunk: str | None, workspace_id: str) -> dict[str, Any]:
    """The operator's trunks serve every workspace; its own come first."""
    if trunk is None:
        return {}
    if not trunk:
        return {"trunk_id": None, "sip_trunk_enabled": False}
    own = await session.configuration.trunks.list_all(workspace_id)
    within = workspace_id if any(trunk.lower() == each.name.lower() for each in own) else None
    return {
        "trunk_id": (await session.configuration.trunks.find(trunk, within)).id,
        "sip_trunk_enabled": True,
    }


async def _say(session: Session, number: "PhoneNumber", what: str) -> None:
    (row,) = await described(session, [number])
    answers = row["inbound"] or "nobody"
    session.output.done(row, f"{number.e164} {what}; {answers} answers it")


@app.command()
def assign(
    number: NumberArgument,
    direction: Annotated[
        Direction, typer.Argument(help="inbound: who answers it. outbound: who dials by it.")
    ],
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION",
            help="AGENT/NUMBER; AGENT for its newest; AGENT/latest to follow what is published; "
            "AGENT/1:0.8,AGENT/2:0.2 to share callers out.",
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a published version answer, or dial by, a number; the other direction stays as it is."""

    async def work(session: Session) -> None:
        found = await session.configuration.numbers.find(number)
        changed = await _assign(session, found, direction, version)
        await _say_assigned(session, changed, direction)

    run(config, as_json, work)


async def _assign(session: Session, number: "PhoneNumber", direction: Direction, given: str) -> "PhoneNumber":
    numbers, within = session.configuration.numbers, number.workspace_id
    shares = [SHARE.fullmatch(part.strip()) for part in given.split(",")]
    if all(shares):
        split = [(await _version(session, "VERSION", one[1], within), float(one[2])) for one in shares if one]
        pairs = [(version.id, share) for version, share in split]
        return await numbers.split(number.id, direction.value, pairs, session.by)
    name = given.removesuffix("/latest")
    version = await _version(session, "VERSION", name, within)
    latest = name != given
    return await numbers.assign(number.id, direction.value, version.id, session.by, latest=latest)


async def _version(session: Session, argument: str, given: str, within: str) -> "AgentVersion":
    """The version that somebody means; a mistake is one of the argument that it stood in."""
    try:
        return await session.configuration.agents.find_version(given, within)
    except NotFound as error:
        raise NotFound(argument, error.given, error.right) from None


@app.command()
def unassign(
    number: NumberArgument,
    direction: Annotated[Direction, typer.Argument(help="inbound or outbound.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have no agent answer, or dial by, a number."""

    async def work(session: Session) -> None:
        found = await session.configuration.numbers.find(number)
        changed = await session.configuration.numbers.unassign(found.id, direction.value, session.by)
        await _say_assigned(session, changed, direction)

    run(config, as_json, work)


async def _say_assigned(session: Session, number: "PhoneNumber", direction: Direction) -> None:
    (row,) = await described(session, [number])
    who = row[direction.value] or "nobody"
    does = "answers" if direction is Direction.INBOUND else "dials by"
    session.output.done(row, f"from the next call on, {who} {does} {number.e164}")
