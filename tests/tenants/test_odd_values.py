"""Values at the edge of what there is: refused in words, or taken; never a failure of ours."""

from itertools import product

import pytest

from gateway.store.configuration.rules import checked_host_port
from gateway.store.engine.errors import InvalidInput
from tests.call.world import World
from tests.tenants.conftest import Tenants
from tests.web.conftest import Enter, cheap_passwords, enter  # noqa: F401  fixtures

# Fixtures are arguments by their names.
# ruff: noqa: F811

TIMES = (
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01",
    "0001-01-01T00:00:00+00:01",
    "0001-01-01T00:00:00+23:59",
    "10000-01-01",
    "99999-12-31T00:00:00Z",
    "0000-01-01",
    "-0001-01-01",
    "2027-02-30",
    "2027-01-31T25:00:00Z",
    "2027-01-31T12:00:00",
    "1e400",
    "\u0662\u0660\u0662\u0667-01-31",
)
HUGE = ("9" * 5000, "9" * 19, "-1", "1e3", "\u0663")
NO_HOSTS = ("127.1:5070", "127.1", "1", "2130706433", "1.2.3.256", "1.2.3.4.5", "[fe80::1%25eth0]")


PAIRS: list[tuple[str, str]] = list(product(("start_date", "end_date"), TIMES))


async def test_times_in_the_api(tenants: Tenants, subtests: pytest.Subtests) -> None:
    """Calls are filtered by it, or it is refused."""
    for parameter, text in PAIRS:
        with subtests.test(str((parameter, text))[:80]):
            for export in ({}, {"export": "true"}):
                answer = await tenants.ours.client.get("/v1/calls", params={parameter: text, **export})
                assert answer.status_code in (200, 400), (text, answer.text)


async def test_filters_of_the_dashboard(tenants: Tenants, enter: Enter) -> None:
    """A page or a file comes of each, whatever stands in the address."""
    anna = await enter(workspace=tenants.ours.workspace)
    cursors = [f"{text}~call_1" for text in (*TIMES, *HUGE)]
    odd = {"start": TIMES, "end": TIMES, "least": HUGE, "most": HUGE, "after": cursors, "before": cursors}
    for name, texts in odd.items():
        for text in texts:
            for path in ("/calls", "/calls/export.csv"):
                answer = await anna.http.get(path, params={name: text})
                assert answer.status_code < 500, (path, name, text[:40])


async def test_hosts(tenants: Tenants, subtests: pytest.Subtests) -> None:
    """What cannot stand in a SIP URI is no host of a trunk, neither tested nor saved."""
    for host in NO_HOSTS:
        with subtests.test(str(host)[:80]):
            for path in ("sip-trunks", "sip-trunks/test"):
                body = {"phoneNumber": "+12125550109", "terminationUri": host, "authMode": "ip"}
                answer = await tenants.ours.client.post(f"/v1/organization-phone-numbers/{path}", json=body)
                assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("host", NO_HOSTS)
def test_no_host(host: str) -> None:
    """Other writings of addresses are none that RFC 3261 knows."""
    with pytest.raises(InvalidInput):
        checked_host_port("termination_uri", host)


@pytest.fixture
def world(tenants: Tenants) -> World:
    """The gateway that the visitors visit."""
    return tenants.world
