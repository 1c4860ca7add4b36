"""The rules of outbound calls under load: 250 countries, all network groups and 100 000 rates.

Alone: `python -m scripts.benchmark.rules`.
"""

import gc
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.routing.decision import Rejected, Trail
from gateway.routing.destination import validate_destination
from gateway.routing.importer import read_countries, read_network_groups, read_rates, read_special_ranges
from gateway.routing.number import begins_a_number
from gateway.routing.plan import NumberingPlan
from gateway.routing.rating import RateDeck
from gateway.routing.table import Workspace

DATA = Path(__file__).parent.parent.parent / "gateway" / "data"

RATES = 100_000

SEED = 20_261_123


@dataclass(frozen=True, slots=True)
class RulesFigures:
    """Decisions about destinations, each with its rate looked up."""

    destinations: str
    "`allowed`: those that pass every rule; `any`: random digits behind every calling code."
    decisions_per_second: int
    p50_us: float
    p99_us: float
    memory_mb: float
    "Of countries, ranges, network groups and rates together."


def measure_rules(decisions: int = 50_000) -> list[RulesFigures]:
    """Decide for so many destinations of each sort, one by one."""
    gc.collect()
    tracemalloc.start()
    plan, workspace, deck = loaded(random.Random(SEED))  # noqa: S311 - the same every time, on purpose
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()

    def allowed(destination: str) -> bool:
        try:
            found = validate_destination(
                destination, workspace=workspace, plan=plan, is_sip_trunk=False, trail=Trail()
            )
        except Rejected:
            return False
        deck.rate(found.number)
        return True

    random_ones = destinations(plan, decisions)
    ordinary = [one for one in random_ones if allowed(one)]
    return [
        _figures("allowed", ordinary, allowed, memory),
        _figures("any", random_ones, allowed, memory),
    ]


def loaded(rng: random.Random) -> tuple[NumberingPlan, Workspace, RateDeck]:
    """All countries, a workspace that may call them, and 100 000 rates."""
    plan = NumberingPlan(
        read_countries((DATA / "countries.csv").read_text()),
        read_special_ranges((DATA / "special-ranges.csv").read_text()),
    )
    groups = read_network_groups((DATA / "network-groups.csv").read_text())
    opened = tuple(replace(group, enabled=True) for group in groups)
    workspace = Workspace("org_bench", "Bench", kyc_verified=True, network_groups=opened)
    return plan, workspace, read_rates(_deck(plan, rng), "INR")


def _deck(plan: NumberingPlan, rng: random.Random) -> str:
    """A price list such as carriers send: many prefixes, and some thousand destinations with a price each."""
    codes = [country.calling_code for country in plan.countries]
    prefixes = set(codes)
    while len(prefixes) < RATES:
        prefix = rng.choice(codes) + "".join(rng.choices("0123456789", k=rng.randrange(1, 7)))
        if begins_a_number(prefix):
            prefixes.add(prefix)
    destinations = [f"Destination {number},{rng.randrange(5000) / 100}" for number in range(2000)]
    rows = (f"{prefix},{rng.choice(destinations)}" for prefix in sorted(prefixes))
    return "\n".join(("prefix,destination,per_minute", *rows))


def destinations(plan: NumberingPlan, count: int) -> list[str]:
    """Random digits behind prefixes of all countries, the same every time."""
    rng = random.Random(SEED + 1)  # noqa: S311 - the same every time, on purpose
    found = []
    for _ in range(count):
        country = rng.choice(plan.countries)
        length = rng.randrange(6, 11)
        national = rng.choice(country.prefixes or ("",)) + "".join(rng.choices("0123456789", k=length))
        found.append(f"+{country.calling_code}{national[:length]}")
    return found


def _figures(
    name: str, destinations: list[str], decide: Callable[[str], bool], memory_mb: float
) -> RulesFigures:
    took = []
    for destination in destinations:
        started = time.thread_time_ns()
        decide(destination)
        took.append((time.thread_time_ns() - started) / 1e3)
    took.sort()
    return RulesFigures(
        destinations=name,
        decisions_per_second=round(len(took) / sum(took) * 1e6),
        p50_us=round(took[len(took) // 2], 1),
        p99_us=round(took[len(took) * 99 // 100], 1),
        memory_mb=round(memory_mb, 1),
    )


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in measure_rules()], indent=2))
