"""SIPp as the carrier: its own scenarios, and ours for what carriers do on their worse days."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.md5_relay import md5_relay
from tests.interop.process import Gateway, JsonProcess, Line, Start, has_ipv6, wait_until
from tests.interop.seed import (
    BYE,
    DIE,
    DIGEST,
    DIGEST_SOURCE,
    ECHO,
    NOBODY,
    PASSWORD,
    PLAIN_SOURCE,
    REFUSE,
    SLOW,
    UNASSIGNED,
    UNKNOWN_SOURCE,
    USERNAME,
)
from tests.interop.sipp import Run, run_sipp
from tests.interop.sound import speech_like, ulaw

pytestmark = pytest.mark.interop

NO_RETRANSMISSION = "-nr"
"SIPp neither repeats nor hides what is repeated."


def only_call(gateway: Gateway, run: Run) -> Line:
    """The record of the one call that a run has made."""
    (call,) = gateway.ended_calls(run.tag)
    return call


def test_built_in_caller(gateway: Gateway, sipp: Path) -> None:
    """SIPp's own `uac` places ten calls, which all end as the caller wants."""
    run = run_sipp("uac", gateway.sip_port, sipp, "-r", "10", calls=10)
    calls = gateway.ended_calls(run.tag, 10)
    assert {(call["status"], call["end_reason"]) for call in calls} == {("completed", "user_disconnected")}


def test_built_in_caller_over_tcp(gateway: Gateway, sipp: Path) -> None:
    """The same over one TCP connection."""
    run = run_sipp("uac", gateway.sip_port, sipp, "-t", "t1", "-r", "10", calls=10)
    assert len(gateway.ended_calls(run.tag, 10)) == 10


def test_built_in_caller_over_ipv6(gateway: Gateway, sipp: Path) -> None:
    """The same over IPv6, signalling and media."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    run = run_sipp("uac", gateway.sip_port, sipp, "-r", "10", calls=10, source="::1", host="::1")
    calls = gateway.ended_calls(run.tag, 10)
    assert all(json.loads(call["media"])["remote"].startswith("::1:") for call in calls)


@pytest.mark.usefixtures("captures")
def test_built_in_caller_with_audio(gateway: Gateway, agent: JsonProcess, sipp: Path) -> None:
    """SIPp's own `uac_pcap` speaks PCMA and presses 1, which reaches the agent as a digit."""
    before = digits(agent)
    run = run_sipp("uac_pcap", gateway.sip_port, sipp)
    call = only_call(gateway, run)
    assert call["first_audio_in_at"]
    assert call["first_audio_out_at"]
    assert digits(agent) == [*before, "1"]


def digits(agent: JsonProcess) -> list[str]:
    """All digits that the agent was told so far."""
    messages = [line["message"] for line in agent.find(event="message")]
    return [message["dtmf"]["digit"] for message in messages if message.get("event") == "dtmf"]


def test_early_cancel(gateway: Gateway, sipp: Path) -> None:
    """A caller that gives up while it hears ringing gets 200 and 487, and its record says who ended it."""
    run = run_sipp("early_cancel", gateway.sip_port, sipp, number=SLOW)
    call = only_call(gateway, run)
    assert (call["status"], call["end_reason"]) == ("cancelled", "caller_cancelled")
    assert call["answered_at"] is None


def test_cancel_at_once(gateway: Gateway, sipp: Path) -> None:
    """A CANCEL on the heels of the INVITE ends the call all the same."""
    run = run_sipp("cancel_at_once", gateway.sip_port, sipp, number=SLOW)
    assert only_call(gateway, run)["end_reason"] == "caller_cancelled"


def test_cancel_after_answer(gateway: Gateway, sipp: Path) -> None:
    """A CANCEL that crosses our 200 has no effect (RFC 3261 section 9.2)."""
    run = run_sipp("cancel_after_answer", gateway.sip_port, sipp)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"


def test_late_ack(gateway: Gateway, sipp: Path) -> None:
    """Our 200 is repeated until the ACK comes, and not once after it."""
    run = run_sipp("late_ack", gateway.sip_port, sipp, NO_RETRANSMISSION)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"


