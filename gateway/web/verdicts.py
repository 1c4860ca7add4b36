"""Whether a number may be called from each of the workspace's numbers: the decision, as pages draw it."""

from dataclasses import dataclass

from gateway.call.refusal import Refused
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Decision, Rejected
from gateway.routing.rating import Quote
from gateway.routing.table import PhoneNumber
from gateway.store.configuration.number_list import NumberFilter
from gateway.web.page import Visit

MOST_NUMBERS = 12
"Numbers that one look tries; more than these nobody reads."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of a call."""

    number: PhoneNumber
    is_allowed: bool
    sentence: str
    decision: Decision | None
    "None: there was nothing to decide from."
    quote: Quote | None = None


async def verdicts(visit: Visit, destination: str, from_id: str = "") -> tuple[list[Verdict], int]:
    """The verdict for each number of the workspace that places calls, and how many were left out."""
    numbers, total = await _numbers(visit, from_id)
    found = [await verdict(visit, destination, number) for number in numbers]
    return sorted(found, key=lambda each: not each.is_allowed), total - len(numbers)


async def _numbers(visit: Visit, from_id: str) -> tuple[list[PhoneNumber], int]:
    store, workspace = visit.site.parts.store, visit.workspace.id
    if from_id:
        number = await store.configuration.numbers.get(from_id)
        visit.own("number", number.id, number.workspace_id)
        return [number], 1
    calling = await store.number_list.page(NumberFilter(workspace, assigned="outbound", limit=MOST_NUMBERS))
    if calling.total:
        return list(calling.numbers), calling.total
    any_page = await store.number_list.page(NumberFilter(workspace, limit=MOST_NUMBERS))
    return list(any_page.numbers), any_page.total


async def verdict(visit: Visit, destination: str, number: PhoneNumber) -> Verdict:
    """What would become of a call from one number; nothing is placed."""
    request = OutboundRequest(visit.workspace.id, destination, from_number=number.e164)
    try:
        route = await visit.site.parts.placing.decide(request)
    except Rejected as refusal:
        return Verdict(number, False, refusal.message, refusal.decision)
    except Refused as refusal:
        return Verdict(number, False, refusal.detail, None)
    return Verdict(number, True, route.decision.summary, route.decision, route.quote)
