"""The way from an empty workspace to a first call: what is done, and what comes next."""

from dataclasses import dataclass

from gateway.routing.table import VersionState
from gateway.store.configuration.number_list import NumberFilter
from gateway.store.records.calls import CallFilter
from gateway.web.page import Visit


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step of the way."""

    title: str
    text: str
    done: bool
    buttons: tuple[tuple[str, str], ...]
    "Paths and what they say; the first one is the main one."


async def first_steps(visit: Visit) -> list[FirstStep]:
    """The four steps in their order; none where all are done."""
    store, workspace_id = visit.site.parts.store, visit.workspace.id
    tested = CallFilter(workspace_id, statuses=("completed",), limit=1)
    if (await store.list_calls(tested)).calls:
        return []
    labels = await store.number_list.labels(workspace_id)
    any_number = await store.number_list.page(NumberFilter(workspace_id, limit=1))
    taking = await store.number_list.page(NumberFilter(workspace_id, assigned="inbound", limit=1))
    placing = await store.number_list.page(NumberFilter(workspace_id, assigned="outbound", limit=1))
    first = any_number.numbers[0] if any_number.numbers else None
    assigned = next(iter((*taking.numbers, *placing.numbers)), None)
    published = any(label.state is VersionState.PUBLISHED for label in labels.values())
    return [
        FirstStep(
            "Get a number",
            "Buy one, or link one that you have at a carrier.",
            first is not None,
            (("/numbers/buy", "Buy a number"), ("/numbers/link", "Link SIP trunk")),
        ),
        FirstStep(
            "Publish an agent",
            "Say where its runtime listens, and publish the version.",
            published,
            (("/agents", "To the agents"),),
        ),
        FirstStep(
            "Assign it",
            "Inbound and outbound are assigned separately.",
            assigned is not None,
            () if first is None else ((f"/numbers/{first.id}#assignments", "Assign"),),
        ),
        FirstStep(
            "Test it",
            "Call the number, or have it call you.",
            False,
            () if assigned is None else ((f"/numbers/{assigned.id}#try", "Test it"),),
        ),
    ]
