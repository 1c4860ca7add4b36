"""Help and completion: at once, complete, and true to the commands."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import Gateway as Commands
from gateway.cli import app
from gateway.commands.agent_check import DIALECTS
from gateway.commands.noun import FORMER_WORDS, Fields, loaded
from gateway.routing.table import Dialect
from tests.commands.conftest import Gateway

HEAVY = {
    "aiomqtt",
    "alembic",
    "asyncio",
    "cryptography",
    "dns",
    "fastapi",
    "httpx2",
    "jinja2",
    "msgspec",
    "numpy",
    "orjson",
    "phonenumbers",
    "picows",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "uvloop",
}
"Nobody who asks for help waits for these."

EVERY_HELP = """
import contextlib, io, json, sys
from gateway.cli import app
commands, heavy = {commands}, {heavy}
for words in commands:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            app([*words, "--help"], prog_name="gateway")
        except SystemExit as end:
            assert not end.code, words
    assert "Usage: gateway" in said.getvalue(), words
    assert not heavy & sys.modules.keys(), (words, sorted(heavy & sys.modules.keys()))
print(len(sys.modules))
"""


def every_command() -> Iterator[tuple[tuple[str, ...], Any]]:
    """All nouns, verbs and single commands with the words that lead to them."""

    def below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        for name, each in getattr(command, "commands", {}).items():
            yield from below((*words, name), each)

    for name, entry in Commands.entries.items():
        yield from below((name,), loaded(name, entry))


def takes_fields(command: Any) -> bool:
    """Whether its help lists fields, for which the store's rules are read."""
    return type(command).__name__ == "Taking"


def test_no_help_waits_for_anything_heavy() -> None:
    """All helps in one process, and after each of them nothing that takes long to load is there."""
    commands = [[], *([*words] for words, command in every_command() if not takes_fields(command))]
    assert len(commands) > 60
    script = EVERY_HELP.format(commands=commands, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400, "many small modules take as long as a large one"


def test_help_with_fields_waits_for_no_database() -> None:
    """Those helps that list fields read the rules of the fields, and nothing else that is heavy."""
    commands = [[*words] for words, command in every_command() if takes_fields(command)]
    assert len(commands) == 9
    script = EVERY_HELP.format(commands=commands, heavy=HEAVY - {"msgspec", "phonenumbers"})
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_help_with_fields_lists_them() -> None:
    """Each field with what it is."""
    said = CliRunner().invoke(app, ["trunks", "add", "--help"]).stdout
    assert all(name in said for name in Fields("TRUNK").known)


def test_overview_says_what_the_nouns_say() -> None:
    """The sentence of a noun in the overview is the one at the head of its own help."""
    for name, entry in Commands.entries.items():
        found = getattr(import_module(entry.module), entry.name)
        if isinstance(found, typer.Typer):
            assert found.info.help == entry.about, name


def test_every_command_and_parameter_is_described() -> None:
    """Each has a sentence, whole in the help of its noun."""
    for words, command in every_command():
        assert command.help, words
        for parameter in command.params:
            assert getattr(parameter, "help", None), (words, parameter.name)
    assert "..." not in CliRunner().invoke(app, ["numbers", "--help"]).stdout.partition("Commands:")[2]


def test_removal_is_one_verb() -> None:
    """What can be removed is removed by `remove`; no noun has another word for it in its help."""
    others = {"delete", "rm", "del", "unlink", "destroy", "erase", *(verb for _, verb in FORMER_WORDS)}
    verbs = {words for words, _ in every_command() if len(words) > 1}
    assert not [words for words in verbs if words[-1] in others]
    assert {words[0] for words in verbs if words[-1] == "remove"} >= {
        "accounts",
        "agents",
        "keys",
        "numbers",
        "rates",
        "trunks",
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("workspaces countries enable Indja", "COUNTRY Indja: there is no such country; did you mean India?"),
        ("workspaces countries disable Indja", "COUNTRY Indja: there is no such country"),
        ("workspaces countries export --out /nonexistent/x", "/nonexistent/x: No such file or directory"),
        ("accounts remove nobody --yes", "ACCOUNT nobody: there is no such account"),
        ("numbers add 12", "NUMBER 12: should be a possible international number"),
        ("numbers add +12025559999 --inbound nobody", "--inbound nobody: there is no such agent"),
        ("numbers assign +12025550101 inbound nobody/7", "VERSION nobody: there is no such agent"),
        ("numbers assign +12025550101 sideways x", "'DIRECTION': sideways: 'sideways' is not one of"),
        ("numbers search IN --type moon", "'--type': moon: 'moon' is not one of"),
        ("trunks add T sources=abc", "sources = abc: should be an address or network"),
        ("trunks link +12025559998 a.b --source abc --yes", "--source abc: should be an address or network"),
        ("trunks link +12025559998 a.b --username u --yes", "--username: should be given together with"),
        ("wallet show Demo", "wallet: this workspace has none: gateway wallet open"),
        ("wallet open Demo abc", "AMOUNT abc: should be an amount such as 0.0125"),
        ("tail call_x", "CALL call_x: there is no such call"),
        ("completion tcsh", "'SHELL': tcsh: 'tcsh' is not one of"),
        ("agent-check http://x/", "URL http://x/: should be a WebSocket URL"),
        ("agent-check ws://x/ --ca /nonexistent", "--ca: /nonexistent cannot be read"),
        ("sample-agent --port 99999", "'--port': 99999"),
    ],
)
def test_mistakes_name_arguments_as_the_usage_does(gateway: Gateway, words: str, complaint: str) -> None:
    """What was given is quoted behind the name that the usage has for it."""
    done = gateway(*words.split())
    assert done.exit_code in {1, 2}
    assert complaint in done.stderr
    assert "Value error" not in done.stderr


