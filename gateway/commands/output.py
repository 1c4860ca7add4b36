"""What commands show: tables on a terminal, JSON elsewhere; and mistakes, told in one way."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table

from gateway.config import ConfigError
from gateway.events.legible import escaped_json, legible
from gateway.store import InvalidInput, StoreError

BAD_INPUT = 2
FAILED = 1

Row = Mapping[str, object]


class Output:
    """Where a command's answer goes, in the form that suits whoever reads it."""

    def __init__(self, *, as_json: bool) -> None:
        self.is_json = as_json or not sys.stdout.isatty()
        self._console = Console()

    def rows(self, rows: Sequence[Row], columns: Sequence[str], empty: str) -> None:
        """Many things: these columns of each; `empty` says what to do where there are none."""
        if self.is_json:
            _print_json(list(rows))
        elif not rows:
            self._console.print(empty)
        else:
            table = Table(*(column.replace("_", " ") for column in columns), header_style="bold")
            for row in rows:
                table.add_row(*(_cell(row.get(column)) for column in columns))
            self._console.print(table)

    def one(self, row: Row) -> None:
        """One thing with all its fields."""
        if self.is_json:
            _print_json(dict(row))
            return
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in row.items():
            table.add_row(name.replace("_", " "), _cell(value))
        self._console.print(table)

    def done(self, row: Row, sentence: str) -> None:
        """One thing that was changed, and what was done."""
        if self.is_json:
            _print_json(dict(row))
        else:
            self._console.print(f"[green]✓[/green] {escaped(sentence)}", highlight=False)

    def lines(self, answer: Mapping[str, object], lines: Sequence[str]) -> None:
        """An answer that reads best as lines."""
        if self.is_json:
            _print_json(dict(answer))
        else:
            for line in lines:
                self._console.print(legible(line), highlight=False, markup=False)


@contextmanager
def mistakes_told() -> Iterator[None]:
    """Every expected error becomes a sentence on standard error and an exit status; no traceback."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), BAD_INPUT)
    except InvalidInput as error:
        fail(str(error), BAD_INPUT)
    except StoreError as error:
        fail(str(error), FAILED)


def fail(message: str, status: int) -> NoReturn:
    """Say what is wrong on standard error, and end with the status."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in message.splitlines():
        console.print(f"[red]error:[/red] {escaped(line)}")
    raise typer.Exit(status)


def escaped(text: str) -> str:
    """Text as it is, nothing in it taken for markup, or obeyed by a terminal."""
    return legible(text).replace("[", r"\[")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return escaped(", ".join(map(_item, value))) or "–"
    if isinstance(value, Mapping):
        return escaped(json.dumps(value, ensure_ascii=False, default=str))
    return escaped(str(value))


def _item(value: object) -> str:
    return ": ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _print_json(value: object) -> None:
    sys.stdout.write(escaped_json(json.dumps(value, ensure_ascii=False, indent=2, default=str)) + "\n")
