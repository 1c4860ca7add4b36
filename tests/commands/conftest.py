"""The command line on a database of its own."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.config.loading import load_config
from tests.tables import lay_tables

ROOT = Path(__file__).parent.parent.parent

Gateway = Callable[..., Result]


def answer(result: Result) -> Any:
    """The JSON that a command that worked has printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Runs the command with the demo workspace; its output is no terminal."""
    for name in [*os.environ]:
        if name.startswith("TRUNKLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRUNKLINE_GATEWAY__DATA_DIR", str(tmp_path / "data"))
    lay_tables(load_config(None, dict(os.environ)).store_url)
    monkeypatch.setenv("TRUNKLINE_DEMO__SEED", str(ROOT / "gateway" / "data" / "demo.toml"))
    return lambda *words, given=None: CliRunner().invoke(app, [str(word) for word in words], input=given)
