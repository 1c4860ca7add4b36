"""The tables of batches: who is to be called, how far it has come, and the rows that could not be called.

A file of their own beside `schema`, whose `metadata` they are of.
"""

import sqlalchemy as sa

from gateway.store.engine.column_types import BigInt, Json, UtcTime
from gateway.store.engine.schema import metadata

STATES = ("queued", "claimed", "dialling", "done", "failed", "cancelled", "expired", "uncertain")
"Where a recipient may stand; a batch has a counter of each by the same name."


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.ForeignKey("workspaces.id"), nullable=False),
    _text("title"),
    _text("status"),
    _text("why"),
    _text("why_code"),
    _text("agent_id"),
    _text("version_id"),
    _number("version_number"),
    sa.Column("from_numbers", Json, nullable=False),
    sa.Column("number_ids", Json, nullable=False),
    sa.Column("starts_at", UtcTime),
    sa.Column("ends_at", UtcTime),
    _text("timezone"),
    sa.Column("hours", Json),
    sa.Column("retry", Json, nullable=False),
    sa.Column("max_concurrent", sa.Integer),
    sa.Column("most_per_callee_per_day", sa.Integer),
    _text("when_uncertain"),
    _text("file_name"),
    sa.Column("columns", Json, nullable=False),
    _text("phone_column"),
    _number("total"),
    _number("failed_rows"),
    sa.Column("report", Json),
    sa.Column("created_at", UtcTime, nullable=False),
    _text("created_by"),
    sa.Column("started_at", UtcTime),
    sa.Column("ended_at", UtcTime),
    sa.Column("last_call_sent_at", UtcTime),
    sa.Column("turn_order", BigInt, nullable=False),
    *map(_number, STATES),
    _number("sent"),
    _number("picked_up"),
    _number("picked_up_leads"),
    sa.Index("ix_batches_workspace_id_id", "workspace_id", "id"),
    sa.Index("ix_batches_status", "status"),
)
"""`turn_order`: those that wait for their turn have it in this order. `sent` counts recipients that were
dialled, `picked_up` calls that were answered, and `picked_up_leads` recipients whose last call was."""

_runs = batches.c.status == "running"
sa.Index(
    "ix_batches_running", batches.c.workspace_id, unique=True, sqlite_where=_runs, postgresql_where=_runs
)

batch_stages = sa.Table(
    "batch_stages",
    metadata,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("depth", sa.Integer, primary_key=True, autoincrement=False),
    _number("total"),
    _number("attempted"),
    _number("picked_up"),
)
"The first attempts, which have depth 0, and each round of further ones."

batch_recipients = sa.Table(
    "batch_recipients",
    metadata,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _text("phone_number"),
    sa.Column("variables", Json, nullable=False),
    _text("timezone"),
    _text("state"),
    _number("depth"),
    sa.Column("due_at_ms", BigInt, nullable=False),
    sa.Column("call_id", sa.Text),
    sa.Column("owner", sa.Text),
    _number("epoch"),
    sa.Column("outcome", sa.Text),
    _text("detail"),
    sa.Column("ended_at", UtcTime),
    sa.Index(
        "ix_batch_recipients_batch_id_state_due_at_ms_position",
        *("batch_id", "state", "due_at_ms", "position"),
    ),
)
"""The queue. `owner` is the process (`gateways.token`) that has a recipient in hand, for as long as it gives
signs of life; `epoch` counts the claims, so that the word of a process that has lost one changes
nothing. `call_id` is the last attempt's, written before its INVITE leaves."""

batch_failures = sa.Table(
    "batch_failures",
    metadata,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _text("phone_number"),
    _text("reason"),
    _text("detail"),
)
"Rows of the file that were left out, and why."
