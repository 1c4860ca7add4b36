"""A gateway process with a wallet: asked over HTTP, killed in mid-call, started again."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from gateway.store.records.calls import CallFilter
from tests.call.phone import Phone, until
from tests.call.process import serve
from tests.call.runtime import Runtime
from tests.call.world import CALLEE, NUMBER, World
from tests.interop.sipp import free_port

# Processes of their own: one at a time, and on the loop that the gateway takes.
pytestmark = pytest.mark.interop

SEED = """
[[workspaces]]
name = "Acme"
kyc_verified = true
sip_flat_rate = "2"

[[trunks]]
name = "Carrier"
sources = ["127.0.0.1"]
termination_uri = "{carrier}"

[[agents]]
name = "Reception"

[[agents.versions]]
state = "published"
runtime_url = "{url}"
dialect = "native"

[[numbers]]
e164 = "{number}"
sip_trunk_enabled = true
trunk = "Carrier"
outbound = "Reception"
"""


def wallet(folder: Path, *words: str) -> None:
    """`gateway wallet …` on the same database."""
    environ = os.environ | {"TRUNKLINE_GATEWAY__DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "gateway", "wallet", *words]
    subprocess.run(command, env=environ, check=True, capture_output=True)


def known_price(folder: Path) -> list[str]:
    """What the database knows running calls to have come to."""
    database = sqlite3.connect(f"file:{folder / 'data' / 'trunkline.db'}?mode=ro", uri=True)
    try:
        return [str(price) for (price,) in database.execute("SELECT price FROM wallet_holds")]
    finally:
        database.close()


async def test_a_killed_gateway_charges_its_call_once(agent: Runtime, phone: Phone, tmp_path: Path) -> None:
    """402 while there is not enough; then a call, a kill, and the debit by the next start and no other."""
    port, http = free_port(), free_port()
    seed = SEED.format(url=agent.url(), number=NUMBER, carrier=phone.uri())
    process = await asyncio.to_thread(serve, tmp_path, seed, port, HTTP__PORT=http)
    try:
        await until(lambda: b"gateway.started" in (tmp_path / "gateway.log").read_bytes(), 60)
        token = (tmp_path / "data" / "operator.token").read_text().strip()
        await asyncio.to_thread(wallet, tmp_path, "open", "Acme", "1")
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{http}", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ) as client:
            asked = {"phone_number": CALLEE, "from_number": NUMBER}
            async with asyncio.timeout(20):
                while not (await client.get("/v1/rates/quote", params={"to": CALLEE})).json()["balance"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)  # until the gateway has seen the wallet
            refused = await client.post("/v1/calls", json=asked)
            assert (refused.status_code, refused.json()["reason"]) == (402, "insufficient_balance")
            assert not phone.calls
            await asyncio.to_thread(wallet, tmp_path, "top-up", "Acme", "9")
            assert (await client.post("/v1/calls", json=asked)).status_code == 201
        leg = await phone.called()
        leg.accept()
        await (await agent.talk()).message("start")
        phone.sound.murmur()
        await until(lambda: any(Decimal(price) > 0 for price in known_price(tmp_path)), 20)
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    for _ in range(2):  # what is charged stays charged once, however often it is started
        started = World(tmp_path / "data", agent, {})
        await started.gateway.start()
        try:
            store = started.gateway.store
            (row,) = (await store.list_calls(CallFilter())).calls
            assert (row.end_reason, row.price, row.prepaid) == ("gateway_restarted", Decimal(2), True)
            assert row.workspace_id is not None
            entries = await store.wallets.entries(row.workspace_id)
            assert [one.amount for one in entries if one.kind == "call"] == [Decimal(-2)]
            assert await store.wallets.available(row.workspace_id) == Decimal(8)
        finally:
            await started.gateway.close()
    assert known_price(tmp_path) == []
