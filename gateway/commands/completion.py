"""`gateway completion`: what a shell runs to complete the command's nouns, verbs and options."""

import sys
from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import completion_init, get_completion_script  # type: ignore[attr-defined]

VARIABLE = "_GATEWAY_COMPLETE"
"What a shell asks by; its script sets it."


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell it is for.")]) -> None:
    """Print a script that completes nouns, verbs, options and their values; where to put it, the docs say.

    For one session: source <(gateway completion bash)
    """
    typer.echo(get_completion_script(prog_name="gateway", complete_var=VARIABLE, shell=shell.value))


def prepare() -> None:
    """Before a shell's question is answered: typer's answers in the forms of the shells."""
    completion_init()
    # With rich at hand typer reads help texts as its markup, of which they have none, at the cost of 0.2 s.
    sys.modules["rich"] = None  # type: ignore[assignment] # how an import is told that there is none
