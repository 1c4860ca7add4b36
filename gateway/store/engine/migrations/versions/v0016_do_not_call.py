"""Lists of numbers that are not called; categories of calls; time zone and country of workspaces."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

INDEXES = (
    ("workspace_id", "category", "created_at", "id"),
    ("workspace_id", "category_id", "created_at", "id"),
    ("number_id", "category", "created_at"),
)


def upgrade() -> None:
    """The lists are empty; calls from before are of no category, and workspaces keep UTC."""
    op.add_column("workspaces", sa.Column("timezone", sa.Text, nullable=False, server_default="UTC"))
    op.add_column("workspaces", sa.Column("default_country", sa.Text))
    op.add_column("calls", sa.Column("category", sa.Text))
    op.add_column("calls", sa.Column("category_id", sa.Text))
    for columns in INDEXES:
        name = "ix_calls_" + "_".join(column for column in columns if column != "id")
        known = sa.text(f"{columns[1]} IS NOT NULL")
        op.create_index(name, "calls", columns, sqlite_where=known, postgresql_where=known)
    op.create_table(
        "do_not_call",
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("phone_number", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "phone_number", name="pk_do_not_call"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_do_not_call_workspace_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "do_not_call_counts",
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("numbers", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_do_not_call_counts"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_do_not_call_counts_workspace_id"
        ),
    )
