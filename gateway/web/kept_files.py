"""Files that were uploaded and are no batch yet: on this gateway's disk, a few a workspace, for an hour."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from gateway.batch.answers import RowsFailed
from gateway.batch.checking import Checked
from gateway.batch.files.multipart import SentFile
from gateway.batch.files.upload import UnreadableFile, Upload
from gateway.batch.wish import BatchWish
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.store.engine.private import private_folder
from gateway.tell import Tell
from gateway.web.page import complaint
from gateway.web.render import whole

KEPT = timedelta(hours=1)
MOST_OF_WORKSPACE = 5
MOST = 40
"On the disk of a gateway: ten million bytes each, and what was read of them."
GONE = "That file is not here any more. Upload it once more."
AWAY = "The database did not answer. Nothing was created; try once more."


@dataclass(slots=True)
class Progress:
    """How far work on a file is."""

    title: str
    done: int = 0
    whole: int = 0
    "Bytes; 0: not known yet."
    rows: int = 0
    "So far, or in all where they are being written."
    is_writing: bool = False

    def tell(self, done: int, whole: int, rows: int) -> None:
        """The file has been read so far."""
        self.done, self.whole, self.rows = done, whole, rows

    def write(self, rows: int) -> None:
        """From now on so many rows are written, all of them or none."""
        self.title, self.is_writing = "The rows are being taken over", True
        self.done, self.whole, self.rows = 0, 0, rows

    @property
    def share(self) -> float | None:
        """Out of 100; None: nobody knows."""
        return min(100.0, 100 * self.done / self.whole) if self.whole else None

    @property
    def said(self) -> str:
        """In words."""
        return f"{whole(self.rows)} rows{'' if self.is_writing else ' so far'}"


@dataclass(slots=True)
class KeptFile:
    """An uploaded file, what a batch of it is to be, and what has become of it so far."""

    id: str
    workspace_id: str
    folder: Path
    upload: Upload
    size: int
    wish: BatchWish
    into: str
    "The draft whose rows it replaces; empty: a new batch."
    at: datetime
    checked: Checked | None = None
    problem: str = ""
    "Why the work on it came to nothing."
    made: str = ""
    "The batch that it has become."
    progress: Progress | None = None
    "Of the work that goes on."
    work: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def forget(self) -> None:
        """What was found in the file is not asked for any more: it is read in another way."""
        if self.checked is not None:
            self.checked.close()
            self.checked = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done with it."""
        return self.work is not None and not self.work.done()


class KeptFiles:
    """The files, and who works on them: `open` before the first one, `close` with the gateway."""

    def __init__(self, folder: Path, tell: Tell, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._tell = tell
        self._now = now
        self._kept: dict[str, KeptFile] = {}

    def open(self) -> None:
        """Begin with an empty folder; OSError where there can be none."""
        shutil.rmtree(self._folder, ignore_errors=True)
        private_folder(self._folder)

    async def close(self) -> None:
        """Stop what goes on, and let all files go."""
        for kept in list(self._kept.values()):
            await self.drop(kept)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def keep(self, workspace_id: str, sent: SentFile, wish: BatchWish, into: str = "") -> KeptFile:
        """Keep a file beyond its request; the oldest ones go where there are too many."""
        await self._make_room(workspace_id)
        kept_id = new_id("file")
        folder = self._folder / kept_id
        private_folder(folder)
        # What a person calls a file is no path of ours.
        path = sent.path.rename(folder / "upload")
        upload = Upload(path, sent.name or "unnamed")
        kept = KeptFile(kept_id, workspace_id, folder, upload, sent.size, wish, into, self._now())
        self._kept[kept_id] = kept
        return kept

    def get(self, kept_id: str, workspace_id: str) -> KeptFile:
        """The file; `NotFound` where it is not, or no longer, or somebody else's."""
        kept = self._kept.get(kept_id)
        if kept is None or kept.workspace_id != workspace_id:
            raise NotFound("file", kept_id, GONE, whole=True)
        return kept

    def of(self, workspace_id: str) -> list[KeptFile]:
        """What a workspace has had under way lately, the newest first."""
        return [kept for kept in reversed(self._kept.values()) if kept.workspace_id == workspace_id]

    def begin(
        self, kept: KeptFile, title: str, work: Callable[[Progress], Coroutine[None, None, None]]
    ) -> None:
        """Work on a file beside the requests; whoever looks sees how far it is, and what came of it."""
        if kept.is_busy:
            raise Conflict("file", kept.id, "This file is being worked on.", whole=True)
        kept.problem, kept.progress = "", Progress(title)
        kept.work = asyncio.create_task(self._in_words(kept, work(kept.progress)), name=f"batch-{kept.id}")

    async def drop(self, kept: KeptFile) -> None:
        """Let a file go."""
        self._kept.pop(kept.id, None)
        if kept.work is not None:
            kept.work.cancel()
            await asyncio.gather(kept.work, return_exceptions=True)
        kept.forget()
        await asyncio.to_thread(shutil.rmtree, kept.folder, ignore_errors=True)

    async def became(self, kept: KeptFile, batch_id: str) -> None:
        """It is a batch now: its pages lead there as long as they are remembered, the disk is given back."""
        kept.made = batch_id
        kept.forget()
        await asyncio.to_thread(shutil.rmtree, kept.folder, ignore_errors=True)

    async def _make_room(self, workspace_id: str) -> None:
        oldest = self._now() - KEPT
        for kept in [each for each in self._kept.values() if each.at < oldest and not each.is_busy]:
            await self.drop(kept)
        idle = [each for each in reversed(self.of(workspace_id)) if not each.is_busy]
        for kept in idle[: max(0, len(self.of(workspace_id)) - MOST_OF_WORKSPACE + 1)]:
            await self.drop(kept)
        if len(self.of(workspace_id)) >= MOST_OF_WORKSPACE or len(self._kept) >= MOST:
            raise Conflict(
                "file", "", "Too many files are being worked on. Try again in a minute.", whole=True
            )

    async def _in_words(self, kept: KeptFile, work: Coroutine[None, None, None]) -> None:
        """Do it; what goes wrong stands on the page."""
        try:
            await work
        except (UnreadableFile, RowsFailed) as error:
            kept.problem = str(error)
        except InvalidInput as error:
            kept.problem = complaint(error)
        except (NotFound, Conflict) as error:
            kept.problem = str(error)
        except StoreError:
            kept.problem = AWAY
        except Exception as error:  # a bug of ours: the log has it under the name that the page shows
            failure = new_id("err")
            self._tell("web.crashed", level="error", id=failure, path="/batches", exc_info=error)
            kept.problem = f"A mistake of the gateway; its log has it under {failure}. Nothing was created."
