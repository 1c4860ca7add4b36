"""A store on both databases, and an office at it."""

import pytest

from gateway.store.sql import SqlStore
from tests.provisioning.office import Office, open_office
from tests.store.conftest import (  # noqa: F401 - fixtures
    config,
    empty_url,
    furnished,
    migrated,
    postgresql_port,
    store,
    url,
)
from tests.store.furnished import Furnished


@pytest.fixture
async def office(store: SqlStore, furnished: Furnished) -> Office:  # noqa: F811
    """The office of a workspace whose KYC is verified."""
    workspace_id = furnished.workspace.id
    await store.configuration.workspaces.change(workspace_id, {"kyc_verified": True}, "test")
    return open_office(store, workspace_id)
