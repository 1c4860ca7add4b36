"""All that people do with batches: check a file, make, start, pause, resume, cancel, change, look at them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.batch.answers import (
    WAITS,
    Changed,
    Created,
    DestinationNotEnabled,
    Live,
    NobodyToCall,
    Notice,
    Other,
    RowsFailed,
)
from gateway.batch.checking import Checked, Checker, Choice, Report, check_file
from gateway.batch.do_not_call import never_called
from gateway.batch.engine import Engine
from gateway.batch.failures import FailureReason
from gateway.batch.files.upload import Upload
from gateway.batch.machine import Action, BatchStatus
from gateway.batch.origin import Origin, origin_of, quoting
from gateway.batch.transitions import BY_REQUEST, affected_by, fields_after, order_of, tell_of, told_of
from gateway.batch.wish import BatchWish, checked_wish
from gateway.call.switchboard import Switchboard
from gateway.routing.plan import NumberingPlan
from gateway.routing.table import PhoneNumber
from gateway.store.batches.batch_table import LOT, PAUSE
from gateway.store.batches.recipients import MAX_PAGE
from gateway.store.batches.values import Batch, FailedRow, NewRecipient, QueueRow
from gateway.store.configuration.caps import is_tenant
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.ids import new_id
from gateway.store.lots import in_lots
from gateway.store.sql import SqlStore
from gateway.tell import Tell

BATCH_ID = re.compile(r"batch_[0-9a-z]{26}")
BAD_ID = "Invalid batch call ID format"
FIXED = "Batch call cannot be changed: it is {status}. Only drafts and scheduled batch calls can."
OVER_ALREADY = "ends_at has passed: give the batch call a later end before it starts."
USING = (BatchStatus.SCHEDULED, BatchStatus.WAITING, BatchStatus.RUNNING, BatchStatus.PAUSED)
NOT_OVER = (BatchStatus.DRAFT, *USING)
AHEAD = (BatchStatus.RUNNING, BatchStatus.WAITING, BatchStatus.SCHEDULED)
NOT_ENABLED = frozenset(
    {
        FailureReason.UNSUPPORTED_COUNTRY,
        FailureReason.UNSUPPORTED_PREFIX,
        FailureReason.NO_ENABLED_COUNTRIES,
    }
)

Progress = Callable[[int, int, int], None]
"Bytes that are read, bytes in all, rows."


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What the batches are made of."""

    store: SqlStore
    engine: Engine
    board: Switchboard
    plan: NumberingPlan
    folder: Path
    "Where files are kept while they are checked."
    tell: Tell
    owner: str
    most_batches: int
    "That a workspace may have at once, as far as it makes them itself."
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Batches:
    """The batches, for the API, the dashboard, the command line and the broker."""

    def __init__(self, parts: BatchParts) -> None:
        self._parts = parts
        self._table, self._queue = parts.store.batches, parts.store.recipients

    async def check(
        self, workspace_id: str, wish: BatchWish, upload: Upload, progress: Progress | None = None
    ) -> Checked:
        """What would come of a file: each row held to the rules of a single call; nothing is made.

        `close` what it returns. Raises `InvalidInput`, `NotFound`, or `UnreadableFile`.
        """
        wish = checked_wish(wish, self._parts.now())
        return await self._check(await self._origin(workspace_id, wish), wish, upload, progress)

    async def create(
        self,
        workspace_id: str,
        wish: BatchWish,
        file: Upload | Checked,
        by: str,
        *,
        draft: bool = False,
        skip_invalid: bool = False,
        progress: Progress | None = None,
        batch_id: str = "",
    ) -> Created:
        """Make a batch of a file, whole or not at all; `RowsFailed` where rows fail and none may be skipped.

        One that is no draft starts by itself when its time and its turn have come. A `Checked` is closed by
        whoever has it. `batch_id` is what it is to be named by, where that was promised already.
        """
        wish = checked_wish(wish, self._parts.now())
        origin = await self._origin(workspace_id, wish)
        await self._one_more(workspace_id, by)
        is_ours = not isinstance(file, Checked)
        checked = file if isinstance(file, Checked) else await self._check(origin, wish, file, progress)
        try:
            _refuse_failed(checked.report, skip_invalid=skip_invalid)
            batch = self._batch(batch_id or new_id("batch"), origin, wish, checked.report, by)
            return await self._create(batch, wish, checked, draft=draft)
        finally:
            if is_ours:
                checked.close()

    async def start(self, batch_id: str, workspace_id: str, by: str) -> Changed:
        """Start a draft: when its time and its turn have come."""
        return await self._act(batch_id, workspace_id, Action.START, by)

    async def pause(self, batch_id: str, workspace_id: str, by: str) -> Changed:
        """No new calls; those that are under way go on."""
        return await self._act(batch_id, workspace_id, Action.PAUSE, by)

    async def resume(self, batch_id: str, workspace_id: str, by: str) -> Changed:
        """Go on, when it is its turn."""
        return await self._act(batch_id, workspace_id, Action.RESUME, by)

    async def cancel(self, batch_id: str, workspace_id: str, by: str) -> Changed:
        """End it for good: who waits is not called any more; calls that are under way go on."""
        return await self._act(batch_id, workspace_id, Action.CANCEL, by)

    async def delete(self, batch_id: str, workspace_id: str, by: str) -> Changed:
        """Throw a draft away, with its recipients."""
        return await self._act(batch_id, workspace_id, Action.DELETE, by)

    async def get(self, batch_id: str, workspace_id: str) -> Batch:
        """One batch; `InvalidInput` where the id is none, `NotFound` where there is none such."""
        return await self._table.get(checked_id(batch_id), workspace_id)

    async def page(
        self, workspace_id: str, statuses: Collection[str] = (), page: int = 1, limit: int = 20
    ) -> tuple[list[Batch], int]:
        """A workspace's batches, newest first, and how many there are in all."""
        return await self._table.page(workspace_id, statuses, limit, (page - 1) * limit)

    async def recipients(
        self, batch_id: str, workspace_id: str, page: int = 1, limit: int = 20, state: str | None = None
    ) -> list[QueueRow]:
        """A batch's recipients, in the order of the file; those in a state in the order of their turn."""
        await self.get(batch_id, workspace_id)
        return await self._queue.page(batch_id, limit, (page - 1) * limit, state)

    async def all_recipients(self, batch: Batch) -> AsyncIterator[list[QueueRow]]:
        """Every recipient of a batch, in the order of the file, page by page."""
        after = 0
        while rows := await self._queue.behind(batch.id, after, MAX_PAGE):
            yield rows
            after = rows[-1].position

    async def failures(
        self, batch_id: str, workspace_id: str, reason: str | None = None
    ) -> AsyncIterator[FailedRow]:
        """The rows of its file that were left out; all, or those of a reason."""
        await self.get(batch_id, workspace_id)
        async for row in self._table.failures(batch_id, reason):
            yield row

    async def change(self, batch_id: str, workspace_id: str, wish: BatchWish, by: str) -> Batch:
        """Make a draft, or one whose time has not come, otherwise; its recipients stay."""
        now = self._parts.now()
        wish = checked_wish(wish, now)
        origin = await self._origin(workspace_id, wish)

        def changed(batch: Batch) -> dict[str, object]:
            if batch.status not in (BatchStatus.DRAFT, BatchStatus.SCHEDULED):
                raise InvalidInput("id", None, FIXED.format(status=batch.status), whole=True)
            return _wished(origin, wish)

        before, after = await self._table.move(checked_id(batch_id), workspace_id, changed)
        if before != after:
            self._parts.tell("batch.changed", **told_of(after, by))
        self._parts.engine.wake()
        return after

    async def uses_of(self, number: PhoneNumber) -> Sequence[str]:
        """What of the batches keeps a number from being given back: `batch call batch_… (running)`."""
        using = await self._table.calling_from(number.id, USING)
        return [f"batch call {batch.id} ({batch.status})" for batch in using]

    def watch(self, batch_id: str) -> Live:
        """What this gateway does for a batch at the moment."""
        calls = [record for record in self._parts.board.running() if record.batch_id == batch_id]
        return Live(calls, self._parts.engine.in_hand(batch_id))

    async def _origin(self, workspace_id: str, wish: BatchWish) -> Origin:
        return await origin_of(self._parts.store.configuration, workspace_id, wish, self._parts.now())

    async def _check(
        self, origin: Origin, wish: BatchWish, upload: Upload, progress: Progress | None
    ) -> Checked:
        workspace = origin.workspace
        checker = Checker(
            workspace=workspace,
            plan=self._parts.plan,
            is_sip_trunk=origin.is_sip_trunk,
            quote=quoting(origin, self._parts.store),
            default_country=wish.default_country or workspace.default_country or "",
            blocked=await never_called(self._parts.store.configuration.do_not_call, workspace.id),
        )
        return await check_file(
            upload,
            checker,
            folder=self._parts.folder,
            choice=Choice(wish.phone_column, wish.sheet, wish.separator, wish.encoding),
            progress=progress,
            busy=lambda: self._parts.board.active > 0,
        )

    async def _create(self, batch: Batch, wish: BatchWish, checked: Checked, *, draft: bool) -> Created:
        await self._table.begin(batch, self._parts.owner)
        try:
            await self._write(batch.id, checked)
            warning = await self._warning(batch)
            opened = await self._table.open(batch.id, **self._first_status(wish, draft=draft))
        except BaseException:
            with suppress(Exception):
                await asyncio.shield(self._table.discard(batch.id))
            raise
        self._parts.tell("batch.created", **told_of(opened, batch.created_by))
        self._parts.engine.wake()
        return Created(opened, None if draft else warning, checked.report)

    async def _write(self, batch_id: str, checked: Checked) -> None:
        """All rows, lot by lot; nobody sees them yet."""
        for lot in in_lots(checked.recipients(), LOT):
            rows = [NewRecipient(one.position, one.phone_number, one.variables, one.timezone) for one in lot]
            await self._table.append(batch_id, rows)
            await asyncio.sleep(PAUSE)
        for failed in in_lots(checked.failures(), LOT):
            left_out = [
                FailedRow(one.position, one.phone_number, one.reason.value, one.detail) for one in failed
            ]
            await self._table.append_failures(batch_id, left_out)
            await asyncio.sleep(PAUSE)

    def _batch(self, batch_id: str, origin: Origin, wish: BatchWish, report: Report, by: str) -> Batch:
        made = Batch(
            id=batch_id,
            workspace_id=origin.workspace.id,
            title="",
            status=BatchStatus.DRAFT,
            created_at=self._parts.now(),
            created_by=by,
            agent_id="",
            version_id="",
            version_number=0,
            from_numbers=(),
            file_name=report.file_name[:255],
            columns=report.columns,
            phone_column=report.phone_column,
            report=report.as_dict(),
        )
        wished: dict[str, object] = _wished(origin, wish)
        return replace(made, **wished)  # type: ignore[arg-type]  # by the names of its fields

    def _first_status(self, wish: BatchWish, *, draft: bool) -> dict[str, object]:
        now = self._parts.now()
        if draft:
            return {"status": BatchStatus.DRAFT.value}
        if wish.starts_at is not None and wish.starts_at > now:
            return {"status": BatchStatus.SCHEDULED.value}
        return {"status": BatchStatus.WAITING.value, "turn_order": order_of(now)}

    async def _one_more(self, workspace_id: str, by: str) -> None:
        """`Conflict` where a tenant has all the batches that it may have: each can be 600 000 rows."""
        if not is_tenant(by):
            return
        _, there = await self._table.page(workspace_id, NOT_OVER, limit=1)
        if there >= self._parts.most_batches:
            right = f"a workspace has at most {self._parts.most_batches} batch calls that are not over"
            raise Conflict("batch", there + 1, right)

    async def _warning(self, batch: Batch) -> Notice | None:
        """What else the workspace has that comes before, or may."""
        others = [one for one in await self._table.standing(AHEAD) if one.workspace_id == batch.workspace_id]
        if not others:
            return None
        return Notice(WAITS, tuple(map(_other, others)))

    async def _act(self, batch_id: str, workspace_id: str, action: Action, by: str) -> Changed:
        now = self._parts.now()

        def changed(batch: Batch) -> dict[str, object]:
            if action in (Action.START, Action.RESUME) and batch.ends_at is not None and batch.ends_at <= now:
                raise InvalidInput("ends_at", None, OVER_ALREADY, whole=True)
            return fields_after(batch, action, now, code=BY_REQUEST if action is Action.PAUSE else "")

        before, after = await self._table.move(checked_id(batch_id), workspace_id, changed)
        tell_of(self._parts.tell, action, after, by)
        self._parts.engine.wake()
        return Changed(after, affected_by(action, before))


