"""Asking the running gateway over its HTTP port, as its operator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx2
import orjson

from gateway.commands.output import FAILED, fail
from gateway.config.loading import Config
from gateway.events.bus import Event

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is bound, and where to reach it
SILENCE_SECONDS = 60.0
"The gateway says something every 15 seconds; after so long it is gone."


def address_of(config: Config) -> str:
    """Where the gateway of this configuration is to be asked."""
    bind = WILDCARDS.get(config.http.bind, config.http.bind)
    return f"http://[{bind}]:{config.http.port}" if ":" in bind else f"http://{bind}:{config.http.port}"


def has_token(config: Config) -> bool:
    """Whether a gateway has ever run with this data directory, and left its operator's token."""
    return config.token_file.exists()


def credentials_of(config: Config) -> dict[str, str]:
    """The operator's token, which the gateway keeps in its data directory for whoever can read that."""
    path = config.token_file
    try:
        return {"Authorization": f"Bearer {path.read_text('ascii').strip()}"}
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}): has a gateway run with this data_dir?", FAILED)


def asked(
    config: Config, method: str, path: str, who: Mapping[str, str], seconds: float, **what: Any
) -> httpx2.Response:
    """The gateway's answer to one request, `who` being the headers that say for whom; `httpx2.HTTPError`."""
    headers = {**credentials_of(config), **who}
    return httpx2.request(method, f"{address_of(config)}{path}", headers=headers, timeout=seconds, **what)


@contextmanager
def streamed(
    config: Config,
    path: str,
    who: Mapping[str, str],
    parameters: Mapping[str, str],
    timeout: httpx2.Timeout | float,
) -> Iterator[httpx2.Response]:
    """The gateway's answer to a GET, to be read as it comes; `httpx2.HTTPError`."""
    headers = {**credentials_of(config), **who}
    where = f"{address_of(config)}{path}"
    with httpx2.stream("GET", where, params=dict(parameters), headers=headers, timeout=timeout) as answer:
        yield answer


def events_from(
    config: Config, path: str, parameters: Mapping[str, str], headers: Mapping[str, str]
) -> Iterator[Event]:
    """The events of a stream, as they come."""
    timeout = httpx2.Timeout(5.0, read=SILENCE_SECONDS)
    with streamed(config, path, headers, parameters, timeout) as answer:
        if answer.status_code != httpx2.codes.OK:
            fail(
                f"the gateway at {address_of(config)} answers {answer.status_code}: is data_dir its own?",
                FAILED,
            )
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield event_of(orjson.loads(line.removeprefix("data: ")))


def event_of(fields: dict[str, Any]) -> Event:
    """The event in a stream's JSON."""
    name, level, time = fields.pop("event"), fields.pop("level"), fields.pop("time")
    return Event(name, fields, level, datetime.fromisoformat(time))
