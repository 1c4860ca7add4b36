"""Secrets that are missing: of runtimes, and of the broker."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.commands.finding import Finding, warn
from gateway.config.loading import Config
from gateway.routing.table import AgentVersion, Dialect

SIGNED = {Dialect.TWILIO: "signs", Dialect.PLIVO: "signs"}
"What a dialect does with a secret; the others send it as a bearer token."
CARRIED_NOT = (Dialect.AUDIOSOCKET, Dialect.SIP)
"Dialects that have no place for one."


def check_login(config: Config) -> Iterator[Finding]:
    """The broker's; a number provider without its account is refused with the configuration."""
    if config.mqtt.url and config.mqtt.username and config.mqtt.password is None:
        yield warn("mqtt", f"no password for {config.mqtt.username}", "set TRUNKLINE_MQTT__PASSWORD")


def check_secret(label: str, version: AgentVersion) -> Iterator[Finding]:
    """Whether a runtime on the internet can tell our calls from anybody's."""
    parts = urlsplit(version.runtime_url)
    proves = version.secret is not None or parts.username is not None
    proves = proves or any(name.lower() == "authorization" for name in dict(version.headers))
    if proves or version.dialect in CARRIED_NOT or not _is_public(parts.hostname or ""):
        return
    does = SIGNED.get(version.dialect, "sends as a bearer token")
    found = f"has no secret, which {version.dialect} {does}: its runtime cannot tell our calls from others'"
    yield warn(
        label, found, f"gateway agents draft '{label.removeprefix('agent ')}' secret=…, and publish it"
    )


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".internal", ".local", ".localhost", ".lan"))
