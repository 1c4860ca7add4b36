"""Wallets: balances, every change of them, and what running calls have set aside."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

Time = sa.DateTime(timezone=True)
Money = sa.Numeric(18, 6).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    """Make the tables; calls that are there were not paid by wallet."""
    op.create_table(
        "wallets",
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("balance", Money, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("opened_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_wallets"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_wallets_workspace_id"),
    )
    _entries()
    _holds()
    op.add_column("calls", sa.Column("prepaid", sa.Boolean, nullable=False, server_default=sa.false()))


def _entries() -> None:
    op.create_table(
        "wallet_entries",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", Money, nullable=False),
        sa.Column("balance", Money, nullable=False),
        sa.Column("call_id", sa.Text),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_wallet_entries"),
        sa.UniqueConstraint("call_id", name="uq_wallet_entries_call_id"),
    )
    op.create_index("ix_wallet_entries_workspace_id_id", "wallet_entries", ["workspace_id", "id"])


def _holds() -> None:
    op.create_table(
        "wallet_holds",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("amount", Money, nullable=False),
        sa.Column("price", Money, nullable=False),
        sa.Column("billed_seconds", sa.Integer, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_wallet_holds"),
    )
    op.create_index("ix_wallet_holds_workspace_id", "wallet_holds", ["workspace_id"])
    op.create_index("ix_wallet_holds_instance", "wallet_holds", ["instance"])
