"""Who is let in: keys, the operator, and how much each may ask."""

from typing import Any

import pytest

from gateway.app.http import operator_token
from tests.api.conftest import Api, client_of, furnished, opened
from tests.call.conftest import Build

CALL = "/v1/calls/call_01m85m1gbt83exwnbdjt8m8z3n"


NO_KEYS: list[str] = [
    "",
    "Bearer",
    "Bearer nonsense",
    "Basic key_1:secret",
    "Bearer key_1:wrong",
    "Bearer KEY:wrong",
    "Bearer ID:" + "x" * 43,
    "Bearer ID:",
    "bearer \x80",
]
"What stands in Authorization; ID and KEY are those of a good key."


async def test_no_good_key_is_401(api: Api, subtests: pytest.Subtests) -> None:
    """Without a key that opens there is one answer, whatever is wrong with it."""
    for given in NO_KEYS:
        with subtests.test(str(given)[:80]):
            async with client_of(api.world) as anyone:
                header = given.replace("ID", api.key.id).encode("latin-1")
                headers = {b"Authorization": header} if given else {}
                answer = await anyone.get(CALL, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json() == {
                "statusCode": 401,
                "message": "API key is missing or invalid",
                "error": "Unauthorized",
                "reason": "unauthorized",
            }


async def test_key_opens_its_workspace_until_it_is_revoked(api: Api) -> None:
    """A key is good at once, its use is noted, and a revoked one opens nothing from then on."""
    keys = api.world.store.configuration.keys
    assert (await api.client.get(CALL)).status_code == 404
    (mine,) = await keys.list_all("org_test")
    assert mine.last_used_at is not None
    await keys.revoke(api.key.id, "test")
    assert (await api.client.get(CALL)).status_code == 401
    assert (await api.stranger.get(CALL)).status_code == 404


async def test_database_has_no_secret(api: Api) -> None:
    """What is in the database opens nothing."""
    text = api.client.headers["authorization"].partition(":")[2]
    path = api.world.gateway.config.gateway.data_dir
    kept = b"".join(file.read_bytes() for file in path.iterdir() if "trunkline.db" in file.name)
    assert api.key.id.encode() in kept
    assert text.encode() not in kept


async def test_operator_acts_in_a_workspace_of_choice(api: Api) -> None:
    """The token in the data directory opens every workspace, and needs to be told which."""
    token = operator_token(api.world.gateway.config.token_file)
    async with client_of(api.world, f"Bearer {token}") as operator:
        answer = await operator.get(CALL)
        assert (answer.status_code, answer.json()["message"]) == (
            400,
            "workspace: should be one of Acme, Other",
        )
        answer = await operator.get(CALL, headers={"X-Workspace": "Acme"})
        assert answer.json()["message"] == "Call not found"
        answer = await operator.get(CALL, headers={"X-Workspace": "Acem"})
        assert (answer.status_code, answer.json()["message"]) == (404, "Workspace not found")


async def test_each_key_has_its_rate(build: Build) -> None:
    """What is left stands in every answer; beyond it comes 429, for this key alone."""
    world = await furnished(build, HTTP__REQUESTS_PER_MINUTE=2)
    async for limited in opened(world):
        first, second, third = [await limited.client.get(CALL) for _ in range(3)]
        seen: list[Any] = [answer.headers["x-ratelimit-remaining"] for answer in (first, second, third)]
        assert seen == ["1", "0", "0"]
        assert {answer.headers["x-ratelimit-limit"] for answer in (first, second, third)} == {"2"}
        assert [first.status_code, third.status_code] == [404, 429]
        assert 1 <= int(third.headers["retry-after"]) <= 60
        assert third.headers["x-ratelimit-reset"] == third.headers["retry-after"]
        assert (await limited.stranger.get(CALL)).status_code == 404
