"""Where calls take their places under every limit: of this process alone, or shared by several."""

from collections.abc import Sequence
from typing import Protocol

from gateway.routing.decision import Decision
from gateway.routing.limits import Claim, Lease, Limits
from gateway.routing.table import Trunk


class Places(Protocol):
    """Gives calls their places, all or none."""

    async def take(
        self,
        claims: Sequence[Claim],
        trunk: Trunk | None,
        decision: Decision,
        now: float,
        *,
        burst_seconds: float,
        patience: float = 0.0,
    ) -> Lease:
        """See `Limits.take`; what the lease gives back need not be awaited."""
        ...


class OwnPlaces:
    """The counters of this process, which are asked without waiting."""

    def __init__(self) -> None:
        self._limits = Limits()

    async def take(
        self,
        claims: Sequence[Claim],
        trunk: Trunk | None,
        decision: Decision,
        now: float,
        *,
        burst_seconds: float,
        patience: float = 0.0,
    ) -> Lease:
        """Take all places or none; raises `Rejected`."""
        return self._limits.take(claims, trunk, decision, now, burst_seconds=burst_seconds, patience=patience)
