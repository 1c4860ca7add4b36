"""`gateway tail`: what happens in the running gateway, as it happens."""

import os
import sys
from typing import Annotated

import httpx2
import typer

from gateway.commands.asking import address_of, events_from
from gateway.commands.output import FAILED, fail, mistakes_told
from gateway.commands.session import ConfigOption, JsonOption
from gateway.config import load_config
from gateway.events.log import log_sink


def tail(
    call_id: Annotated[str | None, typer.Argument(help="call_…; without it, all calls.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a call, or all of them, until interrupted."""
    with mistakes_told():
        read = load_config(config, os.environ)
        show = log_sink("debug", "json" if as_json or not sys.stdout.isatty() else "console")
        wanted = {} if call_id is None else {"call_id": call_id}
        try:
            for event in events_from(read, "/events", wanted, {}):
                show(event)
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            fail(f"the gateway at {address_of(read)} has ended", FAILED)
        except httpx2.HTTPError as error:
            fail(f"no gateway to follow at {address_of(read)}: {error}", FAILED)
        except KeyboardInterrupt:
            pass  # how one stops following
