"""The test of a runtime: each step in words, against runtimes on loopback ports."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from gateway.net.reach import Reach
from gateway.provisioning.runtime_trial import RuntimeTrials
from gateway.provisioning.trial import Report
from gateway.routing.table import AgentVersion, Dialect, Secret, VersionState
from tests.call.runtime import Runtime, Talk, runtime
from tests.net.runtimes import dialer

WORDS = b"\x80\x00" * 800


@pytest.fixture
async def there() -> AsyncIterator[Runtime]:
    """A runtime that listens."""
    async with runtime() as made:
        yield made


def version(url: str, dialect: Dialect = Dialect.NATIVE) -> AgentVersion:
    """A draft with this runtime."""
    return AgentVersion(
        "ver_1",
        "agent_1",
        1,
        VersionState.DRAFT,
        runtime_url=url,
        dialect=dialect,
        secret=Secret("hush hush hush"),
    )


async def tried(url: str, dialect: Dialect = Dialect.NATIVE) -> Report:
    """What the test finds."""
    return await RuntimeTrials(dialer(), listened=0.5).try_version(version(url, dialect), "org_1")


def outcomes(report: Report) -> list[tuple[str, str]]:
    """The steps, and what came of each."""
    return [(step.name, step.outcome) for step in report.steps]


@pytest.mark.parametrize("dialect", [Dialect.NATIVE, Dialect.TWILIO])
async def test_a_good_runtime(there: Runtime, dialect: Dialect) -> None:
    """It is reached, told of a call, heard, and leaves; the version's secret and query stay out of it."""

    async def greet(talk: Talk) -> None:
        if talk.native:
            await talk.say(WORDS)

    there.on_connect = greet
    report = await tried(there.url("/talk?token={secret}"), dialect)
    spoke = "pass" if dialect is Dialect.NATIVE else "note"
    assert outcomes(report) == [
        *[(step, "pass") for step in ("address", "name", "reach", "upgrade")],
        ("start", spoke),
        ("goodbye", "pass"),
    ]
    assert report.passed
    assert "the runtime takes calls" in report.summary
    assert "hush" not in str(report.as_dict())
    talk = await there.talk()
    assert talk.kinds[0] in ("start", "connected")
    assert talk.audio, "it has heard silence"


async def test_a_runtime_that_crashes(there: Runtime) -> None:
    """1011 says that its own log has the reason."""

    async def crash(talk: Talk) -> None:
        await talk.close(1011, "KeyError: greeting")

    there.on_connect = crash
    report = await tried(there.url())
    failed = report.steps[-1]
    assert not report.passed
    assert "1011 KeyError: greeting" in failed.found + failed.mend
    assert "its code failed: look at the runtime’s own log" in failed.found + failed.mend


async def test_a_refused_upgrade(there: Runtime) -> None:
    """The status says what to look at; what the server wrote beside it is told to nobody."""
    there.status = HTTPStatus.NOT_FOUND
    report = await tried(there.url("/wrong"))
    assert outcomes(report)[-1] == ("upgrade", "fail")
    assert "404" in report.steps[-1].found
    assert "look at the path" in report.steps[-1].mend
    assert "not today" not in str(report.as_dict())


@pytest.mark.parametrize(
    ("url", "step", "mend"),
    [
        ("ws://127.0.0.1:9/", "reach", "start the runtime"),
        ("ws://nobody.invalid/", "name", "look at the host"),
        ("ws://127.0.0.1:99999/", "address", "mend the runtime’s URL"),
        ("", "address", "save one"),
    ],
)
async def test_where_it_fails(url: str, step: str, mend: str) -> None:
    """The step that fails is the last, and says what to look at."""
    report = await tried(url)
    assert outcomes(report)[-1] == (step, "fail")
    assert mend in report.steps[-1].mend


async def test_tls_where_there_is_none(there: Runtime) -> None:
    """A wss:// address of a server without TLS says that it may have none."""
    report = await tried(there.url().replace("ws://", "wss://"))
    assert not report.passed
    assert "speaks no TLS" in report.steps[-1].mend


async def test_within_reach(there: Runtime) -> None:
    """What tenants may not have us connect to is not tested either, and its address not told."""
    dialling = dialer()
    dialling._reach = Reach()
    report = await RuntimeTrials(dialling).try_version(version(there.url()), "org_1")
    assert outcomes(report)[-1] == ("name", "fail")
    assert "no public address" in report.steps[-1].found
    assert not there.requests


async def test_words_that_make_no_sense(there: Runtime) -> None:
    """They are quoted, and fail the test."""

    async def babble(talk: Talk) -> None:
        await talk.connection.send("{")

    there.on_connect = babble
    report = await tried(there.url())
    assert ("messages", "fail") in outcomes(report)


async def test_a_sip_endpoint() -> None:
    """It is reached by calls alone: that is said, and nothing is claimed."""
    report = await tried("sip:bot@127.0.0.1", Dialect.SIP)
    assert outcomes(report) == [("address", "note")]
