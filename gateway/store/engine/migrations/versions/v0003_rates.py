"""Rate decks: one a provider, and their rates in slices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

Time = sa.DateTime(timezone=True)
Json = sa.JSON().with_variant(JSONB(), "postgresql")
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "rate_decks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("prefixes", sa.Integer, nullable=False),
        sa.Column("imported_at", Time, nullable=False),
        sa.Column("revision", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rate_decks"),
        sa.UniqueConstraint("provider", name="uq_rate_decks_provider"),
    )
    op.create_table(
        "rate_slices",
        sa.Column("deck_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("rates", Json, nullable=False),
        sa.PrimaryKeyConstraint("deck_id", "position", name="pk_rate_slices"),
        sa.ForeignKeyConstraint(["deck_id"], ["rate_decks.id"], name="fk_rate_slices_deck_id"),
    )
