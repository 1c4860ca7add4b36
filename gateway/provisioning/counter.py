"""Everything that is done with numbers, put together for whoever offers it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.config.settings import Config
from gateway.config.sip_settings import ListenerSettings
from gateway.providers.plivo import Plivo
from gateway.providers.protocol import NumberProvider
from gateway.providers.simulated import Simulated
from gateway.provisioning.market import Market
from gateway.provisioning.purchase import Purchasing
from gateway.provisioning.release import Releasing, Uses
from gateway.provisioning.rentals import Rentals
from gateway.routing.table import PhoneNumber
from gateway.sip.grammar import format_host_port
from gateway.store.configuration.nouns import Configuration
from gateway.tell import Tell

SIMULATED_FILE = "simulated-numbers.json"
"In the data directory: what was bought of the simulated provider."


@dataclass(frozen=True, slots=True)
class Counter:
    """Where numbers are bought, looked after and given back."""

    market: Market
    purchasing: Purchasing
    releasing: Releasing
    rentals: Rentals

    async def close(self) -> None:
        """Let go of the provider's connections."""
        if self.market.provider is not None:
            await self.market.provider.close()


def open_counter(
    config: Config, there: Configuration, tell: Tell, *uses: Uses, instance: str = ""
) -> Counter:
    """The counter of a configuration; `instance` names a process that is not the gateway itself."""
    market = Market(number_provider(config), config.provisioning.prices)
    instance = instance or config.gateway.name
    purchasing = Purchasing(config.provisioning, instance, there, market, tell)
    return Counter(market, purchasing, Releasing(purchasing, uses), Rentals(purchasing))


def number_provider(config: Config) -> NumberProvider | None:
    """The provider that the configuration chooses."""
    match config.provisioning.provider:
        case "plivo":
            return Plivo(config.providers.plivo, origination(config.sip.listeners))
        case "simulated":
            return Simulated(file=config.gateway.data_dir / SIMULATED_FILE)
        case "none":
            return None


def origination(listeners: Sequence[ListenerSettings]) -> str:
    """Where a provider can send calls: what the first listener advertises; empty where none could."""
    first = listeners[0]
    host = first.advertised_host or first.bind
    if host in ("localhost", "::1") or host.startswith("127."):
        return ""
    port = first.advertised_port or first.port or 5060
    return f"{format_host_port(host, port)};transport={first.transport}"


def running_calls(calls: Callable[[], Iterable[tuple[str, str | None]]]) -> Uses:
    """The calls of this gateway that use a number, some of which the database may not know yet.

    `calls` gives each running call's id, and the id of its number.
    """

    async def uses(number: PhoneNumber) -> list[str]:
        return [f"call {call_id}" for call_id, number_id in calls() if number_id == number.id]

    return uses
