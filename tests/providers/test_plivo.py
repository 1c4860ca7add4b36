"""Plivo's numbers, asked for over HTTP at a server that answers as Plivo documents."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from gateway.config.provider_settings import PlivoSettings
from gateway.providers.plivo import Plivo
from gateway.providers.protocol import (
    NumberGone,
    NumberType,
    ProviderAway,
    ProviderError,
    ProviderRefused,
    Rental,
    RentalState,
    Wanted,
)
from tests.providers.plivo_server import AUTH_ID, AUTH_TOKEN, PlivoServer, error, plivo_server

HERE = "sip.example.com:5060;transport=tcp"
NUMBER = "+14154009186"


@pytest.fixture
async def server() -> AsyncIterator[PlivoServer]:
    """Plivo, with one number on offer."""
    async with plivo_server() as plivo:
        plivo.offer("14154009186")
        yield plivo


@pytest.fixture
def waits() -> list[float]:
    """The pauses that the provider took, none of which takes time."""
    return []


@pytest.fixture
async def plivo(server: PlivoServer, waits: list[float]) -> AsyncIterator[Plivo]:
    """The provider at that server."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    provider = Plivo(_settings(server.url), HERE, sleep)
    yield provider
    await provider.close()


def _settings(url: str, token: str = AUTH_TOKEN) -> PlivoSettings:
    return PlivoSettings(
        auth_id=AUTH_ID, auth_token=SecretStr(token), base_url=url, timeout_seconds=0.3, attempts=3
    )


async def test_searches(plivo: Plivo, server: PlivoServer) -> None:
    """A search asks for numbers that take calls, and gives each with its rates and what it can do."""
    found = await plivo.search(Wanted("us", NumberType.LOCAL, region="CA", pattern="415"))
    query = {"country_iso": "US", "type": "local", "region": "CA", "pattern": "415"}
    assert server.asked[0].query == {**query, "services": "voice", "limit": "20", "offset": "0"}
    (offer,) = found.items
    assert found.total == 1
    assert (offer.number, offer.type, offer.country_iso) == (NUMBER, "local", "US")
    assert (offer.monthly_rate, offer.setup_rate) == (Decimal("0.80000"), Decimal(0))
    assert (offer.voice, offer.sms, offer.mms) == (True, True, False)
    assert offer.region == "SAN FRANCISCO, United States"


async def test_buys_and_routes_in_one_request(plivo: Plivo, server: PlivoServer) -> None:
    """The number is bought mapped to a trunk that sends calls to us; the trunk is made first."""
    rental = await plivo.buy(NUMBER)
    assert rental == Rental(NUMBER, RentalState.ACTIVE, datetime(2026, 12, 1, tzinfo=UTC))
    assert server.uris == [
        {
            "uri_uuid": server.uris[0]["uri_uuid"],
            "authentication_needed": False,
            "name": "Trunkline",
            "uri": HERE,
        }
    ]
    (trunk,) = server.trunks
    assert trunk["primary_uri_uuid"] == server.uris[0]["uri_uuid"]
    assert server.rented["14154009186"]["application"].endswith(f"/{trunk['trunk_id']}/")


async def test_makes_the_trunk_once(plivo: Plivo, server: PlivoServer) -> None:
    """A second purchase, and another process, use the trunk that is there."""
    server.offer("14154009187")
    await plivo.buy(NUMBER)
    await plivo.buy("+14154009187")
    other = Plivo(_settings(server.url), HERE)
    await other.route(NUMBER)
    await other.close()
    assert len(server.trunks) == len(server.uris) == 1


async def test_uses_the_trunk_of_the_configuration(server: PlivoServer) -> None:
    """Where the configuration names a trunk, nothing is looked for and nothing made."""
    settings = _settings(server.url).model_copy(update={"inbound_trunk_id": "986908123123411213"})
    plivo = Plivo(settings, "")
    await plivo.buy(NUMBER)
    await plivo.close()
    assert server.asked[0].body == {"app_id": "986908123123411213"}
    assert not server.trunks


