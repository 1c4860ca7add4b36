"""`/v1/organization-phone-numbers`: the numbers of a workspace, searching, buying, linking, giving back."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from gateway.api.calls import json
from gateway.api.description import answers, beside_words, in_path
from gateway.api.keys import Caller, KeyGate
from gateway.api.refusal import Problem, invalid, not_found
from gateway.api.shapes.number import (
    WAYS,
    Country,
    LinkBody,
    NumberChange,
    NumberItem,
    NumberPage,
    OfferPage,
    PurchaseBody,
    Purchased,
    Share,
    number_item,
)
from gateway.api.shapes.page import Limit, Page, paged
from gateway.call.record import utc_now
from gateway.providers.protocol import NumberType, Wanted
from gateway.provisioning.carrier_side import CarrierSide
from gateway.provisioning.checklist import checklist
from gateway.provisioning.counter import Counter
from gateway.provisioning.linking import Link, Linking
from gateway.provisioning.market import offers_of
from gateway.provisioning.purchase import Order
from gateway.routing.plan import NumberingPlan
from gateway.routing.table import NumberStatus, PhoneNumber, Secret
from gateway.store.configuration.number_list import NumberFilter
from gateway.store.engine.errors import NotFound
from gateway.store.sql import SqlStore

NUMBER_ID = re.compile(r"^phn_[0-9A-Za-z_]{1,40}$")
NumberId = Annotated[str, in_path("a number", "phn_01m85m1gbt83exwnbdjt8m8z3n", NUMBER_ID)]
WORDS = frozenset({"carrier-setup", "plivo-numbers", "purchase", "readiness", "sip-trunks", "upload"})
"What a path can have in the place of a number."
NOT_FOUND = "Phone number"
MESSAGES = {
    NumberStatus.ACTIVE: "Phone number purchased successfully",
    NumberStatus.PENDING: "Phone number purchased; it becomes active when the provider has what it waits for",
    NumberStatus.UNAVAILABLE: "Phone number purchased earlier; it is unavailable",
}
BOUGHT: dict[int | str, dict[str, Any]] = {
    200: {"model": Purchased, "description": "The number, which an earlier request of this kind bought"},
    **answers(400, 403, 409, 502),
}
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="The same key never buys twice; without one, the number itself serves as the key.",
    ),
]


@dataclass(frozen=True, slots=True)
class NumberParts:
    """What the routes about numbers are made of."""

    store: SqlStore
    counter: Counter
    linking: Linking
    plan: NumberingPlan
    carrier_side: CarrierSide

    async def own(self, number_id: str, caller: Caller) -> PhoneNumber:
        """A number of the caller's workspace; raises `Declined` with 400 or 404."""
        if NUMBER_ID.fullmatch(number_id) is None:
            problem = Problem("id", number_id[:200], "should be phn_ and 26 characters")
            raise invalid(problem, message="Invalid phone number ID format")
        try:
            number = await self.store.configuration.numbers.get(number_id)
        except NotFound:
            raise not_found(NOT_FOUND) from None
        if number.workspace_id != caller.workspace_id:
            raise not_found(NOT_FOUND)
        return number

    async def shown(self, number: PhoneNumber) -> dict[str, Any]:
        """A number as the API shows it."""
        labels = await self.store.number_list.labels(number.workspace_id)
        return number_item(number, self.plan, labels)


ByNumber = beside_words(WORDS)


def numbers(gate: KeyGate, parts: NumberParts) -> APIRouter:
    """The routes about numbers."""
    prefix = "/v1/organization-phone-numbers"
    router = APIRouter(prefix=prefix, tags=["phone numbers"], route_class=ByNumber)
    _reading(router, gate, parts)
    _getting(router, gate, parts)
    _changing(router, gate, parts)
    return router


