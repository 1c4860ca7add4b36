"""A Pipecat bot, as its users write them, at the other end of the Twilio dialect."""

from pathlib import Path

import pytest

from tests.interop.process import Gateway, JsonProcess
from tests.interop.seed import PIPECAT, PIPECAT_BYE
from tests.interop.sipp import run_sipp
from tests.interop.softphones import call_with_baresip
from tests.interop.sound import came_back, compare_pieces, speech_like

pytestmark = pytest.mark.interop


def test_caller_hears_itself(gateway: Gateway, pipecat: JsonProcess, baresip: Path) -> None:
    """The bot knows both numbers, the caller's voice comes back whole, and hanging up reaches the bot."""
    speech = speech_like(5.0)
    heard = call_with_baresip(gateway.sip_port, PIPECAT, speech, baresip / "baresip")
    call = pipecat.wait_for(event="call", kind="twilio", to=PIPECAT)
    assert call["from"] == "+14155550122"
    assert came_back(speech, heard.samples), (compare_pieces(speech, heard.samples), heard.output)
    pipecat.wait_for(event="disconnected")


def test_bot_hangs_up(gateway: Gateway, pipecat: JsonProcess, sipp: Path) -> None:
    """The bot's end of the pipeline ends the call, its request to Twilio's API notwithstanding."""
    run = run_sipp("agent_hangs_up", gateway.sip_port, sipp, number=PIPECAT_BYE)
    (call,) = gateway.ended_calls(run.tag)
    assert (call["status"], call["end_reason"]) == ("completed", "agent_disconnected")
    pipecat.wait_for(event="hang_up_asked", body="Status=completed")


def test_bot_hears_digits(gateway: Gateway, pipecat: JsonProcess, sipp: Path) -> None:
    """Digits pressed by the caller are the bot's keypad."""
    run_sipp("dtmf_info", gateway.sip_port, sipp, number=PIPECAT)
    pipecat.wait_for(event="digit", digit="5")
    pipecat.wait_for(event="digit", digit="#")
