"""The statement that saves call records, past SQLAlchemy's own way of writing them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from gateway.store.engine.database import Database
from gateway.store.engine.schema import calls
from gateway.store.records.call_table import Saved, columns_of_call, upsert
from gateway.store.records.calls import CallRow
from tests.store.test_calls import FULL, T0

KATHMANDU = timezone(timedelta(hours=5, minutes=45))
ROWS = {
    "all": FULL,
    "least": CallRow("call_least", "inbound", "received", T0),
    "elsewhere": replace(FULL, created_at=datetime(2026, 2, 3, 4, 5, 6, 7, KATHMANDU)),
    "whole seconds": replace(FULL, created_at=datetime(999, 1, 1, tzinfo=UTC)),
    "hostile": replace(FULL, from_number="a\x00", to_number="\ud800", media={"k\x00": 2**70}),
    "hostile text alone": replace(FULL, detail="\x00"),
    "hostile JSON alone": replace(FULL, decision={"\udfff": "\x00"}),
    "escaped": replace(FULL, decision={"found": "\\u0000"}, notes={"é": "\\"}),
}


async def raw(database: Database) -> sa.RowMapping:
    """What stands in the database's own types."""
    names = ", ".join(column.name for column in calls.columns)
    async with database.reading() as connection:
        return (await connection.exec_driver_sql(f"SELECT {names} FROM calls")).mappings().one()


@pytest.mark.parametrize("name", ROWS)
async def test_writes_what_sqlalchemy_would(database: Database, name: str) -> None:
    """Each column has the value that SQLAlchemy's own insert gives it."""
    saved = Saved(7, ROWS[name], "trunkline")
    async with database.writing() as connection:
        await connection.execute(calls.insert(), [columns_of_call(saved)])
    expected = await raw(database)
    async with database.writing() as connection:
        await connection.execute(calls.delete())
        await upsert(connection, [saved])
    assert await raw(database) == expected


async def test_the_gateway_is_written_where_the_row_does_not_say(database: Database) -> None:
    """A running call's row has no gateway, one out of the journal has that which wrote it."""
    async with database.writing() as connection:
        await upsert(connection, [Saved(1, replace(FULL, instance=""), "ours")])
    assert (await raw(database))["instance"] == "ours"
    async with database.writing() as connection:
        await upsert(connection, [Saved(2, replace(FULL, instance="theirs"), "ours")])
    assert (await raw(database))["instance"] == "theirs"
