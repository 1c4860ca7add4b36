"""The spine: workspaces, trunks, agents and their versions, numbers, changes, calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

Time = sa.DateTime(timezone=True)
Money = sa.Numeric(18, 6).with_variant(sa.String(40), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Make all tables."""
    _meta()
    _workspaces()
    _trunks()
    _agents()
    _agent_versions()
    _phone_numbers()
    _changes()
    _calls()
    op.execute("INSERT INTO meta (key, value) VALUES ('revision', '0')")


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _workspaces() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kyc_verified", sa.Boolean, nullable=False),
        sa.Column("verification_number", sa.Text),
        sa.Column("sip_byoc_enabled", sa.Boolean, nullable=False),
        sa.Column("network_groups", Json, nullable=False),
        sa.Column("allow_premium", sa.Boolean, nullable=False),
        sa.Column("allow_satellite", sa.Boolean, nullable=False),
        sa.Column("allow_shared_cost", sa.Boolean, nullable=False),
        sa.Column("verified_caller_ids", Json, nullable=False),
        sa.Column("concurrency_limit", sa.Integer),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("sip_flat_rate", Money),
        sa.Column("billing_increment", sa.Text, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("name", name="uq_workspaces_name"),
    )


def _trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("sources", Json, nullable=False),
        sa.Column("username", sa.Text),
        sa.Column("sealed_password", sa.Text),
        sa.Column("trust_pai", sa.Boolean, nullable=False),
        sa.Column("codecs", Json, nullable=False),
        sa.Column("transport", sa.Text, nullable=False),
        sa.Column("number_format", sa.Text, nullable=False),
        sa.Column("channel_limit", sa.Integer),
        sa.Column("calls_per_second", sa.Float),
        sa.Column("termination_uri", sa.Text),
        sa.Column("auth_mode", sa.Text, nullable=False),
        sa.Column("outbound_username", sa.Text),
        sa.Column("sealed_outbound_password", sa.Text),
        sa.Column("outbound_realm", sa.Text),
        sa.Column("outbound_format", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("flat_rate", Money),
        sa.Column("created_at", Time, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_trunks_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trunks"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_trunks_workspace_id_name"),
    )


def _agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_agents_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_agents_workspace_id_name"),
    )


