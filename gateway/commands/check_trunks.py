"""Trunks of one source: which of them a call comes by, the number that is called decides."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from gateway.commands.finding import Finding, bad, warn
from gateway.routing.network import parse_network
from gateway.routing.table import Trunk

MOST_TOLD = 20


def shared_sources(trunks: Sequence[Trunk]) -> Iterator[Finding]:
    """Pairs of enabled trunks whose calls may come from the same address."""
    networks = [(trunk, [parse_network(each) for each in trunk.sources]) for trunk in trunks]
    told = 0
    for (one, its), (other, theirs) in combinations(networks, 2):
        both = next(
            (f"{a} and {b}" for a in its for b in theirs if a.version == b.version and a.overlaps(b)), ""
        )
        if both and told < MOST_TOLD:
            told += 1
            yield _of_pair(one, other, both)


def _of_pair(one: Trunk, other: Trunk, both: str) -> Finding:
    what = f"trunks {one.name}, {other.name}"
    if one.username and one.username == other.username and one.password != other.password:
        found = f"same source ({both}) and user name {one.username}, other passwords: only one of them counts"
        return bad(what, found, "give one of them another user name, or another source")
    if bool(one.username) != bool(other.username):
        open_one = other if one.username else one
        found = f"same source ({both}), and {open_one.name} asks for no login: nobody there is asked for one"
        return warn(what, found, f"give {open_one.name} a user name, or another source")
    found = f"same source ({both}): a call comes by the trunk of the number that it calls"
    return warn(what, found, "nothing, where each number is on its trunk; else give each a source of its own")
