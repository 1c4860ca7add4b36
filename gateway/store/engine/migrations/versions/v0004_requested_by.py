"""Who asked for an outbound call."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; calls that are there have nobody in it."""
    op.add_column("calls", sa.Column("requested_by", sa.Text))


def downgrade() -> None:
    """Take it away."""
    op.drop_column("calls", "requested_by")
