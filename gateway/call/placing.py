"""Asking for an outbound call: decided, given its places, recorded and begun, in this order.

Single calls, batches, MQTT and the dashboard all come by here. Whoever is refused learns why before anything
was recorded or sent.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.call.call import Call
from gateway.call.parts import CallParts
from gateway.call.patch import Patch
from gateway.call.record import CallRecord, EndReason, Status, utc_now
from gateway.call.refusal import Refused
from gateway.call.switchboard import PlacedCall, Switchboard
from gateway.config.settings import OutboundSettings
from gateway.routing.decision import Rejected
from gateway.routing.outbound import OutboundRequest, OutboundRoute, route_outbound
from gateway.routing.plan import NumberingPlan
from gateway.sip.errors import LocalProtocolError
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.calls import Category
from gateway.store.tables import Calling


@dataclass(frozen=True, slots=True)
class CallRequest:
    """Somebody asks for an outbound call."""

    route: OutboundRequest
    "What the decision is made about."
    by: str
    "Who asks, for the record and the log: `api:key_…`, `mqtt:…`, `cli:root`."
    id: str = ""
    "`call_…`, given ahead by whoever has to find the call again; empty: a new one."
    metadata: Mapping[str, object] = field(default_factory=dict)
    "Kept in the record; its texts, numbers and truths are the agent's parameters."
    notes: Mapping[str, object] = field(default_factory=dict)
    headers: Sequence[tuple[str, str]] = ()
    "SIP headers of the requester's own, as `custom_headers.check_headers` returned them."
    batch_id: str | None = None
    "The batch that it is a call of: then its category is `batch`."
    category: Category | None = None
    category_id: str | None = None
    "The requester's own name for the workflow that asks."
    parent_call_id: str | None = None
    patch: Patch | None = None
    "The call that it is put through to, in the place of an agent."
    patience: float | None = None
    "Seconds that it may wait for its trunk's pace; None: as the configuration says."
    leaves_free: float = 0.0
    "The share of each limit that it leaves to others, such as 0.1."


Before = Callable[[CallRecord], Awaitable[None]]
"Makes sure of a call before it is dialled."


class Placing:
    """Places outbound calls on a switchboard."""

    def __init__(
        self, settings: OutboundSettings, parts: CallParts, board: Switchboard, plan: NumberingPlan
    ) -> None:
        self.plan = plan
        self._settings = settings
        self._parts = parts
        self._board = board

    async def decide(self, request: OutboundRequest) -> OutboundRoute:
        """Whether and how a call would go out, without placing it.

        Raises `Rejected` with the decision, or `Refused` where there is nothing to decide from.
        """
        try:
            table = await self._parts.store.outbound_table(Calling.about(request), request.destination)
            # Last: whoever places the call awaits nothing between this and `prepare`.
            balance = await self._parts.meter.balance(request.workspace_id)
        except StoreError as error:
            raise Refused(EndReason.STORE_UNAVAILABLE, str(error)) from error
        decks = self._parts.store.rate_decks()
        return route_outbound(table, request, plan=self.plan, now_utc=utc_now(), decks=decks, balance=balance)

    async def place(self, request: CallRequest, before: Before | None = None) -> PlacedCall:
        """Decide, take the places, record the call and begin to dial; the record is live from here on.

        `before` is awaited last, when nothing but the dialling is left; what it raises prevents that.
        Raises `Rejected` (with `retry_after` where a limit is reached) or `Refused`, with nothing recorded;
        `call.refused` is all that is told.
        """
        try:
            return await self.attempt(request, before)
        except (Rejected, Refused) as refusal:
            route = request.route
            self._board.tell_refused(
                refusal,
                workspace_id=route.workspace_id,
                by=request.by,
                agent_id=route.agent_id,
                **{"from": route.from_number or "", "to": route.destination or ""},
            )
            raise

    async def attempt(self, request: CallRequest, before: Before | None = None) -> PlacedCall:
        """As `place`, but nobody is told where it is refused: for whoever tries again by himself."""
        self._board.open_for_calls()
        route = await self.decide(request.route)
        self._board.open_for_calls()
        self._has_a_way_out(route)
        record = CallRecord(
            id=request.id or new_id("call"),
            direction="outbound",
            sip_call_id="",
            from_number=route.caller_id,
            to_number=route.destination.e164,
            created_at=utc_now(),
            status=Status.CREATED,
            requested_by=request.by,
            metadata=request.metadata,
            notes=request.notes,
            parent_call_id=request.parent_call_id,
            batch_id=request.batch_id,
            category=Category.BATCH if request.batch_id else request.category,
            category_id=request.batch_id or request.category_id,
        )
        record.routed(route)
        # Nothing was awaited since the balance was read: no other call is promised the same money.
        call = self._board.prepare(record, route, tuple(request.headers), request.patch)
        try:
            await self._make_sure(call, route, request, before)
        except BaseException:
            self._board.give_up(call)
            raise
        return self._board.place(call)

    async def _make_sure(
        self, call: Call, route: OutboundRoute, request: CallRequest, before: Before | None
    ) -> None:
        """Have its places, and whatever else has to be there before it is dialled."""
        patience = self._settings.queue_seconds if request.patience is None else request.patience
        lease = await self._parts.lease(route, patience, request.leaves_free)
        call.has_places(lease)
        call.record.decision = lease.decision.as_dict()
        if before is not None:
            await before(call.record)

    def _has_a_way_out(self, route: OutboundRoute) -> None:
        try:
            self._parts.target_of(route)
        except LocalProtocolError as error:
            name, transport = route.trunk.name, route.trunk.transport
            detail = f"trunk “{name}” goes by {transport}, which this gateway does not speak"
            raise Refused(EndReason.SIP_TRUNK_UNREACHABLE, detail) from error
