"""Recordings: who is recorded, what the caller hears before, how long it is kept, and what became of each."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"

Json = sa.JSON().with_variant(JSONB(), "postgresql")
RECORDED = sa.text("recording_status IS NOT NULL")


def upgrade() -> None:
    """Add the columns, all of them empty, and the index that retention reads."""
    for table in ("trunks", "agent_versions", "phone_numbers"):
        op.add_column(table, sa.Column("recording", sa.Text))
    for table in ("agent_versions", "phone_numbers"):
        op.add_column(table, sa.Column("recording_announcement", sa.Text))
    op.add_column("workspaces", sa.Column("recording_keep_days", sa.Integer))
    op.add_column("calls", sa.Column("recording_status", sa.Text))
    op.add_column("calls", sa.Column("recording", Json))
    op.create_index(
        "ix_calls_recorded",
        "calls",
        ["recording_status", "created_at", "id"],
        sqlite_where=RECORDED,
        postgresql_where=RECORDED,
    )