async def test_without_an_address_nothing_is_bought(server: PlivoServer) -> None:
    """A gateway that Plivo could not send calls to buys nothing, and says who can set that right."""
    plivo = Plivo(_settings(server.url), "")
    with pytest.raises(ProviderRefused, match="whoever runs the gateway has to set one"):
        await plivo.buy(NUMBER)
    await plivo.close()
    assert not server.rented


async def test_regulated_numbers_are_pending(plivo: Plivo, server: PlivoServer) -> None:
    """A number of a country that asks for proofs is ours, and pending until Plivo says otherwise."""
    server.offer("4969365065273", restriction="city-address", restriction_text="An address in the city")
    (offer,) = (await plivo.search(Wanted("DE", pattern="4969"))).items
    assert offer.restriction == "An address in the city"
    assert (await plivo.buy("+4969365065273")).state is RentalState.PENDING
    server.rented["4969365065273"]["compliance_status"] = "rejected"
    rental = await plivo.rental("+4969365065273")
    assert rental is not None
    assert "rejected the proofs" in rental.detail
    server.rented["4969365065273"] |= {"compliance_status": "accepted", "active": True}
    rental = await plivo.rental("+4969365065273")
    assert rental is not None
    assert rental.state is RentalState.ACTIVE


async def test_requirements(plivo: Plivo, server: PlivoServer) -> None:
    """The proofs of a country, and none where Plivo has no list."""
    (proof,) = await plivo.requirements("in", NumberType.LOCAL)
    assert (proof.name, proof.upload, proof.fields) == ("Registration Certificate", True, ("Business name",))
    assert server.asked[0].query == {"country_iso": "IN", "number_type": "local", "user_type": "business"}
    assert list(await plivo.requirements("US", NumberType.LOCAL)) == []


async def test_reads_all_pages(plivo: Plivo, server: PlivoServer) -> None:
    """The list of what we rent goes on until a page is not full."""
    for number in range(14154000000, 14154000045):
        server.rent(str(number))
    assert len(await plivo.rentals()) == 45
    assert [asked.query["offset"] for asked in server.asked] == ["0", "20", "40"]


async def test_releases(plivo: Plivo, server: PlivoServer) -> None:
    """A release gives the number back; the second time there is nothing to do."""
    await plivo.buy(NUMBER)
    await plivo.release(NUMBER)
    assert not server.rented
    await plivo.release(NUMBER)
    assert await plivo.rental(NUMBER) is None


async def test_a_number_that_is_gone(plivo: Plivo) -> None:
    """Somebody else was faster: the error says to choose another."""
    await plivo.buy(NUMBER)
    with pytest.raises(NumberGone, match="choose another"):
        await plivo.buy(NUMBER)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (error(400, "insufficient balance"), ProviderRefused, "insufficient balance"),
        (error(400, "Number 14154009186 is unavailable"), NumberGone, "choose another"),
        (error(403, "SIP trunking not enabled"), ProviderRefused, "SIP trunking not enabled"),
        (error(429, "rate limited", **{"Retry-After": "60"}), ProviderAway, "try again in 60 s"),
        (error(422, "a\nb" + "c" * 500), ProviderRefused, r"\(422\): a bccc"),
        (Response("<html>", 406), ProviderRefused, "no reason"),
    ],
    ids=["balance", "gone", "forbidden", "throttled", "long", "no-json"],
)
async def test_refusals_in_words(
    server: PlivoServer, answer: Response, kind: type[ProviderError], words: str
) -> None:
    """What Plivo refuses comes as one sentence, short and printable."""
    plivo = Plivo(_settings(server.url).model_copy(update={"inbound_trunk_id": "1"}), "")
    server.failing.append(answer)
    with pytest.raises(kind, match=words) as told:
        await plivo.buy(NUMBER)
    await plivo.close()
    assert len(str(told.value)) < 300


async def test_wrong_credentials(server: PlivoServer) -> None:
    """A 401 says who can mend it, and is not repeated; the token is in no message."""
    plivo = Plivo(_settings(server.url, "wrong-token"), HERE)
    with pytest.raises(ProviderRefused, match="whoever runs it has to check them") as told:
        await plivo.search(Wanted("US"))
    await plivo.close()
    assert len(server.asked) == 1
    assert "wrong-token" not in repr(told.value) + str(told.value.__cause__)


