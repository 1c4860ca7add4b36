"""A gateway's name is one process's at a time, on one machine and on two."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from gateway.store.engine import tenure as module
from gateway.store.engine.database import Database
from gateway.store.engine.errors import StoreError
from gateway.store.engine.schema import gateways
from gateway.store.engine.tenure import NameFile, NameLost, NameTaken, Tenure

Make = Callable[..., Tenure]


@pytest.fixture
def told() -> list[str]:
    """The events that were told."""
    return []


@pytest.fixture
def make(url: URL, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a process that wants the name, on a machine with a disk of its own."""
    monkeypatch.setattr(module, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(module, "SIGN_SECONDS", 0.05)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.1)

    def process(disk: str = "one", name: str = "gw") -> Tenure:
        file = NameFile(tmp_path / disk / f"gateway-{name}.lock")
        return Tenure(
            name, Database(url), file, lambda what, /, **_: told.append(what), lambda: told.append("lost")
        )

    return process


async def kill(one: Tenure) -> None:
    """As the kernel does: the lock is gone, row and file stay as they were."""
    one._file.let_go()
    await one._database.close()


async def test_a_second_process_on_the_same_disk_is_refused(make: Make) -> None:
    """At once, and it is told who has the name and what to do."""
    first, second = make(), make()
    await first.take()
    with pytest.raises(NameTaken) as refusal:
        await second.take()
    assert f"process {first._slip.pid} on {first._slip.host}, since " in str(refusal.value)
    assert "set gateway.name and gateway.data_dir" in str(refusal.value)
    await second._database.close()
    await first.give_up()
    third = make()
    await third.take()
    assert third.died_ms is None
    await third.give_up()


async def test_a_second_process_on_another_disk_is_refused(make: Make, told: list[str]) -> None:
    """It sees the first one count."""
    first, second = make(), make("two")
    await first.take()
    living = asyncio.create_task(first.run())
    with pytest.raises(NameTaken, match="it gives signs of life in"):
        await second.take()
    assert told == ["gateway.waiting_for_name"]
    assert not first.is_lost
    living.cancel()
    await second._database.close()
    await first.give_up()


async def test_another_name_is_no_matter(make: Make) -> None:
    """Gateways of different names share a database, and a disk."""
    first, second = make(), make(name="other")
    await first.take()
    await second.take()
    await second.give_up()
    await first.give_up()


async def test_a_killed_process_is_followed_at_once_on_its_disk(make: Make, told: list[str]) -> None:
    """Its lock is gone, and the next one learns when it died."""
    first, second = make(), make()
    await first.take()
    await first._sign()
    await kill(first)
    died = first._file.read()
    assert died is not None
    await second.take()
    assert told == []
    assert second.died_ms is not None
    assert second.died_ms >= died.alive_ms > 0
    await second.give_up()


async def test_a_killed_process_is_followed_after_a_while_on_another_disk(
    make: Make, told: list[str]
) -> None:
    """When it has not counted for long enough, whatever any clock says."""
    first, second = make(), make("two")
    await first.take()
    await kill(first)
    began = asyncio.get_running_loop().time()
    await second.take()
    assert asyncio.get_running_loop().time() - began >= 1.0
    assert told == ["gateway.waiting_for_name"]
    assert second.died_ms is not None
    await second.give_up()


async def test_a_copied_disk_is_another_disk(make: Make, tmp_path: Path) -> None:
    """A machine made of another's image may not take over what the other has."""
    first, second = make(), make("two")
    await first.take()
    living = asyncio.create_task(first.run())
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "gateway-gw.lock").write_bytes((tmp_path / "one" / "gateway-gw.lock").read_bytes())
    with pytest.raises(NameTaken):
        await second.take()
    living.cancel()
    await second._database.close()
    await first.give_up()


async def test_a_death_is_known_until_its_calls_are_closed(make: Make) -> None:
    """Whoever is killed while recovering hands on when the first one died."""
    first, second, third, fourth = (make() for _ in range(4))
    await first.take()
    await kill(first)
    await second.take()
    await kill(second)
    await third.take()
    assert third.died_ms == second.died_ms is not None
    async with third._database.writing() as connection:
        await module.closed(connection, "gw")
    await kill(third)
    await fourth.take()
    assert fourth.died_ms != second.died_ms
    await fourth.give_up()


async def test_a_process_that_slept_finds_its_name_gone(make: Make, told: list[str]) -> None:
    """It writes nothing any more, and says so once."""
    sleeper, other = make(), make("two")
    await sleeper.take()
    await other.take()
    with pytest.raises(NameLost):
        async with sleeper._database.writing() as connection:
            await sleeper.fence(connection)
    async with other._database.writing() as connection:
        await other.fence(connection)
    await asyncio.wait_for(sleeper.run(), 5)
    assert told.count("lost") == 1
    await sleeper.give_up()
    async with other._database.reading() as connection:
        assert (await connection.execute(gateways.select())).mappings().one()["token"] == other.token
    await other.give_up()


async def test_a_name_is_lost_without_a_fence(make: Make) -> None:
    """The next beat notices."""
    sleeper, other = make(), make("two")
    await sleeper.take()
    await other.take()
    await asyncio.wait_for(sleeper.run(), 5)
    assert sleeper.is_lost
    await sleeper.give_up()
    await other.give_up()


async def test_of_two_that_wait_one_has_the_name(make: Make) -> None:
    """The row is taken by whoever sees it as it saw it."""
    dead, second, third = make(), make("two"), make("three")
    await dead.take()
    await kill(dead)
    found = await asyncio.gather(second.take(), third.take(), return_exceptions=True)
    assert [type(one) for one in found if one] == [NameTaken]
    for one in (second, third):
        await one.give_up()


async def test_a_database_that_takes_nothing_is_known(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beats find it out, whether or not there are calls."""
    monkeypatch.setattr(module, "UNWRITABLE_SECONDS", 0.3)
    one = make()
    await one.take()
    assert one.unwritable is None
    living = asyncio.create_task(one.run())
    await asyncio.sleep(0.5)
    assert one.unwritable is None

    def writing() -> object:
        raise StoreError("disk I/O error")

    monkeypatch.setattr(one._database, "writing", writing)
    async with asyncio.timeout(5):
        while one.unwritable is None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.05)
    assert one.unwritable == "nothing can be written: disk I/O error"
    monkeypatch.undo()
    living.cancel()
    await one.give_up()


def test_a_disk_that_takes_no_file_is_said(tmp_path: Path) -> None:
    """With the path."""
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match=r"gateway-gw\.lock"):
        NameFile(tmp_path / "data" / "gateway-gw.lock").take()


def test_a_file_that_makes_no_sense_is_no_slip(tmp_path: Path) -> None:
    """A machine that died while it was written starts again."""
    file = NameFile(tmp_path / "gateway-gw.lock")
    for text in (b"", b"{", b"[]", b"{}", b'{"since": 3}'):
        file.path.write_bytes(text)
        assert file.read() is None
