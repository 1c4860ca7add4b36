"""Messages from somebody who wants us to fail: nothing raises, nothing grows, nothing takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sip.events import InviteReceived
from gateway.sip.message import Request
from tests.cost import cost

if TYPE_CHECKING:
    from tests.sip.conftest import Phone

PIECES = [
    *(b"\r\n", b"\r\n ", b"\n", b"\0", b"\xff", b"\xc3\xa9", b" ", b"\t", b"\\", b'"'),
    *(b"<", b">", b";", b",", b"=", b"@", b"%", b"%0d%0a", b":", b"*", b"-1", b"9" * 20, b"[::1]"),
    *(b"z9hG4bK", b";tag=", b";lr", b";maddr=198.51.100.9", b";rport", b";transport=tcp", b"sips:", b"tel:"),
    *(b"\r\nRequire: x\r\n", b"\r\nContact: *\r\n", b"\r\nVia: x\r\n", b"\r\nRoute: <sip:a>\r\n"),
    *(b"\r\nRecord-Route: <sip:a>, <sip:b;lr>\r\n", b"\r\nExpires: 1\r\n"),
    b"\r\nContent-Type: multipart/mixed\r\n",
]
"What means something to a SIP parser."


def corpus(phone: Phone) -> list[bytes]:
    """One good message of every kind that a user agent in the middle of things may get."""
    standing = phone.answered_call(call_id="standing", branch="z9hG4bK-standing")
    asked = phone.call(call_id="asked", branch="z9hG4bK-asked")
    _, invite = phone.called()
    tag = f";tag={standing.local_tag}"
    return [
        phone.request("INVITE", body=b"offer", headers=["Record-Route: <sip:p.example;lr>"]),
        phone.request("OPTIONS", branch="z9hG4bK-o"),
        phone.request("CANCEL", call_id="asked", branch="z9hG4bK-asked"),
        phone.request("ACK", call_id="asked", branch="z9hG4bK-a", to_tag=f";tag={asked.local_tag}"),
        *(
            phone.request(method, call_id="standing", branch=f"z9hG4bK-{method}", to_tag=tag, number=2)
            for method in ("INVITE", "ACK", "INFO", "BYE", "OPTIONS", "UPDATE")
        ),
        phone.respond(invite, 183, body=b"early"),
        phone.respond(invite, 200, body=b"answer", headers=["Record-Route: <sip:p.example;lr>"]),
        phone.respond(invite, 401, headers=['WWW-Authenticate: Digest realm="r", nonce="n"']),
        phone.respond(invite, 486),
    ]


mutations = st.lists(
    st.tuples(st.integers(0, 15), st.floats(0, 1), st.integers(0, 8), st.sampled_from(PIECES)), max_size=12
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations, st.binary(max_size=40))
def test_no_message_makes_it_fail(
    make_phone: Callable[..., Phone], changes: list[tuple[int, float, int, bytes]], garbage: bytes
) -> None:
    """Messages changed anywhere, in any order: no exception, and in the end no state."""
    phone = make_phone()
    messages = corpus(phone)
    phone.agent.receive(garbage, phone.source, 0.0)
    for which, where, cut, piece in changes:
        data = messages[which % len(messages)]
        at = int(where * len(data))
        phone.agent.receive(data[:at] + piece + data[at + cut :], phone.source, 0.0)
        phone.heard()
    for event in phone.events():
        if isinstance(event, InviteReceived):
            event.dialog.ring(0.0)
            event.dialog.accept(0.0, b"answer")
    phone.heard()
    end(phone)


def end(phone: Phone) -> None:
    """Hang up what can be, and wait until all the rest has given up."""
    phone.wait(700)
    for dialog in list(phone.agent._core.dialogs.values()):
        dialog.bye(phone.now)
    phone.wait(200)
    assert phone.idle()


@pytest.mark.parametrize(
    "header",
    [
        "Via: " + ",".join(["SIP/2.0/UDP a;branch=z9hG4bKx"] * 2000),
        "Record-Route: " + ",".join(["<sip:a;lr>"] * 5000),
        "Require: " + ",".join(["x"] * 30_000),
        "Contact: " + ",".join(["<sip:a@b>"] * 6000),
        'From: "' + "\\" * 60_000,
        "To: <sip:" + "%41" * 20_000 + "@b>",
        "Call-ID: " + "x" * 60_000,
        "CSeq: " + "0" * 60_000 + "1 INVITE",
        "Reason: " + ";" * 60_000,
        "Content-Encoding: " + "," * 60_000,
    ],
    ids=lambda header: str(header).split(":")[0],
)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "ACK", "BYE"])
def test_64_kb_of_the_worst_takes_little_time(phone: Phone, header: str, method: str) -> None:
    """What one header can hold is dealt with in under 5 ms."""
    dialog = phone.answered_call(call_id="standing")
    data = phone.request(method, headers=[header], branch="z9hG4bK-worst", number=2, call_id="standing")
    data = data.replace(b"To: <sip:+14155550100@192.0.2.1>", f"To: <sip:a@b>;tag={dialog.local_tag}".encode())

    def deal_with_it() -> None:
        phone.agent.receive(data, phone.source, 0.0)
        phone.agent.messages_to_send()

    assert cost(deal_with_it) < 5


def test_a_peer_that_answers_with_lines_of_its_own_writes_none_of_ours(phone: Phone) -> None:
    """Nothing that a peer chose ends a line of what we send."""
    dialog = phone.answered_call(
        contact="<sip:phone@198.51.100.2;x=%0d%0aEvil:%20yes>",
        tag=';tag=theirs;note="a%0d%0aEvil: yes"',
    )
    dialog.bye(0.0)
    (bye,) = phone.heard()
    assert isinstance(bye, Request)
    assert "Evil" not in bye.headers


def test_a_flood_of_new_calls_is_bounded(make_phone: Callable[..., Phone]) -> None:
    """Over the limits nothing is kept, whatever is sent."""
    phone = make_phone(max_dialogs=50, max_transactions=100)
    for number in range(1000):
        phone.agent.receive(
            phone.request("INVITE", call_id=f"c{number}", branch=f"z9hG4bK{number}"), phone.source, 0.0
        )
    assert (phone.agent.dialog_count, phone.agent.transaction_count) == (50, 50)
    assert phone.agent.counters["answered.503"] == 950
