"""The trunks in memory, followed change by change, so that no change costs what all of them cost."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import Trunk, Trunks
from gateway.store.configuration.values import trunk_of
from gateway.store.engine.schema import trunks
from gateway.store.engine.seal import SecretBox
from gateway.store.news import News

READ_AT_ONCE = 8


async def next_trunks(connection: AsyncConnection, box: SecretBox, before: Trunks, news: News) -> Trunks:
    """The trunks as this connection sees them; the same object where none is different."""
    if not news.is_whole and not news.trunk_ids:
        return before
    edit = before.edit()
    wanted = None if news.is_whole else sorted(news.trunk_ids)
    found, different = set(), False
    async for trunk in _stream(connection, box, wanted):
        found.add(trunk.id)
        if before.by_id.get(trunk.id) != trunk:
            different = True
            await _in_turn(edit.putting(trunk))
    for trunk_id in set(before.by_id if wanted is None else wanted) - found:
        different = different or trunk_id in before.by_id
        await _in_turn(edit.dropping(trunk_id))
    return edit.done() if different else before


async def _in_turn(steps: Iterator[None]) -> None:
    """Others on the event loop get their turn between any two steps."""
    for _ in steps:
        await asyncio.sleep(0)


async def _stream(
    connection: AsyncConnection, box: SecretBox, wanted: Collection[str] | None
) -> AsyncIterator[Trunk]:
    """All trunks, or those with these ids, oldest first; a pause after each."""
    query = trunks.select().order_by(trunks.c.created_at, trunks.c.id)
    if wanted is not None:
        query = query.where(trunks.c.id.in_(wanted))
    async with connection.stream(query.execution_options(yield_per=READ_AT_ONCE)) as rows:
        async for row in rows.mappings():
            yield trunk_of(dict(row), box)
            await asyncio.sleep(0)
