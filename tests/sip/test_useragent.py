"""The user agent as a whole: who is heard, what is refused, where answers go."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.sip.events import Answered, InviteReceived, OptionsAnswered
from gateway.sip.message import Request, Response
from gateway.sip.screening import MessageRefused
from gateway.sip.useragent import Deny, Ignore, Listener, Settings, Target, UserAgent
from tests.sip.messages import last_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Gate, Phone, Wire


def stateless(phone: Phone) -> bool:
    """Whether what was just answered left nothing behind."""
    return phone.idle() and phone.agent.next_event() is None


class TestWhoIsHeard:
    """The gatekeeper's word, before any state is made."""

    @pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "NONSENSE"])
    def test_a_stranger_hears_nothing(self, phone: Phone, gate: Gate, method: str) -> None:
        """Silence and one counter, whatever it asks; the gatekeeper is not even asked about the request."""
        gate.strangers.add(phone.source.host)
        assert phone.send(phone.request(method)) == []
        assert phone.agent.counters == {"ignored.unknown_source": 1}
        assert stateless(phone)
        assert gate.screened == []

    @pytest.mark.parametrize(
        "data",
        [
            b"INVITE sip:a@b SIP/7.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
            b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
            b"\x00\xff\x00",
            b"",
        ],
    )
    def test_a_stranger_hears_nothing_about_nonsense_either(
        self, phone: Phone, gate: Gate, data: bytes
    ) -> None:
        """Only known sources get a 400 or 505."""
        gate.strangers.add(phone.source.host)
        assert phone.send(data) == []
        assert stateless(phone)
        assert phone.agent.counters.total() == 1

    def test_a_dialog_is_heard_from_anywhere(self, phone: Phone, gate: Gate) -> None:
        """Who knows both tags belongs to the call: carriers send the BYE from another machine."""
        dialog = phone.answered_call()
        gate.strangers.add("203.0.113.9")
        elsewhere = Target("UDP", "203.0.113.9", 5060, "udp")
        assert only_response(phone.send(phone.within(dialog, "BYE"), elsewhere)).status == 200

    def test_a_denied_request_is_answered_and_forgotten(self, phone: Phone, gate: Gate) -> None:
        """A stateless response (8.2.7): the same tag for the same request, and the ACK to it is swallowed."""
        gate.verdict = Deny(503, "Channel limit", [("Retry-After", "5")])
        invite = phone.request("INVITE", body=b"offer")
        first, again = only_response(phone.send(invite)), only_response(phone.send(invite))
        assert (first.status, first.reason, first.headers.get("Retry-After")) == (503, "Channel limit", "5")
        assert first.to.tag is not None
        assert bytes(first) == bytes(again)
        assert phone.send(phone.request("ACK", to_tag=f";tag={first.to.tag}")) == []
        assert phone.agent.counters["ignored.ack"] == 1
        assert phone.agent.counters["answered.503"] == 2
        assert stateless(phone)

    def test_stateless_tags_differ_between_calls(self, phone: Phone, gate: Gate) -> None:
        """Two calls get two tags."""
        gate.verdict = Deny(403)
        one = only_response(phone.send(phone.request("INVITE")))
        two = only_response(phone.send(phone.request("INVITE", call_id="call-2", branch="z9hG4bK-2")))
        assert one.to.tag != two.to.tag

    def test_an_ignored_request_is_counted_by_its_reason(self, phone: Phone, gate: Gate) -> None:
        """The gatekeeper knows the source, and has its reasons."""
        gate.verdict = Ignore("flood")
        assert phone.send(phone.request("INVITE")) == []
        assert phone.agent.counters["ignored.flood"] == 1
        assert stateless(phone)

    def test_a_repeated_invite_is_screened_once(self, phone: Phone, gate: Gate) -> None:
        """What belongs to a transaction needs no second look."""
        phone.call()
        phone.send(phone.request("INVITE", body=b"offer"))
        assert gate.screened == ["INVITE"]

    def test_requests_within_a_dialog_are_not_screened(self, phone: Phone, gate: Gate) -> None:
        """They were let in with their INVITE."""
        dialog = phone.answered_call()
        phone.send(phone.within(dialog, "INVITE", body=b"hold"))
        assert gate.screened == ["INVITE"]


