"""What tests a trunk from the command line, which brings the media path along."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.app.listening import binding, client_tls, families, reach
from gateway.config.loading import Config
from gateway.net.dns import Resolver
from gateway.net.sip import SipEndpoint
from gateway.phones.telephone import AnybodyMayCall
from gateway.provisioning.trial import Trials
from gateway.sip.events import Event


@asynccontextmanager
async def trials_of(config: Config) -> AsyncIterator[Trials]:
    """The connection test from ports of the command's own, at the addresses of the gateway's listeners."""

    def ignore(_event: Event) -> None:
        """Nobody calls a command."""

    listeners = [*{each.transport: each for each in reversed(config.sip.listeners)}.values()]
    ours = families(listeners)
    endpoint = SipEndpoint(
        [replace(binding(each), port=0, advertised_port=None) for each in listeners],
        AnybodyMayCall(),
        lambda: secrets.token_hex(10),
        Resolver(families=ours),
        ignore,
        client_tls=client_tls(config.outbound),
        reach=reach(config),
    )
    await endpoint.start()
    try:
        yield Trials(
            endpoint,
            lambda told: Resolver(families=ours, told=told),
            config.provisioning.trial_seconds,
            endpoint.reach,
        )
    finally:
        await endpoint.stop()
