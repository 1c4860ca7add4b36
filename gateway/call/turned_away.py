"""What the log is told of those whom the gatekeeper did not let in."""

import asyncio

from gateway.call.legs.sip_words import dialled
from gateway.call.record import utc_now
from gateway.routing.decision import Rejected
from gateway.routing.inbound import route_inbound
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.screening import MessageRefused
from gateway.sip.target import Target
from gateway.store.engine.errors import StoreError
from gateway.store.protocol import Store
from gateway.tell import Tell


class TurnedAway:
    """Tells `sip.refused` and `sip.dropped`, and `sip.ignored` with what would have let the source in."""

    def __init__(self, store: Store, tell: Tell) -> None:
        self._store = store
        self._tell = tell
        self._telling: asyncio.Task[None] | None = None

    def message_refused(self, refusal: MessageRefused, trunk: str, count: int) -> None:
        """A message of a known source came to nothing."""
        header, colon, why = refusal.why.partition(": ")
        self._tell(
            "sip.refused" if refusal.status else "sip.dropped",
            level="warning",
            trunk=trunk,
            source=f"{refusal.source.host}:{refusal.source.port}",
            method=refusal.what,
            status=refusal.status,
            header=header if colon else "",
            why=why if colon else refusal.why,
            sip_call_id=refusal.call_id,
            count=count,
        )

    def unknown_source(self, source: Target, request: Request, count: int) -> None:
        """Say in the log what an unknown source got no answer to; one line at a time."""
        if self._telling is None or self._telling.done():
            telling = self._tell_unknown(source, request, count)
            self._telling = asyncio.get_running_loop().create_task(telling)

    async def _tell_unknown(self, source: Target, request: Request, count: int) -> None:
        try:
            called = dialled(request)
        except RemoteProtocolError:
            called = ""
        self._tell(
            "sip.ignored",
            level="warning",
            reason="unknown_source",
            source=f"{source.host}:{source.port}",
            method=request.method,
            to=called,
            near_misses=await self._near_misses(source, called),
            count=count,
        )

    async def _near_misses(self, source: Target, called: str) -> list[str]:
        try:
            route_inbound(
                await self._store.routing_table(called),
                called=called,
                caller="",
                source=source.host,
                now_utc=utc_now(),
            )
        except Rejected as refusal:
            return list(refusal.decision.near_misses)
        except StoreError:
            pass  # the line is worth telling without them
        return []
