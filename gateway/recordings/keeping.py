"""Recordings after their calls: recovered at start, deleted when somebody asks or their time is over."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from gateway.recordings.protocol import RecordingStore, checked_key
from gateway.recordings.recovery import Recovered, recover
from gateway.store.engine.errors import StoreError
from gateway.store.protocol import Store
from gateway.store.records.calls import CallRow
from gateway.tell import Tell

SWEEP_SECONDS = 3600.0
BATCH = 200
"Recordings deleted between two looks at the database."


class Keeping:
    """What becomes of finished recordings: `recover` once at start, `run` as long as the gateway does."""

    def __init__(self, store: Store, recordings: RecordingStore, keep_days: int, tell: Tell) -> None:
        self.recordings = recordings
        self._store = store
        self._keep_days = keep_days
        self._tell = tell

    async def recover(self) -> None:
        """Finish what a killed run left, and say so in the records of its calls."""
        for recovered in await asyncio.to_thread(lambda: list(recover(self.recordings))):
            await self._store.change_recording(recovered.call_id, "recovered", _facts(recovered))
            self._tell(
                "recording.recovered",
                level="warning",
                call_id=recovered.call_id,
                seconds=recovered.milliseconds / 1000,
                bytes=recovered.size,
                sha256=recovered.sha256,
            )
        for call_id in await self._store.unfinished_recordings():
            why = "the gateway was killed before anything of it was on disk"
            await self._store.change_recording(call_id, "failed", {"why": why})
            self._tell("recording.failed", level="error", call_id=call_id, why=why, seconds=0.0)

    async def run(self, now: Callable[[], datetime]) -> None:
        """Delete what is older than its workspace allows, now and every hour."""
        while True:
            try:
                await self.sweep(now())
            except (OSError, StoreError) as error:
                self._tell("recording.sweep_failed", level="error", why=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, now: datetime) -> int:
        """Delete what is too old at this moment; how many."""
        deleted = 0
        while expired := await self._store.expired_recordings(self._keep_days, now, BATCH):
            for row in expired:
                await self.delete(row, "retention", now)
            deleted += len(expired)
        return deleted

    async def delete(self, row: CallRow, by: str, now: datetime) -> None:
        """Delete the recording of a call that is over; its record says when, and who."""
        key = key_in(row)
        if key is not None:
            await asyncio.to_thread(self.recordings.delete, key)
        facts = {"key": None, "deleted_at": now.isoformat(timespec="milliseconds"), "deleted_by": by}
        await self._store.change_recording(row.id, "deleted", facts)
        self._tell("recording.deleted", call_id=row.id, workspace_id=row.workspace_id, by=by)


def key_in(row: CallRow) -> str | None:
    """Where the recording of a call is; None where there is nothing to be read."""
    key = (row.recording or {}).get("key")
    return checked_key(key) if isinstance(key, str) else None


def _facts(recovered: Recovered) -> dict[str, object]:
    return {
        "key": recovered.key,
        "seconds": recovered.milliseconds / 1000,
        "bytes": recovered.size,
        "sha256": recovered.sha256,
    }
