"""Fills an empty database from a TOML file: workspaces, trunks, agents with versions, numbers, rates.

Things refer to each other by name; `config/demo.toml` shows all of it. Where there is one workspace, nothing
need name it. Unknown keys and everything that the rules refuse are told with the table they stand in.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.numbering.files import SAMPLE_RATES, shipped
from gateway.routing.importer import DataError, read_rates
from gateway.routing.table import Agent, PhoneNumber, Trunk, VersionState, Workspace
from gateway.store.configuration.fields import DECK, NUMBER, TRUNK, VERSION, WORKSPACE, parse_fields
from gateway.store.configuration.nouns import Configuration
from gateway.store.engine.errors import InvalidInput, StoreError
from gateway.store.engine.ids import new_id

BY = "seed"
"Who made the changes, in their history."
TABLES = ("workspaces", "trunks", "agents", "numbers", "rates")

Given = dict[str, Any]


async def seed(configuration: Configuration, path: Path) -> bool:
    """Fill the database from a file if it holds no workspace yet; whether it did.

    All of it or nothing: `StoreError` says where in the file something is wrong.
    """
    content = _read(path)
    async with configuration.together(BY) as there:
        if await there.workspaces.list_all():
            return False
        sowing = _Sowing(there)
        for table in TABLES:
            for number, given in enumerate(content.get(table, []), 1):
                try:
                    await getattr(sowing, f"add_{table}")(dict(given))
                except InvalidInput as error:
                    raise StoreError(f"{path}: [[{table}]] number {number}: {error}") from None
    return True


def _read(path: Path) -> Given:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StoreError(f"the seed file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StoreError(f"the seed file {path} is not valid TOML: {error}") from None
    unknown = [table for table in content if table not in TABLES]
    if unknown:
        raise StoreError(f"{path}: {unknown[0]}: there is no such table; there are {', '.join(TABLES)}")
    for table, items in content.items():
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise StoreError(f"{path}: {table}: should be written [[{table}]]")
    return content


def _rates(file: str) -> str:
    """The text of a rate deck; `sample` is the one that ships with the gateway."""
    if file == "sample":
        return shipped(SAMPLE_RATES)
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("file", file, f"cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class _Sowing:
    configuration: Configuration

    async def add_workspaces(self, given: Given) -> None:
        fields = {"name": "", **parse_fields(WORKSPACE, given)}
        await self.configuration.workspaces.add(Workspace(new_id("org"), **fields), BY)

    async def add_trunks(self, given: Given) -> None:
        workspace = await self._workspace(given)
        fields = {"name": "", **parse_fields(TRUNK, given)}
        await self.configuration.trunks.add(Trunk(new_id("trunk"), workspace.id, **fields), BY)

    async def add_agents(self, given: Given) -> None:
        workspace = await self._workspace(given)
        versions = given.pop("versions", [])
        fields = parse_fields({"name": WORKSPACE["name"]}, given)
        agent = Agent(new_id("agent"), workspace.id, fields.get("name", ""))
        await self.configuration.agents.add(agent, BY)
        for version in versions:
            await self._add_version(agent, dict(version))

    async def _add_version(self, agent: Agent, given: Given) -> None:
        state = given.pop("state", VersionState.DRAFT)
        if state not in set(VersionState):
            raise InvalidInput("versions.state", state, f"should be {' or '.join(VersionState)}")
        draft = await self.configuration.agents.draft(agent.id, parse_fields(VERSION, given), BY)
        if state == VersionState.PUBLISHED:
            await self.configuration.agents.publish(draft.id, BY)

    async def add_numbers(self, given: Given) -> None:
        there = self.configuration
        workspace = await self._workspace(given)
        e164 = str(given.pop("e164", ""))
        references: Given = {}
        if "trunk" in given:
            references["trunk_id"] = (await there.trunks.find(given.pop("trunk"), workspace.id)).id
        for direction in ("inbound", "outbound"):
            if direction in given:
                version = await there.agents.find_version(given.pop(direction), workspace.id)
                references[f"{direction}_version_id"] = version.id
        fields = parse_fields(NUMBER, given)
        await there.numbers.add(PhoneNumber(new_id("phn"), workspace.id, e164, **references, **fields), BY)

    async def add_rates(self, given: Given) -> None:
        fields = parse_fields(DECK, given)
        currency = fields.get("currency", "INR")
        try:
            deck = read_rates(_rates(fields.get("file", "")), currency)
        except DataError as error:
            raise InvalidInput("file", fields.get("file"), str(error)) from None
        await self.configuration.decks.put(fields.get("provider", ""), deck, BY)

    async def _workspace(self, given: Given) -> Workspace:
        return await self.configuration.workspaces.find(given.pop("workspace", None))
