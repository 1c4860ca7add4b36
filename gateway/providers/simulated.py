"""A provider for the demo and the tests: numbers that are kept free for examples, no money, no network.

It behaves as real ones do: a number is gone once it is bought, some become active only after a while, a
release gives it back. What it knows is in its memory, unless it is given a file.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from gateway.providers.protocol import (
    NumberGone,
    NumberType,
    Offer,
    Offers,
    ProviderError,
    Rental,
    RentalState,
    Requirement,
    Wanted,
)

RENTAL_DAYS = 30


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers that some authority keeps free for examples and films."""

    country_iso: str
    type: NumberType
    region: str
    first: str
    "E.164 of the first number; the others follow."
    count: int
    monthly_rate: Decimal
    setup_rate: Decimal = Decimal(0)
    proofs: tuple[Requirement, ...] = ()
    "Where there are any, a number stays pending for `Simulated.pending_seconds`."


RANGES = (
    Range("US", NumberType.LOCAL, "Washington, District of Columbia", "+12025550110", 60, Decimal("0.80")),
    Range("US", NumberType.LOCAL, "Los Angeles, California", "+12135550100", 80, Decimal("0.80")),
    Range("US", NumberType.TOLLFREE, "United States", "+18005550100", 80, Decimal("1.00")),
    Range("CA", NumberType.LOCAL, "Toronto, Ontario", "+14165550100", 80, Decimal("0.80")),
    Range(
        "GB",
        NumberType.LOCAL,
        "London",
        "+442079460000",
        1000,
        Decimal("0.90"),
        proofs=(Requirement("Address in the United Kingdom", "Street, town and postcode of the user"),),
    ),
    Range("GB", NumberType.MOBILE, "United Kingdom", "+447700900000", 1000, Decimal("1.20")),
    Range(
        "AU",
        NumberType.MOBILE,
        "Australia",
        "+61491570006",
        10,
        Decimal("2.50"),
        Decimal("1.00"),
        (Requirement("Proof of identity", "A passport or driving licence of the user", upload=True),),
    ),
)
"NANP 555-01xx, Ofcom's drama numbers, and those of Australia's ACMA."


class Simulated:
    """Sells from `RANGES`; deterministic: the same search, the same numbers."""

    name = "simulated"

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        pending_seconds: float = 5.0,
        file: Path | None = None,
    ) -> None:
        """`pending_seconds` is how long proofs take; `file` keeps the rentals across restarts."""
        self._now = now
        self._pending = timedelta(seconds=pending_seconds)
        self._file = file
        self._rented: dict[str, datetime] = _read(file)
        self.failures: list[ProviderError] = []
        "What the next requests fail with, in order, before anything is done."
        self.late_failures: list[ProviderError] = []
        "The same, but after it is done: the answer that never arrived."

    async def search(self, wanted: Wanted) -> Offers:
        """Numbers of the ranges that fit and that nobody has."""
        self._fail(self.failures)
        rented = self._rentals()
        offers = [offer for each in RANGES for offer in _offers(each, wanted) if offer.number not in rented]
        return Offers(tuple(offers[wanted.offset : wanted.offset + wanted.limit]), len(offers))

    async def requirements(self, country_iso: str, kind: NumberType) -> Sequence[Requirement]:
        """The proofs of the first range that fits."""
        self._fail(self.failures)
        fitting = (each for each in RANGES if (each.country_iso, each.type) == (country_iso.upper(), kind))
        return next((each.proofs for each in fitting), ())

    async def buy(self, number: str) -> Rental:
        """Rent one of the ranges' numbers."""
        self._fail(self.failures)
        if _range_of(number) is None or number in self._rentals():
            raise NumberGone(f"{number} is not on offer any more: search again and choose another")
        self._rented[number] = self._now()
        self._write()
        self._fail(self.late_failures)
        return self._rental(number)

    async def rental(self, number: str) -> Rental | None:
        """What is rented under this number."""
        self._fail(self.failures)
        return self._rental(number) if number in self._rentals() else None

    async def rentals(self) -> Sequence[Rental]:
        """Everything that is rented."""
        self._fail(self.failures)
        return [self._rental(number) for number in self._rentals()]

    async def route(self, number: str) -> None:
        """Nothing to do: nobody calls these numbers from outside."""
        self._fail(self.failures)

    async def release(self, number: str) -> None:
        """Give it back."""
        self._fail(self.failures)
        if self._rentals().pop(number, None) is not None:
            self._write()
        self._fail(self.late_failures)

    async def close(self) -> None:
        """Nothing to do."""

    def _rental(self, number: str) -> Rental:
        bought = self._rented[number]
        known = _range_of(number)
        waits = known is not None and bool(known.proofs) and self._now() < bought + self._pending
        months = max(0, (self._now() - bought).days // RENTAL_DAYS) + 1
        rental = Rental(number, RentalState.ACTIVE, bought + timedelta(days=RENTAL_DAYS * months))
        return replace(rental, state=RentalState.PENDING, detail="proofs are being read") if waits else rental

    def _rentals(self) -> dict[str, datetime]:
        # Another process, the command line for one, may have bought meanwhile.
        if self._file is not None:
            self._rented = _read(self._file)
        return self._rented

    def _write(self) -> None:
        if self._file is None:
            return
        scratch = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps({number: at.isoformat() for number, at in self._rented.items()}))
        scratch.replace(self._file)

    def _fail(self, failures: list[ProviderError]) -> None:
        if failures:
            raise failures.pop(0)


def _read(file: Path | None) -> dict[str, datetime]:
    if file is None or not file.exists():
        return {}
    return {number: datetime.fromisoformat(at) for number, at in json.loads(file.read_text()).items()}


def _offers(each: Range, wanted: Wanted) -> list[Offer]:
    region_fits = (wanted.region or "").lower() in each.region.lower()
    if each.country_iso != wanted.country_iso.upper() or wanted.type not in (None, each.type):
        return []
    if not region_fits:
        return []
    first = int(each.first)
    numbers = (f"+{first + step}" for step in range(each.count))
    return [_offer(each, number) for number in numbers if (wanted.pattern or "") in number]


def _offer(each: Range, number: str) -> Offer:
    restriction = ", ".join(proof.name for proof in each.proofs)
    return Offer(
        number,
        each.country_iso,
        each.type.value,
        each.region,
        each.monthly_rate,
        each.setup_rate,
        restriction=restriction,
    )


def _range_of(number: str) -> Range | None:
    if not number.removeprefix("+").isdecimal():
        return None
    return next((each for each in RANGES if 0 <= int(number) - int(each.first) < each.count), None)
