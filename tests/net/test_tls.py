"""TLS contexts, held against a throw-away authority; handshakes in memory, without sockets."""

import datetime
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from gateway.net.tls import BadCertificate, client_context, server_context

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its private key on disk."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority that exists for one test run."""

    def __init__(self, folder: Path, name: str = "Throw-away CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = folder / f"{name}.pem"
        basic = x509.BasicConstraints(ca=True, path_length=0)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key).add_extension(basic, critical=True)
        signed = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.certificate.write_bytes(signed.public_bytes(Encoding.PEM))

    def issue(self, host: str, days: int = 1, password: bytes | None = None) -> Files:
        """A certificate for a host name or address, valid until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        alternative = x509.SubjectAlternativeName([general_name(host)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = self._builder(subject, key, days).add_extension(alternative, critical=False)
        signed = builder.add_extension(issuer, critical=False).sign(self._key, hashes.SHA256())
        files = Files(self._folder / f"{host}.pem", self._folder / f"{host}.key")
        files.certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        protection = BestAvailableEncryption(password) if password else NoEncryption()
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
        return files

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - 10 * DAY,
            not_valid_after=now + days * DAY,
            extensions=[
                x509.Extension(
                    x509.SubjectKeyIdentifier.oid,
                    False,
                    x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                )
            ],
        )


def general_name(host: str) -> x509.GeneralName:
    """The alternative name of a certificate for a host name or address."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that both sides trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Files:
    """The certificate of our listener."""
    return authority.issue("sip.example.com")


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "sip.example.com") -> str | None:
    """A handshake and one byte each way; returns the TLS version, or raises what either side raised."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(down, up, server_hostname=host)
    far = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        attempt(near.do_handshake)
        attempt(far.do_handshake)
    near.write(b"a")
    assert far.read() == b"a"
    far.write(b"b")
    assert near.read() == b"b"
    return near.version()


def attempt(step: Callable[[], None]) -> None:
    """One side's turn, which may need the other's first."""
    try:
        step()
    except ssl.SSLWantReadError:
        pass


def test_a_client_of_ours_reaches_a_listener_of_ours(authority: Authority, ours: Files) -> None:
    """Both contexts agree on the newest TLS when the authority is trusted and the name is right."""
    version = shake_hands(server_context(ours.certificate, ours.key), client_context(authority.certificate))
    assert version == "TLSv1.3"


def test_an_address_is_a_name_too(authority: Authority) -> None:
    """A certificate for an IP address serves a target that is one."""
    files = authority.issue("127.0.0.1")
    server, client = server_context(files.certificate, files.key), client_context(authority.certificate)
    assert shake_hands(server, client, "127.0.0.1")


@pytest.mark.parametrize(("host", "days"), [("other.example.com", 1), ("sip.example.com", -5)])
def test_a_wrong_name_and_an_expired_certificate_are_refused(tmp_path: Path, host: str, days: int) -> None:
    """A peer whose certificate is not for the name we resolved, or is over, is not talked to."""
    authority = Authority(tmp_path)
    files = authority.issue(host, days)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server_context(files.certificate, files.key), client_context(authority.certificate))


def test_an_unknown_authority_is_refused(tmp_path: Path, ours: Files) -> None:
    """With `ca`, only its certificates count; without, only those of the system."""
    stranger = Authority(tmp_path, "Somebody else")
    for client in (client_context(stranger.certificate), client_context()):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(server_context(ours.certificate, ours.key), client)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("old_side", ["client", "server"])
def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority, ours: Files, old_side: str) -> None:
    """A peer that knows only TLS 1.1 does not get through, whichever side it is on."""
    server = server_context(ours.certificate, ours.key)
    client = client_context(authority.certificate)
    old = client if old_side == "client" else server
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        shake_hands(server, client)


def test_tls_1_2_is_still_spoken(authority: Authority, ours: Files) -> None:
    """Peers without TLS 1.3 get through."""
    client = client_context(authority.certificate)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake_hands(server_context(ours.certificate, ours.key), client) == "TLSv1.2"


def test_with_authorities_a_listener_asks_who_calls(authority: Authority, ours: Files) -> None:
    """Mutual TLS: a client without a certificate of these authorities is refused."""
    server = server_context(ours.certificate, ours.key, authority.certificate)
    peer = authority.issue("peer.example.com")
    assert shake_hands(server, client_context(authority.certificate, peer.certificate, peer.key))
    with pytest.raises(ssl.SSLError, match=r"(?i)peer did not return a certificate"):
        shake_hands(server, client_context(authority.certificate))


def test_files_that_cannot_be_used_are_named(tmp_path: Path, authority: Authority, ours: Files) -> None:
    """Each mistake an operator can make with the files is told with the file and the mistake."""
    other = authority.issue("third.example.com")
    locked = authority.issue("locked.example.com", password=b"secret")
    nothing, broken = tmp_path / "nothing.pem", tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    mistakes: list[tuple[Callable[[], ssl.SSLContext], str]] = [
        (lambda: server_context(nothing, ours.key), "nothing.pem cannot be read: No such file"),
        (lambda: server_context(ours.certificate, nothing), "nothing.pem cannot be read: No such file"),
        (lambda: server_context(ours.key, ours.key), "sip.example.com.key has no certificate in PEM form"),
        (lambda: server_context(ours.certificate, ours.certificate), "has no private key in PEM form"),
        (lambda: server_context(ours.certificate, other.key), "third.example.com.key is not that of .*sip"),
        (lambda: server_context(locked.certificate, locked.key), "locked.example.com.key needs a password"),
        (lambda: server_context(broken, ours.key), "broken.pem and .* cannot be used"),
        (lambda: client_context(broken), "broken.pem cannot be used"),
        (lambda: client_context(tmp_path), "cannot be read: Is a directory"),
    ]
    for make, what in mistakes:
        with pytest.raises(BadCertificate, match=what):
            make()
