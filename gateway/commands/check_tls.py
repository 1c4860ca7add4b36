"""Certificates: readable, fitting their key, in force, and for the name that is advertised."""

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config
from gateway.config.sip_settings import ListenerSettings
from gateway.net.tls import BadCertificate, client_context, server_context

SOON_DAYS = 30


def check_certificates(config: Config, now: datetime | None = None) -> Iterator[Finding]:
    """Every TLS listener's files, and the authorities for the agents' runtimes."""
    now = now or datetime.now(UTC)
    for listener in config.sip.listeners:
        if listener.transport == "tls":
            yield from _check_listener(listener, now)
    if config.agents.ca is not None:
        yield _check_authorities("agents.ca", config.agents.ca)


def _check_listener(listener: ListenerSettings, now: datetime) -> Iterator[Finding]:
    what = f"certificate of {listener.name}"
    assert listener.certificate is not None, "a tls listener is not read without"
    assert listener.private_key is not None, "a tls listener is not read without"
    try:
        server_context(listener.certificate, listener.private_key, listener.ca)
        certificate = x509.load_pem_x509_certificate(listener.certificate.read_bytes())
    except ValueError as error:
        yield bad(what, str(error), "bring both as PEM files that belong together")
        return
    yield _check_dates(what, certificate, now)
    yield _check_names(what, certificate, listener.advertised_host)


def _check_dates(what: str, certificate: x509.Certificate, now: datetime) -> Finding:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        return bad(what, f"expired on {end:%Y-%m-%d}", "renew it")
    if now < start:
        return bad(
            what, f"in force only from {start:%Y-%m-%d} on", "look at this machine's clock, or renew it"
        )
    days = (end - now).days
    if days < SOON_DAYS:
        return warn(what, f"expires in {days} days, on {end:%Y-%m-%d}", "renew it soon")
    return ok(what, f"in force until {end:%Y-%m-%d}")


def _check_names(what: str, certificate: x509.Certificate, host: str) -> Finding:
    names = _names(certificate)
    if any(fnmatch(host.lower(), name.lower()) for name in names):
        return ok(what, f"for {host}")
    mend = f"peers that check will refuse: get one for {host}, or advertise a name it is for"
    return warn(what, f"for {', '.join(names) or 'no name'}, not for {host}", mend)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return []
    assert isinstance(found, x509.SubjectAlternativeName), "the extension of that number"
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _check_authorities(what: str, path: Path) -> Finding:
    try:
        client_context(path)
    except BadCertificate as error:
        return bad(what, str(error), "name a PEM file, or leave it empty")
    return ok(what, str(path))
