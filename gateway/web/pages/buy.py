"""Buy a number: search the provider's offers, see what a country asks for, and buy, once."""

import secrets

from starlette.responses import Response

from gateway.providers.protocol import NumberType, Offer, Wanted
from gateway.provisioning.errors import Upstream
from gateway.provisioning.market import Readiness
from gateway.provisioning.purchase import Order
from gateway.store.engine.errors import InvalidInput
from gateway.web.page import Page, Visit, complaint, get, post
from gateway.web.words import say

SIZE = 20
FIRST = ("US", "GB", "IN", "CA", "AU", "DE")
"Countries that stand at the top of the list."


async def show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    """The page, with what a search found."""
    query = visit.query if visit.request.method == "GET" else visit.form
    market = visit.site.parts.counter.market
    given = {name: query.text(name)[:60] for name in ("country", "type", "region", "pattern")}
    offers: tuple[Offer, ...] = ()
    total, readiness = 0, None
    if market.provider is not None and given["country"]:
        try:
            readiness = await _readiness(visit, given)
            found = await market.search(_wanted(given, query.whole("page", 1, 1, 500)))
            offers, total = found.items, found.total
        except InvalidInput as error:
            problem, status = problem or complaint(error), 400
        except Upstream as error:
            problem, status = problem or error.message, 502
    return visit.page(
        "buy.html",
        "buy",
        status,
        provider="" if market.provider is None else say(market.provider.name),
        countries=_countries(visit),
        types=[("", "Any"), *((kind.value, kind.value) for kind in NumberType)],
        given=given,
        offers=offers,
        total=total,
        page=query.whole("page", 1, 1, 500),
        pages=max(1, -(-total // SIZE)),
        readiness=readiness,
        problem=problem,
        key=secrets.token_urlsafe(12),
    )


def _wanted(given: dict[str, str], page: int) -> Wanted:
    kind = NumberType(given["type"]) if given["type"] in set(NumberType) else None
    return Wanted(
        given["country"].upper(),
        type=kind,
        region=given["region"] or None,
        pattern=given["pattern"] or None,
        limit=SIZE,
        offset=SIZE * (page - 1),
    )


async def _readiness(visit: Visit, given: dict[str, str]) -> Readiness:
    kind = NumberType(given["type"]) if given["type"] in set(NumberType) else NumberType.LOCAL
    return await visit.site.parts.counter.market.readiness(visit.workspace, given["country"], kind)


def _countries(visit: Visit) -> list[tuple[str, str]]:
    """The countries that are sold here, or all of them; those that most people want first."""
    sold = visit.site.parts.counter.market.prices
    countries = visit.site.parts.placing.plan.countries
    names = {
        each.iso: each.name for each in countries if each.iso.isalpha() and (not sold or each.iso in sold)
    }
    first = [iso for iso in FIRST if iso in names]
    rest = sorted(set(names) - set(first), key=lambda iso: names[iso])
    return [("", "Choose a country"), *((iso, names[iso]) for iso in (*first, *rest))]


async def buy(visit: Visit) -> Response:
    """Buy one of the offers; the form's key makes a second click the same purchase."""
    form = visit.form
    order = Order(
        visit.workspace.id,
        form.text("number")[:30],
        form.text("country")[:2],
        visit.by,
        key=form.text("key")[:60] or None,
    )
    try:
        number = (await visit.site.parts.counter.purchasing.buy(order)).number
    except InvalidInput as error:
        return await show(visit, complaint(error), 409)
    except Upstream as error:
        return await show(visit, error.message, 502)
    waits = " It is pending until the provider has activated it." if number.status == "pending" else ""
    return await visit.go(f"/numbers/{number.id}", f"{number.e164} is yours.{waits}")


PAGES: tuple[Page, ...] = (get("/numbers/buy", show), post("/numbers/buy", buy))
