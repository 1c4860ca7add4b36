"""What the best number to call from is chosen by; the changes since a revision."""

from alembic import op

revision = "0013"
down_revision = "0012"

CHOSEN_BY = (
    *("outbound_version_id", "workspace_id", "is_default", "id"),
    *("status", "rental_status", "rental_expires_at"),
)


def upgrade() -> None:
    """Make these indexes; the first takes the place of a narrower one."""
    op.drop_index("ix_phone_numbers_outbound_version_id", table_name="phone_numbers")
    op.create_index("ix_phone_numbers_calling", "phone_numbers", CHOSEN_BY)
    op.create_index("ix_changes_revision", "changes", ["revision"])
