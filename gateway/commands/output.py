"""What commands show: tables on a terminal, JSON elsewhere; and mistakes, told in one way."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from gateway.store.engine.errors import InvalidInput, StoreError

if TYPE_CHECKING:
    from rich.console import Console

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130
"128 and the number of SIGINT, as shells have it."
MOST_COLUMNS = 10_000
"Wider than any table."

CALLED = {"phonenumber": "number", "runtimeurl": "url", "sources": "source"}
"What the store's fields are called where they are an argument or option of their own."

Row = Mapping[str, object]

parameters: ContextVar[Sequence[Any]] = ContextVar("parameters", default=())
"What the command that runs can be given."


class Output:
    """Where a command's answer goes, in the form that suits whoever reads it."""

    def __init__(self, *, as_json: bool) -> None:
        self.is_json = as_json or not sys.stdout.isatty()

    @cached_property
    def console(self) -> "Console":
        """The terminal."""
        from rich.console import Console

        # Nothing that people or carriers wrote is turned into a picture.
        return Console(emoji=False, highlight=False)

    def rows(self, rows: Sequence[Row], columns: Sequence[str], empty: str) -> None:
        """Many things: these columns of each; `empty` says what to do where there are none."""
        if self.is_json:
            _print_json(list(rows))
        elif not rows:
            self.console.print(empty)
        else:
            from rich.table import Table

            table = Table(*(column.replace("_", " ") for column in columns), header_style="bold")
            for row in rows:
                table.add_row(*(_cell(row.get(column)) for column in columns))
            roomy = self.console.options.update(max_width=MOST_COLUMNS)
            if self.console.measure(table, options=roomy).maximum <= self.console.width:
                self.console.print(table)
            else:
                self._cards(rows, columns)

    def _cards(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Rows that are wider than the terminal: each with its name, and below it what else there is."""
        from rich.padding import Padding

        for row in rows:
            head, *others = columns
            self.console.print(f"[bold]{_cell(row.get(head))}[/bold]")
            told = [
                f"{name.replace('_', ' ')}: {_cell(row.get(name))}"
                for name in others
                if is_said(row.get(name))
            ]
            self.console.print(Padding("; ".join(told), (0, 0, 0, 2)))

    def one(self, row: Row) -> None:
        """One thing with all its fields."""
        if self.is_json:
            _print_json(dict(row))
            return
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, value in row.items():
            table.add_row(name.replace("_", " "), _cell(value))
        self.console.print(table)

    def done(self, row: Row, sentence: str) -> None:
        """One thing that was changed, and what was done."""
        if self.is_json:
            _print_json(dict(row))
        else:
            self.console.print(f"[green]✓[/green] {escaped(sentence)}", highlight=False)

    def lines(self, answer: Mapping[str, object], lines: Sequence[str]) -> None:
        """An answer that reads best as lines."""
        if self.is_json:
            _print_json(dict(answer))
        else:
            from gateway.events.legible import legible

            for line in lines:
                self.console.print(legible(line), highlight=False, markup=False)


@contextmanager
def mistakes_told() -> Iterator[None]:
    """Every expected error becomes a sentence on standard error and an exit status; no traceback."""
    from gateway.config.loading import ConfigError

    try:
        yield
    except ConfigError as error:
        fail(str(error), BAD_INPUT)
    except InvalidInput as error:
        fail(as_written(error), BAD_INPUT)
    except StoreError as error:
        fail(str(error), FAILED)
    except BrokenPipeError:
        raise  # who reads no further needs no word
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error or type(error).__name__}", FAILED)


def as_written(error: InvalidInput) -> str:
    """The sentence, with the option or argument that it is about called as it was written."""
    for parameter in parameters.get():
        is_option = parameter.param_type_name == "option"
        written = parameter.opts[0] if is_option else parameter.metavar or parameter.name.upper()
        if CALLED.get(_plain(error.field), _plain(error.field)) in {
            _plain(parameter.name),
            _plain(parameter.name.removesuffix("_id")),
        } | {_plain(word) for word in written.split("/")}:
            return error.of_argument(written.rstrip("…."))
    return str(error)


def _plain(name: str) -> str:
    """A name as others can be compared with it: `countryISO`, `COUNTRY…`, `--country`."""
    return "".join(filter(str.isalnum, name)).lower().removesuffix("iso")


def fail(message: str, status: int) -> NoReturn:
    """Say what is wrong on standard error, and end with the status."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for line in message.splitlines():
        console.print(f"[red]error:[/red] {escaped(line)}")
    raise typer.Exit(status)


def escaped(text: str) -> str:
    """Text as it is, nothing in it taken for markup, or obeyed by a terminal."""
    from gateway.events.legible import legible

    return legible(text).replace("[", r"\[")


def is_said(value: object) -> bool:
    """Whether there is something to show."""
    return value is not None and value not in ("", [], ())


def _cell(value: object) -> str:
    if not is_said(value):
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
    from gateway.events.legible import escaped_json

    sys.stdout.write(escaped_json(json.dumps(value, ensure_ascii=False, indent=2, default=str)) + "\n")
