"""Where requests within a dialog go: route sets, remote targets, transports (RFC 3261 section 12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.sip.events import InviteReceived
from gateway.sip.message import Request
from gateway.sip.useragent import Target
from tests.sip.messages import only_request, only_response

if TYPE_CHECKING:
    from tests.sip.conftest import Phone


class TestTheWay:
    """Route sets, remote targets and the transports that lead to them."""

    ROUTES = ("Record-Route: <sip:near.example;lr>", "Record-Route: <sip:198.51.100.7:5070;lr>")

    def test_a_callee_goes_back_by_the_record_route_in_order(self, phone: Phone) -> None:
        """The route set of a UAS is the Record-Route as it came (section 12.1.1)."""
        dialog = phone.answered_call(headers=self.ROUTES)
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.headers.get_all("Route") == ["<sip:near.example;lr>", "<sip:198.51.100.7:5070;lr>"]
        assert bye.uri == "sip:phone@198.51.100.2"
        assert phone.sent_to[0].host == "near.example"

    def test_our_answers_repeat_the_record_route(self, phone: Phone) -> None:
        """So that the caller builds the same route set; a list in one line stays as it is."""
        dialog = phone.call(headers=["Record-Route: <sip:a.example;lr>, <sip:b.example;lr>"])
        dialog.ring(0.0)
        ringing = only_response(phone.heard())
        assert ringing.headers.get_all("Record-Route") == ["<sip:a.example;lr>, <sip:b.example;lr>"]

    def test_a_caller_goes_by_the_record_route_in_reverse(self, phone: Phone) -> None:
        """The route set of a UAC is turned round (section 12.1.2)."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, headers=self.ROUTES, body=b"answer"))
        dialog.ack(0.0)
        ack = only_request(phone.heard())
        assert ack.headers.get_all("Route") == ["<sip:198.51.100.7:5070;lr>", "<sip:near.example;lr>"]
        assert (phone.sent_to[0].host, phone.sent_to[0].port) == ("198.51.100.7", 5070)

    def test_a_strict_router_finds_itself_in_the_request_uri(self, phone: Phone) -> None:
        """A first hop without `lr` gets the Request-URI, the remote target ends the Route (12.2.1.1)."""
        dialog = phone.answered_call(
            headers=["Record-Route: <sip:strict.example>", "Record-Route: <sip:next.example;lr>"]
        )
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.uri == "sip:strict.example"
        assert bye.headers.get_all("Route") == ["<sip:next.example;lr>", "<sip:phone@198.51.100.2>"]
        assert phone.sent_to[0].host == "strict.example"

    def test_an_invite_with_routes_of_its_own_carries_them(self, phone: Phone) -> None:
        """A trunk may name its proxies."""
        _, invite = phone.called(routes=["<sip:proxy.example;lr>"])
        assert invite.headers.get_all("Route") == ["<sip:proxy.example;lr>"]

    def test_a_reinvite_moves_the_remote_target(self, phone: Phone) -> None:
        """Target refresh: the next request goes to the new Contact; the route set stays."""
        dialog = phone.answered_call(headers=["Record-Route: <sip:near.example;lr>"])
        contact = "<sip:moved@198.51.100.2:5099>"
        phone.send(phone.within(dialog, "INVITE", contact=contact, body=b"offer"))
        assert dialog.remote_target == "sip:phone@198.51.100.2"
        dialog.accept(0.0, b"answer")
        assert dialog.remote_target == "sip:moved@198.51.100.2:5099"
        phone.acknowledge(dialog, 2)
        dialog.bye(0.0)
        bye = phone.heard()[-1]
        assert isinstance(bye, Request)
        assert (bye.uri, bye.headers.get("Route")) == ("sip:moved@198.51.100.2:5099", "<sip:near.example;lr>")

    def test_the_answer_to_our_reinvite_moves_the_remote_target(self, phone: Phone) -> None:
        """Their 2xx refreshes the target too."""
        dialog = phone.answered_call()
        dialog.reinvite(0.0, b"offer")
        reinvite = only_request(phone.heard())
        ack = only_request(phone.send(phone.respond(reinvite, 200, contact="<sip:moved@198.51.100.2>")))
        assert ack.uri == "sip:moved@198.51.100.2"

    def test_a_contact_that_names_a_transport_is_obeyed(self, phone: Phone) -> None:
        """`transport=tcp` leads over TCP, whatever the INVITE came by."""
        dialog = phone.answered_call(contact="<sip:phone@198.51.100.2:5080;transport=tcp>")
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert phone.sent_to == [Target("TCP", "198.51.100.2", 5080, "tcp")]
        assert bye.via.transport == "TCP"

    def test_a_contact_behind_nat_is_reached_as_it_was_heard(self, phone: Phone) -> None:
        """A private address from a public one: the answer goes the way the question came."""
        phone.source = Target("UDP", "8.8.8.8", 31337, "udp")
        dialog = phone.answered_call(contact="<sip:phone@192.168.1.20:5060>")
        dialog.bye(0.0)
        bye = only_request(phone.heard())
        assert bye.uri == "sip:phone@192.168.1.20:5060"
        assert phone.sent_to == [phone.source]

    def test_requests_use_the_connection_of_the_call(self, make_phone: Callable[..., Phone]) -> None:
        """On TCP the connection that the INVITE came by is used again, named for when it has closed."""
        phone = make_phone("TCP")
        dialog = phone.answered_call()
        assert dialog.contact == "<sip:+14155550100@192.0.2.1:5060;transport=tcp>"
        dialog.bye(0.0)
        only_request(phone.heard())
        assert phone.sent_to == [Target("TCP", "198.51.100.2", None, "tcp", 1)]

    def test_a_transport_that_we_do_not_speak_gives_way_to_one_that_we_do(self, phone: Phone) -> None:
        """SCTP in a Contact: the request goes the way that the peer came."""
        dialog = phone.answered_call(contact="<sip:phone@198.51.100.2;transport=sctp>")
        dialog.bye(0.0)
        phone.heard()
        assert phone.sent_to == [phone.source]

    def test_a_secure_call_has_a_secure_contact(self, make_phone: Callable[..., Phone]) -> None:
        """A `sips` Request-URI makes a `sips` Contact (section 12.1.1)."""
        phone = make_phone("TLS")
        dialog = phone.call(uri="sips:+14155550100@192.0.2.1")
        assert dialog.secure
        assert dialog.contact == "<sips:+14155550100@192.0.2.1:5061>"

    def test_a_call_over_tls_says_so_in_its_contact(self, make_phone: Callable[..., Phone]) -> None:
        """`sip` over TLS names the transport."""
        phone = make_phone("TLS")
        assert phone.call().contact == "<sip:+14155550100@192.0.2.1:5061;transport=tls>"

    def test_an_old_peer_without_contact_is_answered_where_it_is(self, phone: Phone) -> None:
        """RFC 2543 demanded no Contact: the From URI stands for it, and the way is the one it came by."""
        phone.send(phone.request("INVITE", contact=None, branch=None, tag=""))
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        dialog = event.dialog
        dialog.accept(0.0, b"answer")
        assert dialog.remote_target == "sip:+12125550111@198.51.100.2"

    def test_a_peer_without_tags_is_a_peer(self, phone: Phone) -> None:
        """RFC 2543 demanded no From tag: null matches null (section 12.1.1)."""
        phone.send(phone.request("INVITE", tag="", branch=None))
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        event.dialog.accept(0.0, b"answer")
        phone.heard()
        tag = f";tag={event.dialog.local_tag}"
        phone.send(phone.request("ACK", tag="", branch=None, to_tag=tag))
        assert phone.names() == ["Acknowledged"]
        assert only_response(phone.send(phone.request("BYE", tag="", branch=None, to_tag=tag, number=2)))
        assert phone.names() == ["ByeReceived", "DialogTerminated"]
