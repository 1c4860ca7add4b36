"""The sections of the configuration as frozen values: every key, its default, its unit and its bounds.

`gateway.config.loading` reads them from a file and the environment; `config/example.toml` shows them all. The
text under a key is what an error message about it says, so it is written for whoever edits the file.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    model_validator,
)
from sqlalchemy.engine import URL

from gateway.config.batch_settings import BatchSettings
from gateway.config.mqtt_settings import MqttSettings
from gateway.config.provider_settings import ProvidersSettings, ProvisioningSettings
from gateway.config.setting_types import (
    Address,
    Network,
    OptionalPath,
    OptionalSecret,
    Origin,
    Port,
    ReachableHost,
    Seconds,
    Section,
    check_key,
    check_store_url,
    parse_store_url,
)
from gateway.config.sip_settings import SipSettings


class GatewaySettings(Section):
    """`[gateway]`: who this gateway is."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")] = "trunkline"
    "Name of this gateway in records and logs. Gateways that share a database need different names."
    data_dir: Path = Path("data")
    "Folder for the database file, the key file and the journal; made when missing."


class LogSettings(Section):
    """`[log]`: what is told, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    "Least level that is logged: debug, info, warning or error."
    format: Literal["auto", "json", "console"] = "auto"
    "json, console, or auto: console on a terminal, JSON elsewhere."


class MediaSettings(Section):
    """`[media]`: RTP towards the carriers."""

    bind: Address = "127.0.0.1"
    "IP address for RTP and RTCP; 0.0.0.0 or :: is every address of the machine."
    advertised_host: ReachableHost = ""
    "Address in our SDP that the peer can reach. Empty: the address bound."
    port_min: Annotated[int, Field(ge=1024, le=65_534)] = 20_000
    "First port of the range for RTP; pairs start at even ports."
    port_max: Annotated[int, Field(ge=1025, le=65_535)] = 29_999
    "Last port of the range; every call takes two ports."
    no_media_seconds: Seconds = 30.0
    "Seconds without RTP from the caller after which a call that is not on hold is ended."
    quarantine_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 5.0
    "Seconds for which a freed port pair is not used again, so that late packets find nobody."
    reorder_ms: Annotated[int, Field(ge=0, le=500)] = 120
    "Most milliseconds that a packet waits for an earlier one; the wait follows what the network does."
    stall_ms: Annotated[int, Field(ge=70, le=1000)] = 500
    "Most milliseconds that audio may stay away before the agent hears silence; learnt likewise, from 70 up."
    catch_up_ms: Annotated[int, Field(ge=0, le=2000)] = 400
    "Most milliseconds of late audio that the agent gets all the same, in a burst; what is older is dropped."
    comfort_noise: Literal["off", "accept", "offer"] = "accept"
    "Comfort noise (RFC 3389) from carriers: off, accept where they offer it, or offer it as well."
    one_way_seconds: Seconds = 10.0
    "Seconds of media in one direction only after which call.one_way warns, once a call."
    ssrc_change_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.1
    "Seconds of silence of the locked SSRC after which another from the same source is taken."
    rebind_seconds: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 0.5
    """Seconds of silence of the locked source after which another of the peer's is taken that goes on with
    its stream; twice that for a new stream."""
    networks: tuple[Network, ...] = ()
    """Addresses and networks that carriers' RTP may come from, beside the host of the SDP, the host of the
    signalling, and the trunk's sources."""
    rtcp_seconds: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 5.0
    "Seconds between RTCP reports, on average."
    telephone_event_payload_type: Annotated[int, Field(ge=96, le=127)] = 101
    "Payload type of telephone-event (RFC 4733) in our own offers."
    dtmf_tone_ms: Annotated[int, Field(ge=40, le=2000)] = 160
    "Milliseconds of a digit that we send."
    dtmf_gap_ms: Annotated[int, Field(ge=40, le=2000)] = 80
    "Milliseconds of pause between two digits that we send."
    sound_folders: Annotated[tuple[Path, ...], Field(max_length=32)] = ()
    "Folders of the WAV files that agents and numbers may name. Empty: sounds in gateway.data_dir."
    max_sound_bytes: Annotated[int, Field(ge=1024, le=104_857_600)] = 10_485_760
    "Bytes of the largest such file; a larger one is not played."

    @model_validator(mode="after")
    def _range_holds_a_pair(self) -> "MediaSettings":
        if self.port_max < self.port_min + self.port_min % 2 + 1:
            raise ValueError(
                f"port_max should leave room for a pair of ports from port_min ({self.port_min}) up"
            )
        return self

    @property
    def pairs(self) -> int:
        """How many port pairs the range holds: as many legs can have media at once."""
        first = self.port_min + self.port_min % 2
        return (self.port_max - first + 1) // 2


