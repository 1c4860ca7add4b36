"""The table of phone numbers: searched, filtered, a page at a time, with what each number is assigned to."""

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.routing.table import PhoneNumber, VersionState
from gateway.routing.typed import cleaned
from gateway.store.configuration.values import number_of
from gateway.store.engine.database import Database
from gateway.store.engine.schema import agents, numbers, versions
from gateway.store.engine.seal import SecretBox

MAX_PAGE = 100

Assigned = Literal["inbound", "outbound", "both", "none"]


@dataclass(frozen=True, slots=True)
class NumberFilter:
    """Which numbers of a workspace to list; empty means any."""

    workspace_id: str
    text: str = ""
    "Part of the number or of its nickname, however the number is written."
    status: str = ""
    rental: str = ""
    provider: str = ""
    agent_id: str = ""
    "Only numbers that this agent answers or dials by."
    assigned: Assigned | None = None
    limit: int = 25
    offset: int = 0


@dataclass(frozen=True, slots=True)
class VersionLabel:
    """What a list says of an agent version."""

    id: str
    number: int
    state: VersionState
    agent_id: str
    agent_name: str

    def __str__(self) -> str:
        """As people write it: agent and version number."""
        return f"{self.agent_name} / {self.number}"


@dataclass(frozen=True, slots=True)
class NumberPage:
    """Some numbers, oldest first, and how many there are of them in all."""

    numbers: tuple[PhoneNumber, ...]
    total: int
    providers: tuple[str, ...]
    "Every provider that the workspace has numbers of, whatever the filter."


@dataclass(frozen=True, slots=True)
class NumberList:
    """Reads pages of the number table."""

    database: Database
    box: SecretBox

    async def page(self, which: NumberFilter) -> NumberPage:
        """One page of the numbers that fit."""
        conditions = _conditions(which)
        query = numbers.select().where(*conditions).order_by(numbers.c.created_at, numbers.c.id)
        query = query.limit(min(which.limit, MAX_PAGE)).offset(which.offset)
        count = sa.select(sa.func.count()).select_from(numbers).where(*conditions)
        own = sa.select(numbers.c.provider).where(numbers.c.workspace_id == which.workspace_id).distinct()
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
            total = (await connection.execute(count)).scalar_one()
            providers = (await connection.execute(own.order_by(numbers.c.provider))).scalars().all()
        return NumberPage(tuple(number_of(dict(row), self.box) for row in rows), total, tuple(providers))

    async def labels(self, workspace_id: str) -> dict[str, VersionLabel]:
        """What each version of a workspace is called, by its id; agents by name, newest version first."""
        async with self.database.reading() as connection:
            return await _labels(connection, workspace_id)


async def _labels(connection: AsyncConnection, workspace_id: str) -> dict[str, VersionLabel]:
    query = (
        sa.select(versions.c.id, versions.c.number, versions.c.state, agents.c.id, agents.c.name)
        .join(agents, agents.c.id == versions.c.agent_id)
        .where(agents.c.workspace_id == workspace_id)
        .order_by(agents.c.name, versions.c.number.desc())
    )
    return {
        row[0]: VersionLabel(row[0], row[1], VersionState(row[2]), row[3], row[4])
        for row in await connection.execute(query)
    }


def _conditions(which: NumberFilter) -> list[sa.ColumnElement[bool]]:
    exact = {
        numbers.c.status: which.status,
        numbers.c.rental_status: which.rental,
        numbers.c.provider: which.provider,
    }
    conditions = [numbers.c.workspace_id == which.workspace_id]
    conditions += [column == value for column, value in exact.items() if value]
    if which.text:
        conditions.append(_matches(which.text))
    if which.agent_id:
        speaks = sa.select(versions.c.id).where(versions.c.agent_id == which.agent_id)
        conditions.append(
            sa.or_(numbers.c.inbound_version_id.in_(speaks), numbers.c.outbound_version_id.in_(speaks))
        )
    if which.assigned is not None:
        wanted = {
            "inbound": (True, None),
            "outbound": (None, True),
            "both": (True, True),
            "none": (False, False),
        }
        columns = (numbers.c.inbound_version_id, numbers.c.outbound_version_id)
        for column, there in zip(columns, wanted[which.assigned], strict=True):
            if there is not None:
                conditions.append(column.is_not(None) if there else column.is_(None))
    return conditions


def _matches(text: str) -> sa.ColumnElement[bool]:
    """The nickname holds the text, or the number its digits."""
    named = sa.func.lower(numbers.c.nickname).contains(text.strip().lower(), autoescape=True)
    text = cleaned(text)
    digits = "".join(filter(str.isdecimal, text))
    # A text with letters in it is a name: its digits alone would match numbers that nobody meant.
    if not digits or any(character.isalpha() for character in text):
        return named
    return sa.or_(named, numbers.c.e164.contains(digits, autoescape=True))