def _reading(router: APIRouter, gate: KeyGate, parts: NumberParts) -> None:
    """What is only looked at: numbers, and what could be bought.

    Long, since each route stands in it as a function of its own.
    """

    @router.get("", response_model=NumberPage, responses=answers(400))
    async def list_numbers(
        caller: Annotated[Caller, Depends(gate)],
        limit: Limit = 20,
        page: Page = 1,
        search: Annotated[str, Query(max_length=64, description="Part of a number or nickname.")] = "",
    ) -> Response:
        """The workspace's numbers, oldest first; `search` takes part of a number or nickname."""
        which = NumberFilter(caller.workspace_id, text=search, limit=limit, offset=(page - 1) * limit)
        found = await parts.store.number_list.page(which)
        labels = await parts.store.number_list.labels(caller.workspace_id)
        items = [number_item(number, parts.plan, labels) for number in found.numbers]
        return paged(items, found.total, page, limit)

    @router.get("/plivo-numbers", response_model=OfferPage, responses=answers(400, 502))
    async def search_numbers(
        caller: Annotated[Caller, Depends(gate)],
        country_iso: Annotated[Country, Query(description="`US`, `IN`, …")],
        kind: Annotated[NumberType | None, Query(alias="type", description="Of which kind.")] = None,
        region: Annotated[str | None, Query(max_length=64, description="As the provider names it.")] = None,
        pattern: Annotated[
            str | None,
            # For the description alone: what is no digit is refused where the dashboard's search is too.
            Query(
                max_length=15, description="Digits in the number.", json_schema_extra={"pattern": "^[0-9]*$"}
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=20, description="Of one page.")] = 20,
        offset: Annotated[int, Query(ge=0, le=100_000, description="Numbers to skip.")] = 0,
    ) -> Response:
        """Numbers that can be bought from the provider that is set up."""
        wanted = Wanted(country_iso, kind, region, pattern, limit, offset)
        found = await parts.counter.market.search(wanted)
        objects = [_offer(row) for row in offers_of(found)]
        return json({"api_id": str(uuid.uuid4()), "objects": objects, "meta": {"total_count": found.total}})

    @router.get("/readiness", response_model=dict[str, Any], responses=answers(400, 502))
    async def check_readiness(
        caller: Annotated[Caller, Depends(gate)],
        country_iso: Annotated[Country, Query(description="`US`, `IN`, …")],
        kind: Annotated[NumberType, Query(alias="type", description="Of which kind.")] = NumberType.LOCAL,
    ) -> Response:
        """What has to be in place before a number of a country can be bought, and before it is active."""
        workspace = await parts.store.configuration.workspaces.get(caller.workspace_id)
        found = await parts.counter.market.readiness(workspace, country_iso, kind)
        return json(found.as_dict())

    @router.get("/carrier-setup", response_model=dict[str, Any], responses=answers())
    async def get_carrier_setup(caller: Annotated[Caller, Depends(gate)]) -> Response:
        """What to set on the carrier's side of a SIP trunk: our addresses, media ports and codecs."""
        rate = await parts.linking.flat_rate(caller.workspace_id)
        amount = None if rate.per_minute is None else str(rate.per_minute)
        flat = {"per_minute": amount, "currency": rate.currency, "shown": str(rate)}
        return json({**parts.carrier_side.as_dict(), "flat_rate": flat})

    @router.get("/{number_id}", response_model=NumberItem, responses=answers(400, 404))
    async def get_number(number_id: NumberId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """One number."""
        return json(await parts.shown(await parts.own(number_id, caller)))

    @router.get("/{number_id}/checklist", response_model=list[dict[str, Any]], responses=answers(400, 404))
    async def check_number(number_id: NumberId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """The steps before production: what is done, what is missing, what mends it."""
        number = await parts.own(number_id, caller)
        return json([item.as_dict() for item in await checklist(parts.store, number, utc_now())])


def _offer(row: dict[str, Any]) -> dict[str, Any]:
    """As the reference passes on what Plivo says: the number without its plus, and E.164 beside it."""
    return {**row, "number": row["number"].removeprefix("+"), "number_format": row["number"]}


def _getting(router: APIRouter, gate: KeyGate, parts: NumberParts) -> None:
    """How a number comes: bought, or linked by a trunk.

    Long, since each route stands in it as a function of its own.
    """

    @router.post("/purchase", status_code=201, response_model=Purchased, responses=BOUGHT)
    async def buy_number(
        body: PurchaseBody, caller: Annotated[Caller, Depends(gate)], idempotency_key: Key = None
    ) -> Response:
        """Buy a number. Asking again, after a time-out for one, never buys twice."""
        order = Order(
            workspace_id=caller.workspace_id,
            number=body.phone_number,
            country_iso=body.country_iso,
            by=caller.by,
            provider=body.telephony_provider_id,
            key=idempotency_key,
            nickname=body.nickname,
        )
        bought = await parts.counter.purchasing.buy(order)
        number = bought.number
        said = {
            "phoneNumber": number.e164,
            "status": number.status.value,
            "message": MESSAGES[number.status],
            "organizationPhoneNumber": await parts.shown(number),
        }
        return json(said, 200 if bought.again else 201)

    @router.post("/sip-trunks", status_code=201, response_model=NumberItem, responses=answers(400, 409, 502))
    async def link_trunk(body: LinkBody, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Link a number of your own by a SIP trunk. The connection is tested first; nothing is half saved."""
        linked = await parts.linking.link(_link(body, caller))
        return json(await parts.shown(linked.number), 201)

    @router.post("/sip-trunks/test", response_model=dict[str, Any], responses=answers(400))
    async def try_trunk(body: LinkBody, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Test the connection of a link without saving it: each step, and what to do about it."""
        return json((await parts.linking.try_link(_link(body, caller))).as_dict())

    @router.post("/{number_id}/trunk-test", response_model=dict[str, Any], responses=answers(400, 404))
    async def try_number_trunk(number_id: NumberId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Test the connection of a number's SIP trunk, with the credentials that are saved."""
        number = await parts.own(number_id, caller)
        if number.trunk_id is None:
            raise not_found("SIP trunk")
        trunk = await parts.store.configuration.trunks.get(number.trunk_id)
        return json((await parts.linking.trials.try_trunk(trunk)).as_dict())


def _link(body: LinkBody, caller: Caller) -> Link:
    password = body.sip_trunk_password
    return Link(
        workspace_id=caller.workspace_id,
        number=body.phone_number,
        termination_uri=body.termination_uri,
        by=caller.by,
        auth_mode=body.auth_mode,
        username=body.sip_trunk_user_name or None,
        password=Secret(password) if password else None,
        nickname=body.nickname or "",
        transport=body.transport,
        sources=tuple(body.sources),
    )


def _changing(router: APIRouter, gate: KeyGate, parts: NumberParts) -> None:
    @router.patch("/{number_id}", response_model=NumberItem, responses=answers(400, 404, 409))
    async def change_number(
        number_id: NumberId, body: NumberChange, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Change who answers, who dials, or what the number is called; from the next call on."""
        number = await parts.own(number_id, caller)
        fields = await _fields(parts, body, caller)
        changed = await parts.store.configuration.numbers.change(number.id, fields, caller.by)
        return json(await parts.shown(changed))

    @router.delete("/{number_id}", response_model=dict[str, Any], responses=answers(400, 404, 409))
    async def release_number(number_id: NumberId, caller: Annotated[Caller, Depends(gate)]) -> Response:
        """Give a number back, or take it off its trunk. Nothing is routed to it from now on."""
        number = await parts.own(number_id, caller)
        purchase = await parts.counter.releasing.release(number.id, caller.by)
        message = "Phone number released"
        if purchase is not None and purchase.due_at is not None:
            message = "Phone number released; the provider is told as soon as it answers"
        return json({"id": number.id, "phone_number": number.e164, "message": message})


async def _fields(parts: NumberParts, body: NumberChange, caller: Caller) -> dict[str, Any]:
    """The fields to change: those that stand in the request, null among them."""
    given = body.model_fields_set
    fields: dict[str, Any] = {}
    if {"nickname", "label"} & given:
        fields["nickname"] = (body.nickname if "nickname" in given else body.label) or ""
    if body.is_default is not None:
        fields["is_default"] = body.is_default
    for direction, (agent, version, split) in WAYS.items():
        ways = [name for name in (agent, version, split) if name in given]
        if len(ways) > 1:
            raise invalid(Problem(ways[1], None, f"should not stand beside {ways[0]}"))
        if agent in given:
            latest = await _latest(parts, getattr(body, agent), caller)
            fields |= {f"{direction}_version_id": latest, f"{direction}_latest": latest is not None}
        elif version in given:
            fields[f"{direction}_version_id"] = getattr(body, version) or None
        elif ways:
            fields |= _split(direction, getattr(body, split) or [])
    return fields


def _split(direction: str, shares: Sequence[Share]) -> dict[str, Any]:
    """The heaviest version stands for all of them where only one is shown."""
    heaviest = max(shares, key=lambda share: share.weight, default=None)
    return {
        f"{direction}_version_id": None if heaviest is None else heaviest.agent_version_id,
        f"{direction}_split": tuple((share.agent_version_id, share.weight) for share in shares),
    }


async def _latest(parts: NumberParts, agent_id: str | None, caller: Caller) -> str | None:
    """The latest published version of one of the caller's agents; None for none."""
    if not agent_id:
        return None
    agents = parts.store.configuration.agents
    own = await agents.list_all(caller.workspace_id)
    if agent_id not in {agent.id for agent in own}:
        raise not_found("Agent")
    return (await agents.find_version(agent_id, caller.workspace_id)).id
