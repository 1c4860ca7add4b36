"""Asking for a web call, and letting its browser in: once, with a token that is good for a minute."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from gateway.call.legs.browser_leg import BrowserLeg
from gateway.call.parts import CallParts
from gateway.call.record import CallRecord, EndReason, Status, utc_now
from gateway.call.refusal import Refused
from gateway.call.switchboard import Switchboard
from gateway.config.settings import Config
from gateway.net.browser import Entrance, Knock
from gateway.routing.decision import Rejected
from gateway.routing.web import WebRequest, WebRoute, route_web
from gateway.store.engine.errors import StoreError
from gateway.store.engine.ids import new_id
from gateway.store.tables import Calling

PATH = "/v1/web-calls/{id}/audio"


@dataclass(frozen=True, slots=True)
class WebCallRequest:
    """Somebody asks for a web call."""

    route: WebRequest
    by: str
    "Who asks, for the record and the log: `api:key_…`, `web:anna@…`."
    metadata: Mapping[str, object] = field(default_factory=dict)
    "Kept in the record; its texts, numbers and truths are the agent's parameters."


@dataclass(frozen=True, slots=True)
class Ticket:
    """A web call that has begun, and what its browser comes in with."""

    call: CallRecord
    token: str
    expires_at: datetime

    @property
    def path(self) -> str:
        """Where the browser connects to."""
        return PATH.format(id=self.call.id)


@dataclass(frozen=True, slots=True)
class _Expected:
    path: str
    call: CallRecord
    leg: BrowserLeg


class WebCalls:
    """Begins web calls on a switchboard, and is the `Door` for their browsers."""

    def __init__(self, config: Config, parts: CallParts, board: Switchboard) -> None:
        self._settings = config.web_calls
        own = (config.web.public_url, *config.web_calls.origins)
        self._origins = frozenset(origin.rstrip("/").lower() for origin in own if origin)
        self._parts = parts
        self._board = board
        self._expected: dict[str, _Expected] = {}
        "Calls whose browser has yet to come, by their tokens."

    async def place(self, request: WebCallRequest) -> Ticket:
        """Decide, take the places, record the call, and expect its browser.

        Raises `Rejected` (with `retry_after` where a limit is reached) or `Refused`, with nothing recorded;
        `call.refused` is all that is told.
        """
        try:
            return await self._place(request)
        except (Rejected, Refused) as refusal:
            whose = {"workspace_id": request.route.workspace_id, "agent_id": request.route.agent_id}
            self._board.tell_refused(refusal, type="web", by=request.by, **whose, **{"from": "", "to": ""})
            raise

    async def _place(self, request: WebCallRequest) -> Ticket:
        self._board.open_for_calls()
        route = await self._decide(request.route)
        self._board.open_for_calls()
        lease = await self._parts.lease_web(route)
        route = replace(route, decision=lease.decision)
        record = CallRecord(
            id=new_id("call"),
            direction="inbound",
            type="web",
            sip_call_id="",
            from_number="",
            to_number="",
            created_at=utc_now(),
            status=Status.CREATED,
            requested_by=request.by,
            metadata=request.metadata,
        )
        record.routed(route)
        call = self._board.begin_web(record, route, lease, self._settings.token_seconds)
        assert isinstance(call.phone, BrowserLeg)
        return self._expect(record, call.phone)

    def __call__(self, knock: Knock) -> Entrance | HTTPStatus:
        """Let a browser in that has a token, from a page that may; a token opens one door, once."""
        if not knock.same_origin and (knock.origin or "").lower() not in self._origins:
            return HTTPStatus.FORBIDDEN
        expected = self._expected.get(knock.token)
        if expected is None or expected.path != knock.path:
            return HTTPStatus.NOT_FOUND
        del self._expected[knock.token]
        if expected.call.ended_at is not None:
            return HTTPStatus.GONE
        leg = expected.leg
        return Entrance(leg.enter, leg.receive, leg.lost)

    async def _decide(self, request: WebRequest) -> WebRoute:
        try:
            asked = Calling(request.workspace_id, request.agent_id, None, request.version_number)
            table = await self._parts.store.outbound_table(asked)
        except StoreError as error:
            raise Refused(EndReason.STORE_UNAVAILABLE, str(error)) from error
        return route_web(table, request)

    def _expect(self, record: CallRecord, leg: BrowserLeg) -> Ticket:
        token, seconds = secrets.token_urlsafe(32), self._settings.token_seconds
        self._expected[token] = _Expected(PATH.format(id=record.id), record, leg)
        asyncio.get_running_loop().call_later(seconds, self._expected.pop, token, None)
        return Ticket(record, token, utc_now() + timedelta(seconds=seconds))