def _agent_versions() -> None:
    op.create_table(
        "agent_versions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("runtime_url", sa.Text, nullable=False),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("sealed_headers", sa.Text),
        sa.Column("sealed_secret", sa.Text),
        sa.Column("audio", sa.Text, nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("max_call_duration_sec", sa.Integer, nullable=False),
        sa.Column("ring_duration_sec", sa.Integer, nullable=False),
        sa.Column("early_media", sa.Boolean, nullable=False),
        sa.Column("fallback_url", sa.Text),
        sa.Column("fallback_wav", sa.Text),
        sa.Column("published_at", Time),
        sa.Column("created_at", Time, nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_agent_versions_agent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_agent_versions"),
        sa.UniqueConstraint("agent_id", "number", name="uq_agent_versions_agent_id_number"),
    )


def _phone_numbers() -> None:
    op.create_table(
        "phone_numbers",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text, nullable=False),
        sa.Column("e164", sa.Text, nullable=False),
        sa.Column("tail", sa.Text, nullable=False),
        sa.Column("country_code", sa.Text, nullable=False),
        sa.Column("local_number", sa.Text, nullable=False),
        sa.Column("nickname", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("rental_status", sa.Text, nullable=False),
        sa.Column("rental_expires_at", Time),
        sa.Column("renews_at", Time),
        sa.Column("sip_trunk_enabled", sa.Boolean, nullable=False),
        sa.Column("trunk_id", sa.Text),
        sa.Column("inbound_version_id", sa.Text),
        sa.Column("outbound_version_id", sa.Text),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("channel_limit", sa.Integer),
        sa.Column("created_at", Time, nullable=False),
        sa.ForeignKeyConstraint(
            ["inbound_version_id"], ["agent_versions.id"], name="fk_phone_numbers_inbound_version_id"
        ),
        sa.ForeignKeyConstraint(
            ["outbound_version_id"], ["agent_versions.id"], name="fk_phone_numbers_outbound_version_id"
        ),
        sa.ForeignKeyConstraint(["trunk_id"], ["trunks.id"], name="fk_phone_numbers_trunk_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_phone_numbers_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_phone_numbers"),
        sa.UniqueConstraint("e164", name="uq_phone_numbers_e164"),
    )
    op.create_index("ix_phone_numbers_inbound_version_id", "phone_numbers", ["inbound_version_id"])
    op.create_index("ix_phone_numbers_outbound_version_id", "phone_numbers", ["outbound_version_id"])
    op.create_index("ix_phone_numbers_tail", "phone_numbers", ["tail"])
    op.create_index("ix_phone_numbers_trunk_id", "phone_numbers", ["trunk_id"])
    op.create_index(
        "ix_phone_numbers_workspace_id_created_at_id", "phone_numbers", ["workspace_id", "created_at", "id"]
    )


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("workspace_id", sa.Text),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("fields", Json, nullable=False),
        sa.Column("revision", BigInt, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
    )
    op.create_index("ix_changes_object_id_id", "changes", ["object_id", "id"])
    op.create_index("ix_changes_workspace_id_id", "changes", ["workspace_id", "id"])


def _calls() -> None:
    """Long, since the table has so many columns."""
    op.create_table(
        "calls",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("saved", BigInt, nullable=False),
        sa.Column("workspace_id", sa.Text),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", Time, nullable=False),
        sa.Column("trunk_id", sa.Text),
        sa.Column("number_id", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("version_id", sa.Text),
        sa.Column("version_number", sa.Integer),
        sa.Column("from_number", sa.Text, nullable=False),
        sa.Column("to_number", sa.Text, nullable=False),
        sa.Column("sip_call_id", sa.Text, nullable=False),
        sa.Column("end_reason", sa.Text),
        sa.Column("ended_by", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("sip_status", sa.Integer),
        sa.Column("q850", sa.Integer),
        sa.Column("decision", Json),
        sa.Column("ringing_at", Time),
        sa.Column("answered_at", Time),
        sa.Column("first_audio_in_at", Time),
        sa.Column("first_audio_out_at", Time),
        sa.Column("ended_at", Time),
        sa.Column("duration_ms", BigInt, nullable=False),
        sa.Column("latency_ms", sa.Integer),
        sa.Column("media", Json, nullable=False),
        sa.Column("ladder", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("notes", Json, nullable=False),
        sa.Column("parent_call_id", sa.Text),
        sa.Column("batch_id", sa.Text),
        sa.Column("price", Money),
        sa.Column("currency", sa.Text),
        sa.Column("rate", Money),
        sa.Column("rate_prefix", sa.Text),
        sa.Column("billed_seconds", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index("ix_calls_batch_id_created_at", "calls", ["batch_id", "created_at", "id"])
    op.create_index("ix_calls_created_at", "calls", ["created_at", "id"])
    for name, column in (("ix_calls_open", "workspace_id"), ("ix_calls_left_open", "instance")):
        columns = [column, "ended_at", "created_at", "id"]
        op.create_index(name, "calls", columns, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_calls_parent_call_id_created_at", "calls", ["parent_call_id", "created_at", "id"])
    op.create_index("ix_calls_sip_call_id_created_at", "calls", ["sip_call_id", "created_at", "id"])
    op.create_index("ix_calls_trunk_id_created_at", "calls", ["trunk_id", "created_at", "id"])
    op.create_index(
        "ix_calls_workspace_id_agent_id_created_at", "calls", ["workspace_id", "agent_id", "created_at", "id"]
    )
    op.create_index("ix_calls_workspace_id_created_at", "calls", ["workspace_id", "created_at", "id"])
    op.create_index("ix_calls_workspace_id_duration_ms", "calls", ["workspace_id", "duration_ms", "id"])
    op.create_index(
        "ix_calls_workspace_id_end_reason_created_at",
        "calls",
        ["workspace_id", "end_reason", "created_at", "id"],
    )
    op.create_index(
        "ix_calls_workspace_id_from_number_created_at",
        "calls",
        ["workspace_id", "from_number", "created_at", "id"],
    )
    op.create_index(
        "ix_calls_workspace_id_number_id_created_at",
        "calls",
        ["workspace_id", "number_id", "created_at", "id"],
    )
    op.create_index(
        "ix_calls_workspace_id_direction_created_at",
        "calls",
        ["workspace_id", "direction", "created_at", "id"],
    )
    op.create_index(
        "ix_calls_workspace_id_type_created_at", "calls", ["workspace_id", "type", "created_at", "id"]
    )
    op.create_index(
        "ix_calls_workspace_id_status_created_at", "calls", ["workspace_id", "status", "created_at", "id"]
    )
    op.create_index(
        "ix_calls_workspace_id_to_number_created_at",
        "calls",
        ["workspace_id", "to_number", "created_at", "id"],
    )
    op.create_index(
        "ix_calls_workspace_id_version_id_created_at",
        "calls",
        ["workspace_id", "version_id", "created_at", "id"],
    )
