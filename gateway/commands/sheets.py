"""CSV files that a command imports: from a file, standard input, or as they ship with the gateway."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gateway.commands.output import BAD_INPUT, fail

Read = TypeVar("Read")


def read_sheet(file: str, shipped_as: tuple[str, str], read: Callable[[str], Read]) -> Read:
    """What `read` makes of a file's text; ends the command where a line is wrong or nothing can be read.

    `-` is standard input; `shipped_as` is a word for a file of the gateway's own, and that file's name.
    """
    from gateway.routing.importer import DataError

    try:
        return read(_text(file, *shipped_as))
    except DataError as error:
        lines = [f"{file}: {sentence}" for sentence in error.grouped]
        fail("\n".join([*lines, f"nothing was imported: {error.total} mistakes"]), BAD_INPUT)
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}", BAD_INPUT)


def _text(file: str, word: str, own: str) -> str:
    from gateway.numbering.files import shipped
    from gateway.routing.importer import decoded

    if file == word:
        return shipped(own)
    return decoded(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
