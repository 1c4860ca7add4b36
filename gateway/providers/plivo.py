"""Plivo as a number provider: its Numbers, Compliance and Zentrunk (SIP trunking) APIs, version 1.

Calls come to us by an inbound trunk of Zentrunk, whose origination URI is our signalling address. Both are
made where they are missing; a number is mapped to the trunk by giving its id as the number's `app_id`.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from gateway.config.provider_settings import PlivoSettings
from gateway.providers.plivo_http import PlivoApi, Sleep
from gateway.providers.protocol import (
    NumberGone,
    NumberType,
    Offer,
    Offers,
    ProviderAway,
    ProviderError,
    ProviderRefused,
    Rental,
    RentalState,
    Requirement,
    Wanted,
)

PAGE = 20
"What Plivo gives at most at a time."

MOST_PAGES = 1000
"Twenty thousand numbers: an account beyond that is read no further."

NAME = "Trunkline"
"What our origination URI and trunk are called in Plivo's console."

GONE = re.compile(r"not available|unavailable|already|not found|does not exist|no longer", re.IGNORECASE)
"Plivo's words for a number that somebody else has; it has no code for that."

NOT_ON_OFFER = "{number} is not on offer at Plivo any more ({words}): search again and choose another"
NO_ADDRESS = (
    "Plivo needs an address of this gateway that it can send calls to, and there is none: whoever runs the"
    " gateway has to set one"
)


class Plivo:
    """The numbers of one Plivo account."""

    name = "plivo"

    def __init__(self, settings: PlivoSettings, origination: str, sleep: Sleep = asyncio.sleep) -> None:
        """`origination` is where Plivo can send calls, `host:port;transport=tcp`; empty: nowhere."""
        self._api = PlivoApi(settings, sleep)
        self._origination = settings.origination or origination
        self._trunk_id = settings.inbound_trunk_id
        self._making_trunk = asyncio.Lock()

    async def search(self, wanted: Wanted) -> Offers:
        """Numbers that can take calls."""
        params = {
            "country_iso": wanted.country_iso.upper(),
            "type": wanted.type and wanted.type.value,
            "region": wanted.region or None,
            "pattern": wanted.pattern or None,
            "services": "voice",
            "limit": min(wanted.limit, PAGE),
            "offset": wanted.offset,
        }
        body = (await self._api.get("PhoneNumber/", params)).expect(200)
        offers = tuple(_offer(row, wanted.country_iso.upper()) for row in _objects(body))
        return Offers(offers, _count(_meta(body).get("total_count"), len(offers)))

    async def requirements(self, country_iso: str, kind: NumberType) -> Sequence[Requirement]:
        """The proofs for a business; Plivo has a list for some countries, and 404 or 400 for the rest."""
        params = {"country_iso": country_iso.upper(), "number_type": kind.value, "user_type": "business"}
        answer = await self._api.get("PhoneNumber/Compliance/Requirements/", params)
        if answer.status in (400, 404):
            return ()
        return tuple(map(_requirement, _tables(answer.expect(200).get("document_types"))))

    async def buy(self, number: str) -> Rental:
        """Rent a number and map it to our trunk, in one request."""
        trunk = await self._inbound_trunk()
        answer = await self._api.post(f"PhoneNumber/{_digits(number)}/", {"app_id": trunk}, repeatable=False)
        if answer.status == 404 or (answer.status in (400, 409) and GONE.search(answer.words)):
            raise NumberGone(NOT_ON_OFFER.format(number=number, words=answer.words))
        bought = _bought(number, answer.expect(200, 201, 202))
        # The renewal date stands in the number itself; the number is ours whether it can be read now or not.
        with suppress(ProviderError):
            return await self.rental(number) or bought
        return bought

    async def rental(self, number: str) -> Rental | None:
        """The number as it stands in the account."""
        answer = await self._api.get(f"Number/{_digits(number)}/")
        return None if answer.status == 404 else _rental(answer.expect(200))

    async def rentals(self) -> Sequence[Rental]:
        """All numbers of the account, page by page."""
        rentals: list[Rental] = []
        for page in range(MOST_PAGES):
            answer = await self._api.get("Number/", {"limit": PAGE, "offset": page * PAGE})
            rows = _objects(answer.expect(200))
            rentals += [_rental(row) for row in rows]
            if len(rows) < PAGE:
                break
        return rentals

    async def route(self, number: str) -> None:
        """Map a number to our trunk."""
        trunk = await self._inbound_trunk()
        answer = await self._api.post(f"Number/{_digits(number)}/", {"app_id": trunk}, repeatable=True)
        answer.expect(200, 202)

    async def release(self, number: str) -> None:
        """Unrent a number; one that the account does not have is given back already."""
        answer = await self._api.delete(f"Number/{_digits(number)}/")
        if answer.status != 404:
            answer.expect(200, 202, 204)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def _inbound_trunk(self) -> str:
        """The id of the trunk that sends calls to us, found or made once."""
        async with self._making_trunk:
            if not self._trunk_id:
                uri = await self._origination_uri()
                self._trunk_id = await self._trunk_to(uri)
        return self._trunk_id

    async def _origination_uri(self) -> str:
        if not self._origination:
            raise ProviderRefused(NO_ADDRESS)
        for row in await self._all("Zentrunk/URI/"):
            if row.get("uri") == self._origination and not row.get("authentication_needed"):
                return _id(row, "uri_uuid")
        body = {"name": NAME, "uri": self._origination}
        made = (await self._api.post("Zentrunk/URI/", body, repeatable=False)).expect(200, 201)
        return _id(made, "uri_uuid")

    async def _trunk_to(self, uri: str) -> str:
        for row in await self._all("Zentrunk/Trunk/", trunk_direction="inbound"):
            if row.get("primary_uri_uuid") == uri and row.get("trunk_status") == "enabled":
                return _id(row, "trunk_id")
        body = {
            "name": NAME,
            "trunk_direction": "inbound",
            "trunk_status": "enabled",
            "primary_uri_uuid": uri,
        }
        made = (await self._api.post("Zentrunk/Trunk/", body, repeatable=False)).expect(200, 201)
        return _id(made, "trunk_id")

    async def _all(self, path: str, **params: str) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        for page in range(MOST_PAGES):
            answer = await self._api.get(path, {**params, "limit": PAGE, "offset": page * PAGE})
            fresh = _objects(answer.expect(200))
            rows += fresh
            if len(fresh) < PAGE:
                break
        return rows


def _digits(number: str) -> str:
    """Plivo writes E.164 without the plus."""
    return number.removeprefix("+")


def _objects(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _tables(body.get("objects"))


def _tables(value: object) -> list[Mapping[str, Any]]:
    """The tables of a list; whatever else stands there is passed over."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _meta(body: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = body.get("meta")
    return meta if isinstance(meta, Mapping) else {}


