"""What the configuration's listeners and timers are to the sockets and the user agent."""

import secrets
import socket
import ssl
from collections.abc import Sequence

from gateway import __version__
from gateway.config.settings import Config, OutboundSettings
from gateway.config.sip_settings import ListenerSettings, SipSettings
from gateway.media.dtmf import INFO_TYPES, parse_info
from gateway.net.reach import Reach
from gateway.net.sip import Binding
from gateway.net.streams import StreamLimits
from gateway.net.tls import client_context, server_context
from gateway.sip.authenticator import Authenticator
from gateway.sip.settings import Settings


def families(listeners: Sequence[ListenerSettings]) -> tuple[int, ...]:
    """The address families that our sockets have, that of the first listener first."""
    found = [socket.AF_INET6 if ":" in listener.bind else socket.AF_INET for listener in listeners]
    return tuple(dict.fromkeys(found))


def binding(listener: ListenerSettings) -> Binding:
    """What one listener is bound to, with its certificate."""
    tls: ssl.SSLContext | None = None
    if listener.transport == "tls":
        assert listener.certificate is not None
        assert listener.private_key is not None
        tls = server_context(listener.certificate, listener.private_key, listener.ca)
    return Binding(
        name=listener.name,
        transport=listener.transport.upper(),
        bind=listener.bind,
        port=listener.port or 0,
        advertised_host=listener.advertised_host or None,
        advertised_port=listener.advertised_port,
        tls=tls,
    )


def client_tls(outbound: OutboundSettings) -> ssl.SSLContext:
    """What we show, and trust, where we call out by TLS."""
    return client_context(outbound.ca, outbound.certificate, outbound.private_key)


def reach(config: Config) -> Reach:
    """Where tenants, carriers and agents may make us connect to."""
    return Reach.of(config.security.allowed_networks, private=config.reaches_private)


def sip_settings(sip: SipSettings) -> Settings:
    """The timers and bounds of the user agent."""
    return Settings(
        t1=sip.t1_ms / 1000,
        t2=sip.t2_ms / 1000,
        t4=sip.t4_ms / 1000,
        user_agent=sip.user_agent or f"Trunkline/{__version__}",
        max_transactions=sip.max_transactions,
        max_dialogs=sip.max_calls,
        invite_timeout=sip.invite_seconds,
        info_types=INFO_TYPES,
        reads_info=lambda media_type, body: parse_info(media_type, body) is not None,
    )


def stream_limits(sip: SipSettings) -> StreamLimits:
    """How many TCP and TLS connections there may be, and how long they may idle."""
    return StreamLimits(
        connections=sip.max_connections,
        connections_per_source=sip.max_connections_per_source,
        handshake_seconds=sip.handshake_seconds,
        idle_seconds=sip.idle_connection_seconds,
        partial_message_seconds=sip.partial_message_seconds,
        message_bytes=sip.max_message_bytes,
    )


def authenticator(sip: SipSettings) -> Authenticator:
    """Who makes and checks our digest challenges, with a secret of this process."""
    return Authenticator(
        secrets.token_bytes(32), sip.realm, lifetime=sip.nonce_seconds, algorithms=sip.digest_algorithms
    )