def test_repeated_invite(gateway: Gateway, sipp: Path) -> None:
    """An INVITE that comes five times, before the answer and after it, is one call."""
    run = run_sipp("repeated_invite", gateway.sip_port, sipp, NO_RETRANSMISSION, number=SLOW)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"


@pytest.fixture
def challenged_port(gateway: Gateway) -> Iterator[int]:
    """Where the trunk with credentials calls."""
    with md5_relay(gateway.sip_port, DIGEST_SOURCE) as port:
        yield port


def test_digest(gateway: Gateway, challenged_port: int, sipp: Path) -> None:
    """A trunk with credentials is challenged and let in."""
    login = ("-au", USERNAME, "-ap", PASSWORD)
    run = run_sipp(
        "digest", challenged_port, sipp, *login, number=DIGEST, source=DIGEST_SOURCE, host=DIGEST_SOURCE
    )
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"


def test_digest_with_wrong_password(challenged_port: int, sipp: Path) -> None:
    """A wrong password is refused."""
    login = ("-au", USERNAME, "-ap", "guessed")
    run_sipp(
        "digest_wrong", challenged_port, sipp, *login, number=DIGEST, source=DIGEST_SOURCE, host=DIGEST_SOURCE
    )


def test_hold(gateway: Gateway, sipp: Path) -> None:
    """Hold and resume are answered as RFC 3264 says, and the call goes on."""
    run = run_sipp("hold", gateway.sip_port, sipp)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"


def test_delayed_offer(gateway: Gateway, sipp: Path) -> None:
    """An INVITE without SDP gets our offer in the 200, and audio flows after the answer in the ACK."""
    (sipp / "said.ulaw").write_bytes(ulaw(speech_like(1.0)))
    run = run_sipp("delayed_offer", gateway.sip_port, sipp)
    call = only_call(gateway, run)
    assert call["first_audio_in_at"]


def test_agent_hangs_up(gateway: Gateway, sipp: Path) -> None:
    """An agent that closes its socket ends the call with BYE."""
    run = run_sipp("agent_hangs_up", gateway.sip_port, sipp, number=BYE)
    assert only_call(gateway, run)["end_reason"] == "agent_disconnected"


def test_agent_dies(gateway: Gateway, sipp: Path) -> None:
    """An agent that vanishes ends the call with BYE too, and the record says that it failed."""
    run = run_sipp("agent_hangs_up", gateway.sip_port, sipp, number=DIE)
    assert only_call(gateway, run)["end_reason"] == "agent_failed"


def test_agent_refuses(gateway: Gateway, sipp: Path) -> None:
    """A runtime that cannot be reached is the caller's 503, soon."""
    run = run_sipp("agent_is_gone", gateway.sip_port, sipp, number=REFUSE)
    assert only_call(gateway, run)["end_reason"] == "agent_unreachable"


def test_digits_by_info(gateway: Gateway, agent: JsonProcess, sipp: Path) -> None:
    """Digits in INFO requests reach the agent; a body that nobody knows is 415."""
    before = digits(agent)
    run = run_sipp("dtmf_info", gateway.sip_port, sipp)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"
    assert digits(agent) == [*before, "5", "#"]


def test_unknown_number(gateway: Gateway, sipp: Path) -> None:
    """A number that nobody has is 404 with a reason in words, and the record has the decision."""
    run = run_sipp("unknown_number", gateway.sip_port, sipp, number=NOBODY)
    call = only_call(gateway, run)
    assert (call["status"], call["end_reason"]) == ("failed", "unknown_number")
    assert NOBODY in str(call["decision"])


def test_unknown_source(gateway: Gateway, sipp: Path) -> None:
    """An address that no trunk names hears nothing at all."""
    options = ("-recv_timeout", "1500")
    run = run_sipp("uac", gateway.sip_port, sipp, *options, source=UNKNOWN_SOURCE, expected=1)
    assert gateway.calls(run.tag) == []
    assert "SIP/2.0" not in received(run)