def test_dialects_of_agent_check_are_the_gateways() -> None:
    """All but the one that is no connection."""
    assert {*DIALECTS} == {*Dialect} - {Dialect.SIP}


# --- completion


def completed(line: str, shell: str = "bash") -> list[str]:
    """What a shell is offered at the end of a line."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environ = {**os.environ, "_GATEWAY_COMPLETE": f"complete_{shell}", **asked}
    command = [sys.executable, "-m", "gateway"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_nouns_verbs_options_and_values_are_completed() -> None:
    """At each place of a line."""
    assert {"calls", "numbers", "trunks", "check"} <= {*completed("gateway ")}
    assert completed("gateway ca") == ["call", "calls"]
    assert {"list", "show", "hangup", "recording"} == {*completed("gateway calls ")}
    assert completed("gateway workspaces countries en") == ["enable"]
    assert {"--status", "--since"} <= {*completed("gateway calls list --s")}
    assert completed("gateway numbers assign +442079460018 in") == ["inbound"]
    assert completed("gateway agent-check ws://h/ --dialect a") == ["asterisk", "audiosocket"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    """With a word about each, in their own form."""
    offered = "\n".join(completed("gateway calls ", shell))
    assert "hangup" in offered
    assert "Show everything about one call" in offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_printed_for_each_shell(shell: str) -> None:
    """It asks the command by the variable that the command listens to."""
    said = CliRunner().invoke(app, ["completion", shell])
    assert said.exit_code == 0
    assert f"_GATEWAY_COMPLETE=complete_{shell}" in said.stdout
    wrong = CliRunner().invoke(app, ["completion", "tcsh"])
    assert wrong.exit_code == 2
    assert "tcsh" in wrong.stderr


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    """A real bash, which calls the real command."""
    bash = shutil.which("bash")
    assert bash is not None, "the suite's own scripts are bash's"
    script = CliRunner().invoke(app, ["completion", "bash"]).stdout
    ask = 'COMP_WORDS=(gateway trunks te); COMP_CWORD=2; _gateway_completion gateway; echo "${COMPREPLY[@]}"'
    command = tmp_path / "gateway"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway "$@"\n')
    command.chmod(0o700)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    line = [bash, "--norc", "-c", f"{script}\n{ask}"]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["test"], done.stderr