class HttpSettings(Section):
    """`[http]`: health, metrics and the API."""

    bind: Address = "127.0.0.1"
    "IP address of the HTTP server."
    port: Port = 8080
    "Port of the HTTP server; 0 lets the system choose."
    proxies: Annotated[tuple[Network, ...], Field(max_length=100)] = ()
    "Proxies in front, as addresses or networks: they alone are believed in X-Forwarded-For and -Proto."
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    "Requests a minute that each API key may make; further ones get 429."
    max_body_bytes: Annotated[int, Field(ge=1024, le=104_857_600)] = 262_144
    "Bytes of the largest request body; larger ones get 413."
    max_connections: Annotated[int, Field(ge=10, le=100_000)] = 1000
    "Connections at once; further ones get 503."
    max_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = 200
    "The same from one address; loopback and the proxies have no bound of their own."
    header_seconds: Seconds = 10.0
    "Seconds that a connection has to say what it wants; then it is closed."
    body_seconds: Seconds = 30.0
    "Seconds that a request's body may take to come; then it gets 408."
    max_followers: Annotated[int, Field(ge=1, le=100_000)] = 200
    "Event streams that all API keys may hold open at once; further ones get 429."
    max_followers_per_workspace: Annotated[int, Field(ge=1, le=100_000)] = 100
    "How many of them the keys of one workspace may hold."
    request_hours: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    "Hours for which an Idempotency-Key stands for the call that was first asked for under it."
    cors_origins: Annotated[tuple[Origin, ...], Field(max_length=100)] = ()
    "Sites whose pages may ask the API, such as https://crm.example.com; * for any. None: no other site's."
    cors_credentials: Literal["yes", "no"] = "no"
    "yes: what a browser keeps for us, such as a proxy's cookie, may come along. Never with *."

    @model_validator(mode="after")
    def _anybody_brings_nothing(self) -> "HttpSettings":
        if "*" in self.cors_origins and (len(self.cors_origins) > 1 or self.cors_credentials == "yes"):
            raise ValueError("cors_origins should be * alone, without cors_credentials, or name origins")
        return self


class OutboundSettings(Section):
    """`[outbound]`: calls that we place."""

    queue_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 30.0
    "Seconds that a call may wait for its trunk's calls per second; who would wait longer is refused."
    headers: Annotated[tuple[str, ...], Field(max_length=64)] = ("X-*",)
    "SIP headers that a request for a call may set: names, or beginnings of names that end in *."
    ca: OptionalPath = None
    "PEM file with the authorities that carriers' TLS certificates come from. Empty: those of the system."
    certificate: OptionalPath = None
    "PEM file with the certificate chain that we show to carriers that ask for one by TLS."
    private_key: OptionalPath = None
    "PEM file with the private key of that certificate."
    countries_file: OptionalPath = None
    "CSV file with the countries and their numbers. Empty: the one that ships with the gateway."
    special_ranges_file: OptionalPath = None
    "CSV file with premium, satellite and shared-cost ranges. Empty: the one that ships with the gateway."

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> "OutboundSettings":
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key should be set together, or neither")
        return self


