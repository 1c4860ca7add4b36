"""Uploads by whoever means harm, or has a bad line: the right answer, and nothing left on the disk."""

import asyncio
import json
from typing import Any

import pytest

from gateway.batch.files.multipart import AT_ONCE
from tests.api.conftest import Api, furnished, opened
from tests.api.test_batches import GOOD, PATH, nothing
from tests.call.conftest import Build
from tests.call.phone import until

FORM_TYPE = "multipart/form-data"
FORM = "multipart/form-data; boundary=of-parts"
FIELDS = {"title": "Spring", "agent_id": "agent_test", "draft": "true"}
END = b"--of-parts--\r\n"


def field(name: str, value: str) -> bytes:
    """A field of the form."""
    return f'--of-parts\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(content: bytes, name: str = "file") -> bytes:
    """A file of the form."""
    head = f'--of-parts\r\nContent-Disposition: form-data; name="{name}"; filename="a.csv"\r\n\r\n'
    return head.encode() + content + b"\r\n"


ALL = b"".join(field(name, value) for name, value in FIELDS.items())
HOSTILE: list[tuple[str, str, bytes, int, str]] = [
    ("another type", "application/json", json.dumps(FIELDS).encode(), 415, FORM_TYPE),
    ("no type", "", ALL + file(GOOD) + END, 415, FORM_TYPE),
    ("a plain form", "application/x-www-form-urlencoded", b"title=a", 415, FORM_TYPE),
    ("no boundary", "multipart/form-data", ALL + file(GOOD) + END, 400, "boundary"),
    (
        "another boundary",
        "multipart/form-data; boundary=x",
        ALL + file(GOOD) + END,
        400,
        "multipart/form-data",
    ),
    ("no end", FORM, ALL + file(GOOD), 400, "cut short"),
    ("nothing", FORM, b"", 400, "cut short"),
    ("no file", FORM, ALL + END, 400, "file is required"),
    ("no fields", FORM, file(GOOD) + END, 400, "title is required"),
    ("a file twice", FORM, ALL + file(GOOD) + file(GOOD) + END, 400, "file should be one file, given once"),
    ("another file", FORM, ALL + file(GOOD, "fil") + END, 400, "did you mean file?"),
    ("a file as a field", FORM, ALL + field("file", "a,b") + END, 400, "file should be sent as a file"),
    ("a thousand parts", FORM, ALL + field("title", "a") * 1000 + END, 400, "at most 60 parts"),
    (
        "a long field",
        FORM,
        ALL + field("sheet", "x" * 20_000) + file(GOOD) + END,
        413,
        "sheet should have at most",
    ),
    (
        "a typing mistake",
        FORM,
        ALL + field("retry_maks", "1") + file(GOOD) + END,
        400,
        "did you mean retry_max?",
    ),
    ("a field twice", FORM, ALL + field("title", "b") + file(GOOD) + END, 400, "title should be given once"),
]


async def test_each_has_its_answer(out: Api, subtests: pytest.Subtests) -> None:
    """And leaves nothing behind; the connection goes on."""
    for what, kind, body, status, text in HOSTILE:
        for path in (PATH, f"{PATH}/validate"):
            with subtests.test(f"{what} {path}"):
                headers = {"Content-Type": kind} if kind else {}
                answer = await out.client.post(path, content=body, headers=headers)
                assert (answer.status_code, text in str(answer.json()["message"])) == (status, True), (
                    answer.text
                )
    assert await nothing(out)
    assert out.world.told("http.crashed") == []


async def test_ten_megabytes_and_one_byte(out: Api) -> None:
    """413 in words that name the file; a request that is far larger, announced or not, is 413 as well."""
    most = 10 * 1024 * 1024
    answer = await out.client.post(
        PATH, content=ALL + file(bytes(most + 1)) + END, headers={"Content-Type": FORM}
    )
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (413, "file")
    assert "10 MB" in answer.json()["message"]
    far = await out.client.post(PATH, content=bytes(most * 2), headers={"Content-Type": FORM})
    assert (far.status_code, "a file may have at most 10 MB" in far.json()["message"]) == (413, True)
    assert (await out.client.post("/v1/agents", content=bytes(most // 4))).status_code == 413
    assert await nothing(out)


async def test_a_disk_that_refuses(out: Api) -> None:
    """503 and when to try again, and a line for the operator; once there is room it is taken."""
    uploads = out.world.gateway.uploads
    uploads.folder.rmdir()
    form: dict[str, Any] = {"content": ALL + file(GOOD) + END, "headers": {"Content-Type": FORM}}
    answer = await out.client.post(PATH, **form)
    assert (answer.status_code, answer.json()["reason"]) == (503, "no_room")
    assert answer.headers["retry-after"] == "60"
    assert "No such file" in str(out.world.told("upload.failed")[0].fields["error"])
    uploads.open()
    assert (await out.client.post(PATH, **form)).status_code == 201


async def test_who_has_no_key_sends_nothing(out: Api) -> None:
    """401 before the body is read, and the answer arrives."""
    async with out.with_key("Bearer key_1:wrong") as client:
        answer = await client.post(
            PATH, content=ALL + file(bytes(3_000_000)) + END, headers={"Content-Type": FORM}
        )
    assert answer.status_code == 401
    assert await nothing(out)


async def begun(api: Api, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request of 900 kB on a connection of its own, of which only this is sent."""
    key = api.client.headers["Authorization"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: {key}\r\nContent-Type: {FORM}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.world.gateway.http.port)
    writer.write(f"{head}Content-Length: 900000\r\n\r\n".encode() + said)
    await writer.drain()
    return reader, writer


async def test_a_sender_that_trickles(build: Build) -> None:
    """408 once its time is over, and its file goes."""
    async for api in opened(await furnished(build, HTTP__BODY_SECONDS="0.5")):
        reader, writer = await begun(api, ALL + file(GOOD)[:-20])
        for _ in range(5):
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert b" 408 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.close()
        assert await nothing(api)


async def test_eight_files_at_once(out: Api) -> None:
    """The ninth is asked to come later; it is taken once another has gone."""
    folder = out.world.gateway.config.upload_folder
    many = [await begun(out, ALL + file(GOOD)[:-20]) for _ in range(AT_ONCE)]
    await until(lambda: len([*folder.glob("*")]) == AT_ONCE)
    form: dict[str, Any] = {"content": ALL + file(GOOD) + END, "headers": {"Content-Type": FORM}}
    refused = await out.client.post(f"{PATH}/validate", **form)
    assert (refused.status_code, refused.json()["reason"]) == (503, "too_many_uploads")
    assert int(refused.headers["retry-after"]) >= 1
    many[0][1].close()
    await until(lambda: len([*folder.glob("*")]) < AT_ONCE)
    assert (await out.client.post(f"{PATH}/validate", **form)).status_code == 200
    for _, writer in many:
        writer.close()
    await until(lambda: not [*folder.glob("*")])


async def test_a_sender_that_vanishes(out: Api) -> None:
    """In the middle of its file: the file goes, and no line is logged."""
    folder = out.world.gateway.config.upload_folder
    _, writer = await begun(out, ALL + file(bytes(400_000)))
    await until(lambda: [*folder.glob("*")])
    writer.close()
    await until(lambda: not [*folder.glob("*")])
    assert out.world.told("http.crashed") == []
    assert await nothing(out)