async def test_throttling_is_waited_for(plivo: Plivo, server: PlivoServer, waits: list[float]) -> None:
    """A 429 is repeated after the time that it names, or the length of Plivo's window."""
    server.failing += [error(429, "rate limited", **{"Retry-After": "2"}), error(429, "rate limited")]
    assert (await plivo.search(Wanted("US"))).total == 1
    assert waits == [2.0, 5.0]


async def test_a_purchase_is_repeated_after_throttling(
    server: PlivoServer, plivo: Plivo, waits: list[float]
) -> None:
    """Also the purchase itself is asked again after a 429, and made once."""
    server.offer("14154009187")
    await plivo.buy("+14154009187")
    server.failing.append(error(429, "rate limited", **{"Retry-After": "1"}))
    assert (await plivo.buy(NUMBER)).state is RentalState.ACTIVE
    assert waits == [1.0]


async def test_reading_is_repeated(plivo: Plivo, server: PlivoServer, waits: list[float]) -> None:
    """5xx, and silence, are asked again where it does no harm, with growing pauses."""
    server.failing += [error(500, "server error"), 1.0]
    assert (await plivo.search(Wanted("US"))).total == 1
    assert waits == [0.5, 1.0]


async def test_reading_is_given_up(plivo: Plivo, server: PlivoServer) -> None:
    """After the last attempt the provider is away; a reading leaves nothing uncertain."""
    server.failing += [error(502, "bad gateway")] * 3
    with pytest.raises(ProviderAway, match="502") as told:
        await plivo.rentals()
    assert not told.value.uncertain
    assert len(server.asked) == 3


@pytest.mark.parametrize("wrong", [error(500, "server error"), 1.0], ids=["500", "silence"])
async def test_a_purchase_is_never_repeated(
    server: PlivoServer, waits: list[float], wrong: Response | float
) -> None:
    """A purchase whose answer was lost may have happened: it is told as uncertain, not asked again."""
    plivo = Plivo(_settings(server.url).model_copy(update={"inbound_trunk_id": "1"}), "")
    server.failing_late.append(wrong)
    with pytest.raises(ProviderAway) as told:
        await plivo.buy(NUMBER)
    assert told.value.uncertain
    assert [asked.method for asked in server.asked] == ["POST"]
    assert await plivo.rental(NUMBER) is not None, "it did happen"
    await plivo.close()


async def test_nobody_there() -> None:
    """What cannot even be connected to was never asked: nothing is uncertain, a purchase neither."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    settings = _settings("http://127.0.0.1:9").model_copy(update={"inbound_trunk_id": "1"})
    plivo = Plivo(settings, "", sleep)
    with pytest.raises(ProviderAway, match="cannot be reached") as told:
        await plivo.buy(NUMBER)
    await plivo.close()
    assert not told.value.uncertain
    assert waited == [0.5, 1.0]


JUNK: list[Any] = [
    None,
    7,
    "text",
    [],
    [1, "a", None],
    {"objects": 7},
    {"objects": [7, {"number": None}]},
    {"objects": [{"monthly_rental_rate": "much", "renewal_date": "soon"}], "meta": {"total_count": "many"}},
    {"numbers": "all", "document_types": {"a": 1}, "active": "yes", "compliance_status": 5},
    {"document_types": [{"required_fields": 3}, 4], "numbers": [[]], "meta": []},
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
async def test_answers_of_no_shape(server: PlivoServer, junk: Any) -> None:
    """Whatever JSON comes with a 200, it is understood as far as it goes, or told as a failure."""
    plivo = Plivo(_settings(server.url), HERE)
    for ask in (
        lambda: plivo.search(Wanted("US")),
        lambda: plivo.requirements("US", NumberType.LOCAL),
        lambda: plivo.rental(NUMBER),
        plivo.rentals,
        lambda: plivo.route(NUMBER),
        lambda: plivo.buy(NUMBER),
    ):
        server.failing = [JSONResponse(junk) for _ in range(4)]
        with suppress(ProviderError):
            await ask()
    await plivo.close()
