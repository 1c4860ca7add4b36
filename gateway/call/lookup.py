"""Finding a call's record, whether it is being lived, has just ended, or is long over."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.call.record import CallRecord
from gateway.store.records.calls import CallRow
from gateway.store.sql import SqlStore


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks for records among the running calls and in the store."""

    running: Callable[[], Iterable[CallRecord]]
    "The live records of the calls on this gateway."
    store: SqlStore
    instance: str
    "The name of this gateway."

    async def find(self, call_id: str, workspace_id: str) -> CallRow | None:
        """The record as it stands, or None where the workspace has no such call."""
        row = await self.find_any(call_id)
        return row if row is not None and row.workspace_id == workspace_id else None

    async def find_any(self, call_id: str) -> CallRow | None:
        """The record as it stands, in whichever workspace; None where there is no such call."""
        return self._running(call_id) or await self._kept(call_id)

    def _running(self, call_id: str) -> CallRow | None:
        found = next((record for record in self.running() if record.id == call_id), None)
        return None if found is None else found.row()

    async def _kept(self, call_id: str) -> CallRow | None:
        row = await self.store.get_call(call_id)
        if row is None or (_goes_on(row) and row.instance in ("", self.instance)):
            # It has ended here, and its last state is still on the way to the database.
            await self.store.flush()
            row = await self.store.get_call(call_id)
        return row


def _goes_on(row: CallRow) -> bool:
    """Whether more is to come of a call; its recording is finished a moment after it."""
    return row.ended_at is None or row.recording_status == "recording"
