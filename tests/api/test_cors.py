"""Pages of other sites: none may read an answer unless its site is named; then as browsers ask for it."""

from typing import Any

import pytest

from gateway.config.loading import ConfigError, load_config
from tests.api.conftest import client_of, opened
from tests.call.conftest import Build

SITE = "https://crm.example.com"
ASKING = {
    "Origin": SITE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


def told(answer: Any) -> dict[str, str]:
    """What an answer says of CORS."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


async def test_off_unless_sites_are_named(build: Build) -> None:
    """By default a browser keeps every answer from every other site."""
    world = await build()
    async with client_of(world) as client:
        assert told(await client.get("/openapi.json", headers={"Origin": SITE})) == {}
        preflight = await client.options("/v1/calls", headers=ASKING)
        assert (preflight.status_code, told(preflight)) == (405, {})


async def test_a_named_site_may_ask(build: Build) -> None:
    """Preflight, answer and refusal say so to it, and nothing to another; the dashboard never does."""
    world = await build(HTTP__CORS_ORIGINS=f'["{SITE}"]', HTTP__CORS_CREDENTIALS="yes")
    async for api in opened(world):
        preflight = await api.client.options("/v1/calls", headers={**ASKING, "Authorization": ""})
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
        for answer in (
            preflight,
            await api.client.get("/v1/calls", headers={"Origin": SITE}),
            await api.client.get("/v1/calls", headers={"Origin": SITE, "Authorization": ""}),
            await api.client.post("/v1/calls", headers={"Origin": SITE}, content=b"x" * 300_000),
        ):
            said = told(answer)
            assert said["access-control-allow-origin"] == SITE, answer.status_code
            assert said["access-control-allow-credentials"] == "true"
            assert "Origin" in answer.headers["vary"]
        other = await api.client.get("/v1/calls", headers={"Origin": "https://evil.example.com"})
        assert (told(other), other.headers["vary"]) == ({}, "Origin")
        refused = await api.client.options(
            "/v1/calls", headers={**ASKING, "Origin": "https://evil.example.com"}
        )
        assert (refused.status_code, told(refused)) == (405, {})
        assert told(await api.client.get("/dashboard/", headers={"Origin": SITE})) == {}


async def test_any_site_may_ask_without_credentials(build: Build) -> None:
    """The wildcard names no site, and lets nothing along that the browser keeps for us."""
    world = await build(HTTP__CORS_ORIGINS='["*"]')
    async with client_of(world) as client:
        said = told(await client.get("/openapi.json", headers={"Origin": SITE}))
        assert said["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in said


@pytest.mark.parametrize(
    "settings",
    [
        {"CORS_ORIGINS": f'["{SITE}/"]'},
        {"CORS_ORIGINS": f'["{SITE}/app"]'},
        {"CORS_ORIGINS": '["crm.example.com"]'},
        {"CORS_ORIGINS": '["null"]'},
        {"CORS_ORIGINS": '["https://*.example.com"]'},
        {"CORS_ORIGINS": '["https://user@crm.example.com"]'},
        {"CORS_ORIGINS": f'["{SITE}:443"]'},
        {"CORS_ORIGINS": '["ftp://crm.example.com"]'},
        {"CORS_ORIGINS": f'["*", "{SITE}"]'},
        {"CORS_ORIGINS": '["*"]', "CORS_CREDENTIALS": "yes"},
    ],
)
def test_what_is_no_origin_is_refused_at_the_start(settings: dict[str, str]) -> None:
    """What no browser would ever send, or the standard forbids: said before anything is served."""
    with pytest.raises(ConfigError) as caught:
        load_config(None, {f"TRUNKLINE_HTTP__{name}": value for name, value in settings.items()})
    assert "origin" in str(caught.value)
