"""Plivo's own SDK against the same server: what it asks, our provider asks, and it reads the answers."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.config.provider_settings import PlivoSettings
from gateway.providers.plivo import Plivo
from gateway.providers.protocol import NumberType, Wanted
from tests.interop.softphones import PEERS
from tests.providers.plivo_server import AUTH_ID, AUTH_TOKEN, Asked, plivo_server

pytestmark = pytest.mark.interop

NUMBER = "+14154009186"
TRUNK = "986908123123411213"


async def by_the_sdk(vendors: Path) -> tuple[list[Asked], dict[str, object]]:
    """What Plivo's SDK asked, and what it understood."""
    async with plivo_server() as server:
        server.offer(NUMBER.removeprefix("+"))
        words = [str(vendors), str(PEERS / "plivo_client.py"), server.url, AUTH_ID, AUTH_TOKEN]
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        return server.asked, json.loads(output.splitlines()[-1])


async def by_us() -> list[Asked]:
    """What our provider asks for the same things, in the same order."""
    async with plivo_server() as server:
        server.offer(NUMBER.removeprefix("+"))
        settings = PlivoSettings(
            auth_id=AUTH_ID, auth_token=SecretStr(AUTH_TOKEN), base_url=server.url, inbound_trunk_id=TRUNK
        )
        plivo = Plivo(settings, "")
        await plivo.search(Wanted("US", NumberType.LOCAL, region="CA", pattern="415"))
        await plivo.buy(NUMBER)
        await plivo.route(NUMBER)
        await plivo.rentals()
        await plivo.requirements("IN", NumberType.LOCAL)
        await plivo.release(NUMBER)
        await plivo.close()
        return server.asked


def without_number(asked: Asked) -> dict[str, object] | None:
    """The SDK says the number of the path once more in the body, where nothing asks for it."""
    rest = {name: value for name, value in (asked.body or {}).items() if name != "number"}
    return rest or None


async def test_asks_what_plivos_sdk_asks(vendors: Path) -> None:
    """Methods, paths, queries and bodies are the SDK's, which reads our server's answers as Plivo's."""
    theirs, understood = await by_the_sdk(vendors)
    ours = await by_us()
    assert [(asked.method, asked.path, asked.query) for asked in ours] == [
        (asked.method, asked.path, asked.query) for asked in theirs
    ]
    assert [asked.body for asked in ours] == [without_number(asked) for asked in theirs]
    assert understood == {
        "found": "14154009186",
        "bought": "Success",
        "renewal": "2026-12-01",
        "listed": 1,
        "proofs": 1,
    }
