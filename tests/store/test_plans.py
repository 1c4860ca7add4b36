"""How SQLite finds a page of calls: off an index, in order, whatever the filter.

Without statistics, which a fresh database has none of, its plan follows from the indexes alone.
`scripts/bench pages` measures all of these, and their pairs, with a million calls.
"""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from gateway.store.engine.schema import metadata, numbers
from gateway.store.records.call_pages import page_query
from gateway.store.records.call_table import newest_query
from gateway.store.records.calls import CallFilter, Cursor
from tests.store.test_calls import T0


def plan(folder: Path, query: sa.Select[Any]) -> str:
    """What SQLite says it would do."""
    engine = sa.create_engine(f"sqlite:///{folder / 'plans.db'}")
    metadata.create_all(engine)
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    engine.dispose()
    return "\n".join(str(row[3]) for row in rows)


@pytest.mark.parametrize(
    ("fields", "index"),
    [
        ({"workspace_id": None}, "ix_calls_created_at"),
        ({}, "ix_calls_workspace_id_created_at"),
        ({"after": Cursor(T0, "call_1")}, "ix_calls_workspace_id_created_at"),
        ({"descending": False}, "ix_calls_workspace_id_created_at"),
        ({"created_from": T0, "created_before": T0}, "ix_calls_workspace_id_created_at"),
        ({"statuses": ["busy"]}, "ix_calls_workspace_id_status_created_at"),
        ({"statuses": ["busy"], "created_from": T0}, "ix_calls_workspace_id_status_created_at"),
        ({"statuses": ["busy", "failed"]}, "ix_calls_workspace_id_status_created_at"),
        ({"end_reasons": ["unknown"]}, "ix_calls_workspace_id_end_reason_created_at"),
        ({"agent_ids": ["a", "b"]}, "ix_calls_workspace_id_agent_id_created_at"),
        ({"version_ids": ["a"]}, "ix_calls_workspace_id_version_id_created_at"),
        ({"number_ids": ["a"]}, "ix_calls_workspace_id_number_id_created_at"),
        ({"from_numbers": ["a"]}, "ix_calls_workspace_id_from_number_created_at"),
        ({"to_numbers": ["a"]}, "ix_calls_workspace_id_to_number_created_at"),
        ({"direction": "inbound"}, "ix_calls_workspace_id_direction_created_at"),
        ({"type": "web"}, "ix_calls_workspace_id_type_created_at"),
        ({"open": True}, "ix_calls_open"),
        ({"sort": "duration"}, "ix_calls_workspace_id_duration_ms"),
        ({"sort": "duration", "min_duration_ms": 5}, "ix_calls_workspace_id_duration_ms"),
        ({"min_duration_ms": 5}, "ix_calls_workspace_id_created_at"),
        ({"max_latency_ms": 5, "min_duration_ms": 5}, "ix_calls_workspace_id_created_at"),
        ({"direction": "inbound", "min_latency_ms": 5}, "ix_calls_workspace_id_direction_created_at"),
        ({"type": "web", "direction": "inbound"}, "ix_calls_workspace_id_type_created_at"),
        ({"statuses": ["busy"], "max_duration_ms": 5}, "ix_calls_workspace_id_status_created_at"),
        ({"statuses": ["busy"], "to_numbers": ["a"]}, "ix_calls_workspace_id_to_number_created_at"),
        ({"end_reasons": ["a"], "direction": "inbound"}, "ix_calls_workspace_id_end_reason_created_at"),
        ({"end_reasons": ["a"], "statuses": ["failed"]}, "ix_calls_workspace_id_end_reason_created_at"),
        ({"batch_ids": ["a"]}, "ix_calls_batch_id_created_at"),
        ({"trunk_ids": ["a"]}, "ix_calls_trunk_id_created_at"),
        ({"workspace_id": None, "trunk_ids": ["a"]}, "ix_calls_trunk_id_created_at"),
        ({"categories": ["workflow"]}, "ix_calls_workspace_id_category_created_at"),
        ({"categories": ["workflow", "batch"]}, "ix_calls_workspace_id_category_created_at"),
        ({"category_ids": ["a"]}, "ix_calls_workspace_id_category_id_created_at"),
        ({"categories": ["batch"], "category_ids": ["a"]}, "ix_calls_workspace_id_category_id_created_at"),
        ({"categories": ["batch"], "statuses": ["busy"]}, "ix_calls_workspace_id_category_created_at"),
        ({"categories": ["batch"], "direction": "outbound"}, "ix_calls_workspace_id_category_created_at"),
        ({"workspace_id": None, "batch_ids": ["a"]}, "ix_calls_batch_id_created_at"),
        ({"workspace_id": None, "sip_call_id": "a"}, "ix_calls_sip_call_id_created_at"),
    ],
)
def test_page_is_read_off_an_index(tmp_path: Path, fields: dict[str, Any], index: str) -> None:
    """The index of the filter gives the rows in the order of the list; only pages to merge are sorted."""
    found = plan(tmp_path, page_query(CallFilter(**{"workspace_id": "org_1", **fields})))
    assert index in found, found
    pages = max((len(value) for value in fields.values() if isinstance(value, list)), default=1)
    assert found.count("SEARCH calls USING INDEX") + found.count("SCAN calls USING INDEX") == pages
    assert found.count("TEMP B-TREE") == (pages if pages > 1 else 0), "each page of a merge, and nothing else"


def test_the_newest_call_of_a_workflow_is_read_off_an_index(tmp_path: Path) -> None:
    """What a number is kept by is found at once, however many calls it had."""
    found = plan(tmp_path, newest_query("phn_1", "workflow", T0))
    assert "SEARCH calls USING INDEX ix_calls_number_id_category_created_at" in found, found
    assert "TEMP B-TREE" not in found


def test_ids_alone_are_sorted_where_few_calls_fit(tmp_path: Path) -> None:
    """The longest call of a rare status is not looked for among all calls: it can be the last of them."""
    which = CallFilter("org_1", statuses=["busy"], sort="duration")
    found = plan(tmp_path, page_query(which))
    assert "SEARCH calls USING COVERING INDEX ix_calls_workspace_id_status_created_at" in found, found
    assert "ix_calls_workspace_id_duration_ms" not in found


def test_rows_that_are_skipped_are_not_read(tmp_path: Path) -> None:
    """Far into a list, the index alone says which calls come next."""
    found = plan(tmp_path, page_query(CallFilter("org_1", offset=100_000)))
    assert "SEARCH calls USING COVERING INDEX ix_calls_workspace_id_created_at" in found, found


def test_numbers_are_found_by_their_tail(tmp_path: Path) -> None:
    """Ten thousand numbers make no difference to a call."""
    found = plan(tmp_path, numbers.select().where(numbers.c.tail == "9460018"))
    assert "ix_phone_numbers_tail" in found
