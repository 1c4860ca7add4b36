"""A gateway that calls out to a telephone of the test's own, with files of recipients to call."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.batch.batches import Batches
from gateway.batch.files.upload import Upload
from gateway.batch.wish import BatchWish
from gateway.sip.uri import SipUri
from gateway.store.batches.values import Batch
from tests.call.phone import Leg, Phone, until
from tests.call.world import AGENT, WORKSPACE, World

FIRST = 4155550100
"The first number that is called, in the United States."


def number(n: int) -> str:
    """The n-th recipient's number, E.164."""
    return f"+1{FIRST + n}"


def a_file(folder: Path, count: int, columns: Mapping[str, Callable[[int], str]] = {}) -> Upload:
    """A file with so many recipients."""
    names = ["phone_number", *columns]
    rows = [",".join([number(n), *(column(n) for column in columns.values())]) for n in range(count)]
    path = folder / "recipients.csv"
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return Upload(path, path.name)


async def a_batch(world: World, folder: Path, count: int, *, draft: bool = False, **wish: object) -> Batch:
    """A batch of so many recipients, which starts unless it is a draft."""
    asked = BatchWish("Spring", AGENT, **wish)  # type: ignore[arg-type]  # handed through
    created = await batches(world).create(WORKSPACE, asked, a_file(folder, count), "test", draft=draft)
    return created.batch


def batches(world: World) -> Batches:
    """What people do with batches."""
    return world.gateway.batches


async def stands(world: World, batch: Batch) -> Batch:
    """The batch as it stands."""
    return await batches(world).get(batch.id, WORKSPACE)


def is_over(batch: Batch) -> bool:
    """It is completed."""
    return batch.status == "completed"


async def comes_to(
    world: World, batch: Batch, holds: Callable[[Batch], object], patience: float = 20.0
) -> Batch:
    """The batch once something holds of it."""
    async with asyncio.timeout(patience):
        while not holds(found := await stands(world, batch)):  # noqa: ASYNC110 - nobody tells of all of it
            await asyncio.sleep(0.02)
    return found


async def answering(phone: Phone, answer: Callable[[str], int | None], talk_seconds: float = 0.1) -> None:
    """The telephone answers each call from now on as `answer` says of its number; None: it only rings."""
    answered = list(phone.calls)
    while True:
        await until(lambda: len(phone.calls) > len(answered), 60)
        for leg in phone.calls[len(answered) :]:
            answered.append(leg)
            status = answer(dialled(leg))
            if status == 200:
                leg.accept()
                asyncio.get_running_loop().call_later(talk_seconds, leg.bye)
            elif status is None:
                leg.ring()
            else:
                leg.refuse(status)


def dialled(leg: Leg) -> str:
    """The number that a call is for."""
    uri = leg.invitation.request_uri
    assert isinstance(uri, SipUri)
    return uri.user or ""
