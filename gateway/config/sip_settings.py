"""The section of the configuration that is about signalling: see `gateway.config.settings`."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from gateway.config.setting_types import (
    Address,
    OptionalPath,
    Port,
    ReachableHost,
    Seconds,
    Section,
    check_address,
)


class ListenerSettings(Section):
    """`[[sip.listeners]]`: one local address that SIP arrives on."""

    name: Annotated[str, Field(max_length=32, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    "Name of the listener in logs; unique. Empty: transport and position, such as udp-1."
    transport: Literal["udp", "tcp", "tls"] = "udp"
    "udp, tcp or tls."
    bind: Address = "127.0.0.1"
    "IP address to listen on; 0.0.0.0 or :: is every address of the machine."
    port: Port | None = None
    "Port to listen on. Default 5060, with tls 5061; 0 lets the system choose."
    advertised_host: ReachableHost = ""
    "Address or name that the peer can reach, for Via and Contact. Empty: the address listened on."
    advertised_port: Port | None = None
    "Port that the peer can reach. Default: the port listened on."
    certificate: OptionalPath = None
    "PEM file with the certificate chain; only for tls."
    private_key: OptionalPath = None
    "PEM file with the certificate's private key; only for tls."
    ca: OptionalPath = None
    "PEM file with the authorities that a peer's certificate has to come from. Empty: those of the system."
    media_bind: Annotated[str, AfterValidator(lambda text: check_address(text) if text else text)] = ""
    "IP address for RTP of calls by this listener. Empty: media.bind, or `bind` where the IP version differs."
    media_advertised_host: ReachableHost = ""
    "Address in the SDP of calls by this listener. Empty: media.advertised_host, or the media address."

    @model_validator(mode="after")
    def _tls_has_its_files(self) -> "ListenerSettings":
        if self.transport == "tls" and (self.certificate is None or self.private_key is None):
            raise ValueError("a tls listener should have both certificate and private_key")
        if self.transport != "tls" and (self.certificate or self.private_key or self.ca):
            raise ValueError(
                f"certificate, private_key and ca are for tls and should not be set for {self.transport}"
            )
        return self


class SipSettings(Section):
    """`[sip]`: signalling."""

    listeners: Annotated[tuple[ListenerSettings, ...], Field(min_length=1, max_length=32)] = (
        ListenerSettings(transport="udp"),
        ListenerSettings(transport="tcp"),
    )
    "Where SIP arrives: one [[sip.listeners]] table each."
    unknown_sources: Literal["ignore", "refuse"] = "ignore"
    "What an INVITE from an address of no trunk gets: ignore (silence, counted) or refuse (403)."
    user_agent: Annotated[str, Field(max_length=128, pattern=r"^[\x20-\x7e]*$")] = ""
    "Text of the User-Agent and Server headers. Empty: Trunkline and its version."
    realm: Annotated[str, Field(min_length=1, max_length=128, pattern=r'^[^"\\\x00-\x1f]+$')] = "trunkline"
    "Realm of our digest challenges to trunks that call in with credentials."
    nonce_seconds: Seconds = 300.0
    "Seconds for which a nonce of ours stays good; then the peer gets stale=true and a new one."
    digest_algorithms: Annotated[tuple[Literal["SHA-256", "MD5"], ...], Field(min_length=1, max_length=2)] = (
        "SHA-256",
        "MD5",
    )
    "Algorithms of our digest challenges, in order: SHA-256, MD5 or both. Some old peers read only the first."
    t1_ms: Annotated[int, Field(ge=50, le=5000)] = 500
    "Timer T1 of RFC 3261 in milliseconds: the estimated round trip."
    t2_ms: Annotated[int, Field(ge=500, le=30_000)] = 4000
    "Timer T2 of RFC 3261 in milliseconds: the longest pause between retransmissions."
    t4_ms: Annotated[int, Field(ge=500, le=30_000)] = 5000
    "Timer T4 of RFC 3261 in milliseconds: how long a message can stay in the network."
    invite_seconds: Seconds = 180.0
    "Seconds after which an INVITE that found no end is given up."
    max_calls: Annotated[int, Field(ge=1, le=100_000)] = 1000
    "Calls at once on this gateway; further ones get 503."
    max_transactions: Annotated[int, Field(ge=10, le=1_000_000)] = 20_000
    "SIP transactions at once; further requests get 503."
    max_message_bytes: Annotated[int, Field(ge=4096, le=1_048_576)] = 65_535
    "Bytes of the largest message taken from a TCP or TLS connection."
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    "TCP and TLS connections at once, all listeners together."
    max_connections_per_source: Annotated[int, Field(ge=1, le=100_000)] = 250
    "The same from one address."
    handshake_seconds: Seconds = 5.0
    "Seconds that a peer may take for its TLS handshake."
    idle_connection_seconds: Seconds = 900.0
    "Seconds after which a silent TCP or TLS connection without calls is closed."
    partial_message_seconds: Seconds = 10.0
    "Seconds that a message on TCP or TLS may take from its first byte to its last."
    drain_seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 30.0
    "Seconds that running calls may go on for after SIGTERM; then they get BYE."

    @model_validator(mode="after")
    def _timers_are_ordered(self) -> "SipSettings":
        if self.t2_ms < self.t1_ms:
            raise ValueError(f"t2_ms should not be shorter than t1_ms, which is {self.t1_ms}")
        return self
