"""SECURITY.md, held to the code: each bound that names a setting says the setting's default."""

import re
from pathlib import Path

import pytest

from gateway.config.settings import Config

PAGE = (Path(__file__).parent.parent / "SECURITY.md").read_text("utf-8")
ROW = re.compile(r"^\|[^|]+\|[^|]+\| `([a-z_]+)\.([a-z_]+)` \| ([^|]+) \|$", re.MULTILINE)
BOUNDS = ROW.findall(PAGE)


def test_the_page_names_bounds() -> None:
    """Every row that has a setting in its third cell is one that the other test looks at."""
    named = [line for line in PAGE.splitlines() if re.search(r"\| `[a-z_]+\.[a-z_]+` \|", line)]
    assert len(named) == len(BOUNDS) > 20


@pytest.mark.parametrize(("section", "key", "default"), BOUNDS)
def test_a_bound_is_the_setting_s_default(section: str, key: str, default: str) -> None:
    """What the page says of a setting is what a gateway without a configuration has."""
    value = getattr(getattr(Config(), section), key)
    assert str(value) == default, f"{section}.{key} is {value}"
