"""Asking the running gateway about batches; what it refuses is told in its own words, with groups of rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from gateway.commands.asking import address_of, asked, streamed
from gateway.commands.calling import ASKED_WRONGLY, REFUSED, agent_id_of, show_refusal
from gateway.commands.output import BAD_INPUT, FAILED, Output, escaped, fail
from gateway.config.loading import Config

SECONDS = 30.0
CHECKING_SECONDS = 900.0
"A file of ten million bytes is checked in half a minute where nothing else runs."
WRONG_FILE = {*ASKED_WRONGLY, 415}
OF_ROWS = {"rows_failed", "no_valid_rows", "country_not_enabled"}
"Reasons that are the rows' and not the request's."


@dataclass(frozen=True, slots=True)
class Gateway:
    """The running gateway, as its operator asks it for one workspace."""

    config: Config
    who: Mapping[str, str]
    output: Output

    def answer(self, method: str, path: str, seconds: float = SECONDS, **what: Any) -> httpx2.Response:
        """The answer, whatever it says; ends the command where there is no gateway."""
        try:
            return asked(self.config, method, path, self.who, seconds, **what)
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            fail(f"the gateway at {address_of(self.config)} has ended", FAILED)
        except httpx2.HTTPError as error:
            fail(f"no gateway to ask at {address_of(self.config)}: {error}", FAILED)

    def ask(self, method: str, path: str, seconds: float = SECONDS, **what: Any) -> Any:
        """What it says; ends the command, and says why, where it refuses."""
        answer = self.answer(method, path, seconds, **what)
        if not answer.is_success:
            refuse(answer)
        return answer.json() if answer.content else {}

    def get(self, path: str, which: Mapping[str, str] | None = None) -> Any:
        """What there is."""
        return self.ask("GET", path, params=dict(which or {}))

    def batch(self, batch_id: str) -> dict[str, Any]:
        """A batch as it stands."""
        found: dict[str, Any] = self.get(f"/v1/batch-calls/{batch_id}", {"limit": "1"})["batch"]
        return found

    def agent_id(self, given: str | None) -> str:
        """The agent of that name or id; without one, the only agent that there is."""
        if given is not None:
            return agent_id_of(self.config, given, self.who)
        found = self.get("/v1/agents", {"limit": "2"})["items"]
        if len(found) != 1:
            fail("--agent: is required, unless there is exactly one agent", BAD_INPUT)
        return str(found[0]["id"])

    def parts(self, path: str, which: Mapping[str, str]) -> Iterator[bytes]:
        """A file, as it comes."""
        try:
            with streamed(self.config, path, self.who, which, CHECKING_SECONDS) as answer:
                if not answer.is_success:
                    answer.read()
                    refuse(answer)
                yield from answer.iter_bytes()
        except httpx2.HTTPError as error:
            fail(f"no gateway to ask at {address_of(self.config)}: {error}", FAILED)


def refuse(answer: httpx2.Response) -> None:
    """Say what is wrong, and end the command."""
    said = answer.json()
    show_refusal(said)
    show_groups(Console(stderr=True, highlight=False), said.get("groups") or ())
    wrongly = answer.status_code in WRONG_FILE and said["reason"] not in OF_ROWS
    raise typer.Exit(BAD_INPUT if wrongly else REFUSED)


def show_groups(console: Console, groups: Sequence[Mapping[str, Any]]) -> None:
    """The rows that fail, by what is wrong with them."""
    if not groups:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rows", justify="right")
    table.add_column("what is wrong")
    table.add_column("lines")
    table.add_column("such as")
    for group in groups:
        first = ", ".join(map(str, group["rows"][:5])) + (", …" if group["count"] > 5 else "")
        sample = next(iter(group["samples"]), {"phone_number": "", "detail": ""})
        such = " ".join(filter(None, (sample["phone_number"][:32], sample["detail"])))
        table.add_row(
            f"[red]{group['count']}[/red]",
            f"{escaped(group['title'])}\n[dim]{escaped(group['mend'])}[/dim]",
            first,
            escaped(such),
        )
    console.print(table)
