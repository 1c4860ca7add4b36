"""What the command line is built of: nouns with their verbs, read from their files when they are asked for.

A shell asks at every press of the tab key, and a person while they look for a word: neither waits for the
media path, the database or a library that draws boxes.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.commands.output import INTERRUPTED, parameters

if TYPE_CHECKING:
    from gateway.store.configuration.fields import Field

OTHER_WORDS = {"delete": "remove", "rm": "remove", "del": "remove", "ls": "list"}
"What people type for a verb at any noun."
FORMER_WORDS = {
    ("keys", "revoke"): "remove",
    ("agents", "discard"): "remove",
    ("numbers", "release"): "remove",
}
"What a verb was called before 0.2.0."


class Words(TyperGroup):
    """Commands by their names; a word that is none of them is answered with those that are."""

    def names(self) -> list[str]:
        """What there is to choose from."""
        return [*self.commands]

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, not given by default: for a None typer would load pydantic, to make a None of it."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is meant."""
        if not ctx.resilient_parsing and args[0][:1] != "-" and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.names(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.names())}"
            ctx.fail(f"{ctx.command_path} {args[0]}: there is no such command; {hint}")
        name, command, rest = super().resolve_command(ctx, args)
        parameters.set(command.params if command is not None else ())
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a value that cannot be read is quoted beside what would be right."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except typer.Abort as error:
            # What asks a question makes one thing of an interrupt and of an end of input.
            if isinstance(error.__context__, KeyboardInterrupt):
                typer.echo(err=True)
                raise typer.Exit(INTERRUPTED) from None
            raise
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValueError) and hasattr(error.__cause__, "errors"):
                given = f"{error.__cause__.errors()[0]['input']}: "
                error.message = given + error.message.removeprefix(given).removeprefix("Value error, ")
            raise

    def about(self, ctx: Any, name: str) -> str:
        """What a command is for, in a sentence."""
        return inspect.cleandoc(self.commands[name].help or "").split("\n\n")[0]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The names with what each is for, in whole sentences."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.about(ctx, name)) for name in self.names()])


class Noun(Words):
    """A noun's verbs; those that are called otherwise elsewhere, or were, are taken with a word about it."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of this name, or the one that is meant by it."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        meant = FORMER_WORDS.get((str(ctx.info_name), cmd_name)) or OTHER_WORDS.get(cmd_name, "")
        return super().get_command(ctx, meant)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that is meant, and a notice where it has another name here."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and command.name != name and not ctx.resilient_parsing:
            typer.echo(f"notice: {name} is taken for: {ctx.command_path} {command.name}", err=True)
        return command and command.name, command, rest


def noun(about: str) -> typer.Typer:
    """A noun, to be given its verbs; help is plain text, since boxes take longer to draw than to read."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        cls=Noun,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and what it is for."""

    module: str
    name: str
    "Of a noun, or of a function that is a command by itself."
    about: str


class Commands(Words):
    """All commands by their names; the file of one is read when it is used."""

    entries: ClassVar[Mapping[str, Entry]]

    def names(self) -> list[str]:
        """What there is to choose from."""
        return [*self.entries]

    def list_commands(self, ctx: Any) -> list[str]:
        """The same, as the help and a shell ask."""
        return self.names()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, from its file."""
        entry = self.entries.get(cmd_name)
        return None if entry is None else loaded(cmd_name, entry)

    def about(self, ctx: Any, name: str) -> str:
        """What a command is for, without reading its file."""
        return self.entries[name].about


def loaded(name: str, entry: Entry) -> Any:
    """A command out of its file."""
    found: typer.Typer | Callable[..., None] = getattr(import_module(entry.module), entry.name)
    app = found
    if not isinstance(app, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(name)(found)
    command = typer.main.get_command(app)
    command.name = name
    _capitalise(command)
    return command


def _capitalise(command: Any) -> None:
    """Have every argument that has no name of its own written as the others are, in usage and in mistakes."""
    for parameter in command.params:
        if parameter.param_type_name == "argument" and parameter.metavar is None:
            parameter.metavar = parameter.name.rstrip("_").upper()
    for each in getattr(command, "commands", {}).values():
        _capitalise(each)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that `FIELD=VALUE` can give of one kind of thing."""

    kind: str
    "As `store.fields` names them."

    @property
    def known(self) -> "Mapping[str, Field]":
        """By their names."""
        from gateway.store.configuration import fields

        known: Mapping[str, Field] = getattr(fields, self.kind)
        return known

    @property
    def command(self) -> type[TyperCommand]:
        """A command whose help ends with them."""

        class Taking(TyperCommand):
            """Takes FIELD=VALUE."""

            def format_epilog(_self, ctx: Any, formatter: Any) -> None:  # noqa: N805 - self is the fields
                """What can be set."""
                with formatter.section("Fields"):
                    formatter.write_dl([(name, field.about) for name, field in self.known.items()])

        return Taking


TRUNK, NUMBER, VERSION, WORKSPACE = map(Fields, ("TRUNK", "NUMBER", "VERSION", "WORKSPACE"))
