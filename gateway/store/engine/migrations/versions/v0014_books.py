"""Who has a gateway's name; what a killed run's calls came to; requests for calls that were refused."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"

Time = sa.DateTime(timezone=True)
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Money = sa.Numeric(18, 6).with_variant(sa.String(40), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables, and the columns that a price is reckoned again from."""
    op.create_table(
        "gateways",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("since", Time, nullable=False),
        sa.Column("beats", BigInt, nullable=False),
        sa.Column("alive_ms", BigInt, nullable=False),
        sa.Column("died_ms", BigInt),
        sa.PrimaryKeyConstraint("name", name="pk_gateways"),
    )
    op.create_table(
        "untold_calls",
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_untold_calls"),
    )
    op.create_table(
        "refused_requests",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("agent_id", sa.Text),
        sa.Column("from_number", sa.Text, nullable=False),
        sa.Column("to_number", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("decision", Json),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_requests"),
    )
    op.create_index("ix_refused_requests_workspace_id_id", "refused_requests", ["workspace_id", "id"])
    op.create_index("ix_webhook_deliveries_call_id", "webhook_deliveries", ["call_id"])
    op.add_column("calls", sa.Column("epoch_ms", BigInt))
    op.add_column("calls", sa.Column("increment", sa.Text))
    op.add_column("calls", sa.Column("connection_fee", Money))
