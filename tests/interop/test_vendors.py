"""What the vendors' own SDKs say of our frames and signatures; a bot on Plivo's stream SDK in real calls."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.agent.dialects import dialect_named
from gateway.agent.notices import Answered, Cleared, Digit, Dropped, Held, MarkPlayed, Misunderstood, Quality
from gateway.agent.protocol import CallStart
from tests.interop.process import Gateway, JsonProcess
from tests.interop.seed import PLIVO_SDK
from tests.interop.sipp import run_sipp
from tests.interop.softphones import PEERS, call_with_baresip
from tests.interop.sound import assert_came_back, speech_like

pytestmark = pytest.mark.interop

TOKEN = "an auth token"
CALL = CallStart(
    "call_1", "str_1", "org_1", "+442079460018", "+14155550100", "inbound", "agt_1", 1, {"a": "ü"}
)


def ask(python: Path, **asked: object) -> Any:
    """What the SDKs answer."""
    result = subprocess.run(
        [str(python), str(PEERS / "vendor_sdks.py")],
        input=json.dumps({"plivo_frames": [], "signatures": [], **asked}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("audio", ["ulaw_8k", "l16_8k", "l16_16k"])
def test_every_plivo_frame_fits_plivos_models(vendors: Path, audio: str) -> None:
    """All that the dialect ever says is parsed by `plivo_stream.types`, strings and numbers told apart."""
    dialect = dialect_named("plivo", audio=audio)
    frames = [
        *dialect.start(CALL),
        *dialect.notice(Answered()),
        dialect.audio(dialect.format.silence(20)),
        *dialect.notice(Digit("#", 100)),
        *dialect.notice(MarkPlayed("cp-1")),
        *dialect.notice(Cleared(["a", "b"], 400)),
        *dialect.notice(Dropped(20)),
        *dialect.notice(Held(True)),
        *dialect.notice(Held(False)),
        *dialect.notice(Quality({})),
        *dialect.notice(Misunderstood("why")),
        *dialect.stop("completed", "caller"),
    ]
    messages = [json.loads(payload) for _, payload in frames]
    assert {message["event"] for message in messages} == {
        "start",
        "media",
        "dtmf",
        "playedStream",
        "clearedAudio",
    }
    assert ask(vendors, plivo_frames=messages)["plivo_frames"] == [""] * len(messages)


HOSTS = ("a.example", "a.example:8443", "127.0.0.1:7860")
PATHS = ("/", "/ws/a%20b", "/ws?b=2&a=1", "/ws?body=eyJ4IjoxfQ==&empty=&a=x%20y&a=b")


def test_signatures_are_the_vendors_own(vendors: Path) -> None:
    """Each validator takes ours for its vendor's, with and without query and port, and behind a proxy.

    A server behind a TLS proxy sees `http`, one with TLS of its own `https`; Twilio's wants the very URL, or,
    by the version's choice, that of HTTP.
    """
    cases: list[tuple[bool, dict[str, object]]] = []
    for where in (host + path for host in HOSTS for path in PATHS):
        plivo = dict(dialect_named("plivo", secret=TOKEN, nonce="0123456789abcdef").headers(f"wss://{where}"))
        cases += [(True, seen("plivo", f"{scheme}://{where}", plivo)) for scheme in ("https", "http")]
        cases.append((False, seen("plivo", f"https://{where}x", plivo)))
        exact = dict(dialect_named("twilio", secret=TOKEN).headers(f"wss://{where}"))
        options = {"signed_url": "https"}
        http = dict(dialect_named("twilio", secret=TOKEN, options=options).headers(f"wss://{where}"))
        cases.append((True, seen("twilio", f"wss://{where}", exact)))
        cases.append((False, seen("twilio", f"https://{where}", exact)))
        cases.append((True, seen("twilio", f"https://{where}", http)))
    asked = [case for _, case in cases]
    answers = ask(vendors, signatures=asked)["signatures"]
    wrong = [case for (right, case), answer in zip(cases, answers, strict=True) if right is not answer]
    assert not wrong


def seen(vendor: str, url: str, headers: dict[str, str]) -> dict[str, object]:
    """What a server sees of an upgrade."""
    return {"vendor": vendor, "url": url, "headers": headers, "token": TOKEN}


def test_caller_hears_itself_through_plivos_sdk(
    gateway: Gateway, plivo_bot: JsonProcess, baresip: Path
) -> None:
    """The SDK understands every frame of a call, in order; its audio, without stream id, is heard."""
    speech = speech_like(2.5, seed=5)
    heard = call_with_baresip(gateway.sip_port, PLIVO_SDK, speech, baresip / "baresip")
    assert_came_back(speech, heard.samples, 0.8, heard.output)
    start = plivo_bot.wait_for(event="start")
    assert json.loads(start["extra"])["from_number"] == "+14155550122"
    plivo_bot.wait_for(event="disconnected", whole=True)
    assert not list(plivo_bot.find(event="error"))


def test_checkpoints_and_clear_through_plivos_sdk(
    gateway: Gateway, plivo_bot: JsonProcess, sipp: Path
) -> None:
    """What was cleared is told once, its checkpoint not at all."""
    run_sipp("dtmf_info", gateway.sip_port, sipp, number=PLIVO_SDK)
    plivo_bot.wait_for(event="dtmf", digit="5")
    plivo_bot.wait_for(event="cleared")
    plivo_bot.wait_for(event="disconnected")
    assert "never" not in [line["name"] for line in plivo_bot.find(event="played")]
    assert not list(plivo_bot.find(event="error"))