class RecordingsSettings(Section):
    """`[recordings]`: where recordings of calls are kept, and how long."""

    folder: OptionalPath = None
    "Folder for them. Empty: recordings in gateway.data_dir."
    at_rest: Literal["plain", "sealed"] = "plain"
    "plain: WAV files. sealed: encrypted with a key made from that of [security]; both kinds are read."
    keep_days: Annotated[int, Field(ge=0, le=36_500)] = 90
    "Days after which a recording is deleted, unless its workspace says otherwise. 0: never."
    link_days: Annotated[int, Field(ge=1, le=365)] = 7
    "Days that a link to a recording works for."
    min_free_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 1024
    "Megabytes that have to stay free on the disk; with less, recordings end and calls go on."
    buffer_seconds: Annotated[int, Field(ge=2, le=300)] = 10
    "Seconds of a call held in memory while the disk is slow; what is more is silence in the recording."


class WebSettings(Section):
    """`[web]`: the dashboard, on the HTTP port."""

    dashboard: Literal["on", "off"] = "on"
    "on: the dashboard is served at /dashboard. off: there is none."
    public_url: Annotated[str, Field(max_length=255, pattern=r"^(https?://[^/\s]+)?$")] = ""
    "Where people reach the dashboard, such as https://voice.example.com. Empty: as their browser says."
    session_hours: Annotated[float, Field(gt=0, le=720, allow_inf_nan=False)] = 12.0
    "Hours after which somebody who logged in has to do so again."


class WebCallsSettings(Section):
    """`[web_calls]`: browsers that talk to agents."""

    max_calls: Annotated[int, Field(ge=0, le=100_000)] = 100
    "Web calls at once on this gateway, those whose browser has yet to come too; 0: none are taken."
    max_calls_per_workspace: Annotated[int, Field(ge=1, le=100_000)] = 50
    "How many of them one workspace may have."
    token_seconds: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 60.0
    "Seconds that a browser has to connect, once its call was asked for."
    origins: tuple[Annotated[str, Field(max_length=255, pattern=r"^https?://[^/\s]+$")], ...] = ()
    "Other sites whose pages may connect, such as https://www.example.com; our own always may."


class BillingSettings(Section):
    """`[billing]`: what calls cost."""

    grace_seconds: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 5.0
    "Seconds that a call goes on for, uncharged, when its workspace's wallet is empty."


class StoreSettings(Section):
    """`[store]`: the database."""

    url: Annotated[SecretStr, AfterValidator(check_store_url)] = SecretStr("")
    "Where the database is. Empty: the SQLite file trunkline.db in gateway.data_dir."
    keep_calls_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    "Days after which records of calls go, with what was posted about them and their recordings. 0: never."


class AgentsSettings(Section):
    """`[agents]`: the WebSocket connections to agent runtimes."""

    connect_timeout: Seconds = 5.0
    "Seconds for one attempt to connect to a runtime, upgrade included."
    connect_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    "Attempts to connect before the call is given up, or goes to the fallback."
    connect_pause: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.25
    "Seconds between two attempts; doubled after each."
    drain_audio_seconds: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 10.0
    "Most seconds of queued speech that are still played after the agent has closed its connection."
    queue_seconds: Annotated[float, Field(ge=1, le=600, allow_inf_nan=False)] = 60.0
    "Seconds of speech that an agent may be ahead; what is more is dropped, and the agent is told."
    ping_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 20.0
    "Seconds between WebSocket pings; a runtime that answers none within as long again is gone. 0: none."
    max_message_bytes: Annotated[int, Field(ge=4096, le=16_777_216)] = 1_048_576
    "Bytes of the largest WebSocket message that a runtime may send."
    flood_seconds: Annotated[float, Field(ge=0.05, le=60, allow_inf_nan=False)] = 1.0
    "Seconds of our time that a runtime may cost beyond its allowance (docs/agents.md); then it is cut off."
    ca: OptionalPath = None
    "PEM file with the authorities for wss runtimes. Empty: those of the system."


