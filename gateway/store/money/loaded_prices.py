"""What decisions know of money, in memory: the rate decks, and which workspaces pay in advance."""

import asyncio
from collections import Counter
from collections.abc import Callable

from gateway.routing.rating import RateDeck, RateDecks
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.money.decks import Deck, load_deck, read_decks
from gateway.store.money.wallets import read_prepaid

LOOK_SECONDS = 0.25
"How often the revision, which is in memory, is looked at."


class LoadedPrices:
    """Read at the start, and again when it changes. While the database is away, what was read serves on."""

    def __init__(self, database: Database, revision: Callable[[], int]) -> None:
        """`revision` is the configuration's, as last seen."""
        self._database = database
        self._revision = revision
        self._seen = -1
        self._decks: dict[str, tuple[Deck, RateDeck]] = {}
        self._looking: asyncio.Task[None] | None = None
        self.prepaid: frozenset[str] = frozenset()
        "The workspaces that have an open wallet."
        self.current = RateDecks()
        "Replaced, never changed, so that a decision sees one state of all prices."
        self.counters: Counter[str] = Counter(missed_decks=0)
        "`missed_decks`: attempts to read changed decks that failed."

    async def start(self) -> None:
        """Read all decks, then keep them fresh until `stop`."""
        await self.refresh()
        self._looking = asyncio.create_task(self._keep_fresh(), name="store-decks")

    async def stop(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def refresh(self) -> None:
        """Read the decks that are new or have changed, and the wallets, if anything configured has."""
        revision = self._revision()
        if revision <= self._seen:
            return
        async with self._database.reading() as connection:
            heads = await read_decks(connection)
            prepaid = await read_prepaid(connection)
            loaded = {}
            for head in heads:
                known = self._decks.get(head.id)
                if known is not None and known[0].revision == head.revision:
                    loaded[head.id] = (head, known[1])
                else:
                    loaded[head.id] = (head, await load_deck(connection, head))
        self._decks, self.prepaid = loaded, prepaid
        self._seen = revision
        self.current = RateDecks(
            {head.provider: deck for head, deck in loaded.values()},
            next((deck for head, deck in loaded.values() if head.is_default), None),
        )

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.refresh()
            except StoreError:
                self.counters["missed_decks"] += 1
