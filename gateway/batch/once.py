"""Making a batch once, however often it is asked for: the same key stands for the same batch."""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.batch.answers import Notice
from gateway.batch.batches import Batches
from gateway.batch.files.upload import Upload
from gateway.batch.wish import BatchWish
from gateway.call.record import EndReason
from gateway.call.refusal import Refused
from gateway.store.batches.values import Batch
from gateway.store.engine.errors import Conflict, NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.records.requests import Requests

WAIT_SECONDS = 15.0
"How long a request waits for another one under its key, whose file is still being read."
LOOK_SECONDS = 0.2
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a batch."""

    workspace_id: str
    by: str
    wish: BatchWish
    upload: Upload
    draft: bool
    skip_invalid: bool
    fields: Mapping[str, object]
    "All that the request says beside the file: the same for the same request."


@dataclass(frozen=True, slots=True)
class Made:
    """The batch that a request has led to."""

    batch: Batch
    warning: Notice | None
    again: bool
    "True: an earlier request under the same key has made it."


@dataclass(frozen=True, slots=True)
class BatchOnce:
    """Makes each batch that is asked for once."""

    batches: Batches
    requests: Requests

    async def create(self, asked: Asked, key: str | None) -> Made:
        """Make a batch, or find the one that was made under the same key.

        Raises what `Batches.create` does, and `Conflict` where the key was used for another request.
        A refused request leaves the key free.
        """
        if key is None:
            return await self._make(asked, new_id("batch"))
        said = await asyncio.to_thread(_said, asked)
        loop, fresh = asyncio.get_running_loop(), new_id("batch")
        until = loop.time() + WAIT_SECONDS
        while True:
            there = await self.requests.reserve(asked.workspace_id, key, said, fresh)
            # Also what was taken over may have been made, by a gateway that died right after.
            found = None if there.call_id == fresh else await self._find(asked, there.call_id)
            if found is not None and (there.ours or there.done):
                await self._done(asked, key)
                return Made(found, None, again=True)
            if there.ours:
                return await self._first(asked, key, there.call_id)
            if there.done:
                right = f"stands for {there.call_id}, which is not there any more; take a fresh key"
                raise Conflict("Idempotency-Key", key, right)
            if loop.time() > until:
                raise _still_deciding()
            await asyncio.sleep(LOOK_SECONDS)

    async def _first(self, asked: Asked, key: str, batch_id: str) -> Made:
        try:
            made = await self._make(asked, batch_id)
        except BaseException:
            with suppress(StoreError):
                await self.requests.release(asked.workspace_id, key)
            raise
        await self._done(asked, key)
        return made

    async def _make(self, asked: Asked, batch_id: str) -> Made:
        made = await self.batches.create(
            asked.workspace_id,
            asked.wish,
            asked.upload,
            asked.by,
            draft=asked.draft,
            skip_invalid=asked.skip_invalid,
            batch_id=batch_id,
        )
        return Made(made.batch, made.warning, again=False)

    async def _find(self, asked: Asked, batch_id: str) -> Batch | None:
        try:
            return await self.batches.get(batch_id, asked.workspace_id)
        except NotFound:
            return None

    async def _done(self, asked: Asked, key: str) -> None:
        # The batch is there whatever the database does; without this mark it is found by its id.
        with suppress(StoreError):
            await self.requests.done(asked.workspace_id, key)


def _said(asked: Asked) -> bytes:
    """What was asked for, the file by its content and not by its name."""
    with Path(asked.upload.path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return orjson.dumps({"file": digest, **asked.fields}, option=orjson.OPT_SORT_KEYS)


def _still_deciding() -> Refused:
    refused = Refused(EndReason.STORE_UNAVAILABLE, "another request under this key is still being decided")
    refused.retry_after = RETRY_SECONDS
    return refused
