"""HEAD: the answer of GET without its content, at once, whatever would come."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from gateway.api.heads import Heads
from tests.api.conftest import Api

BATCHES = ["/v1/batch-calls", "/v1/batch-calls/batch_1", "/v1/batch-calls/template?agent_id=agent_test"]
PASSING = {"date", "x-ratelimit-remaining", "x-ratelimit-reset", "content-length", "server-timing"}
"Headers that differ from one request to the next; a figure more in the metrics makes them longer."


async def test_wherever_there_is_get_there_is_head(api: Api) -> None:
    """The status and the headers of GET, and no content: of open places, of records, of what is not there."""
    open_paths = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/dashboard/", "/nothing", "/"]
    paths = [*open_paths, "/v1/calls", "/v1/calls/call_1", "/v1/calls?export=true", "/v1/agents/agent_test"]
    for path in [
        *paths,
        "/v1/organization-phone-numbers",
        "/v1/user-webhooks",
        "/v1/calls?limit=x",
        *BATCHES,
    ]:
        got, head = await api.client.get(path), await api.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert _lasting(head) == _lasting(got), path
        if path != "/metrics":
            assert head.headers.get("content-length") == got.headers.get("content-length"), path
    assert (await api.client.head("/v1/web-calls")).headers["allow"] == "POST"
    assert (await api.client.options("/v1/batch-calls/template")).headers["allow"] == "GET, HEAD"
    assert (await api.client.patch("/v1/batch-calls/validate")).headers["allow"] == "POST"
    assert (await api.client.options("/v1/batch-calls/batch_1")).headers[
        "allow"
    ] == "DELETE, GET, HEAD, PATCH"


def _lasting(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in PASSING}


async def test_head_of_a_stream_ends(api: Api) -> None:
    """A stream without an end is not begun: its headers are the answer, and no place is taken."""
    token = (api.world.gateway.config.gateway.data_dir / "operator.token").read_text().strip()
    async with asyncio.timeout(5):
        for _ in range(3):
            head = await api.client.head("/events", headers={"Authorization": f"Bearer {token}"})
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"].startswith("text/event-stream")
    assert api.world.gateway.bus._followers == []


async def test_what_is_streamed_is_not_made() -> None:
    """An app that would send more is stopped at its first piece; where it says no length, before that."""
    sent: list[Message] = []
    made: list[int] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        assert scope["method"] == "GET"
        assert scope["headers"] == [(b"accept", b"*/*")]
        await send({"type": "http.response.start", "status": 200, "headers": scope["answered"]})
        for piece in range(3):
            made.append(piece)
            await send({"type": "http.response.body", "body": b"x", "more_body": piece < 2})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    for answered, pieces in (([(b"content-length", b"3")], [0]), ([], [])):
        made.clear()
        scope = {"type": "http", "method": "HEAD", "answered": answered}
        scope["headers"] = [(b"range", b"bytes=0-1"), (b"accept", b"*/*")]
        try:
            await Heads(app)(scope, receive, send)
        except ClientDisconnect:
            sent.append({"type": "stopped"})
        assert made == pieces
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
            "stopped",
        ]
        sent.clear()
