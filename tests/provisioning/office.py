"""Purchasing at a simulated provider, in a time that the test moves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.config.provider_settings import ProvisioningSettings
from gateway.providers.simulated import Simulated
from gateway.provisioning.market import Market
from gateway.provisioning.purchase import Order, Purchasing
from gateway.provisioning.release import Releasing
from gateway.provisioning.rentals import Rentals
from gateway.store.sql import SqlStore

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Office:
    """Everything that buys and looks after numbers, and what it told."""

    there: Any
    workspace_id: str
    provider: Simulated
    purchasing: Purchasing
    releasing: Releasing
    rentals: Rentals
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    now: datetime = START

    def wait(self, seconds: float = 0, *, days: float = 0) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds, days=days)

    def order(self, number: str = "+12025550110", **differing: Any) -> Order:
        """An order of the furnished workspace."""
        fields = {"country_iso": "US", "by": "test", **differing}
        return Order(self.workspace_id, number, **fields)

    def names(self) -> list[str]:
        """The events that were told so far."""
        return [name for name, _ in self.told]


def open_office(
    store: SqlStore, workspace_id: str, provider: Simulated | None = None, **settings: Any
) -> Office:
    """An office at a store; a provider of one's own is shared between offices, as between processes."""
    office: Office

    def tell(name: str, /, *, level: str = "info", **fields: Any) -> None:
        office.told.append((name, {"level": level, **fields}))

    provider = provider or Simulated(lambda: office.now)
    chosen = ProvisioningSettings(provider="simulated", **settings)
    market = Market(provider, chosen.prices)
    purchasing = Purchasing(chosen, "gw-1", store.configuration, market, tell, lambda: office.now)
    office = Office(
        store.configuration, workspace_id, provider, purchasing, Releasing(purchasing), Rentals(purchasing)
    )
    return office
