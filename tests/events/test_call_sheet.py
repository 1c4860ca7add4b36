"""Calls as CSV: what a cell becomes."""

import csv

import pytest

from gateway.events.call_sheet import line


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "=5",
        "-2+3",
        "+1+1",
        "@SUM(A1)",
        "@5",
        "-",
        "+",
        "+44 20",
        "-5.",
        "-5.5.5",
        "+44\u00b2",
        '=A("x")',
    ],
)
def test_formulas(text: str) -> None:
    """What a spreadsheet would reckon with is marked as text."""
    assert next(csv.reader([line([text])])) == ["'" + text]


@pytest.mark.parametrize("text", ["+44", "-5.5", "+442079460018", "5", "a=1", "a@b", "", "'"])
def test_plain_text(text: str) -> None:
    """Numbers are no formula, nor is what has such a sign further on."""
    assert next(csv.reader([line([text, "x"])])) == [text, "x"]


def test_cells() -> None:
    """Nothing and empty JSON are empty cells; other JSON stands as such; quotes are as RFC 4180 has them."""
    assert line([None, {}, [], {"a": 1}, 'a"b', 0]) == ',,,"{""a"":1}","a""b",0\r\n'