def received(run: Run) -> str:
    """The first lines of what SIPp received."""
    messages = "".join(path.read_text() for path in run.folder.glob("*messages.log"))
    parts = messages.split("message received")[1:]
    return "\n".join(part.split("\n\n", 1)[1].split("\n", 1)[0] for part in parts)


def test_never_acknowledged(start_gateway: Start, sipp: Path) -> None:
    """A call whose ACK never comes is ended by us, and its record says why."""
    # Timer H is 64 * T1 (RFC 3261 section 13.3.1.4): with this T1, a little over three seconds.
    with start_gateway(sip={"t1_ms": 50, "t2_ms": 500}) as quick:
        run = run_sipp("never_acked", quick.sip_port, sipp)
        assert only_call(quick, run)["end_reason"] == "never_acknowledged"
        assert quick.stop() == 0
        quick.assert_clean()


@pytest.mark.usefixtures("captures")
@pytest.mark.timeout(120)
def test_two_hundred_calls_at_once(start_gateway: Start, sipp: Path) -> None:
    """Two hundred callers talk at the same time, fifty new ones a second, and none is lost."""
    with start_gateway(log={"level": "info"}) as busy:
        run = run_sipp("talk", busy.sip_port, sipp, "-r", "50", "-l", "200", calls=200)
        calls = busy.ended_calls(run.tag, 200)
        assert {call["end_reason"] for call in calls} == {"user_disconnected"}
        assert at_once(calls) >= 190
        assert all(call["first_audio_in_at"] and call["first_audio_out_at"] for call in calls)
        assert busy.stop() == 0
        busy.assert_clean()


def at_once(calls: list[Line]) -> int:
    """How many of the calls were up at the same time."""
    changes = [(call["answered_at"], 1) for call in calls] + [(call["ended_at"], -1) for call in calls]
    running = peak = 0
    for _, change in sorted(changes):
        running += change
        peak = max(peak, running)
    return peak


def test_draining(start_gateway: Start, sipp: Path) -> None:
    """On SIGTERM a running call goes on to the deadline, then gets BYE, and the gateway ends well."""
    with start_gateway(sip={"drain_seconds": 2.0}) as ending:
        timer = threading.Timer(1.0, ending.process.terminate)
        timer.start()
        run = run_sipp("agent_hangs_up", ending.sip_port, sipp, number=ECHO, source=PLAIN_SOURCE)
        assert ending.stop() == 0
        (call,) = ending.calls(run.tag)
        assert call["end_reason"] == "gateway_drained"
        ending.assert_clean()


def test_killed(start_gateway: Start, sipp: Path) -> None:
    """After kill -9 in the middle of a call, the next start closes its record and says so."""
    with start_gateway() as killed:
        caller = threading.Thread(
            target=run_sipp, args=("agent_hangs_up", killed.sip_port, sipp), kwargs={"expected": 1}
        )
        caller.start()
        assert wait_until(lambda: any(call["answered_at"] for call in killed.calls()))
        killed.process.kill()
        killed.process.wait()
    with Gateway(killed.folder, (killed.folder / "seed.toml").read_text()) as next_one:
        (call,) = next_one.ended_calls("")
        assert (call["status"], call["end_reason"]) == ("failed", "gateway_restarted")
        next_one.wait_for(event="call.closed_at_start", call_id=call["id"])
        assert next_one.stop() == 0
    caller.join()


def test_route_change(gateway: Gateway, sipp: Path) -> None:
    """A number that is assigned from the command line is answered from the next call on."""
    run = run_sipp("uac", gateway.sip_port, sipp, number=UNASSIGNED, expected=1)
    assert only_call(gateway, run)["end_reason"] == "no_inbound_version"
    gateway.command("numbers", "assign", UNASSIGNED, "inbound", f"agent {ECHO}/1")
    run = run_sipp("uac", gateway.sip_port, sipp, number=UNASSIGNED)
    assert only_call(gateway, run)["end_reason"] == "user_disconnected"
