"""The tables. `migrations/` makes them; a test holds the two to each other.

Enums are text, so that a new member needs no migration. Secrets are sealed text (`seal.SecretBox`). Calls
refer to configuration by id without foreign keys: a record outlives the number that it came by.

Longer than most: all tables stand in one place, beside those that they refer to.
"""

import sqlalchemy as sa

from gateway.store.engine.column_types import BigInt, Json, Money, UtcTime

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Text, primary_key=True)


def _workspace(nullable: bool = False) -> sa.Column[str]:
    return sa.Column("workspace_id", sa.ForeignKey("workspaces.id"), nullable=nullable)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


meta = sa.Table("meta", metadata, sa.Column("key", sa.Text, primary_key=True), _text("value"))
"`revision` counts the changes of the configuration; `key_check` shows whether the sealing key fits."

workspaces = sa.Table(
    "workspaces",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _flag("kyc_verified"),
    sa.Column("verification_number", sa.Text),
    _flag("sip_byoc_enabled"),
    sa.Column("network_groups", Json, nullable=False),
    _flag("allow_premium"),
    _flag("allow_satellite"),
    _flag("allow_shared_cost"),
    sa.Column("verified_caller_ids", Json, nullable=False),
    sa.Column("concurrency_limit", sa.Integer),
    _text("currency"),
    sa.Column("sip_flat_rate", Money),
    _text("billing_increment"),
    sa.Column("recording_keep_days", sa.Integer),
    _text("timezone"),
    sa.Column("default_country", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
)

trunks = sa.Table(
    "trunks",
    metadata,
    _id(),
    _workspace(nullable=True),
    _text("name"),
    _flag("enabled"),
    sa.Column("sources", Json, nullable=False),
    sa.Column("username", sa.Text),
    sa.Column("sealed_password", sa.Text),
    _flag("trust_pai"),
    _flag("reveal_withheld"),
    sa.Column("codecs", Json, nullable=False),
    _text("transport"),
    _text("number_format"),
    sa.Column("channel_limit", sa.Integer),
    sa.Column("calls_per_second", sa.Float),
    sa.Column("termination_uri", sa.Text),
    _text("auth_mode"),
    sa.Column("outbound_username", sa.Text),
    sa.Column("sealed_outbound_password", sa.Text),
    sa.Column("outbound_realm", sa.Text),
    sa.Column("outbound_format", sa.Text),
    sa.Column("provider", sa.Text),
    sa.Column("flat_rate", Money),
    sa.Column("recording", sa.Text),
    _flag("linked"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("workspace_id", "name"),
)

agents = sa.Table(
    "agents",
    metadata,
    _id(),
    _workspace(),
    _text("name"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("workspace_id", "name"),
)

versions = sa.Table(
    "agent_versions",
    metadata,
    _id(),
    sa.Column("agent_id", sa.ForeignKey("agents.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    _text("state"),
    _text("runtime_url"),
    _text("dialect"),
    sa.Column("sealed_headers", sa.Text),
    sa.Column("sealed_secret", sa.Text),
    _text("audio"),
    sa.Column("parameters", Json, nullable=False),
    sa.Column("options", Json),
    sa.Column("max_call_duration_sec", sa.Integer, nullable=False),
    sa.Column("ring_duration_sec", sa.Integer, nullable=False),
    _flag("early_media"),
    sa.Column("fallback_url", sa.Text),
    sa.Column("fallback_wav", sa.Text),
    sa.Column("recording", sa.Text),
    sa.Column("recording_announcement", sa.Text),
    sa.Column("published_at", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("agent_id", "number"),
)

numbers = sa.Table(
    "phone_numbers",
    metadata,
    _id(),
    _workspace(),
    sa.Column("e164", sa.Text, nullable=False, unique=True),
    sa.Column("tail", sa.Text, nullable=False, index=True),
    _text("country_code"),
    _text("local_number"),
    _text("nickname"),
    _text("provider"),
    _text("status"),
    _text("rental_status"),
    sa.Column("rental_expires_at", UtcTime),
    sa.Column("renews_at", UtcTime),
    _flag("sip_trunk_enabled"),
    sa.Column("trunk_id", sa.ForeignKey("trunks.id"), index=True),
    sa.Column("inbound_version_id", sa.ForeignKey("agent_versions.id"), index=True),
    sa.Column("outbound_version_id", sa.ForeignKey("agent_versions.id")),
    _flag("inbound_latest"),
    _flag("outbound_latest"),
    sa.Column("inbound_split", Json, nullable=False),
    sa.Column("outbound_split", Json, nullable=False),
    _flag("is_default"),
    sa.Column("channel_limit", sa.Integer),
    sa.Column("recording", sa.Text),
    sa.Column("recording_announcement", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("ix_phone_numbers_workspace_id_created_at_id", "workspace_id", "created_at", "id"),
    sa.Index(
        "ix_phone_numbers_calling",
        *("outbound_version_id", "workspace_id", "is_default", "id"),
        *("status", "rental_status", "rental_expires_at"),
    ),
)
"""`tail` is the last digits of `e164`, by which a routing table is loaded. `ix_phone_numbers_calling` has all
that the best number to call from is chosen by."""

rate_decks = sa.Table(
    "rate_decks",
    metadata,
    _id(),
    sa.Column("provider", sa.Text, nullable=False, unique=True),
    _text("currency"),
    _flag("is_default"),
    sa.Column("prefixes", sa.Integer, nullable=False),
    sa.Column("imported_at", UtcTime, nullable=False),
    sa.Column("revision", BigInt, nullable=False),
)
"`prefixes` counts them; `revision` is the configuration's at which the deck came, to tell a new one by."

rate_slices = sa.Table(
    "rate_slices",
    metadata,
    sa.Column("deck_id", sa.ForeignKey("rate_decks.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rates", Json, nullable=False),
)
"""A deck, some hundred prefixes a row: each rate with its prefixes, amounts as text. A deck is only ever read
and written whole, and with a row for each rate, reading 100 000 different ones took three times as long."""

wallets = sa.Table(
    "wallets",
    metadata,
    sa.Column("workspace_id", sa.ForeignKey("workspaces.id"), primary_key=True),
    _text("currency"),
    sa.Column("balance", Money, nullable=False),
    _flag("is_open"),
    sa.Column("opened_at", UtcTime, nullable=False),
)
"A closed wallet keeps its row: calls that began before may still have to be paid."

wallet_entries = sa.Table(
    "wallet_entries",
    metadata,
    _id(),
    _text("workspace_id"),
    sa.Column("at", UtcTime, nullable=False),
    _text("kind"),
    sa.Column("amount", Money, nullable=False),
    sa.Column("balance", Money, nullable=False),
    sa.Column("call_id", sa.Text, unique=True),
    _text("by"),
    _text("note"),
    sa.Index("ix_wallet_entries_workspace_id_id", "workspace_id", "id"),
)
"Every change of a balance, never changed itself; `call_id` is unique, so that no call is paid for twice."

wallet_holds = sa.Table(
    "wallet_holds",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False, index=True),
    sa.Column("instance", sa.Text, nullable=False, index=True),
    sa.Column("amount", Money, nullable=False),
    sa.Column("price", Money, nullable=False),
    sa.Column("billed_seconds", sa.Integer, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
"""What running calls have set aside: other gateways leave it alone. A call that ends because its gateway died
is charged `price`, what it had come to."""
purchases = sa.Table(
    "purchases",
    metadata,
    _id(),
    _workspace(),
    _text("number"),
    _text("country_iso"),
    _text("provider"),
    _text("state"),
    sa.Column("idempotency_key", sa.Text),
    _text("nickname"),
    _text("by"),
    _text("instance"),
    sa.Column("number_id", sa.Text),
    _text("detail"),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("due_at", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("workspace_id", "idempotency_key"),
)
"What was bought from a number provider, from the intent to the release; `due_at`: when to look at it again."

_is_open = purchases.c.state.not_in(["released", "failed"])
sa.Index(
    "ix_purchases_open", purchases.c.number, unique=True, sqlite_where=_is_open, postgresql_where=_is_open
)
sa.Index("ix_purchases_due_at", purchases.c.due_at)

changes = sa.Table(
    "changes",
    metadata,
    _id(),
    sa.Column("at", UtcTime, nullable=False),
    _text("by"),
    sa.Column("workspace_id", sa.Text),
    _text("kind"),
    _text("object_id"),
    _text("action"),
    sa.Column("fields", Json, nullable=False),
    sa.Column("revision", BigInt, nullable=False),
    sa.Index("ix_changes_object_id_id", "object_id", "id"),
    sa.Index("ix_changes_workspace_id_id", "workspace_id", "id"),
    sa.Index("ix_changes_revision", "revision"),
)
"Who changed what, and when: `fields` maps each changed field to its value before and after; no secrets."

api_keys = sa.Table(
    "api_keys",
    metadata,
    _id(),
    _workspace(),
    _text("name"),
    _text("secret_hash"),
    _text("created_by"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("last_used_at", UtcTime),
    sa.Column("revoked_at", UtcTime),
    sa.Index("ix_api_keys_workspace_id", "workspace_id"),
)
"Who may use the API for a workspace. Of the secret there is a hash only."

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("workspace_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    _text("body_hash"),
    _text("call_id"),
    _text("holder"),
    sa.Column("created_at", UtcTime, nullable=False, index=True),
    sa.Column("held_at", UtcTime, nullable=False),
    _flag("done"),
)
"""Requests for calls that may be sent again under the same key (`Idempotency-Key`, or what MQTT gives).

`holder` is at work on the request since `held_at`, until it is `done`."""

calls = sa.Table(
    "calls",
    metadata,
    _id(),
    sa.Column("saved", BigInt, nullable=False),
    sa.Column("workspace_id", sa.Text),
    _text("instance"),
    _text("type"),
    _text("direction"),
    _text("status"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("trunk_id", sa.Text),
    sa.Column("number_id", sa.Text),
    sa.Column("agent_id", sa.Text),
    sa.Column("version_id", sa.Text),
    sa.Column("version_number", sa.Integer),
    _text("from_number"),
    _text("to_number"),
    _text("sip_call_id"),
    sa.Column("end_reason", sa.Text),
    sa.Column("ended_by", sa.Text),
    _text("detail"),
    sa.Column("sip_status", sa.Integer),
    sa.Column("q850", sa.Integer),
    sa.Column("decision", Json),
    sa.Column("ringing_at", UtcTime),
    sa.Column("answered_at", UtcTime),
    sa.Column("first_audio_in_at", UtcTime),
    sa.Column("first_audio_out_at", UtcTime),
    sa.Column("ended_at", UtcTime),
    sa.Column("duration_ms", BigInt, nullable=False),
    sa.Column("latency_ms", sa.Integer),
    sa.Column("media", Json, nullable=False),
    sa.Column("ladder", Json, nullable=False),
    sa.Column("requested_by", sa.Text),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("notes", Json, nullable=False),
    sa.Column("parent_call_id", sa.Text),
    sa.Column("batch_id", sa.Text),
    sa.Column("price", Money),
    sa.Column("currency", sa.Text),
    sa.Column("rate", Money),
    sa.Column("rate_prefix", sa.Text),
    sa.Column("billed_seconds", sa.Integer),
    sa.Column("recording_status", sa.Text),
    sa.Column("recording", Json),
    sa.Column("prepaid", sa.Boolean, nullable=False),
    sa.Column("epoch_ms", BigInt),
    sa.Column("increment", sa.Text),
    sa.Column("connection_fee", Money),
    sa.Column("sealed_caller", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("category_id", sa.Text),
)
"""`saved` orders the versions of one record: a row never overwrites one that was saved after it."""

gateways = sa.Table(
    "gateways",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("token"),
    _text("host"),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("beats", BigInt, nullable=False),
    sa.Column("alive_ms", BigInt, nullable=False),
    sa.Column("died_ms", BigInt),
)
"""Which process has a gateway's name (`tenure.Tenure`). `beats` counts its signs of life, `alive_ms` is its
monotonic clock at the last one; `died_ms` that of an earlier run whose calls are not closed yet."""

untold_calls = sa.Table(
    "untold_calls", metadata, sa.Column("call_id", sa.Text, primary_key=True), _text("instance")
)
"Calls whose record a start has closed, and whose ending nobody was told of yet."

refused_requests = sa.Table(
    "refused_requests",
    metadata,
    _id(),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    _text("type"),
    _text("by"),
    sa.Column("agent_id", sa.Text),
    _text("from_number"),
    _text("to_number"),
    _text("reason"),
    _text("message"),
    sa.Column("decision", Json),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Index("ix_refused_requests_workspace_id_id", "workspace_id", "id"),
)
"Requests for calls that came to nothing, of which there is no call record; `count`: so often in a row."


webhooks = sa.Table(
    "webhooks",
    metadata,
    _id(),
    _workspace(),
    _text("url"),
    sa.Column("events", Json, nullable=False),
    _text("sealed_secret"),
    _flag("is_active"),
    _text("created_by"),
    sa.Column("created_at", UtcTime, nullable=False),
)

deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    _id(),
    sa.Column("webhook_id", sa.Text, nullable=False),
    sa.Column("workspace_id", sa.Text, nullable=False),
    _text("event"),
    sa.Column("call_id", sa.Text),
    _text("body"),
    _text("state"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("next_at", UtcTime, nullable=False),
    sa.Column("response_status", sa.Integer),
    _text("error_message"),
    sa.Column("parent_delivery_id", sa.Text),
    sa.Column("finished_at", UtcTime),
    sa.Column("claimed_at", UtcTime),
    sa.Index("ix_webhook_deliveries_webhook_id_id", "webhook_id", "id"),
    sa.Index("ix_webhook_deliveries_call_id", "call_id"),
    sa.Index("ix_webhook_deliveries_state_next_at", "state", "next_at"),
)
"`claimed_at`: when a gateway took it to try it, so that no other does at the same time."

call_texts = sa.Table(
    "call_texts",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("workspace_id", sa.Text, nullable=False),
    sa.Column("transcript", Json),
    sa.Column("summary", sa.Text),
    sa.Column("sentiment", sa.Text),
    sa.Column("extracted", Json),
    sa.Column("updated_at", UtcTime, nullable=False),
)


FILTERED = ("duration_ms", "latency_ms")
"What calls are filtered by in ranges: at the end of an index, most rows are passed by without being read."


def _call_index(*columns: str, sort: str = "created_at", ends: tuple[str, ...] = ()) -> None:
    name = "ix_calls_" + "_".join([*columns, sort])
    sa.Index(name, *(calls.c[column] for column in (*columns, sort, "id", *ends)))


# One index for each filter of the call list, each ending in the order of the list, so that a page is read off
# the index wherever it starts. Without a workspace only the operator asks, from the command line.
_call_index()
_call_index("workspace_id", ends=FILTERED)
_call_index("workspace_id", "agent_id", ends=FILTERED)
_call_index("workspace_id", "version_id", ends=FILTERED)
_call_index("workspace_id", "number_id", ends=FILTERED)
_call_index("workspace_id", "from_number")
_call_index("workspace_id", "to_number")
_call_index("workspace_id", "direction", ends=FILTERED)
_call_index("workspace_id", "type")
_call_index("workspace_id", "status", ends=FILTERED)
_call_index("workspace_id", "end_reason")
_call_index("trunk_id")
_call_index("batch_id")
_call_index("sip_call_id")
_call_index("parent_call_id")
_call_index("workspace_id", sort="duration_ms")

sa.Index(
    "ix_calls_recorded",
    *(calls.c[name] for name in ("recording_status", "created_at", "id")),
    sqlite_where=calls.c.recording_status.is_not(None),
    postgresql_where=calls.c.recording_status.is_not(None),
)

# Most calls are of no category, and cost these indexes nothing. The last is asked before a number is removed.
for _columns in (
    ("workspace_id", "category", "created_at", "id"),
    ("workspace_id", "category_id", "created_at", "id"),
    ("number_id", "category", "created_at"),
):
    sa.Index(
        "ix_calls_" + "_".join(column for column in _columns if column != "id"),
        *(calls.c[column] for column in _columns),
        sqlite_where=calls.c[_columns[1]].is_not(None),
        postgresql_where=calls.c[_columns[1]].is_not(None),
    )

# `ended_at` is null throughout; naming it lets SQLite prefer these to the indexes over all calls.
for _name, _column in (("ix_calls_open", calls.c.workspace_id), ("ix_calls_left_open", calls.c.instance)):
    sa.Index(
        _name,
        _column,
        calls.c.ended_at,
        calls.c.created_at,
        calls.c.id,
        sqlite_where=calls.c.ended_at.is_(None),
        postgresql_where=calls.c.ended_at.is_(None),
    )

do_not_call = sa.Table(
    "do_not_call",
    metadata,
    sa.Column("workspace_id", sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("phone_number", sa.Text, primary_key=True),
    _text("reason"),
    _text("added_by"),
    sa.Column("added_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)
"Numbers that a workspace's calls never go to; `phone_number` is E.164."

do_not_call_counts = sa.Table(
    "do_not_call_counts",
    metadata,
    sa.Column("workspace_id", sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("numbers", sa.Integer, nullable=False),
)
"How long each list is: counting a million rows takes longer than adding one."

accounts = sa.Table(
    "accounts",
    metadata,
    _id(),
    _workspace(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    _text("password_hash"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("seen_at", UtcTime),
)
"Who may log in to the dashboard; `password_hash` is scrypt's."

web_sessions = sa.Table(
    "web_sessions",
    metadata,
    _id(),
    _workspace(),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), index=True),
    sa.Column("key_id", sa.Text, index=True),
    _text("name"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False, index=True),
    sa.Column("notice", Json),
)
"Who is logged in to the dashboard; `id` is the SHA-256 of the cookie's token."
