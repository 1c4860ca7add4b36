"""`FIELD=VALUE` on the command line."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway.commands.noun import Fields
from gateway.commands.questions import confirm, prompt
from gateway.store.engine.errors import InvalidInput

AssignmentsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="FIELD=VALUE...", help="What to set; see below.")
]


def assigned(fields: Fields, words: Sequence[str] | None) -> dict[str, Any]:
    """The values of `FIELD=VALUE` words; a secret that is given as `-` is asked for, or read from a pipe."""
    from gateway.store.configuration.fields import parse_fields, secret

    known = fields.known
    given: dict[str, object] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidInput(word, None, f"should be written FIELD=VALUE, such as {next(iter(known))}=…")
        is_secret = name in known and known[name].parse is secret
        given[name] = _asked(name) if is_secret and value == "-" else value
    return parse_fields(known, given)


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        asked: str = prompt(name)
        return asked
    return sys.stdin.readline().rstrip("\n")


def confirmed(question: str, *, yes: bool) -> None:
    """Go on only where a person says yes, or has said so beforehand."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("--yes", None, f"should be given where nobody can be asked: {question}")
    confirm(question)
