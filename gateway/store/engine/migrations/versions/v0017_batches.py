"""Batches: their recipients as a queue, and the rows of their files that were left out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"

Time = sa.DateTime(timezone=True)
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
STATES = ("queued", "claimed", "dialling", "done", "failed", "cancelled", "expired", "uncertain")


def upgrade() -> None:
    """Make the tables."""
    _batches()
    op.create_table(
        "batch_stages",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("attempted", sa.Integer, nullable=False),
        sa.Column("picked_up", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "depth", name="pk_batch_stages"),
    )
    _recipients()
    op.create_table(
        "batch_failures",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("phone_number", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_batch_failures"),
    )


def _text(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _batches() -> None:
    op.create_table(
        "batches",
        *_text("id", "workspace_id", "title", "status", "why", "why_code", "agent_id", "version_id"),
        *_counts("version_number"),
        *(sa.Column(name, Json, nullable=False) for name in ("from_numbers", "number_ids")),
        *(sa.Column(name, Time) for name in ("starts_at", "ends_at")),
        *_text("timezone"),
        sa.Column("hours", Json),
        sa.Column("retry", Json, nullable=False),
        *(sa.Column(name, sa.Integer) for name in ("max_concurrent", "most_per_callee_per_day")),
        *_text("when_uncertain", "file_name"),
        sa.Column("columns", Json, nullable=False),
        *_text("phone_column"),
        *_counts("total", "failed_rows"),
        sa.Column("report", Json),
        sa.Column("created_at", Time, nullable=False),
        *_text("created_by"),
        *(sa.Column(name, Time) for name in ("started_at", "ended_at", "last_call_sent_at")),
        sa.Column("turn_order", BigInt, nullable=False),
        *_counts(*STATES, "sent", "picked_up", "picked_up_leads"),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_batches_workspace_id"),
    )
    op.create_index("ix_batches_workspace_id_id", "batches", ["workspace_id", "id"])
    op.create_index("ix_batches_status", "batches", ["status"])
    runs = sa.text("status = 'running'")
    op.create_index(
        "ix_batches_running",
        "batches",
        ["workspace_id"],
        unique=True,
        sqlite_where=runs,
        postgresql_where=runs,
    )


def _recipients() -> None:
    op.create_table(
        "batch_recipients",
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("phone_number", sa.Text, nullable=False),
        sa.Column("variables", Json, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("due_at_ms", BigInt, nullable=False),
        sa.Column("call_id", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("ended_at", Time),
        sa.PrimaryKeyConstraint("batch_id", "position", name="pk_batch_recipients"),
    )
    op.create_index(
        "ix_batch_recipients_batch_id_state_due_at_ms_position",
        "batch_recipients",
        ["batch_id", "state", "due_at_ms", "position"],
    )
