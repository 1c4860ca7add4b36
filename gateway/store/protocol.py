"""What call control needs of a store."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.routing.rating import RateDecks
from gateway.routing.table import RoutingTable, Trunks
from gateway.store.money.purses import Exchange, Hold
from gateway.store.records.calls import CallFilter, CallPage, CallRow, Savable
from gateway.store.records.closing import Left
from gateway.store.tables import Calling


class Store(Protocol):
    """Routing tables in, call records out. Foreign errors come as `StoreError`."""

    async def routing_table(self, called: str) -> RoutingTable:
        """What an inbound decision about this dialled number needs, at most 20 ms old.

        `called` is the number as dialled; only its last digits count. While the database is away, the last
        table that was read for the number serves on; `StoreError` where there is none.
        """
        ...

    async def outbound_table(self, asked: Calling, destination: str | None = None) -> RoutingTable:
        """What a decision about a workspace's outbound call needs; as fresh and lasting as the one above.

        Of a workspace with a do-not-call list, what that says of the `destination` is looked up each time:
        `StoreError` where the database does not answer, since nobody may be called against the list.
        """
        ...

    def trunks(self) -> Trunks:
        """All trunks as last seen, at most about 250 ms old; the same object as long as none changed."""
        ...

    async def refresh(self) -> None:
        """Read the trunks and the rate decks now, if anything changed."""
        ...

    def rate_decks(self) -> RateDecks:
        """All rate decks as last seen: what `route_outbound(…, decks=store.rate_decks())` takes.

        Costs nothing; a deck that was imported is in it within a second. Empty where there is none: then
        nothing is charged.
        """
        ...

    def has_wallet(self, workspace_id: str) -> bool:
        """Whether a workspace has an open wallet, as last seen; costs nothing, at most about a second old."""
        ...

    async def purses(self, ended: Collection[str], workspace_ids: Collection[str]) -> Exchange:
        """How the open wallets of some workspaces stand, but for what calls of this gateway hold.

        `ended` are calls to ask about whether their debit is there.
        """
        ...

    async def exchange(
        self, holds: Sequence[Hold], ended: Collection[str], workspace_ids: Collection[str]
    ) -> Exchange:
        """As `purses`, and write what running calls of this gateway hold: those that have changed."""
        ...

    def save_call(self, call: Savable) -> None:
        """Have this call saved soon, as it stands then; neither waits nor fails."""
        ...

    def seal(self, text: str) -> str:
        """Text that only the database's key opens again, see `SqlStore.open_sealed`."""
        ...

    async def flush(self) -> None:
        """Wait until everything that was given to `save_call` is in the database or in the journal."""
        ...

    async def close_open_calls(self, died_ms: int | None) -> Left:
        """End and charge the calls that an earlier run of this gateway left open.

        They end with status `failed` and reason `gateway_restarted` at the run's last sign of life, `died_ms`
        of its monotonic clock; None: it is not known, and what their records know has to do.
        """
        ...

    async def untold_calls(self) -> list[str]:
        """Calls that were closed so, and of whose ending nobody was told yet; oldest first."""
        ...

    async def told(self, call_id: str) -> None:
        """Whoever has to know of a call's ending does."""
        ...

    async def get_call(self, call_id: str) -> CallRow | None:
        """One call, or None."""
        ...

    async def list_calls(self, which: CallFilter) -> CallPage:
        """Calls, newest first unless the filter says otherwise."""
        ...

    async def count_calls(self, which: CallFilter) -> int:
        """How many calls a filter leaves, on all pages; for filters that leave few, such as a batch's."""
        ...

    async def change_recording(self, call_id: str, status: str, facts: Mapping[str, object]) -> bool:
        """Say what became of a recording after its call; False where there is no such call."""
        ...

    async def expired_recordings(self, default_days: int, now: datetime, limit: int) -> list[CallRow]:
        """Recordings of this gateway that are older than their workspace, or else `default_days`, allows."""
        ...

    async def unfinished_recordings(self) -> list[str]:
        """The calls of this gateway whose recordings never came to an end."""
        ...

    async def healthy(self) -> str | None:
        """None when the database answers, else what is wrong."""
        ...

    async def close(self) -> None:
        """Save what is left and let go of the database."""
        ...
