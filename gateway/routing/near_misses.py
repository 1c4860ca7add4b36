"""Which numbers and trunks a call could have meant: what is there, and what only almost fits."""

from collections.abc import Iterator, Sequence
from itertools import chain, takewhile

from gateway.routing.number import Reading, normalise
from gateway.routing.table import PhoneNumber, RoutingTable, Trunk

MAX_NEAR_MISSES = 5

NEAR_ENOUGH = 4
"Last digits that two numbers have in common before one is offered for the other."

MAX_ASKED = 100
"Trunks that are asked whether a call was meant for them; each may write numbers in a way of its own."


def carries(trunk: Trunk, number: PhoneNumber) -> bool:
    """Whether a number comes in by a trunk: its own, or else any of its workspace or of the operator."""
    if trunk.workspace_id not in (None, number.workspace_id):
        return False
    return number.trunk_id is None or number.trunk_id == trunk.id


def readings_in_table(
    table: RoutingTable, trunks: Sequence[Trunk], called: str
) -> list[tuple[Reading, PhoneNumber, Trunk]]:
    """Each number of the table that these trunks may have meant by `called`, most likely first."""
    readings = {writing: normalise(called, writing).readings for writing in {t.number_format for t in trunks}}
    return [
        (reading, table.number_by_e164[reading.e164], trunk)
        for trunk in trunks
        for reading in readings[trunk.number_format]
        if reading.e164 in table.number_by_e164
    ]


def near_sources(table: RoutingTable, source: str, called: str) -> list[str]:
    """The trunks that a call from an unknown address was probably meant for.

    Those that carry the dialled number come first, then those with an address close by.
    """
    near: dict[str, Trunk] = {}
    for trunk in chain(_meant(table, called), table.trunks.near(source)):
        if trunk.enabled and trunk.sources:
            near[trunk.id] = trunk
        if len(near) == MAX_NEAR_MISSES:
            break
    return [
        f"trunk “{trunk.name}” would match, but {source} is not in its list ({', '.join(trunk.sources[:5])})"
        for trunk in near.values()
    ]


def _meant(table: RoutingTable, called: str) -> Iterator[Trunk]:
    """The trunks that carry a number of the table which `called` can be read as."""
    owners = {number.workspace_id for number in table.numbers}
    if owners:
        own = [trunk for trunk in table.trunks if trunk.workspace_id is None or trunk.workspace_id in owners]
        own = [trunk for trunk in own if trunk.enabled and trunk.sources][:MAX_ASKED]
        yield from (
            trunk for _, number, trunk in readings_in_table(table, own, called) if carries(trunk, number)
        )


def near_numbers(table: RoutingTable, trunk: Trunk, called: str) -> Iterator[str]:
    """The numbers that end like the dialled one, as far as the trunk's workspace may know of them."""
    dialled = "".join(filter(str.isdecimal, called))
    own = [n for n in table.numbers if trunk.workspace_id in (None, n.workspace_id)]
    own.sort(key=lambda number: _common_end(number.e164, dialled), reverse=True)
    for number in own[:MAX_NEAR_MISSES]:
        common = _common_end(number.e164, dialled)
        if common < NEAR_ENOUGH:
            return
        yield _how_near(number, trunk, dialled, common)


def _how_near(number: PhoneNumber, trunk: Trunk, dialled: str, common: int) -> str:
    if common < len(dialled.lstrip("0")):
        return f"{number.e164} has the same last {common} digits"
    return (
        f"{number.e164} ends with {dialled}: if this is how the trunk writes national numbers, "
        f"its number format ({trunk.number_format}) should be national"
    )


def _common_end(one: str, other: str) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
