"""Callers who withhold their number: shown to nobody, sealed for the operator."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """No trunk shows them; calls from before have none."""
    op.add_column(
        "trunks", sa.Column("reveal_withheld", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.add_column("calls", sa.Column("sealed_caller", sa.Text))
