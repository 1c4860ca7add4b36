"""Accounts and sessions of the dashboard."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("seen_at", Time),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_accounts_workspace_id"),
    )
    op.create_table(
        "web_sessions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("key_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("expires_at", Time, nullable=False),
        sa.Column("notice", Json),
        sa.PrimaryKeyConstraint("id", name="pk_web_sessions"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_web_sessions_workspace_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_web_sessions_account_id"),
    )
    for column in ("account_id", "key_id", "expires_at"):
        op.create_index(f"ix_web_sessions_{column}", "web_sessions", [column])
