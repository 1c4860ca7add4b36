"""Phone numbers, and which agent version answers and which one dials."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from gateway.routing.number import parse_e164
from gateway.routing.table import (
    Agent,
    AgentVersion,
    PhoneNumber,
    RentalStatus,
    Trunk,
    VersionState,
    Workspace,
)
from gateway.routing.typed import cleaned
from gateway.store.configuration.caps import Caps
from gateway.store.configuration.editing import Changing, Editing, pick_named
from gateway.store.configuration.rules import checked_number
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound
from gateway.store.engine.schema import calls, numbers, purchases

Direction = Literal["inbound", "outbound"]

MAX_NAMED = 3
"Calls that an error names."

REGISTERED = "Phone number already registered"

ASSIGNED_FIELDS = frozenset({"id", "workspace_id", "e164", "country_code", "local_number"})
"What of a number stays as it was added."


@dataclass(frozen=True, slots=True)
class Numbers:
    """The phone numbers in the store."""

    editing: Editing
    caps: Caps

    async def list_all(self, workspace_id: str | None = None) -> list[PhoneNumber]:
        """Those of a workspace, or all; oldest first."""
        conditions = [] if workspace_id is None else [numbers.c.workspace_id == workspace_id]
        return await self.editing.read(PhoneNumber, *conditions)

    async def is_registered(self, e164: str) -> bool:
        """Whether any workspace has this number."""
        return bool(await self.editing.read(PhoneNumber, numbers.c.e164 == e164))

    async def default_of(self, workspace_id: str) -> PhoneNumber | None:
        """A workspace's default number; where none is, its oldest one that is assigned for calls out."""
        own = numbers.c.workspace_id == workspace_id
        found = await self.editing.read(PhoneNumber, own, numbers.c.is_default, limit=1)
        assigned = numbers.c.outbound_version_id.is_not(None)
        found = found or await self.editing.read(PhoneNumber, own, assigned, limit=1)
        return found[0] if found else None

    async def of_provider(self, provider: str) -> list[PhoneNumber]:
        """Those that were bought from a provider, of all workspaces."""
        return await self.editing.read(PhoneNumber, numbers.c.provider == provider)

    async def speaking(self, version_ids: Sequence[str]) -> list[PhoneNumber]:
        """Those that one of these versions answers or dials by."""
        if not version_ids:
            return []
        inbound, outbound = numbers.c.inbound_version_id, numbers.c.outbound_version_id
        either = sa.or_(inbound.in_(version_ids), outbound.in_(version_ids))
        return await self.editing.read(PhoneNumber, either)

    async def spoken_for(self, version_ids: Sequence[str]) -> tuple[list[str], list[str]]:
        """The ids of the numbers that one of these versions answers, and of those it calls from."""
        found = await self.speaking(version_ids)
        answered = [number.id for number in found if number.inbound_version_id in version_ids]
        return answered, [number.id for number in found if number.outbound_version_id in version_ids]

    async def on_trunk(self, trunk_id: str, limit: int | None = None) -> list[PhoneNumber]:
        """Those that name a trunk as their own; all of them, or the first so many."""
        return await self.editing.read(PhoneNumber, numbers.c.trunk_id == trunk_id, limit=limit)

    async def by_trunk(self, workspace_id: str) -> dict[str, int]:
        """How many numbers name each trunk as their own."""
        query = sa.select(numbers.c.trunk_id, sa.func.count()).where(
            numbers.c.workspace_id == workspace_id, numbers.c.trunk_id.is_not(None)
        )
        async with self.editing.database.reading() as connection:
            rows = (await connection.execute(query.group_by(numbers.c.trunk_id))).all()
        return {row[0]: row[1] for row in rows}

    async def ended_by(self, now: datetime, rental_status: RentalStatus) -> list[PhoneNumber]:
        """Those whose rental ended before a moment, and whose status still says otherwise."""
        conditions = (numbers.c.rental_expires_at <= now, numbers.c.rental_status == rental_status)
        return await self.editing.read(PhoneNumber, *conditions)

    async def get(self, number_id: str) -> PhoneNumber:
        """One by its id."""
        return await self.editing.get(PhoneNumber, number_id)

    async def find(self, number_or_id: str, workspace_id: str | None = None) -> PhoneNumber:
        """The one that a person means: by id, or by the number however it is written."""
        if number_or_id.startswith("phn_"):
            found = await self.get(number_or_id)
            if workspace_id not in (None, found.workspace_id):
                raise NotFound("number", number_or_id, "there is no such number")
            return found
        parsed = parse_e164("+" + re.sub(r"[^0-9]", "", cleaned(number_or_id)))
        spelled = number_or_id if parsed is None else parsed.e164
        return pick_named(PhoneNumber, spelled, await self.list_all(workspace_id), lambda number: number.e164)

    async def refuse_full(self, workspace_id: str, by: str) -> None:
        """`Conflict` where the workspace has all the numbers that it may have: before one is bought."""
        async with self.editing.changing(by) as changing:
            await self.caps.one_more_number(changing, workspace_id)

    async def add(self, number: PhoneNumber, by: str, *, bought: bool = False) -> PhoneNumber:
        """Add a number that is not registered yet; it comes back with country code and local number apart.

        One that is `bought` already is taken in, however many there are.
        """
        number = checked_number(number)
        async with self.editing.changing(by) as changing:
            await changing.get(Workspace, number.workspace_id)
            if await changing.exists(numbers, numbers.c.e164 == number.e164):
                raise Conflict("phone_number", number.e164, REGISTERED, whole=True)
            await _check_references(changing, number)
            if not bought:
                await self.caps.one_more_number(changing, number.workspace_id)
            await changing.add(number)
            await _keep_one_default(changing, number)
        return number

    async def change(self, number_id: str, fields: Mapping[str, Any], by: str) -> PhoneNumber:
        """Change some fields; the number itself and its workspace stay."""
        for name in ASSIGNED_FIELDS.intersection(fields):
            raise InvalidInput(name, fields[name], "cannot be changed: remove the number and add another")
        return await self._change(number_id, fields, by, "change")

    async def assign(
        self, number_id: str, direction: Direction, version_id: str, by: str, *, latest: bool = False
    ) -> PhoneNumber:
        """Have a published version answer, or dial by, this number; the other direction stays as it is.

        `latest`: from then on it is whichever version of its agent was published last.
        """
        fields = {f"{direction}_version_id": version_id, f"{direction}_latest": latest}
        return await self._change(number_id, fields, by, "assign")

    async def split(
        self, number_id: str, direction: Direction, shares: Sequence[tuple[str, float]], by: str
    ) -> PhoneNumber:
        """Share the callers out between published versions of one agent; shares add up to 1."""
        heaviest = max(shares, key=lambda share: share[1], default=("", 0.0))[0]
        fields = {f"{direction}_version_id": heaviest, f"{direction}_split": tuple(shares)}
        return await self._change(number_id, fields, by, "assign")

    async def unassign(self, number_id: str, direction: Direction, by: str) -> PhoneNumber:
        """Have no agent answer, or dial by, this number."""
        return await self._change(number_id, {f"{direction}_version_id": None}, by, "unassign")

    async def remove(self, number_id: str, by: str, *, given_back: bool = False) -> PhoneNumber:
        """Remove a number that is neither the default nor in a call.

        One that was bought goes back to its provider: `given_back` says that this is seen to.
        """
        async with self.editing.changing(by) as changing:
            number = await changing.get(PhoneNumber, number_id)
            if number.is_default:
                right = "is the workspace's default number: make another one the default first"
                raise Conflict("phone_number", number.e164, right)
            await _refuse_in_call(changing, number)
            if not given_back:
                await _refuse_bought(changing, number)
            await changing.remove(number)
        return number

    async def _change(self, number_id: str, fields: Mapping[str, Any], by: str, action: str) -> PhoneNumber:
        async with self.editing.changing(by) as changing:
            before = await changing.get(PhoneNumber, number_id)
            after = checked_number(replace(before, **_whole_assignments(fields)))
            await _check_references(changing, after)
            await changing.change(before, after, action)
            await _keep_one_default(changing, after)
        return after


