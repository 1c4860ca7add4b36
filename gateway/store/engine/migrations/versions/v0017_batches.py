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


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("title", "status", "why", "why_code")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("agent_id", "version_id")),
        sa.Column("version_number", sa.Integer, nullable=False),
        sa.Column("from_numbers", Json, nullable=False),
        sa.Column("number_ids", Json, nullable=False),
        sa.Column("starts_at", Time),
        sa.Column("ends_at", Time),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("hours", Json),
        sa.Column("retry", Json, nullable=False),
        sa.Column("max_concurrent", sa.Integer),
        sa.Column("most_per_callee_per_day", sa.Integer),
        sa.Column("when_uncertain", sa.Text, nullable=False),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("columns", Json, nullable=False),
        sa.Column("phone_column", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("failed_rows", sa.Integer, nullable=False),
        sa.Column("report", Json),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        *(sa.Column(name, Time) for name in ("started_at", "ended_at", "last_call_sent_at")),
        sa.Column("turn_order", BigInt, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in STATES),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("sent", "picked_up", "picked_up_leads")),
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
