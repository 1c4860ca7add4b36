"""`gateway tail`: what happens in the running gateway, as it happens."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import httpx2
import orjson
import typer

from gateway.commands.output import FAILED, fail, mistakes_told
from gateway.commands.session import ConfigOption, JsonOption
from gateway.config import Config, load_config
from gateway.events.bus import Event
from gateway.events.log import log_sink

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is bound, and where to reach it
SILENCE_SECONDS = 60.0
"The gateway says something every 15 seconds; after so long it is gone."


def tail(
    call_id: Annotated[str | None, typer.Argument(help="call_…; without it, all calls.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a call, or all of them, until interrupted."""
    with mistakes_told():
        read = load_config(config, os.environ)
        show = log_sink("debug", "json" if as_json or not sys.stdout.isatty() else "console")
        try:
            for event in follow(read, call_id):
                show(event)
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            fail(f"the gateway at {_address(read)} has ended", FAILED)
        except httpx2.HTTPError as error:
            fail(f"no gateway to follow at {_address(read)}: {error}", FAILED)
        except KeyboardInterrupt:
            pass  # how one stops following


def follow(config: Config, call_id: str | None) -> Iterator[Event]:
    """The gateway's events, of one call or of all, as they come."""
    wanted = {} if call_id is None else {"call_id": call_id}
    timeout = httpx2.Timeout(5.0, read=SILENCE_SECONDS)
    with httpx2.stream(
        "GET", f"{_address(config)}/events", params=wanted, headers=_credentials(config), timeout=timeout
    ) as answer:
        if answer.status_code != httpx2.codes.OK:
            fail(
                f"the gateway at {_address(config)} answers {answer.status_code}: is data_dir its own?",
                FAILED,
            )
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield _event(orjson.loads(line.removeprefix("data: ")))


def _event(fields: dict[str, Any]) -> Event:
    name, level, time = fields.pop("event"), fields.pop("level"), fields.pop("time")
    return Event(name, fields, level, datetime.fromisoformat(time))


def _address(config: Config) -> str:
    bind = WILDCARDS.get(config.http.bind, config.http.bind)
    return f"http://[{bind}]:{config.http.port}" if ":" in bind else f"http://{bind}:{config.http.port}"


def _credentials(config: Config) -> dict[str, str]:
    """The operator's token, which the gateway keeps in its data directory for whoever can read that."""
    path = config.gateway.data_dir / "operator.token"
    try:
        return {"Authorization": f"Bearer {path.read_text('ascii').strip()}"}
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}): has a gateway run with this data_dir?", FAILED)