def _count(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and value >= 0 else otherwise


def _id(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not value:
        raise ProviderAway(f"Plivo made what we asked for, but did not say its {name}: try again")
    return str(value)


def _offer(row: Mapping[str, Any], country_iso: str) -> Offer:
    return Offer(
        number=f"+{row.get('number')}",
        country_iso=country_iso,
        type=str(row.get("sub_type") or row.get("type") or ""),
        region=", ".join(str(part) for part in (row.get("city"), row.get("region")) if part),
        monthly_rate=_money(row.get("monthly_rental_rate")),
        setup_rate=_money(row.get("setup_rate")),
        voice=bool(row.get("voice_enabled")),
        sms=bool(row.get("sms_enabled")),
        mms=bool(row.get("mms_enabled")),
        restriction=str(row.get("restriction_text") or row.get("restriction") or ""),
    )


def _bought(number: str, body: Mapping[str, Any]) -> Rental:
    row: Mapping[str, Any] = next(iter(_tables(body.get("numbers"))), {})
    active = str(row.get("status", "")).lower() == "success"
    detail = "" if active else "Plivo waits for proofs; it has written to the account's email address"
    return Rental(number, RentalState.ACTIVE if active else RentalState.PENDING, detail=detail)


def _rental(row: Mapping[str, Any]) -> Rental:
    compliance = str(row.get("compliance_status") or "")
    proven = compliance.lower() in ("", "accepted")
    active = row.get("active") is not False and proven
    return Rental(
        number=f"+{row.get('number')}",
        state=RentalState.ACTIVE if active else RentalState.PENDING,
        renews_at=_day(row.get("renewal_date")),
        detail="" if active else _pending(compliance),
    )


def _pending(compliance: str) -> str:
    known = {
        "submitted": "Plivo reads the proofs",
        "rejected": "Plivo rejected the proofs: mend them in its console under Phone Numbers, Compliance",
    }
    fallback = "Plivo has not activated it: see its console under Phone Numbers, Compliance"
    return known.get(compliance.lower(), fallback)


def _requirement(row: Mapping[str, Any]) -> Requirement:
    fields = _tables(row.get("required_fields"))
    names = (field.get("friendly_name") or field.get("field_name") for field in fields)
    return Requirement(
        name=str(row.get("name") or row.get("document_type") or ""),
        about=str(row.get("description") or ""),
        upload=bool(row.get("proof_required")),
        fields=tuple(str(name) for name in names if name),
    )


def _money(value: object) -> Decimal:
    try:
        return Decimal(str(value or 0))
    except InvalidOperation:
        return Decimal(0)


def _day(value: object) -> datetime | None:
    """`2023-05-10`, in UTC."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