class TestWhatIsRefused:
    """Section 8.2: each refusal by its status, with what the RFC wants in it, and without state."""

    def refusal(self, phone: Phone, data: bytes) -> Response:
        response = only_response(phone.send(data))
        assert stateless(phone)
        assert response.headers.get("Server") == "Trunkline"
        return response

    @pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "UPDATE"])
    def test_a_method_that_we_do_not_do_is_405(self, phone: Phone, method: str) -> None:
        """With Allow."""
        response = self.refusal(phone, phone.request(method))
        assert (response.status, response.headers.get("Allow")) == (405, ", ".join(Settings().allow))

    @pytest.mark.parametrize("method", ["NEWMETHOD", "invite", "RE%47IST%45R"])
    def test_a_method_that_nobody_knows_is_501(self, phone: Phone, method: str) -> None:
        """Methods are compared with regard to case."""
        assert self.refusal(phone, phone.request(method)).status == 501

    def test_an_unknown_uri_scheme_is_416(self, phone: Phone) -> None:
        """We reach what has `sip`, `sips` or `tel`."""
        assert self.refusal(phone, phone.request("OPTIONS", uri="nobodyKnowsThisScheme:opaque")).status == 416

    @pytest.mark.parametrize("uri", ["tel:+14155550100", "sips:a@192.0.2.1", "sip:192.0.2.1;user=phone"])
    def test_uris_that_we_know(self, phone: Phone, uri: str) -> None:
        """Carriers also send `tel`."""
        assert only_response(phone.send(phone.request("INVITE", uri=uri))).status == 100

    def test_required_extensions_that_we_have_not_are_420(self, phone: Phone) -> None:
        """All of them are listed in Unsupported."""
        headers = ["Require: 100rel, nothingSupportsThis", "Require: norThis"]
        response = self.refusal(phone, phone.request("INVITE", headers=headers))
        assert (response.status, response.headers.get("Unsupported")) == (
            420,
            "100rel, nothingSupportsThis, norThis",
        )

    def test_required_extensions_that_we_have_are_fine(self, make_phone: Callable[..., Phone]) -> None:
        """Option tags that the settings name."""
        phone = make_phone(supported=("timer",))
        assert only_response(phone.send(phone.request("INVITE", headers=["Require: timer"]))).status == 100

    def test_an_unknown_body_is_415(self, phone: Phone) -> None:
        """With Accept."""
        headers = ["Content-Type: application/unknownformat"]
        response = self.refusal(phone, phone.request("INVITE", headers=headers, body=b"x"))
        assert (response.status, response.headers.get("Accept")) == (415, "application/sdp, multipart/mixed")

    def test_a_coded_body_is_415(self, phone: Phone) -> None:
        """With Accept-Encoding."""
        response = self.refusal(phone, phone.request("INVITE", headers=["Content-Encoding: gzip"], body=b"x"))
        assert (response.status, response.headers.get("Accept-Encoding")) == (415, "identity")

    def test_an_uncoded_body_may_say_so(self, phone: Phone) -> None:
        """`identity` is no coding."""
        invite = phone.request("INVITE", headers=["Content-Encoding: identity"], body=b"x")
        assert only_response(phone.send(invite)).status == 100

    def test_a_copy_by_another_path_is_482(self, phone: Phone) -> None:
        """A proxy forked the call, and both branches lead to us (section 8.2.2.2)."""
        phone.send(phone.request("INVITE"))
        merged = only_response(phone.send(phone.request("INVITE", branch="z9hG4bK-other-path")))
        assert merged.status == 482
        assert phone.names() == ["InviteReceived"]

    def test_the_same_call_may_come_again_when_it_is_over(self, phone: Phone) -> None:
        """A challenged caller repeats its Call-ID and From tag with the next CSeq, which is no copy."""
        phone.call().refuse(0.0, 480)
        phone.heard()
        assert only_response(phone.send(phone.request("INVITE", branch="z9hG4bK-2", number=2))).status == 100

    @pytest.mark.parametrize("method", ["BYE", "INFO"])
    def test_a_request_for_no_dialog_is_481(self, phone: Phone, method: str) -> None:
        """With a tag that is not ours, or none at all."""
        assert self.refusal(phone, phone.request(method, to_tag=";tag=x")).status == 481
        assert self.refusal(phone, phone.request(method)).status == 481

    def test_an_invite_for_no_dialog_is_481(self, phone: Phone) -> None:
        """After a restart of ours, a re-INVITE of a call that was."""
        assert self.refusal(phone, phone.request("INVITE", to_tag=";tag=x")).status == 481

    def test_another_version_is_505(self, phone: Phone) -> None:
        """SIP/7.0 is not ours."""
        data = phone.request("OPTIONS").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1)
        assert self.refusal(phone, data).status == 505

    def test_a_large_request_is_513(self, make_phone: Callable[..., Phone]) -> None:
        """Over `max_message`."""
        phone = make_phone(max_message=2000)
        assert self.refusal(phone, phone.request("INVITE", headers=[f"X-Long: {2000 * 'x'}"])).status == 513

    @pytest.mark.parametrize(
        ("before", "after", "named"),
        [
            (b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE", "CSeq"),
            (b"CSeq: 1 OPTIONS", b"CSeq: 4294967296 OPTIONS", "CSeq"),
            (b"Call-ID: call-1", b"Call-ID: call-1\r\nCall-ID: call-2", "Call-ID"),
            (b"To: <sip:+14155550100@192.0.2.1>", b'To: "open <sip:a@b>', "To"),
            (b"Content-Length: 0", b"Content-Length: 9", "Content-Length"),
            (b"OPTIONS sip:", b"OPTIONS  sip:", "Request line"),
        ],
    )
    def test_a_malformed_request_is_400_and_says_what(
        self, phone: Phone, before: bytes, after: bytes, named: str
    ) -> None:
        """The reason phrase names the header."""
        data = phone.request("OPTIONS")
        assert before in data
        response = self.refusal(phone, data.replace(before, after, 1))
        assert (response.status, named in response.reason) == (400, True)

    @pytest.mark.parametrize(
        ("before", "after"), [(b"Via: SIP/2.0/UDP", b"Via: nonsense"), (b"OPTIONS sip:", b"SIP/2.0 sip:")]
    )
    def test_what_cannot_be_answered_is_dropped_and_counted(
        self, phone: Phone, before: bytes, after: bytes
    ) -> None:
        """Without a Via there is nobody to answer; what is neither request nor response is neither."""
        assert phone.send(phone.request("OPTIONS").replace(before, after, 1)) == []
        assert phone.agent.counters["dropped.unparsable"] == 1

    def test_no_ack_is_ever_answered(self, phone: Phone) -> None:
        """Not even a malformed one."""
        ack = phone.request("ACK")
        for data in (
            ack,
            ack.replace(b"CSeq: 1 ACK", b"CSeq: x"),
            ack.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
        ):
            assert phone.send(data) == []
        assert phone.agent.counters["ignored.ack"] == 3

    def test_no_response_is_ever_answered(self, phone: Phone) -> None:
        """One that answers nothing of ours, has passed another hop, or is malformed."""
        _, invite = phone.called()
        good = phone.respond(invite, 200)
        via = b"Via: SIP/2.0/UDP 192.0.2.1:5060"
        for data in (
            good.replace(b"z9hG4bK", b"z9hG4bKx"),
            good.replace(via, b"Via: SIP/2.0/UDP other.example;branch=z9hG4bKz\r\n" + via),
            good.replace(via, via + b";branch=z9hG4bKy, SIP/2.0/UDP other.example"),
            good.replace(b"CSeq: 1 INVITE", b"CSeq: nonsense"),
            good.replace(b"SIP/2.0 200", b"SIP/2.0 4294967301"),
        ):
            assert phone.send(data) == []
        assert phone.names() == []


class TestOptions:
    """OPTIONS both ways."""

    def test_it_is_answered_with_what_we_can(self, phone: Phone) -> None:
        """200 with Allow, Accept and Supported; repeated, it is answered again, by the same."""
        first = only_response(phone.send(phone.request("OPTIONS")))
        assert first.status == 200
        assert first.headers.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
        assert (first.headers.get("Accept"), first.headers.get("Supported")) == (
            "application/sdp, multipart/mixed",
            "",
        )
        assert bytes(only_response(phone.send(phone.request("OPTIONS")))) == bytes(first)
        assert stateless(phone)

    def test_max_forwards_zero_is_answered(self, phone: Phone) -> None:
        """We are where it was going."""
        data = phone.request("OPTIONS").replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
        assert only_response(phone.send(data)).status == 200

    def test_we_ask_whether_a_peer_is_there(self, phone: Phone) -> None:
        """Any final answer is a sign of life; none is 408."""
        peer = Target("UDP", "198.51.100.2", 5060)
        call_id = phone.agent.options(
            "sip:198.51.100.2", target=peer, from_="<sip:gateway@192.0.2.1>", now=0.0
        )
        options = last_request(phone.heard())
        assert (options.method, options.call_id) == ("OPTIONS", call_id)
        phone.send(phone.respond(options, 405))
        assert phone.events() == [OptionsAnswered(call_id, peer, 405, "Some Reason")]

    def test_a_peer_that_is_not_there(self, phone: Phone) -> None:
        """408 after 64*T1."""
        peer = Target("UDP", "198.51.100.2", 5060)
        call_id = phone.agent.options(
            "sip:198.51.100.2", target=peer, from_="<sip:gateway@192.0.2.1>", now=0.0
        )
        phone.wait(33)
        assert phone.events() == [OptionsAnswered(call_id, peer, 408, "no response", answered=False)]
        assert phone.idle()


class _Everybody:
    """A gatekeeper that has nothing to do."""

    def knows(self, source: Target) -> bool:
        return True

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """Nobody to tell."""

    def refused(self, refusal: MessageRefused, now: float) -> None:
        """Nobody to tell."""

    def screen(self, request: Request, source: Target, now: float) -> Ignore:
        return Ignore("test")


class TestWhereAnswersGo:
    """Section 18.2.2 and RFC 3581."""

    SOURCE = Target("UDP", "203.0.113.5", 31337, "udp")

    def answer(self, phone: Phone, via: str, source: Target = SOURCE) -> tuple[Response, Target]:
        data = phone.request("OPTIONS").replace(
            b"Via: SIP/2.0/UDP 198.51.100.2:5060;branch=z9hG4bK-1", f"Via: {via}".encode()
        )
        response = only_response(phone.send(data, source))
        return response, phone.sent_to[0]

    def test_with_rport_back_to_where_it_came_from(self, phone: Phone) -> None:
        """`received` and `rport` say what we saw; the same listener answers."""
        response, target = self.answer(phone, "SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bKa")
        assert target == self.SOURCE
        assert (response.via.param("received"), response.via.param("rport")) == ("203.0.113.5", "31337")

    def test_without_rport_to_the_port_of_the_via(self, phone: Phone) -> None:
        """The address is the one that we saw, all the same."""
        response, target = self.answer(phone, "SIP/2.0/UDP 10.0.0.9:5080;branch=z9hG4bKa")
        assert (target.host, target.port) == ("203.0.113.5", 5080)
        assert (response.via.param("received"), response.via.param("rport")) == ("203.0.113.5", None)

    def test_the_default_port_where_none_is_given(self, phone: Phone) -> None:
        """5060."""
        assert self.answer(phone, "SIP/2.0/UDP name.example;branch=z9hG4bKa")[1].port == 5060

    def test_received_is_left_out_where_the_via_is_right(self, phone: Phone) -> None:
        """The address says itself."""
        via = "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKa"
        assert str(self.answer(phone, via)[0].via) == via

    def test_over_tcp_by_the_same_connection(self, make_phone: Callable[..., Phone]) -> None:
        """Should it have closed, the port is that of the Via (18.2.2)."""
        phone = make_phone("TCP")
        source = Target("TCP", "203.0.113.5", 31337, "tcp", 7)
        phone.send(phone.request("OPTIONS"), source)
        assert phone.sent_to == [Target("TCP", "203.0.113.5", 5060, "tcp", 7)]

    def test_maddr_leads_only_to_whom_we_know(self, phone: Phone, gate: Gate) -> None:
        """Otherwise anybody could turn us against a third party."""
        gate.strangers.add("203.0.113.77")
        via = "SIP/2.0/UDP 203.0.113.5:5080;maddr={};branch=z9hG4bKa"
        assert self.answer(phone, via.format("203.0.113.78"))[1].host == "203.0.113.78"
        assert self.answer(phone, via.format("203.0.113.77"))[1].host == "203.0.113.5"
        assert self.answer(phone, via.format("name.example"))[1].host == "203.0.113.5"

    def test_the_path_beyond_the_first_hop_is_copied_to_the_letter(self, phone: Phone) -> None:
        """Only the topmost Via is ours to complete, also in a list."""
        via = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa , SIP / 2.0 / TCP Far.Example;x=1"
        response, _ = self.answer(phone, via)
        assert [one.host for one in response.vias] == ["10.0.0.9", "far.example"]
        assert response.vias[0].param("received") == "203.0.113.5"

    def test_ipv6_is_in_brackets(self) -> None:
        """In Via and Contact; targets have none."""
        numbers = count()
        agent = UserAgent(
            [Listener("udp4", "UDP", "192.0.2.1", 5060), Listener("udp6", "UDP", "2001:db8::1", 5070)],
            _Everybody(),
            lambda: f"t{next(numbers)}",
        )
        agent.invite(
            "sip:bob@[2001:db8::2]",
            targets=[Target("UDP", "2001:db8::2", 5060)],
            from_="<sip:a@[2001:db8::1]>",
            contact_user="gateway",
            body=b"offer",
            now=0.0,
        )
        ((data, target),) = agent.messages_to_send()
        assert b"Via: SIP/2.0/UDP [2001:db8::1]:5070;branch=" in data
        assert b"Contact: <sip:gateway@[2001:db8::1]:5070>" in data
        assert target == Target("UDP", "2001:db8::2", 5060, "udp6")

    def test_a_transport_without_a_listener_is_a_mistake_of_ours(self, phone: Phone) -> None:
        """The configuration should have told."""
        with pytest.raises(LocalProtocolError, match="SCTP"):
            phone.called(targets=[Target("SCTP", "198.51.100.2", 5060)])
        with pytest.raises(LocalProtocolError, match="no target"):
            phone.called(targets=[])

    def test_the_first_target_is_asked(self, phone: Phone) -> None:
        """Of several in order, without those that no listener could ask; all of the INVITE goes there."""
        first, second = (Target("UDP", host, 5060) for host in ("198.51.100.8", "198.51.100.9"))
        dialog, invite = phone.called(targets=[Target("SCTP", "198.51.100.7", 5060), first, second])
        assert invite.via.transport == "UDP"
        assert (dialog.peer.host, dialog.peer.listener) == ("198.51.100.8", "udp")
        phone.send(phone.respond(invite, 180))
        dialog.cancel(0.0)
        phone.agent.handle_timeout(0.6)
        sent = phone.agent.messages_to_send()
        assert {target.host for _, target in sent} == {"198.51.100.8"}
        assert b"CANCEL" in sent[0][0]


def test_two_user_agents_over_tcp(wire: Wire) -> None:
    """A call over a reliable transport leaves nothing behind but Accepted, which ends in time."""
    dialog = wire.caller.invite(
        "sip:bob@198.51.100.2;transport=tcp",
        targets=[Target("TCP", "198.51.100.2", 5060)],
        from_="<sip:a@192.0.2.1>",
        contact_user="a",
        body=b"offer",
        now=0.0,
    )
    wire.run()
    event = wire.callee.next_event()
    assert isinstance(event, InviteReceived)
    event.dialog.accept(0.0, b"answer")
    wire.run()
    assert isinstance(wire.caller.next_event(), Answered)
    dialog.ack(0.0)
    dialog.bye(0.0)
    wire.run()
    wire.handle_timeout(33.0)
    assert wire.idle()
