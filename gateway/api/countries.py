"""`/v1/phone-country-rules` and `/v1/phone-number-pricing`: where calls may go, and what a number costs."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import json
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.routing.groups import opened_by_country
from gateway.routing.plan import Country, NumberingPlan
from gateway.store.configuration.workspaces import Workspaces

SHAPE = ConfigDict(use_attribute_docstrings=True)


class PhoneCountryRule(BaseModel):
    """A country that can be enabled."""

    model_config = SHAPE

    id: Annotated[str, Field(examples=["IN"])]
    "The ISO code once more."
    country_iso: Annotated[str, Field(examples=["IN"])]
    "ISO 3166 code."
    country_name: Annotated[str, Field(examples=["India"])]
    "In English."
    calling_code: Annotated[str, Field(examples=["91"])]
    "Digits, without a plus."
    max_length: int | None
    "Digits after the calling code, at most; null: what the numbering plan allows."
    prefixes: list[str]
    "Digits after the calling code by which the country is told from others with the same one."
    is_deleted: bool
    "Always false."


class EnabledCountry(BaseModel):
    """A country as the enabled network groups open it."""

    model_config = SHAPE

    country_iso: str
    "ISO 3166 code."
    country_name: str
    "In English."
    calling_code: str
    "Digits, without a plus."
    prefixes: list[str]
    "Digits after the calling code that may be called; none: the whole country."


class EnabledRule(BaseModel):
    """All enabled network groups of one country, added up."""

    model_config = SHAPE

    prefix_mode: str
    "Always `allow_only_listed`."
    from_phone_number_country_code: str | None
    "Always null: the caller's country decides nothing."
    country_rule: Annotated[EnabledCountry, Field(alias="countryRule")]
    "The country, and what of it."


class NumberPrice(BaseModel):
    """What a number of a country costs a month; calls are priced apart."""

    model_config = SHAPE

    telephony_provider_id: str
    "Who sells the numbers."
    country_iso: str
    "ISO 3166 code."
    country_name: str
    "In English."
    credit_cost: Annotated[str, Field(examples=["500.0000"])]
    "A month, in the workspaces' currency."


def countries(
    gate: KeyGate, plan: NumberingPlan, workspaces: Workspaces, provider: str, prices: Mapping[str, Decimal]
) -> APIRouter:
    """The routes about countries."""
    router = APIRouter(prefix="/v1", tags=["countries"])
    by_iso = {country.iso: country for country in plan.countries}

    @router.get("/phone-country-rules/countries", response_model=list[PhoneCountryRule], responses=answers())
    async def list_countries(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Every country of the numbering plan."""
        return json([_rule(country) for country in plan.countries])

    @router.get(
        "/phone-country-rules/enabled-network-groups", response_model=list[EnabledRule], responses=answers()
    )
    async def list_enabled_groups(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Where this workspace may call: one rule a country, its enabled network groups added up."""
        workspace = await workspaces.get(caller.workspace_id)
        opened = opened_by_country(workspace.network_groups)
        return json([_enabled(by_iso[iso], prefixes) for iso, prefixes in opened.items() if iso in by_iso])

    @router.get("/phone-number-pricing", response_model=list[NumberPrice], responses=answers())
    async def list_number_prices(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """The monthly prices of numbers by country, as far as the operator has set any."""
        rows = [
            {
                "telephony_provider_id": provider,
                "country_iso": iso,
                "country_name": by_iso[iso].name if iso in by_iso else iso,
                "credit_cost": f"{price:.4f}",
            }
            for iso, price in sorted(prices.items())
        ]
        return json(rows)

    return router


def _rule(country: Country) -> dict[str, object]:
    return {
        "id": country.iso,
        "country_iso": country.iso,
        "country_name": country.name,
        "calling_code": country.calling_code,
        "max_length": country.max_length,
        "prefixes": list(country.prefixes),
        "is_deleted": False,
    }


def _enabled(country: Country, prefixes: list[str]) -> dict[str, object]:
    return {
        "prefix_mode": "allow_only_listed",
        "from_phone_number_country_code": None,
        "countryRule": {
            "country_iso": country.iso,
            "country_name": country.name,
            "calling_code": country.calling_code,
            "prefixes": prefixes,
        },
    }
