"""The section of the configuration that is about the MQTT broker: see `gateway.config.settings`."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from gateway.config.setting_types import (
    OptionalPath,
    OptionalSecret,
    Section,
    check_broker_url,
    check_prefix,
)


class MqttSettings(Section):
    """`[mqtt]`: an MQTT 5 broker, for requests and events. Off unless `url` is set."""

    url: Annotated[str, AfterValidator(check_broker_url)] = ""
    "mqtt://host:1883, or mqtts://host:8883 for TLS. Empty: no MQTT."
    ca: OptionalPath = None
    "PEM file with the authorities of the broker's certificate. Empty: those of the system."
    certificate: OptionalPath = None
    "PEM file with our own certificate chain, where the broker asks for one."
    private_key: OptionalPath = None
    "PEM file with that certificate's private key."
    username: Annotated[str, Field(max_length=1024)] = ""
    "User name for the broker. Empty: none is given."
    password: OptionalSecret = None
    "Password for the broker. Better kept in the environment than in this file."
    client_id: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    "Client identifier; no two clients of a broker may share one. Empty: trunkline- and gateway.name."
    prefix: Annotated[str, AfterValidator(check_prefix)] = "trunkline"
    "What all topics begin with."
    share_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "trunkline"
    "Group of the shared subscription: gateways in one group share the requests between them."
    workspaces: tuple[str, ...] = ()
    "Ids of workspaces whose requests need no API key, since the broker's access rules vouch for them."
    requests_at_once: Annotated[int, Field(ge=0, le=1000)] = 20
    "Requests that the broker may give this gateway before it has answered one. 0: it takes none."
    wait_seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 10.0
    "Seconds that a request waits while a limit is reached, before it is answered with 429."
    max_request_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = 65_536
    "Bytes of the largest request."
    session_seconds: Annotated[int, Field(ge=0, le=4_294_967_295)] = 86_400
    "Seconds for which the broker keeps requests for this gateway while it is away."
    keepalive_seconds: Annotated[int, Field(ge=5, le=3600)] = 30
    "Seconds between signs of life; the last will goes out after one and a half times as long without one."
    queue_events: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000
    "Messages that wait on disk while the broker is away; of more, the oldest are dropped."
    queue_bytes: Annotated[int, Field(ge=65_536, le=17_179_869_184)] = 67_108_864
    "Bytes of them."

    @model_validator(mode="after")
    def _files_fit(self) -> "MqttSettings":
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key should be given together, or neither")
        if (self.ca or self.certificate) and self.url.startswith("mqtt:"):
            raise ValueError("ca, certificate and private_key are for mqtts:// alone")
        if self.password is not None and not self.username:
            raise ValueError("password should come with a username")
        return self

    @property
    def address(self) -> tuple[str, int, bool]:
        """Host and port of the broker, and whether it is TLS; asked only where `url` is set."""
        parts = urlsplit(self.url)
        tls = parts.scheme == "mqtts"
        return parts.hostname or "", parts.port or (8883 if tls else 1883), tls
