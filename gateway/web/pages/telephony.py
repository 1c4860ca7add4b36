"""Telephony Config: where this workspace may call, what that costs, and a box that says so for one number."""

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from gateway.routing.groups import KnownGroup, searched, switched
from gateway.routing.rating import RateDeck
from gateway.store.configuration.fields import WORKSPACE, parse_fields
from gateway.store.configuration.number_list import NumberFilter
from gateway.web.page import Page, Visit, get, post
from gateway.web.prices import PriceIndex, PriceSpan
from gateway.web.verdicts import verdicts
from gateway.web.words import say

if TYPE_CHECKING:
    from gateway.web.site import Site

SIZE = 25
SIP = "sip_trunk"
OPT_INS = (
    ("allow_premium", "Premium-rate numbers", "Each minute can cost many times an ordinary one."),
    ("allow_satellite", "Satellite phones", "Inmarsat, Iridium, Thuraya and the like."),
    ("allow_shared_cost", "Shared-cost numbers", "The caller pays a part of what the callee offers."),
)


async def show(visit: Visit) -> Response:
    """The page."""
    query = visit.query
    providers = await _providers(visit)
    provider = query.one_of("provider", providers, providers[0])
    text, state = query.text("q")[:60], query.one_of("state", ("enabled", "disabled"), "")
    found = _filtered(visit, text, state)
    pages = max(1, ceil(len(found) / SIZE))
    page = min(query.whole("page", 1, 1, 10_000), pages)
    shown = found[SIZE * (page - 1) : SIZE * page]
    known = visit.site.groups.of(visit.workspace)
    return visit.page(
        "telephony.html",
        "telephony",
        providers=[(name, "SIP trunk / BYOC" if name == SIP else say(name)) for name in providers],
        provider=provider,
        is_sip=provider == SIP,
        groups=[(each, await _price(visit.site, provider, each)) for each in shown],
        has_deck=visit.site.parts.store.rate_decks().of(provider) is not None,
        page=page,
        pages=pages,
        total=len(found),
        enabled=sum(each.group.enabled for each in known),
        countries=len(visit.workspace.enabled_prefixes),
        query={"provider": provider, "q": text, "state": state},
        opt_ins=OPT_INS,
        to=query.text("to")[:40],
        do_not_call=await visit.site.parts.store.configuration.do_not_call.total(visit.workspace.id),
        **await _asked(visit),
    )


def _filtered(visit: Visit, text: str, state: str) -> list[KnownGroup]:
    found = searched(visit.site.groups.of(visit.workspace), text)
    return [each for each in found if not state or each.group.enabled == (state == "enabled")]


async def _providers(visit: Visit) -> list[str]:
    """Plivo first, then whoever the workspace has numbers of or a rate deck is loaded for; SIP last."""
    decks = visit.site.parts.store.rate_decks()
    own = (await visit.site.parts.store.number_list.page(NumberFilter(visit.workspace.id, limit=1))).providers
    return list(dict.fromkeys(["plivo", *sorted({*decks.by_provider, *own} - {SIP}), SIP]))


async def _price(site: "Site", provider: str, known: KnownGroup) -> PriceSpan | None:
    deck = site.parts.store.rate_decks().of(provider)
    if deck is None:
        return None
    index = await _index(site, deck)
    return index.span(known.full_prefixes)


async def _index(site: "Site", deck: RateDeck) -> PriceIndex:
    """The deck in order, made once for as long as it is the one that is loaded."""
    found = site.price_indexes.get(id(deck))
    if found is None:
        decks = site.parts.store.rate_decks()
        loaded = {id(each) for each in (*decks.by_provider.values(), decks.default)}
        for gone in set(site.price_indexes) - loaded:
            del site.price_indexes[gone]
        found = site.price_indexes[id(deck)] = await asyncio.to_thread(PriceIndex, deck)
    return found


async def answer(visit: Visit) -> Response:
    """The answer of the box alone, for the script that asks while one types."""
    return visit.part("verdicts.html", to=visit.query.text("to")[:40], **await _asked(visit))


async def _asked(visit: Visit) -> dict[str, Any]:
    to = visit.query.text("to")[:40]
    if not to:
        return {"verdicts": [], "left_out": 0}
    found, left_out = await verdicts(visit, to)
    return {"verdicts": found, "left_out": left_out}


async def switch(visit: Visit) -> Response:
    """Enable or disable groups: one, those that are ticked, or all that the search found."""
    form = visit.form
    act = form.text("act")
    enabled = act.startswith("enable")
    text, state = form.text("q")[:60], form.one_of("state", ("enabled", "disabled"), "")
    store = visit.site.parts.store
    if act.partition(":")[2]:
        keys = [act.partition(":")[2]]
    elif act.endswith("-all"):
        keys = [each.key for each in _filtered(visit, text, state)]
    else:
        keys = form.all("group")
    # Read again inside the transaction: whoever else switches groups now must not be undone.
    async with store.configuration.together(visit.by) as there:
        workspace = await there.workspaces.get(visit.workspace.id)
        known = visit.site.groups.of(workspace)
        groups = switched(workspace, known, keys, enabled)
        await there.workspaces.change(workspace.id, {"network_groups": groups}, visit.by)
    keys_there = {each.key for each in known}
    count = len(keys_there.intersection(keys))
    back: dict[str, Any] = {
        "provider": form.text("provider")[:64],
        "q": text,
        "state": state,
        "page": form.text("page")[:6],
    }
    if not count:
        return await visit.go("/telephony", "Tick the groups first.", "bad", **back)
    done = "enabled" if enabled else "disabled"
    groups_said = "network group is" if count == 1 else "network groups are"
    return await visit.go("/telephony", f"{count} {groups_said} {done}.", **back)


async def opt_in(visit: Visit) -> Response:
    """Open or close the special ranges, and the workspace's own carrier."""
    names = (
        ("sip_byoc_enabled",) if visit.form.text("what") == "byoc" else tuple(name for name, _, _ in OPT_INS)
    )
    fields = parse_fields(WORKSPACE, {name: visit.form.on(name) for name in names})
    await visit.site.parts.store.configuration.workspaces.change(visit.workspace.id, fields, visit.by)
    return await visit.go("/telephony", "Saved.", provider=visit.form.text("provider")[:64])


PAGES: tuple[Page, ...] = (
    get("/telephony", show),
    get("/telephony/answer", answer),
    post("/telephony/groups", switch),
    post("/telephony/rules", opt_in),
)
