"""How an outbound call's INVITE is addressed: the trunk's host, the number as it wants it, who calls."""

from dataclasses import replace

from gateway.routing.number import format_for
from gateway.routing.outbound import OutboundRoute
from gateway.routing.table import Trunk, TrunkAuthMode
from gateway.sip.dialog import Dialog
from gateway.sip.grammar import format_host_port
from gateway.sip.settings import Login
from gateway.sip.target import Target
from gateway.sip.useragent import UserAgent

Headers = tuple[tuple[str, str], ...]


def target_of(trunk: Trunk, agent: UserAgent) -> Target:
    """Where requests for a trunk go, and by which listener.

    LocalProtocolError where no listener speaks the trunk's transport.
    """
    assert trunk.termination is not None, "no route leads to a trunk without one"
    target = Target(trunk.transport, trunk.termination.host, trunk.termination.port)
    return replace(target, listener=agent.listener_for(target).name)


def invite(agent: UserAgent, route: OutboundRoute, offer: bytes, headers: Headers, now: float) -> Dialog:
    """Queue the INVITE of a call."""
    trunk = route.trunk
    target = target_of(trunk, agent)
    caller = format_for(route.caller_id, trunk.outbound_format or trunk.number_format)
    our_host = format_host_port(agent.listener_for(target).host, None)
    return agent.invite(
        request_uri(route.dialled, target),
        targets=[target],
        from_=f"<sip:{caller}@{our_host}>",
        contact_user=caller,
        body=offer,
        headers=headers,
        credentials=login_of(trunk),
        now=now,
    )


def request_uri(user: str, target: Target) -> str:
    """The Request-URI for a number at a trunk; UDP is what a URI means that names no transport."""
    host = format_host_port(target.host, target.port)
    transport = "" if target.transport == "UDP" else f";transport={target.transport.lower()}"
    return f"sip:{user}@{host}{transport}"


def login_of(trunk: Trunk) -> Login | None:
    """What the trunk's challenges are answered with; None where the carrier is to know us by our address."""
    if trunk.auth_mode is not TrunkAuthMode.USERPASS:
        return None
    if not trunk.outbound_username or trunk.outbound_password is None:
        return None
    return Login(trunk.outbound_username, trunk.outbound_password.reveal(), trunk.outbound_realm)
