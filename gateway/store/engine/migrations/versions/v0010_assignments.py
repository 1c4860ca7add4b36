"""Assignments of numbers that follow the latest version, or split callers between versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Add the columns; what is assigned stays assigned to one version."""
    for direction in ("inbound", "outbound"):
        latest = sa.Column(f"{direction}_latest", sa.Boolean, nullable=False, server_default=sa.false())
        split = sa.Column(f"{direction}_split", Json, nullable=False, server_default="[]")
        op.add_column("phone_numbers", latest)
        op.add_column("phone_numbers", split)
