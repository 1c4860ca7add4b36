"""Rows to values and back: the only place that knows both the columns and the values of `routing.table`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.routing.number import NumberFormat
from gateway.routing.table import (
    Agent,
    AgentVersion,
    Dialect,
    Increment,
    NetworkGroup,
    NumberStatus,
    PhoneNumber,
    RecordingMode,
    RentalStatus,
    Secret,
    Trunk,
    TrunkAuthMode,
    VersionState,
    Workspace,
)
from gateway.store.engine.schema import agents, numbers, trunks, versions, workspaces
from gateway.store.engine.seal import SecretBox

Value = Workspace | Trunk | Agent | AgentVersion | PhoneNumber
Row = Mapping[str, Any]

TABLES: dict[type[Value], sa.Table] = {
    Workspace: workspaces,
    Trunk: trunks,
    Agent: agents,
    AgentVersion: versions,
    PhoneNumber: numbers,
}

SECRET_FIELDS = frozenset({"password", "outbound_password", "secret", "headers"})
"Fields that are sealed in the database and never shown."
TAIL_DIGITS = 7


def tail_of(number: str) -> str:
    """The last digits of a number however it is written: what a routing table is loaded by."""
    user = number.partition(";")[0].partition("@")[0]
    return "".join(filter(str.isdecimal, user))[-TAIL_DIGITS:]


def workspace_of(row: Row, _box: SecretBox) -> Workspace:
    """A workspace from its row."""
    columns = _plain(Workspace, row)
    groups = (
        NetworkGroup(**{**group, "prefixes": tuple(group["prefixes"])}) for group in row["network_groups"]
    )
    columns["network_groups"] = tuple(groups)
    columns["verified_caller_ids"] = tuple(row["verified_caller_ids"])
    columns["billing_increment"] = Increment.parse(row["billing_increment"])
    return Workspace(**columns)


def trunk_of(row: Row, box: SecretBox) -> Trunk:
    """A trunk from its row."""
    columns = _plain(Trunk, row)
    columns["sources"] = tuple(row["sources"])
    columns["codecs"] = tuple(row["codecs"])
    columns["number_format"] = NumberFormat.parse(row["number_format"])
    if row["outbound_format"] is not None:
        columns["outbound_format"] = NumberFormat.parse(row["outbound_format"])
    columns["auth_mode"] = TrunkAuthMode(row["auth_mode"])
    columns["recording"] = _mode(row["recording"])
    columns["password"] = box.open(row["sealed_password"])
    columns["outbound_password"] = box.open(row["sealed_outbound_password"])
    return Trunk(**columns)


def agent_of(row: Row, _box: SecretBox) -> Agent:
    """An agent from its row."""
    return Agent(**_plain(Agent, row))


def version_of(row: Row, box: SecretBox) -> AgentVersion:
    """An agent version from its row."""
    columns = _plain(AgentVersion, row)
    headers = box.open(row["sealed_headers"])
    columns["headers"] = () if headers is None else tuple((n, v) for n, v in json.loads(headers.reveal()))
    columns["secret"] = box.open(row["sealed_secret"])
    columns["parameters"] = tuple((name, value) for name, value in row["parameters"])
    columns["options"] = tuple((name, value) for name, value in row["options"] or ())
    columns["state"] = VersionState(row["state"])
    columns["dialect"] = Dialect(row["dialect"])
    columns["recording"] = _mode(row["recording"])
    return AgentVersion(**columns)


def number_of(row: Row, _box: SecretBox) -> PhoneNumber:
    """A phone number from its row."""
    columns = _plain(PhoneNumber, row)
    columns["status"] = NumberStatus(row["status"])
    columns["rental_status"] = RentalStatus(row["rental_status"])
    columns["recording"] = _mode(row["recording"])
    for name in ("inbound_split", "outbound_split"):
        columns[name] = tuple((version_id, share) for version_id, share in row[name])
    return PhoneNumber(**columns)


READERS: dict[type[Value], Callable[[Any, SecretBox], Any]] = {
    Workspace: workspace_of,
    Trunk: trunk_of,
    Agent: agent_of,
    AgentVersion: version_of,
    PhoneNumber: number_of,
}


def columns_of(value: Value, box: SecretBox) -> dict[str, Any]:
    """The columns of a value, secrets sealed; all but `created_at`."""
    columns = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
    if isinstance(value, Workspace):
        columns["network_groups"] = [asdict(group) for group in value.network_groups]
        columns["billing_increment"] = str(value.billing_increment)
    if isinstance(value, Trunk):
        columns["number_format"] = str(value.number_format)
        columns["outbound_format"] = None if value.outbound_format is None else str(value.outbound_format)
        columns["sealed_password"] = box.seal(columns.pop("password"))
        columns["sealed_outbound_password"] = box.seal(columns.pop("outbound_password"))
    if isinstance(value, AgentVersion):
        headers = columns.pop("headers")
        columns["sealed_headers"] = box.seal(Secret(json.dumps(headers))) if headers else None
        columns["sealed_secret"] = box.seal(columns.pop("secret"))
    if isinstance(value, PhoneNumber):
        columns["tail"] = tail_of(value.e164)
    return {name: list(found) if isinstance(found, tuple) else found for name, found in columns.items()}


def shown(value: Value) -> dict[str, Any]:
    """The fields of a value in JSON types for people and the change history; secrets only as set or not."""
    return {
        field.name: _shown(field.name, getattr(value, field.name)) for field in fields(value) if field.init
    }


def _shown(name: str, found: object) -> object:
    if name in SECRET_FIELDS:
        return "(set)" if found else None
    if isinstance(found, tuple):
        return [asdict(item) if isinstance(item, NetworkGroup) else item for item in found]
    if found is None or isinstance(found, bool | int | float):
        return found
    if isinstance(found, datetime):
        return found.isoformat().replace("+00:00", "Z")
    return str(found)


def _mode(word: str | None) -> RecordingMode | None:
    return None if word is None else RecordingMode(word)


def _plain(kind: type[Value], row: Row) -> dict[str, Any]:
    """What stands in a column of the same name as its field."""
    return {field.name: row[field.name] for field in fields(kind) if field.name in row}
