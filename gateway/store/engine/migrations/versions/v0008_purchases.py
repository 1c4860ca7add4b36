"""Purchases of numbers; trunks that were made by linking a number."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

Time = sa.DateTime(timezone=True)
OPEN = sa.text("state NOT IN ('released', 'failed')")


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "purchases",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("country_iso", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("nickname", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("number_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("asked_at", Time, nullable=False),
        sa.Column("due_at", Time),
        sa.Column("created_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_purchases"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_purchases_workspace_id"),
        sa.UniqueConstraint(
            "workspace_id", "idempotency_key", name="uq_purchases_workspace_id_idempotency_key"
        ),
    )
    op.create_index(
        "ix_purchases_open", "purchases", ["number"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_purchases_due_at", "purchases", ["due_at"])
    op.add_column("trunks", sa.Column("linked", sa.Boolean, nullable=False, server_default=sa.false()))
