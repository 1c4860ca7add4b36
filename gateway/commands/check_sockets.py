"""Whether the gateway can have its addresses and ports, and whether peers can reach what it advertises."""

import errno
import resource
import socket
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address

from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config, is_loopback
from gateway.config.sip_settings import ListenerSettings
from gateway.net.open_files import allowed, needed

SAMPLED_PAIRS = 16
"RTP ports that are tried, spread over the range."


def check_sockets(config: Config) -> Iterator[Finding]:
    """Every listener, the RTP range and the HTTP port."""
    running = is_running(config)
    for listener in config.sip.listeners:
        yield _check_bind(listener, running)
        yield _check_advertised(f"{listener.name} advertises", listener.advertised_host)
    yield from _check_media(config)
    yield _check_http(config, running)
    yield _check_files(config)


def is_running(config: Config) -> bool:
    """Whether a gateway answers on the configured HTTP port: then it is the one that has the ports."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(config.http.bind, config.http.bind)  # noqa: S104 - compared
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    try:
        with urllib.request.urlopen(f"http://{host}:{config.http.port}/healthz", timeout=1) as answer:
            return b'"ok"' in answer.read(200)
    except (OSError, ValueError):
        return False


def _check_bind(listener: ListenerSettings, running: bool) -> Finding:
    what = f"listener {listener.name}"
    kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
    address = f"{listener.transport} {_joined(listener.bind, listener.port or 0)}"
    return _bindable(what, address, kind, listener.bind, listener.port or 0, running)


def _check_http(config: Config, running: bool) -> Finding:
    address = _joined(config.http.bind, config.http.port)
    return _bindable("http", address, socket.SOCK_STREAM, config.http.bind, config.http.port, running)


def _check_files(config: Config) -> Finding:
    """Whether all that may be open at once may be."""
    wanted, (soft, hard) = needed(config), allowed()
    most = wanted if hard == resource.RLIM_INFINITY else hard
    sum_of_it = (
        f"{wanted} for {config.sip.max_calls} calls, {config.sip.max_connections} SIP and "
        f"{config.http.max_connections} HTTP connections"
    )
    if most >= wanted:
        return ok("open files", f"{sum_of_it}: allowed ({soft}, raised at start)")
    mend = f"LimitNOFILE={wanted} (systemd), --ulimit nofile={wanted} (docker), or fewer sip.max_calls"
    return warn("open files", f"{sum_of_it}: only {most} are allowed", mend)


def _bindable(
    what: str, address: str, kind: socket.SocketKind, bind: str, port: int, running: bool
) -> Finding:
    error = try_bind(kind, bind, port)
    if error is None:
        return ok(what, f"{address} is free")
    if error.errno == errno.EADDRINUSE and running:
        return ok(what, f"{address} is taken, by the gateway that runs here")
    mend = {
        errno.EADDRINUSE: f"stop what listens there (ss -lnp 'sport = :{port}'), or choose another port",
        errno.EADDRNOTAVAIL: f"bind an address of this machine; {bind} is none (ip address)",
        errno.EACCES: "choose a port from 1024 up, or give the process CAP_NET_BIND_SERVICE",
    }
    return bad(
        what, f"{address}: {error.strerror}", mend.get(error.errno or 0, "choose another address or port")
    )


def try_bind(kind: socket.SocketKind, bind: str, port: int) -> OSError | None:
    """Bind and let go again; the error where that is not possible."""
    family = socket.AF_INET6 if ip_address(bind).version == 6 else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family is socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((bind, port))
    except OSError as error:
        return error
    return None


def _check_advertised(what: str, host: str) -> Finding:
    """What the rest of the world can do with an address."""
    try:
        address = ip_address(host)
    except ValueError:
        return _check_name(what, host)
    if address.is_loopback:
        return warn(what, f"{host}: only this machine can call", "for carriers, set advertised_host and bind")
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return bad(
            what, f"{host}: nobody can reach that", "set advertised_host to the address that peers reach"
        )
    if address.is_private:
        return warn(what, f"{host}: a private address", "behind NAT, set advertised_host to the public one")
    return ok(what, host)


def _check_name(what: str, name: str) -> Finding:
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None)})
    except OSError as error:
        return bad(
            what, f"{name}: {error.strerror}", "set advertised_host to a name that resolves, or an address"
        )
    if all(is_loopback(address) for address in found):
        return warn(what, f"{name} is {found[0]}: only this machine can call", "set advertised_host")
    return ok(what, f"{name} is {', '.join(found[:4])}")


def _check_media(config: Config) -> Iterator[Finding]:
    media = config.media
    wanted, pairs = config.sip.max_calls, media.pairs
    found = f"{media.port_min}–{media.port_max}: {pairs} calls at once"
    if pairs < wanted:
        mend = f"widen the range, or lower sip.max_calls, which is {wanted}"
        yield warn("RTP ports", found, mend)
    else:
        yield ok("RTP ports", found)
    yield from _check_overlap(config)
    for bind in dict.fromkeys(listener.media_bind for listener in config.sip.listeners):
        yield _check_pairs(config, bind)
    for host in dict.fromkeys(listener.media_advertised_host for listener in config.sip.listeners):
        yield _check_advertised("RTP advertises", host)


def _check_overlap(config: Config) -> Iterator[Finding]:
    """A listener inside the range is a call without audio, now and then."""
    for listener in config.sip.listeners:
        inside = config.media.port_min <= (listener.port or 0) <= config.media.port_max
        if inside and listener.transport == "udp":
            found = f"{listener.port} of listener {listener.name} lies in the RTP range"
            yield bad("RTP ports", found, "move the listener or the range")


def _check_pairs(config: Config, bind: str) -> Finding:
    media = config.media
    step = max(2, (media.pairs // SAMPLED_PAIRS) * 2)
    first = media.port_min + media.port_min % 2
    tried = range(first, media.port_max, step)
    errors = {port: try_bind(socket.SOCK_DGRAM, bind, port) for port in tried}
    taken = [port for port, error in errors.items() if error is not None]
    if not taken:
        return ok(f"RTP on {bind}", f"{len(errors)} ports tried, all free")
    error = errors[taken[0]]
    assert error is not None, "only those with an error are listed"
    if error.errno == errno.EADDRINUSE:
        mend = "nothing, where calls are running; else see who has them: ss -lunp"
        return warn(
            f"RTP on {bind}", f"{len(taken)} of {len(errors)} ports tried are taken: {taken[0]}, …", mend
        )
    return bad(f"RTP on {bind}", str(error.strerror), "bind an address of this machine (ip address)")


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