class SecuritySettings(Section):
    """`[security]`: the key that secrets in the database are sealed with; where tenants may lead us."""

    key: Annotated[OptionalSecret, AfterValidator(lambda key: key and check_key(key))] = None
    "32 random bytes in URL-safe base64. Better kept in the environment than in this file."
    key_file: OptionalPath = None
    "File with the key. Empty: secret.key in gateway.data_dir, made at first start for its owner's eyes only."
    allow_private: Literal["auto", "yes", "no"] = "auto"
    "Whether runtimes, trunks and webhooks may lead anywhere: yes, no, or auto: yes in the demo only."
    allowed_networks: Annotated[tuple[Network, ...], Field(max_length=1000)] = ()
    "Networks beside the public one that they may lead into, such as 10.1.0.0/16 for one's own runtimes."


class LimitsSettings(Section):
    """`[limits]`: bounds of the gateway itself; trunks, numbers and workspaces have theirs in the store."""

    max_call_seconds: Annotated[int, Field(ge=1, le=86_400)] = 5400
    "Longest call in seconds, whatever the agent version allows."
    calls_per_second: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 200.0
    "New calls a second on this gateway; further ones get 503, unless their source sends few."
    unacknowledged_calls: Annotated[int, Field(ge=1, le=100_000)] = 100
    "Answered calls of one source that may wait for their ACK; further calls of it get 503."
    shed_from_calls: Annotated[int, Field(ge=0, le=100_000)] = 50
    "Running calls from which on new ones are refused for that: fewer are late by what else the machine does."
    shed_late_ms: Annotated[float, Field(ge=2, le=1000, allow_inf_nan=False)] = 10.0
    "Milliseconds by which audio is late, for half a second on average, from which on new calls get 503."
    unsaved_calls: Annotated[int, Field(ge=100, le=1_000_000)] = 5000
    "Call records held in memory while the database is away; the rest waits in the journal on disk."
    cached_tables: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    "Dialled numbers whose routing table is kept in memory."


class TenantsSettings(Section):
    """`[tenants]`: what a workspace may have, as far as its own keys and accounts make it.

    The operator's command line and seed file may make more; what is there already stays.
    """

    trunks: Annotated[int, Field(ge=1, le=100_000)] = 1000
    "Trunks of a workspace, those of linked numbers too."
    networks: Annotated[int, Field(ge=1, le=100_000)] = 2000
    "Networks and addresses in the source lists of all of a workspace's trunks."
    networks_per_trunk: Annotated[int, Field(ge=1, le=1000)] = 256
    "Networks and addresses in the source list of one trunk."
    least_ipv4_prefix: Annotated[int, Field(ge=1, le=32)] = 16
    "Least prefix length of an IPv4 network in a source list."
    least_ipv6_prefix: Annotated[int, Field(ge=1, le=128)] = 32
    "Least prefix length of an IPv6 network in a source list."
    numbers: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    "Phone numbers of a workspace."
    agents: Annotated[int, Field(ge=1, le=100_000)] = 500
    "Agents of a workspace."
    versions: Annotated[int, Field(ge=1, le=100_000)] = 1000
    "Versions of one agent, drafts too."
    keys: Annotated[int, Field(ge=1, le=10_000)] = 100
    "API keys of a workspace that are not revoked."
    webhooks: Annotated[int, Field(ge=1, le=1000)] = 20
    "Webhooks of a workspace."
    batches: Annotated[int, Field(ge=1, le=10_000)] = 50
    "Batches of a workspace that are not over: drafts, scheduled, waiting, running and paused ones."
    do_not_call: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000_000
    "Numbers on a workspace's do-not-call list."


class WebhookSettings(Section):
    """`[webhooks]`: telling others of calls over HTTP."""

    retries: Annotated[int, Field(ge=0, le=10)] = 3
    "Further attempts at a delivery that was not answered with 2xx."
    retry_seconds: Seconds = 5.0
    "Seconds before the second attempt; six times as long before each further one."
    timeout_ms: Annotated[int, Field(ge=1000, le=60_000)] = 10_000
    "Milliseconds that a receiver has to answer."
    allow_http: Literal["yes", "no"] = "no"
    "Whether addresses may begin with http:// too: yes or no."
    allow_private: Literal["yes", "no"] = "no"
    "Whether webhooks may lead anywhere, whatever security.allow_private says: yes or no."
    log_days: Annotated[int, Field(ge=1, le=3650)] = 30
    "Days for which finished deliveries stay in the log."


