"""A batch while it runs, as its page shows it: a telephone rings, a person pauses, hangs up, cancels."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.batches.values import Batch
from tests.batch.world import a_batch, answering, comes_to, is_over, number
from tests.call.phone import Phone
from tests.call.world import World
from tests.web.visitor import Visitor, text_of

pytestmark = pytest.mark.one_loop


@pytest.fixture
async def batch(world: World, phone: Phone, tmp_path: Path) -> AsyncIterator[Batch]:
    """Three recipients, two at once: the first answers, the others let it ring."""
    where = phone.endpoint.listeners[0]
    await world.way_out(f"{where.host}:{where.port}")
    await world.gateway.store.configuration.workspaces.change(
        world.workspace.id, {"allow_premium": True, "sip_byoc_enabled": True}, "test"
    )
    phoning = asyncio.create_task(answering(phone, lambda called: 200 if called == number(0) else None))
    yield await a_batch(world, tmp_path, 3, max_concurrent=2)
    phoning.cancel()
    await asyncio.gather(phoning, return_exceptions=True)


async def test_what_is_seen_while_it_runs(world: World, anna: Visitor, batch: Batch) -> None:
    """Counts, rounds, ringing calls with a button; paused, hung up and gone on to its end; and the file."""
    path = f"/batches/{batch.id}"
    await comes_to(world, batch, lambda now: now.counts.done == 1 and now.counts.dialling == 2)
    page = (await anna.get(path)).text
    text = text_of(page)
    for told in ("running 1 of 3 recipients are done", "Attempted 3 of 3", "Connected 1 33 %"):
        assert told in text, told
    assert "First attempt 3 of 3" in text
    assert "2 running calls" in text
    assert text.count("ringing") == 2
    assert f'name="back" value="{path}"' in page
    assert "done" in text_of((await anna.get(f"{path}/recipients?state=done")).text)
    assert "about 30 percent are done" in text_of((await anna.get(f"{path}/said")).text)
    listed = text_of((await anna.get("/batches")).text)
    assert "running 1 of 3" in listed
    await anna.post(f"{path}/pause")
    assert "Paused: no new call is placed, 2 go on to their end." in text_of((await anna.get(path)).text)
    for call_id in re.findall(r"/dashboard/calls/(call_[a-z0-9]+)/hangup", page):
        answer = await anna.post(f"/calls/{call_id}/hangup", {"back": path})
        assert answer.headers["location"] == f"/dashboard{path}"
    await comes_to(world, batch, is_over)
    page = text_of((await anna.get(path)).text)
    assert "completed 3 of 3 recipients are done" in page
    assert "Connected 1 Not connected 2 Under way 0" in page
    assert "Outcomes so far cancelled 2, 67 % completed 1, 33 %" in page
    answer = await anna.get(f"{path}/results.csv")
    results = list(csv.DictReader(io.StringIO(answer.text)))
    assert [result["phone_number"] for result in results] == [number(at) for at in range(3)]
    assert results[0]["outcome"] == "completed"
    call = (await anna.get(f"/calls/{results[0]['call_id']}")).text
    assert f'<a href="/dashboard{path}"><code>{batch.id}</code></a>' in call


async def test_cancelled_for_good(world: World, anna: Visitor, batch: Batch) -> None:
    """Nobody else is called; what is hung up from elsewhere leads back to the history, never out of here."""
    path = f"/batches/{batch.id}"
    await comes_to(world, batch, lambda now: now.counts.dialling == 2)
    await anna.post(f"{path}/cancel")
    page = (await anna.get(path)).text
    assert "Resume" not in text_of(page)
    assert 'action="/dashboard' + path + '/cancel"' not in page
    (call_id, *_) = re.findall(r"/dashboard/calls/(call_[a-z0-9]+)/hangup", page)
    answer = await anna.post(f"/calls/{call_id}/hangup", {"back": "//evil.example"})
    assert answer.headers["location"] == "/dashboard/"
