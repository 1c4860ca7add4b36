"""What tests a trunk from the command line, which brings the media path along."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import AF_INET, AF_INET6

from gateway.app.listening import reach
from gateway.config.loading import Config
from gateway.config.settings import ListenerSettings
from gateway.net.dns import Resolver
from gateway.net.sip import Binding, SipEndpoint
from gateway.net.tls import client_context, server_context
from gateway.phones.telephone import AnybodyMayCall
from gateway.provisioning.trial import Trials
from gateway.sip.events import Event


@asynccontextmanager
async def trials_of(config: Config) -> AsyncIterator[Trials]:
    """The connection test from ports of the command's own, at the addresses of the gateway's listeners."""

    def ignore(_event: Event) -> None:
        """Nobody calls a command."""

    outbound = config.outbound
    first = {each.transport: each for each in reversed(config.sip.listeners)}
    families = tuple(dict.fromkeys(AF_INET6 if ":" in each.bind else AF_INET for each in first.values()))
    endpoint = SipEndpoint(
        [_binding(each) for each in first.values()],
        AnybodyMayCall(),
        lambda: secrets.token_hex(10),
        Resolver(families=families),
        ignore,
        client_tls=client_context(outbound.ca, outbound.certificate, outbound.private_key),
        reach=reach(config),
    )
    await endpoint.start()
    try:
        yield Trials(
            endpoint,
            lambda told: Resolver(families=families, told=told),
            config.provisioning.trial_seconds,
            endpoint.reach,
        )
    finally:
        await endpoint.stop()


def _binding(listener: ListenerSettings) -> Binding:
    tls = None
    if listener.transport == "tls":
        assert listener.certificate is not None, "the configuration asks for it"
        assert listener.private_key is not None, "the configuration asks for it"
        tls = server_context(listener.certificate, listener.private_key, listener.ca)
    host = listener.advertised_host or None
    return Binding(listener.name, listener.transport.upper(), listener.bind, 0, host, None, tls)
