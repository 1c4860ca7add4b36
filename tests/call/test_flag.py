"""Something that happens once."""

import asyncio

from gateway.call.one_shot import OneShot


async def test_all_who_wait_go_on() -> None:
    """Whoever waits goes on when it happens, whoever comes later at once."""
    flag = OneShot()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not flag.is_set()
    assert not any(one.done() for one in waiting)
    flag.set()
    flag.set()
    await asyncio.gather(*waiting, flag.wait())
    assert flag.is_set()


async def test_who_gave_up_is_forgotten() -> None:
    """A wait that is cancelled leaves the others alone, at the very moment of happening too."""
    flag = OneShot()
    first, second = (asyncio.create_task(flag.wait()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    flag.set()
    await second
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError
