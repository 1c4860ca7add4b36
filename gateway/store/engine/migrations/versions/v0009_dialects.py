"""What an agent version chooses of its dialect beside the audio."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Versions from before have chosen nothing."""
    op.add_column("agent_versions", sa.Column("options", Json))
