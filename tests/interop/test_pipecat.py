"""Pipecat bots, as their users write them, at the other end of each dialect that Pipecat knows."""

import asyncio
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from gateway.commands.agent_script import Trial
from gateway.commands.agent_trial import Pace
from gateway.commands.finding import worst
from gateway.routing.table import AgentVersion, Dialect
from tests.interop.process import Gateway, JsonProcess
from tests.interop.seed import (
    DIALECTS,
    PIPECAT,
    PIPECAT_ANY,
    PIPECAT_ANY_BYE,
    PIPECAT_ANY_INTERRUPT,
    PIPECAT_BYE,
    PIPECAT_REST,
)
from tests.interop.sipp import run_sipp
from tests.interop.softphones import call_with_baresip
from tests.interop.sound import RATE, assert_came_back, speech_like

pytestmark = pytest.mark.interop


def test_caller_hears_itself(gateway: Gateway, pipecat: JsonProcess, baresip: Path) -> None:
    """The bot knows both numbers, the caller's voice comes back whole, and hanging up reaches the bot."""
    speech = speech_like(3.0)
    heard = call_with_baresip(gateway.sip_port, PIPECAT, speech, baresip / "baresip")
    call = pipecat.wait_for(event="call", kind="twilio", to=PIPECAT)
    assert call["from"] == "+14155550122"
    assert_came_back(speech, heard.samples, 0.8, heard.output)
    pipecat.wait_for(event="disconnected")


def test_bot_hangs_up(gateway: Gateway, pipecat: JsonProcess, sipp: Path) -> None:
    """The bot's end of the pipeline ends the call, its request to Twilio's API notwithstanding."""
    run = run_sipp("agent_hangs_up", gateway.sip_port, sipp, number=PIPECAT_BYE)
    (call,) = gateway.ended_calls(run.tag)
    assert (call["status"], call["end_reason"]) == ("completed", "agent_disconnected")
    pipecat.wait_for(event="hang_up_asked", body="Status=completed")


def test_pipecat_ends_its_call_by_our_api(
    gateway: Gateway, pipecat: JsonProcess, pipecat_port: int, sipp: Path
) -> None:
    """The serializer's own clean-up, by `base_url`, is what ends the call."""
    told = f"http://127.0.0.1:{pipecat_port}/gateway/{gateway.http_port}"
    with urllib.request.urlopen(urllib.request.Request(told, method="POST")) as answer:
        assert answer.status == 200
    run = run_sipp("agent_hangs_up", gateway.sip_port, sipp, number=PIPECAT_REST)
    (call,) = gateway.ended_calls(run.tag)
    assert (call["status"], call["end_reason"]) == ("completed", "agent_disconnected")
    assert "by Twilio's API" in call["detail"]


def test_bot_hears_digits(gateway: Gateway, pipecat: JsonProcess, sipp: Path) -> None:
    """Digits pressed by the caller are the bot's keypad."""
    run_sipp("dtmf_info", gateway.sip_port, sipp, number=PIPECAT)
    pipecat.wait_for(event="digit", digit="5")
    pipecat.wait_for(event="digit", digit="#")


@pytest.mark.parametrize("dialect", DIALECTS[1:])
def test_unmodified_bot_finds_out_the_dialect(
    gateway: Gateway, pipecat: JsonProcess, baresip: Path, dialect: str
) -> None:
    """`create_transport` recognises each dialect by its first frames, and the caller hears itself."""
    speech = speech_like(2.5, seed=7)
    heard = call_with_baresip(gateway.sip_port, PIPECAT_ANY[dialect], speech, baresip / "baresip")
    call = pipecat.wait_for(event="any_call", kind=dialect, path="/any")
    # Plivo has no place for the numbers where Pipecat looks.
    numbers = (None, None) if dialect == "plivo" else ("+14155550122", PIPECAT_ANY[dialect])
    assert (call["from"], call["to"]) == numbers
    assert_came_back(speech, heard.samples, 0.8, heard.output)
    pipecat.wait_for(event="disconnected", kind=dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unmodified_bot_hears_digits_and_hangs_up(
    gateway: Gateway, pipecat: JsonProcess, tmp_path: Path, sipp: Path, dialect: str
) -> None:
    """Keys are heard; the end of the pipeline ends the call though the vendor's API is out of reach."""
    run_sipp("dtmf_info", gateway.sip_port, tmp_path / "digits", number=PIPECAT_ANY[dialect])
    pipecat.wait_for(event="digit", digit="5", kind=dialect)
    pipecat.wait_for(event="digit", digit="#", kind=dialect)
    run = run_sipp("agent_hangs_up", gateway.sip_port, tmp_path / "bye", number=PIPECAT_ANY_BYE[dialect])
    (call,) = gateway.ended_calls(run.tag)
    assert (call["status"], call["end_reason"]) == ("completed", "agent_disconnected")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_interrupted_bot_falls_silent(
    gateway: Gateway, pipecat: JsonProcess, baresip: Path, dialect: str
) -> None:
    """An interruption of the pipeline clears what is queued: of ten seconds little more than one is heard."""
    silence = speech_like(2.0) * 0
    heard = call_with_baresip(gateway.sip_port, PIPECAT_ANY_INTERRUPT[dialect], silence, baresip / "baresip")
    pipecat.wait_for(event="any_call", kind=dialect, path="/any/interrupt")
    loud = np.abs(heard.samples) > 0.05
    assert 0.3 * RATE < np.count_nonzero(loud) < 2.5 * RATE
    assert not loud[-RATE // 2 :].any()


@pytest.mark.parametrize("dialect", ["plivo"])
def test_agent_check_has_nothing_against_pipecat(
    pipecat: JsonProcess, pipecat_port: int, dialect: str
) -> None:
    """What `gateway agent-check` finds in an unmodified bot is no failure, and it hears the answer."""
    url = f"ws://127.0.0.1:{pipecat_port}/any"
    version = AgentVersion("ver_1", "agent_1", 1, runtime_url=url, dialect=Dialect(dialect), audio="")
    findings = asyncio.run(Trial(version, pace=Pace(greeting=0.5, speech=1.0)).run())
    assert worst(findings) != "fail", findings
    assert {"connection", "answer", "digits", "hang-up", "audio"} <= {each.what for each in findings}
    pipecat.wait_for(event="digit", digit="1", kind=dialect)
