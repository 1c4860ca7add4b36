"""Requests for calls that a broker brings: taken, placed once, answered, and only then acknowledged."""

import asyncio
from dataclasses import dataclass

from gateway.api.keys import KEY, Caller
from gateway.api.mqtt_request import Asked, Sender, answer, asked, sender_of
from gateway.api.refusal import Answer, answer_to, unauthorised
from gateway.api.shapes.call import call_created
from gateway.api.shapes.call_request import call_request
from gateway.call.idempotency import Idempotency, Placed
from gateway.call.record import EndReason
from gateway.call.refusal import Refused
from gateway.config.settings import Config
from gateway.events.bus import EventBus
from gateway.events.link import BrokerLink
from gateway.net.mqtt import Delivery
from gateway.routing.decision import ReasonGroup, Rejected
from gateway.store.configuration.keys import Keys
from gateway.store.engine.errors import InvalidInput, StoreError, Unacceptable

LOOK_SECONDS = 0.5
"How often a request that waits for a limit looks whether it may go."
CLOSE_SECONDS = 5.0
"How long requests in hand may take to be answered when the gateway stops."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    status: int
    said: Answer | dict[str, object]
    reason: str | None = None
    call_id: str | None = None


class MqttRequests:
    """Takes this gateway's share of the requests."""

    def __init__(
        self, config: Config, link: BrokerLink, once: Idempotency, keys: Keys, bus: EventBus
    ) -> None:
        self._settings = config.mqtt
        self._allowed_headers = config.outbound.headers
        self._link = link
        self._once = once
        self._keys = keys
        self._bus = bus
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, delivery: Delivery) -> None:
        """Begin with a request, whatever it is."""
        # The broker keeps to the receive maximum with QoS 1; with QoS 0 nothing does.
        overrun = delivery.qos == 0 and len(self._tasks) >= self._settings.requests_at_once
        task = asyncio.get_running_loop().create_task(self._serve(delivery, overrun), name="mqtt-request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for the requests in hand; what is not answered then is the broker's to bring again."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, delivery: Delivery, overrun: bool) -> None:
        sender = sender_of(self._link.topics, delivery)
        if sender is None:
            refused = Outcome(400, {}, "bad_topic")
            self._tell(None, refused)
        else:
            outcome = _busy() if overrun else await self._outcome(sender, delivery)
            self._link.outbox.put(answer(sender, outcome.said, outcome.status))
            self._tell(sender, outcome)
            # From here on the answer outlives us, and the request may be forgotten.
            await self._link.outbox.settled()
        delivery.acknowledge()

    async def _outcome(self, sender: Sender, delivery: Delivery) -> Outcome:
        try:
            placed = await self._patiently(asked(sender, delivery, self._settings.max_request_bytes))
        except Exception as error:
            said = answer_to(error)
            if said.status == 500:
                self._bus.tell("mqtt.request_crashed", level="error", exc_info=error)
            return Outcome(said.status, said, said.reason)
        return Outcome(200 if placed.again else 201, call_created(placed.call), None, placed.call.id)

    async def _patiently(self, request: Asked) -> Placed:
        """Place the call; what time may settle is tried again, within bounds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.wait_seconds
        while True:
            try:
                return await self._place(request, await self._caller(request))
            except (Rejected, Refused, StoreError) as error:
                if not _passes(error) or loop.time() + LOOK_SECONDS > deadline:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _caller(self, request: Asked) -> Caller:
        """Who asks: a key of the workspace that the topic names, or a workspace that needs none here."""
        if request.token is None and request.workspace_id in self._settings.workspaces:
            return Caller(request.workspace_id, "", f"mqtt:{request.workspace_id}")
        parts = KEY.fullmatch(request.token or "")
        key = None if parts is None else await self._keys.opening(parts[1], parts[2])
        if key is None or key.workspace_id != request.workspace_id:
            raise unauthorised()
        return Caller(key.workspace_id, key.id, f"mqtt:{key.id}")

    async def _place(self, request: Asked, caller: Caller) -> Placed:
        wanted = call_request(request.body, caller, self._allowed_headers)
        return await self._once.place(wanted, request.key, request.body.canonical())

    def _tell(self, sender: Sender | None, outcome: Outcome) -> None:
        self._bus.tell(
            "mqtt.request",
            level="info" if outcome.call_id is not None else "warning",
            status=outcome.status,
            reason=outcome.reason,
            workspace_id=None if sender is None else sender.workspace_id,
            call_id=outcome.call_id,
        )


def _passes(error: Rejected | Refused | StoreError) -> bool:
    """Whether the same request may soon work: a limit was reached, or the database is away."""
    match error:
        case Rejected():
            return error.reason.group is ReasonGroup.CAPACITY
        case Refused():
            return error.reason in (EndReason.STORE_UNAVAILABLE, EndReason.GATEWAY_OVERLOADED)
        case _:
            return not isinstance(error, InvalidInput | Unacceptable)


def _busy() -> Outcome:
    message = "More requests than this gateway takes at once; publish with QoS 1, and they wait"
    return Outcome(429, Answer(429, message, "too_many_requests", retry_after=1), "too_many_requests")
