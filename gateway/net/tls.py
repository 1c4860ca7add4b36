"""TLS contexts from the files that the configuration names, with errors that say which file and why."""

import ssl
from functools import cache
from pathlib import Path

OLDEST = ssl.TLSVersion.TLSv1_2


class BadCertificate(ValueError):
    """A certificate, key or authority file that cannot be used; the message names the file."""


def server_context(certificate: Path, private_key: Path, ca: Path | None = None) -> ssl.SSLContext:
    """For a listener: TLS 1.2 or later, with our certificate chain. Raises `BadCertificate`.

    With `ca`, a client has to show a certificate of these authorities (mutual TLS).
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = OLDEST
    _load_chain(context, certificate, private_key)
    if ca is not None:
        _load_authorities(context, ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@cache
def agents_context() -> ssl.SSLContext:
    """For connections to agents, by the system's authorities, which take 20 ms to read: once a process."""
    return ssl.create_default_context()


@cache
def http_context() -> ssl.SSLContext:
    """For clients of HTTP, which say in it what they speak; read once a process as well."""
    # Imported here: what speaks no HTTP need not wait for it.
    import httpx2

    return httpx2.create_ssl_context(trust_env=False)


def client_context(
    ca: Path | None = None, certificate: Path | None = None, private_key: Path | None = None
) -> ssl.SSLContext:
    """For connections of ours: TLS 1.2 or later, the peer's name and chain checked. Raises `BadCertificate`.

    `ca` replaces the system's authorities. `certificate` and `private_key` are shown to peers that ask.
    Without any of them it is one for all, read once a process: to be used as it is.
    """
    if ca is None and certificate is None and private_key is None:
        return _system_context()
    return _client_context(ca, certificate, private_key)


@cache
def _system_context() -> ssl.SSLContext:
    return _client_context(None, None, None)


def _client_context(ca: Path | None, certificate: Path | None, private_key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = OLDEST
    # RFC 5922 section 7.1 lets a common name count where there is no other; nobody has needed that for years.
    context.hostname_checks_common_name = False
    if ca is None:
        context.load_default_certs()
    else:
        _load_authorities(context, ca)
    if certificate is not None and private_key is not None:
        _load_chain(context, certificate, private_key)
    return context


def _load_chain(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    _check_readable(certificate, "CERTIFICATE")
    _check_readable(private_key, "PRIVATE KEY")
    try:
        context.load_cert_chain(certificate, private_key, password=_refuse_to_ask)
    except BadCertificate:
        raise BadCertificate(
            f"the private key {private_key} needs a password, which nobody is there to type"
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadCertificate(f"the private key {private_key} is not that of {certificate}") from error
        raise BadCertificate(f"{certificate} and {private_key} cannot be used: {_words(error)}") from error


def _load_authorities(context: ssl.SSLContext, ca: Path) -> None:
    _check_readable(ca, "CERTIFICATE")
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise BadCertificate(f"{ca} cannot be used: {_words(error)}") from error


def _check_readable(path: Path, what: str) -> None:
    """OpenSSL does not say which of its files is missing, nor that one is not PEM."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadCertificate(f"{path} cannot be read: {error.strerror}") from error
    if what.encode() not in text:
        raise BadCertificate(f"{path} has no {what.lower()} in PEM form")


def _refuse_to_ask() -> str:
    # Without this, OpenSSL would ask on the terminal and wait.
    raise BadCertificate


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
