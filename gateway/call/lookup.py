"""Finding a call's record, whether it is being lived, has just ended, or is long over."""

from dataclasses import dataclass

from gateway.store import CallRow, SqlStore


@dataclass(frozen=True, slots=True)
class Lookup:
    """Looks for records in the store."""

    store: SqlStore
    instance: str
    "The name of this gateway."

    async def find(self, call_id: str, workspace_id: str) -> CallRow | None:
        """The record as it stands, or None where the workspace has no such call."""
        row = await self.store.get_call(call_id)
        if row is None or (row.ended_at is None and row.instance == self.instance):
            # Its last state may still be on the way to the database.
            await self.store.flush()
            row = await self.store.get_call(call_id)
        return row if row is not None and row.workspace_id == workspace_id else None
