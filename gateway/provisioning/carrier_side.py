"""What to set on the carrier's side, ready to copy: it follows from the configuration."""

from dataclasses import dataclass

from gateway.config.loading import is_loopback
from gateway.config.settings import Config
from gateway.config.sip_settings import ListenerSettings
from gateway.media.codecs import CODECS
from gateway.sip.grammar import format_host_port

SETTINGS = "(bind and advertised_host of [[sip.listeners]])"
"Where whoever runs the gateway gives it an address; customers have no such settings."


@dataclass(frozen=True, slots=True)
class Signalling:
    """One address that a carrier can send calls to."""

    transport: str
    address: str
    "`host:port`"
    inbound_uri: str
    "With `+E164` for the dialled number."


@dataclass(frozen=True, slots=True)
class CarrierSide:
    """What a carrier has to know of this gateway."""

    signalling: tuple[Signalling, ...]
    allow: tuple[str, ...]
    "Addresses that our signalling comes from: for the carrier's list where it knows us by address."
    media: tuple[str, ...]
    "Addresses that our RTP comes from and goes to."
    ports: str
    "UDP ports of RTP and RTCP."
    codecs: tuple[str, ...]
    dtmf: str
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """In JSON types."""
        return {
            "signalling": [
                {"transport": one.transport, "address": one.address, "inbound_uri": one.inbound_uri}
                for one in self.signalling
            ],
            "allow": list(self.allow),
            "media": list(self.media),
            "media_ports": self.ports,
            "codecs": list(self.codecs),
            "dtmf": self.dtmf,
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """For a terminal, and for an email to the carrier."""
        return [
            *(f"Send calls to:    {one.inbound_uri}   ({one.transport})" for one in self.signalling),
            f"Our signalling:   {', '.join(self.allow)}   (put on the allow-list)",
            f"Our media:        {', '.join(self.media)}, UDP ports {self.ports}",
            f"Codecs:           {', '.join(self.codecs)}, 20 ms",
            f"DTMF:             {self.dtmf}",
            "Number format:    E.164 with its plus, in the Request-URI, From and P-Asserted-Identity",
            *(f"! {warning} {SETTINGS}" for warning in self.warnings),
        ]


def carrier_side(config: Config) -> CarrierSide:
    """What a carrier has to set; the configuration is complete, as `load_config` gives it."""
    listeners = config.sip.listeners
    hosts = tuple(dict.fromkeys(_host(each) for each in listeners))
    media = tuple(dict.fromkeys(each.media_advertised_host or _host(each) for each in listeners))
    first = config.media.port_min + config.media.port_min % 2
    return CarrierSide(
        signalling=tuple(_signalling(each) for each in listeners),
        allow=hosts,
        media=media,
        ports=f"{first}–{config.media.port_max}",
        codecs=tuple(CODECS),
        dtmf="RFC 4733 telephone-event; SIP INFO is understood too",
        warnings=tuple(_warning(host) for host in (*hosts, *media) if is_loopback(host))[:1],
    )


def _host(listener: ListenerSettings) -> str:
    return listener.advertised_host or listener.bind


def _signalling(listener: ListenerSettings) -> Signalling:
    port = listener.advertised_port or listener.port or 5060
    address = format_host_port(_host(listener), port)
    parameter = "" if listener.transport == "udp" else f";transport={listener.transport}"
    return Signalling(listener.transport.upper(), address, f"sip:+E164@{address}{parameter}")


def _warning(host: str) -> str:
    return f"{host} is this machine only, so no carrier can reach it: the gateway needs another address"
