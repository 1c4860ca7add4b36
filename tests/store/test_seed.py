"""Filling an empty database from a file."""

from pathlib import Path

import pytest

from gateway.config.loading import load_config
from gateway.config.settings import Config
from gateway.routing.table import VersionState
from gateway.store.configuration.seed import seed
from gateway.store.engine.errors import StoreError
from gateway.store.sql import SqlStore, open_store

DEMO = Path(__file__).parent.parent.parent / "gateway" / "data" / "demo.toml"


async def test_demo_can_take_a_call(store: SqlStore) -> None:
    """After the demo file, a call from this machine to the first number finds a published version."""
    assert await seed(store.configuration, DEMO)
    await store.refresh()
    table = await store.routing_table("12025550101")
    number = table.number_by_e164["+12025550101"]
    assert number.inbound_version_id is not None
    version = table.version_by_id[number.inbound_version_id]
    assert (version.runtime_url, version.state) == ("ws://127.0.0.1:8765/native", VersionState.PUBLISHED)
    for source in ("127.0.0.1", "::1"):
        assert [trunk.name for _, trunk in store.trunks().at(source)] == ["Loopback"]
    twilio = await store.configuration.agents.find_version("Sample agent (twilio)/1")
    assert (twilio.runtime_url, twilio.dialect) == ("ws://127.0.0.1:8765/twilio", "twilio")
    assert (await store.configuration.agents.find_version("Sample agent/2")).state is VersionState.DRAFT


async def test_database_is_filled_once(store: SqlStore) -> None:
    """A database that holds a workspace is left as it is."""
    assert await seed(store.configuration, DEMO)
    assert not await seed(store.configuration, DEMO)
    assert len(await store.configuration.numbers.list_all()) == 3


async def test_start_fills_an_empty_database(config: Config) -> None:
    """The configured seed is there when the store is open."""
    demo = config.demo.model_copy(update={"seed": DEMO})
    store = await open_store(config.model_copy(update={"demo": demo}))
    assert len(list(store.trunks())) == 1
    await store.close()


NUMBER = '[[numbers]]\ne164 = "+12025550100"\n'
HEAD = '[[workspaces]]\nname = "W"\n[[trunks]]\nname = "T"\nsources = ["192.0.2.1"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[trunk]]\nname = "T"',
            "trunk: there is no such table; there are workspaces, trunks, agents, numbers, rates",
        ),
        ('[workspaces]\nname = "T"', r"workspaces: should be written \[\[workspaces\]\]"),
        ("name = ", "is not valid TOML"),
        ("[[workspaces]]\n", r"\[\[workspaces\]\] number 1: name = : should be a line"),
        (
            HEAD + '[[trunks]]\nname = "T"',
            r"\[\[trunks\]\] number 2: name = T: should be a name that no other",
        ),
        (
            HEAD + '[[trunks]]\nsorces = ["x"]',
            r"number 2: sorces: there is no such field; did you mean sources\?",
        ),
        (HEAD + '[[trunks]]\nname = "B"\nenabled = "perhaps"', "enabled = perhaps: should be true or false"),
        (
            HEAD + '[[trunks]]\nname = "B"\nnumber_format = "x"',
            "number_format = x: unknown number format 'x'",
        ),
        (HEAD + '[[trunks]]\nname = "B"\nworkspace = "V"', "workspace = V: there is no such workspace"),
        (
            HEAD + '[[numbers]]\ne164 = "+12025550100"\ntrunk = "S"',
            "trunk = S: there is no such trunk; there is T",
        ),
        (HEAD + '[[numbers]]\ne164 = "12025550100"', r"did you mean \+12025550100\?"),
        (
            HEAD + '[[agents]]\nname = "A"\n[[agents.versions]]\nstate = "ready"',
            "should be draft or published",
        ),
        (
            HEAD + '[[agents]]\nname = "A"\n[[agents.versions]]\n' + NUMBER + 'inbound = "A/1"',
            r"number 1: inbound_version = A/1: Version 1 of agent A is a draft. Publish it first.",
        ),
    ],
)
async def test_mistake_is_told_with_its_table_and_nothing_is_written(
    store: SqlStore, tmp_path: Path, text: str, said: str
) -> None:
    """Which table, which field, what would be right; and the database stays empty."""
    path = tmp_path / "seed.toml"
    path.write_text(text)
    with pytest.raises(StoreError, match=said):
        await seed(store.configuration, path)
    assert await store.configuration.workspaces.list_all() == []


async def test_missing_file_is_told(tmp_path: Path) -> None:
    """A seed that is not there is one plain sentence, and the store does not open."""
    environ = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(tmp_path),
        "TRUNKLINE_DEMO__SEED": str(tmp_path / "none.toml"),
    }
    with pytest.raises(StoreError, match=r"none.toml cannot be read: No such file or directory"):
        await open_store(load_config(None, environ))
