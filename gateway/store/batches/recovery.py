"""Recipients that a dead process has left: found by who had them, given back or judged.

Who has a recipient in hand has it for as long as he gives signs of life: what `tenure` counts up in the row
of his name is the lease of all that he has. Nobody compares clocks: whoever looks sees if it still counts.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from gateway.store.batches.recipients import FIELDS, Queue, row_of
from gateway.store.batches.values import CLAIMED, DIALLING, QueueRow
from gateway.store.engine.batch_schema import batch_recipients, batches
from gateway.store.engine.schema import calls, gateways
from gateway.store.records.call_pages import BRIEF
from gateway.store.records.call_table import call_of
from gateway.store.records.calls import CallRow


@dataclass(frozen=True, slots=True)
class LeftCall:
    """A recipient that a process has in hand."""

    row: QueueRow
    call: CallRow | None
    "The record of its last call, without the bulky parts; None: there is none."


@dataclass(frozen=True, slots=True)
class Recovery:
    """Looks after what the dead have left."""

    queue: Queue

    async def owners(self) -> dict[str, int | None]:
        """Who has recipients in hand, with how often he has given a sign of life; None: he is known dead."""
        columns = batch_recipients.c
        busy = sa.select(batches.c.id).where(batches.c.claimed + batches.c.dialling > 0)
        in_hand = sa.select(columns.owner).where(
            columns.batch_id.in_(busy), columns.state.in_([CLAIMED, DIALLING])
        )
        async with self.queue.database.reading() as connection:
            owners = set((await connection.execute(in_hand.distinct())).scalars())
            signs = sa.select(gateways.c.token, gateways.c.beats).where(gateways.c.token.in_(sorted(owners)))
            beats = {row.token: row.beats for row in await connection.execute(signs)}
        return {owner: beats.get(owner) for owner in owners}

    async def in_hand(self, owner: str) -> list[LeftCall]:
        """What a process has in hand, claimed or dialling, with the record of the call if there is one."""
        columns = batch_recipients.c
        busy = sa.select(batches.c.id).where(batches.c.claimed + batches.c.dialling > 0)
        query = (
            sa.select(*(columns[name] for name in FIELDS), *(calls.c[name] for name in BRIEF))
            .select_from(batch_recipients.outerjoin(calls, calls.c.id == columns.call_id))
            .where(columns.batch_id.in_(busy), columns.state.in_([CLAIMED, DIALLING]), columns.owner == owner)
        )
        async with self.queue.database.reading() as connection:
            found = (await connection.execute(query)).all()
        size = len(FIELDS)
        return [
            LeftCall(row_of(row[:size]), call_of(row[size:], BRIEF) if row[size] is not None else None)
            for row in found
        ]
