"""The sections of the configuration that are about buying numbers: see `gateway.config.settings`."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.config.setting_types import OptionalSecret, Seconds, Section


class PlivoSettings(Section):
    """`[providers.plivo]`: the account that numbers are bought with."""

    auth_id: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9]*$")] = ""
    "Auth ID of the account, as on the overview page of Plivo's console."
    auth_token: OptionalSecret = None
    "Auth token of the account. Better kept in the environment than in this file."
    base_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+/?$")] = "https://api.plivo.com"
    "Where Plivo's API is."
    timeout_seconds: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 10.0
    "Seconds that one request may take."
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    "Attempts at a request that can be repeated without harm."
    origination: Annotated[str, Field(max_length=255, pattern=r"^[^\s@]*$")] = ""
    "Where Plivo sends calls: host:port;transport=tcp. Empty: the address that the first listener advertises."
    inbound_trunk_id: Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z-]*$")] = ""
    "Id of the inbound trunk at Plivo that numbers are mapped to. Empty: one is found or made."


class ProvidersSettings(Section):
    """`[providers.…]`: accounts with number providers."""

    plivo: PlivoSettings = PlivoSettings()
    "Plivo."


class ProvisioningSettings(Section):
    """`[provisioning]`: buying numbers, looking after them, linking trunks."""

    provider: Literal["none", "plivo", "simulated"] = "none"
    "Who numbers are bought from: none, plivo, or simulated (numbers kept free for examples, for trying)."
    prices: dict[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], Decimal] = Field(default_factory=dict)
    "Monthly price of a bought number by country. Where any is given, only these countries can be bought."
    sweep_seconds: Seconds = 30.0
    "Seconds between two looks at what is due: unsettled purchases, pending numbers, rentals, releases."
    settle_seconds: Seconds = 120.0
    "Seconds after which a purchase without an answer, unknown to the provider, counts as never made."
    pending_seconds: Seconds = 60.0
    "Seconds before a pending number is asked after; doubled each time, up to an hour."
    audit_seconds: Seconds = 3600.0
    "Seconds between two comparisons of our numbers with the provider's list."
    grace_days: Annotated[int, Field(ge=0, le=365)] = 30
    "Days after the end of a rental until the number counts as available for reassignment."
    test_before_linking: Literal["yes", "no"] = "yes"
    "Whether a trunk has to pass its connection test before it is linked: yes or no."
    trial_seconds: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 6.0
    "Seconds that each step of a connection test waits for an answer."

    @model_validator(mode="after")
    def _prices_make_sense(self) -> "ProvisioningSettings":
        for country, price in self.prices.items():
            if not price.is_finite() or price < 0:
                raise ValueError(f"the price for {country} should be an amount from 0 up, not {price}")
        return self