def _whole_assignments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A direction that gets another version gets nothing else of what it had."""
    whole = dict(fields)
    for direction in ("inbound", "outbound"):
        if f"{direction}_version_id" in fields:
            whole.setdefault(f"{direction}_latest", False)
            whole.setdefault(f"{direction}_split", ())
    return whole


async def _refuse_in_call(changing: Changing, number: PhoneNumber) -> None:
    """Open records name a call that some gateway has, or had when it died."""
    running = (calls.c.workspace_id == number.workspace_id, calls.c.number_id == number.id)
    query = sa.select(calls.c.id).where(*running, calls.c.ended_at.is_(None)).limit(MAX_NAMED + 1)
    ids = list((await changing.connection.execute(query)).scalars())
    if ids:
        more = " and others" if len(ids) > MAX_NAMED else ""
        right = f"is in a call ({', '.join(ids[:MAX_NAMED])}{more}): wait until it has ended"
        raise Conflict("phone_number", number.e164, right)


async def _refuse_bought(changing: Changing, number: PhoneNumber) -> None:
    still_ours = (purchases.c.number == number.e164, purchases.c.state.not_in(("released", "failed")))
    if await changing.exists(purchases, *still_ours):
        right = f"was bought from {number.provider}: give it back, or it goes on to cost money"
        raise Conflict("phone_number", number.e164, right)


async def _check_references(changing: Changing, number: PhoneNumber) -> None:
    """Trunk and versions exist, belong to the workspace, and the versions are published."""
    if number.trunk_id is not None:
        trunk = await changing.get(Trunk, number.trunk_id)
        if trunk.workspace_id not in (None, number.workspace_id):
            # By its id, as it was given: what others call theirs is not ours to tell.
            raise InvalidInput("trunk", trunk.id, "should be a trunk of the number's workspace")
    for direction in ("inbound", "outbound"):
        version_id = getattr(number, f"{direction}_version_id")
        if version_id is not None:
            await _check_version(changing, number, f"{direction}_version", version_id)
        await _check_split(changing, number, f"{direction}_version", getattr(number, f"{direction}_split"))


async def _check_split(
    changing: Changing, number: PhoneNumber, field: str, split: Sequence[tuple[str, float]]
) -> None:
    if not split:
        return
    shares = [share for _, share in split]
    if not all(0 < share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        given = ", ".join(f"{share:g}" for share in shares)
        raise InvalidInput(field, given, "shares should be more than 0, and add up to 1")
    if len({version_id for version_id, _ in split}) < len(split):
        raise InvalidInput(field, None, "should name each version once")
    speakers = set()
    for version_id, _ in split:
        await _check_version(changing, number, field, version_id)
        speakers.add((await changing.get(AgentVersion, version_id)).agent_id)
    if len(speakers) > 1:
        raise InvalidInput(field, None, "should share callers out between versions of one agent")


async def _check_version(changing: Changing, number: PhoneNumber, field: str, version_id: str) -> None:
    version = await changing.get(AgentVersion, version_id)
    agent = await changing.get(Agent, version.agent_id)
    given = f"{agent.name}/{version.number}"
    if agent.workspace_id != number.workspace_id:
        raise InvalidInput(field, version_id, "should be of an agent of the number's workspace")
    if version.state is not VersionState.PUBLISHED:
        right = f"Version {version.number} of agent {agent.name} is a draft. Publish it first."
        raise Conflict(field, given, right)


async def _keep_one_default(changing: Changing, number: PhoneNumber) -> None:
    """A workspace has at most one default number: the one that was named last."""
    if not number.is_default:
        return
    others = (numbers.c.workspace_id == number.workspace_id, numbers.c.is_default, numbers.c.id != number.id)
    for other in await changing.read(PhoneNumber, *others):
        await changing.change(other, replace(other, is_default=False))
