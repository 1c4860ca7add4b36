"""The database behind one protocol: routing tables in, call records out, and the configuration in between."""

from gateway.store.calls import CallFilter, CallPage, CallRow, Cursor
from gateway.store.errors import Conflict, InvalidInput, NotFound, StoreError
from gateway.store.ids import new_id
from gateway.store.protocol import Store
from gateway.store.sql import SqlStore, open_store
from gateway.store.tables import Calling

__all__ = [
    "CallFilter",
    "CallPage",
    "CallRow",
    "Calling",
    "Conflict",
    "Cursor",
    "InvalidInput",
    "NotFound",
    "SqlStore",
    "Store",
    "StoreError",
    "new_id",
    "open_store",
]