class DemoSettings(Section):
    """`[demo]`: a workspace to try things with."""

    seed: OptionalPath = None
    "TOML file that fills an empty database at start, such as config/demo.toml. Empty: nothing is filled in."


class Config(Section):
    """The whole configuration. `gateway.config.loading.load_config` reads and completes it."""

    gateway: GatewaySettings = GatewaySettings()
    log: LogSettings = LogSettings()
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    outbound: OutboundSettings = OutboundSettings()
    batch: BatchSettings = BatchSettings()
    billing: BillingSettings = BillingSettings()
    http: HttpSettings = HttpSettings()
    web: WebSettings = WebSettings()
    web_calls: WebCallsSettings = WebCallsSettings()
    store: StoreSettings = StoreSettings()
    agents: AgentsSettings = AgentsSettings()
    mqtt: MqttSettings = MqttSettings()
    recordings: RecordingsSettings = RecordingsSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitsSettings = LimitsSettings()
    providers: ProvidersSettings = ProvidersSettings()
    provisioning: ProvisioningSettings = ProvisioningSettings()
    tenants: TenantsSettings = TenantsSettings()
    webhooks: WebhookSettings = WebhookSettings()
    demo: DemoSettings = DemoSettings()

    @model_validator(mode="after")
    def _provider_has_its_account(self) -> "Config":
        plivo = self.providers.plivo
        if self.provisioning.provider == "plivo" and not (plivo.auth_id and plivo.auth_token):
            raise ValueError(
                "auth_id and auth_token of [providers.plivo] should be set: [provisioning] provider is plivo"
            )
        return self

    @property
    def store_url(self) -> URL:
        """The database's URL with its driver; the password in it shows only in `render_as_string(False)`."""
        text = self.store.url.get_secret_value()
        return parse_store_url(text or f"sqlite:///{self.gateway.data_dir / 'trunkline.db'}")

    @property
    def reaches_private(self) -> bool:
        """Whether tenants may make us connect anywhere."""
        chosen = self.security.allow_private
        return self.demo.seed is not None if chosen == "auto" else chosen == "yes"

    @property
    def key_file(self) -> Path:
        """Where the encryption key is read from, or made, when the configuration does not hold it."""
        return self.security.key_file or self.gateway.data_dir / "secret.key"

    @property
    def recordings_folder(self) -> Path:
        """Where recordings are kept."""
        return self.recordings.folder or self.gateway.data_dir / "recordings"

    @property
    def sound_folders(self) -> tuple[Path, ...]:
        """Where the sounds are that tenants may name."""
        return self.media.sound_folders or (self.gateway.data_dir / "sounds",)

    @property
    def name_file(self) -> Path:
        """What the process that has the gateway's name has locked."""
        return self.gateway.data_dir / f"gateway-{self.gateway.name}.lock"

    @property
    def journal_file(self) -> Path:
        """Where call records wait while the database is away."""
        return self.gateway.data_dir / f"calls-{self.gateway.name}.jsonl"

    @property
    def token_file(self) -> Path:
        """What `gateway tail` and its kin show to be let in: made at the first start."""
        return self.gateway.data_dir / "operator.token"

    @property
    def outbox_file(self) -> Path:
        """Where messages wait while the MQTT broker is away."""
        return self.gateway.data_dir / f"mqtt-{self.gateway.name}.queue"

    @property
    def upload_folder(self) -> Path:
        """Where files lie while they are received and read; empty at each start."""
        return self.gateway.data_dir / f"uploads-{self.gateway.name}"

    @property
    def kept_folder(self) -> Path:
        """Where files lie that people look at on the dashboard before they make batches of them; likewise."""
        return self.gateway.data_dir / f"kept-{self.gateway.name}"
