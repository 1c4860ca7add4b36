"""The engine on a real store, with a clock that a test sets, and a carrier that answers as the test says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.batch.engine import Engine, EngineParts
from gateway.batch.retrying import RetryRule
from gateway.call.placing import Before, CallRequest
from gateway.call.record import By, CallRecord, Ending, EndReason, Status
from gateway.call.refusal import Refused
from gateway.call.switchboard import PlacedCall
from gateway.config.batch_settings import BatchSettings
from gateway.events.bus import Event
from gateway.routing.decision import Reason, Rejected
from gateway.store.batches.values import Batch, NewRecipient
from gateway.store.engine.ids import new_id
from gateway.store.engine.schema import gateways
from gateway.store.sql import SqlStore
from tests.store.furnished import Furnished

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANSWERED = Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "callee", "")
BUSY = Ending(Status.BUSY, EndReason.USER_BUSY, "callee", "486", 486, is_answer=True)
RANG_OUT = Ending(Status.DID_NOT_PICK, EndReason.USER_DID_NOT_PICK_UP, "gateway", "nobody picked up")
DOWN = Ending(Status.FAILED, EndReason.NETWORK_FAILURE, "gateway", "503", 503, is_answer=True)
DRAINED = Ending(Status.FAILED, EndReason.GATEWAY_DRAINED, "gateway", "the gateway stopped")


def declined(status: int) -> Ending:
    """The callee's side asks not to be called again."""
    by: By = "callee"
    return Ending(Status.BUSY, EndReason.USER_BUSY, by, str(status), status, is_answer=True)


Answer = Ending | Rejected | Refused | None
"None: it rings, until the test ends it."


@dataclass
class Carrier:
    """Takes calls in the place of call control: the seam that the engine places them by."""

    answer: Callable[[CallRequest], Answer] = lambda _: ANSWERED
    placed: list[CallRequest] = field(default_factory=list)
    "Those whose places were had and whose id was on disk, in order."
    asked: list[CallRequest] = field(default_factory=list)
    ringing: dict[str, "asyncio.Future[Ending]"] = field(default_factory=dict)
    "Calls that nobody has answered yet, by the number that is called."

    async def attempt(self, request: CallRequest, before: Before | None = None) -> PlacedCall:
        """See `Placing.attempt`."""
        self.asked.append(request)
        answer = self.answer(request)
        if isinstance(answer, Rejected | Refused):
            raise answer
        to = request.route.destination or ""
        record = CallRecord(request.id, "outbound", "", "", to, datetime.now(UTC), Status.CREATED)
        assert before is not None, "the call's id has to be on disk"
        await before(record)
        self.placed.append(request)
        return PlacedCall(record, asyncio.get_running_loop().create_task(self._live(record, answer)))

    async def _live(self, record: CallRecord, answer: Ending | None) -> None:
        if answer is None:
            ends = self.ringing[record.to_number] = asyncio.get_running_loop().create_future()
            answer = await ends
        record.end(answer, {})

    @property
    def numbers(self) -> list[str]:
        """Who was called, in order."""
        return [request.route.destination or "" for request in self.placed]