def checked_id(batch_id: str) -> str:
    """The id, where it can be one."""
    if BATCH_ID.fullmatch(batch_id) is None:
        raise InvalidInput("id", None, BAD_ID, whole=True)
    return batch_id


def _refuse_failed(report: Report, *, skip_invalid: bool) -> None:
    if not report.good:
        kinds = {group.reason for group in report.groups}
        raise DestinationNotEnabled(report) if kinds <= NOT_ENABLED else NobodyToCall(report)
    if report.failed and not skip_invalid:
        raise RowsFailed(report)


def _wished(origin: Origin, wish: BatchWish) -> dict[str, object]:
    """The columns of a wish."""
    return {
        "title": wish.title,
        "agent_id": origin.agent.id,
        "version_id": origin.version.id,
        "version_number": origin.version.number,
        "from_numbers": origin.from_numbers,
        "number_ids": tuple(number.id for number in origin.numbers),
        "starts_at": wish.starts_at,
        "ends_at": wish.ends_at,
        "timezone": wish.timezone or origin.workspace.timezone,
        "hours": None if wish.hours is None else wish.hours.as_dict(),
        "retry": wish.retry.as_dict(),
        "max_concurrent": wish.max_concurrent,
        "most_per_callee_per_day": wish.most_per_callee_per_day,
        "when_uncertain": wish.when_uncertain,
    }


def _other(batch: Batch) -> Other:
    kinds = {BatchStatus.RUNNING: "running", BatchStatus.WAITING: "waiting"}
    kind = kinds.get(BatchStatus(batch.status), "scheduled")
    return Other(kind, batch.title, batch.counts.ended, batch.total, batch.starts_at)  # type: ignore[arg-type]