@dataclass
class Simulation:
    """A store, an engine, a carrier and a clock."""

    store: SqlStore
    furnished: Furnished
    carrier: Carrier
    settings: BatchSettings
    events: list[Event] = field(default_factory=list)
    now: datetime = MONDAY
    engine: Engine = field(init=False)
    owner: str = "me"
    crowd: int = 0
    "Calls of others on this gateway."

    def __post_init__(self) -> None:
        self.engine = self.another(self.owner)

    def another(self, owner: str, carrier: Carrier | None = None) -> Engine:
        """One more gateway on the same store."""
        return Engine(
            EngineParts(
                store=self.store,
                placer=carrier or self.carrier,
                tell=self.tell,
                settings=self.settings,
                owner=owner,
                running_calls=lambda: self.crowd,
                most_calls=1000,
                now=lambda: self.now,
            )
        )

    async def lives(self, owner: str) -> None:
        """A process by this token has a name: it is not taken for dead as long as the test goes on."""
        row = {"name": owner, "token": owner, "host": "here", "pid": 1, "since": self.now, "beats": 0}
        async with self.store.batches.database.writing() as connection:
            await connection.execute(gateways.insert().values(**row, alive_ms=0))

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Keep what is told."""
        self.events.append(Event(name, fields, level))

    def told(self) -> list[str]:
        """The names of what was told."""
        return [event.name for event in self.events]

    async def batch(self, count: int = 3, status: str = "waiting", **fields: object) -> Batch:
        """A batch of so many recipients."""
        given = {
            "from_numbers": ("+442079460018",),
            "number_ids": (self.furnished.number.id,),
            "retry": RetryRule().as_dict(),
            "turn_order": len(self.events) + 1,
            **fields,
        }
        numbers = given.pop("numbers", None) or [f"+1415555{n:04}" for n in range(count)]
        assert isinstance(numbers, Sequence)
        batch = Batch(
            new_id("batch"),
            self.furnished.workspace.id,
            "Spring",
            "draft",
            self.now,
            "test",
            self.furnished.agent.id,
            self.furnished.published.id,
            1,
            **given,  # type: ignore[arg-type]  # handed through
        )
        await self.store.batches.begin(batch, self.owner)
        rows = [NewRecipient(n + 2, to, {"name": f"n{n}"}) for n, to in enumerate(numbers)]
        await self.store.batches.append(batch.id, rows)
        return await self.store.batches.open(batch.id, status=status)

    async def stands(self, batch: Batch) -> Batch:
        """The batch as it stands."""
        return await self.store.batches.get(batch.id)

    async def until(self, holds: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until something holds, and have the engine look meanwhile."""
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - nobody tells of all of it
                await asyncio.sleep(0.01)

    async def comes_to(self, batch: Batch, holds: Callable[[Batch], object], seconds: float = 10.0) -> Batch:
        """The batch once something holds of it."""
        async with asyncio.timeout(seconds):
            while not holds(found := await self.stands(batch)):  # noqa: ASYNC110 - nobody tells of all of it
                await asyncio.sleep(0.01)
        return found

    async def passes(self, **time: float) -> None:
        """Let time pass, and the engine see it."""
        self.now += timedelta(**time)
        self.engine.wake()

    async def outcomes(self, batch: Batch) -> dict[str, tuple[str, str | None]]:
        """State and outcome of each recipient, by its number."""
        rows = await self.store.recipients.page(batch.id, 1000)
        return {row.phone_number: (row.state, row.outcome) for row in rows}


@asynccontextmanager
async def simulated(store: SqlStore, furnished: Furnished, **settings: object) -> AsyncIterator[Simulation]:
    """A simulation whose engine runs while the context is open."""
    given = {"calls_per_second": 1000.0, **settings}
    made = Simulation(store, furnished, Carrier(), BatchSettings(**given))  # type: ignore[arg-type]
    await made.lives(made.owner)
    made.engine.start()
    try:
        yield made
    finally:
        for ends in made.carrier.ringing.values():
            if not ends.done():
                ends.set_result(ANSWERED)
        await made.engine.close()


def rejected(reason: Reason, retry_after: float | None = None) -> Rejected:
    """A refusal by a rule, or by a limit."""
    from gateway.routing.decision import Decision

    return Rejected(Decision((), reason, f"refused: {reason}"), retry_after=retry_after)


def by_number(answers: dict[str, list[Answer]]) -> Callable[[CallRequest], Answer]:
    """Each call to a number is answered by the next of its answers, the last one again and again."""
    asked: dict[str, int] = defaultdict(int)

    def answer(request: CallRequest) -> Answer:
        to = request.route.destination or ""
        own = answers.get(to, [ANSWERED])
        found = own[min(asked[to], len(own) - 1)]
        asked[to] += 1
        return found

    return answer
