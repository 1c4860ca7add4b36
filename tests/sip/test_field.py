"""SIP as it is written in the field: what has a clear meaning costs no call, and what costs one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.sip.events import Acknowledged, Answered, ByeFailed, InfoReceived, InviteReceived, Ringing
from gateway.sip.message import Request, Response
from gateway.sip.settings import Settings
from gateway.sip.target import Target
from tests.sip.conftest import THEIRS, Gate, Phone, make_agent

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTANCE = '"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
SDP = b"v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\n"
ISUP = b"\x01\x00\x49\x00\r\n--\r\n\x0a\x03"


def statuses(messages: Sequence[Request | Response]) -> list[int]:
    """The final ones."""
    return [one.status for one in messages if isinstance(one, Response) and one.status >= 200]


def mixed(*parts: tuple[str, bytes], boundary: str = "b-1", ends: str = "\r\n") -> bytes:
    """A multipart body of parts: their header lines, and their octets."""
    body = b""
    for head, content in parts:
        lines = head.replace("\n", ends)
        body += f"--{boundary}{ends}{lines}{ends}{ends}".encode() + content + ends.encode()
    return body + f"--{boundary}--{ends}".encode()


ISUP_MAY_BE_LEFT = (
    "Content-Type: application/ISUP;version=itu-t92+\nContent-Disposition: signal;handling=optional"
)
ISUP_HAS_TO_BE_READ = ISUP_MAY_BE_LEFT.replace("optional", "required")
AN_SDP = "Content-Type: application/sdp"


class TestContacts:
    """Where a dialog's requests go, however it is written (RFC 3261 sections 20.10, 25.1)."""

    @pytest.mark.parametrize(
        "contact",
        [
            f"sip:c@{THEIRS};+sip.instance={INSTANCE}",
            f"sip:c@{THEIRS};expires=60;+sip.instance={INSTANCE};reg-id=1",
            f"<sip:c@{THEIRS}>;+sip.instance={INSTANCE}",
            f'"a <b>" <sip:c@{THEIRS}>;x="<y>, z"',
            f"<tel:+12025550101>, <sip:c@{THEIRS}>",
            f"sip:c@{THEIRS}, <mailto:c@{THEIRS}>",
        ],
    )
    def test_one_that_can_be_read_is_used_both_ways(self, phone: Phone, contact: str) -> None:
        """From an INVITE as from a 200, and beside what is no SIP URI."""
        assert phone.answered_call(contact=contact).remote_target == f"sip:c@{THEIRS}"
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, contact=contact, body=b"answer"))
        assert phone.names() == ["Answered"]
        assert dialog.remote_target == f"sip:c@{THEIRS}"

    @pytest.mark.parametrize("contact", ["<sip:unclosed", "*", "<tel:+12025550101>", '"open <sip:a@b>', None])
    def test_a_200_is_never_lost_for_it(self, phone: Phone, contact: str | None) -> None:
        """The callee has picked up: the ACK goes to whom the INVITE went to."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, contact=contact, body=b"answer"))
        assert phone.names() == ["Answered"]
        dialog.ack(0.0)
        assert phone.statuses() == ["ACK"]

    @pytest.mark.parametrize("contact", [None, "*", "<sip:unclosed", "<tel:+12025550101>", "<mailto:a@b>"])
    def test_an_invite_needs_one(self, phone: Phone, contact: str | None) -> None:
        """A call that could not be hung up does not begin, and the log says why."""
        assert statuses(phone.send(phone.request("INVITE", contact=contact))) == [400]
        assert [(told.status, told.why.partition(":")[0]) for told in phone.gate.told] == [(400, "Contact")]
        assert phone.idle()

    @pytest.mark.parametrize(
        "line", ["Record-Route: <sip", "Expires: x", "Contact: <sip", "Max-Forwards: -1"]
    )
    @pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS"])
    def test_what_a_request_within_a_dialog_does_not_need_costs_nothing(
        self, phone: Phone, method: str, line: str
    ) -> None:
        """The call that a BYE ends does not stay up for its Contact."""
        dialog = phone.answered_call()
        assert statuses(phone.send(phone.within(dialog, method, headers=[line]))) == [200]

    @pytest.mark.parametrize("line", ["Record-Route: <sip", "Expires: x", "Contact: <sip", "Content-Type: x"])
    def test_nor_does_it_cost_a_cancel(self, phone: Phone, line: str) -> None:
        """A caller that gives up is heard."""
        phone.call()
        assert statuses(phone.send(phone.request("CANCEL", headers=[line]))) == [200, 487]


class TestCallers:
    """A caller that cannot be read is nobody, and costs no call."""

    @pytest.mark.parametrize(
        "caller",
        [
            '""Unknown"" <sip:+12125550111@198.51.100.2>;tag=theirs',
            "Bell, Alexander <sip:a@b>;tag=theirs",
            '"open <sip:a@b>;tag=theirs',
            "<sip:a b@c>;tag=theirs",
            "<sip:>;tag=theirs",
            "<>;tag=theirs",
            "sip:a@b@c:x;tag=theirs",
            "<sip:a@b;tag=theirs",
            "nonsense;x=1; TAG = theirs",
        ],
    )
    def test_its_tag_is_found_and_the_call_goes_on(self, phone: Phone, caller: str) -> None:
        """From the INVITE to the BYE of either side."""
        plain = f"From: <sip:+12125550111@{THEIRS}>;tag=theirs"

        def written(data: bytes) -> bytes:
            assert plain.encode() in data
            return data.replace(plain.encode(), f"From: {caller}".encode())

        phone.send(written(phone.request("INVITE", body=b"offer")))
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        assert event.dialog.remote_tag == "theirs"
        event.dialog.accept(0.0, b"answer")
        phone.heard()
        tag = f";tag={event.dialog.local_tag}"
        phone.send(written(phone.request("ACK", branch="z9hG4bK-a", to_tag=tag)))
        assert phone.names() == ["Acknowledged"]
        assert statuses(phone.send(written(phone.within(event.dialog, "BYE")))) == [200]


class TestBodies:
    """The session description is the part that counts (RFC 5621, RFC 3204)."""

    MIXED = (AN_SDP, SDP), (ISUP_MAY_BE_LEFT, ISUP)

    def offered(self, phone: Phone, body: bytes, *headers: str) -> bytes | list[int]:
        """What an INVITE offers with this body, or how it is refused."""
        sent = phone.send(phone.request("INVITE", body=body, headers=headers))
        event = phone.agent.next_event()
        return event.request.body if isinstance(event, InviteReceived) else statuses(sent)

    @pytest.mark.parametrize("ends", ["\r\n", "\n"])
    @pytest.mark.parametrize("boundary", ["b-1", '"=_(b)/:?=+ ,1"'])
    @pytest.mark.parametrize("parts", [MIXED, MIXED[::-1]])
    def test_a_sip_i_offer_is_its_sdp(
        self, phone: Phone, parts: Sequence[tuple[str, bytes]], boundary: str, ends: str
    ) -> None:
        """Beside ISUP that may be left, first or last, its octets never looked at."""
        body = mixed(*parts, boundary=boundary.strip('"'), ends=ends)
        offered = self.offered(phone, body, f"Content-Type: multipart/mixed;boundary={boundary}")
        assert offered == SDP

    def test_what_has_to_be_understood_is_415(self, phone: Phone) -> None:
        """And the answer names what would be."""
        body = mixed((AN_SDP, SDP), (ISUP_HAS_TO_BE_READ, ISUP))
        sent = phone.send(
            phone.request("INVITE", body=body, headers=["Content-Type: multipart/mixed;boundary=b-1"])
        )
        (answer,) = [one for one in sent if isinstance(one, Response)]
        assert (answer.status, answer.headers.get("Accept")) == (415, "application/sdp, multipart/mixed")
        assert phone.gate.told[0].why == "Content-Type: application/isup is not understood"

    @pytest.mark.parametrize(
        ("headers", "body", "offered"),
        [
            (["Content-Type: application/isup"], ISUP, [415]),
            (["Content-Type: application/isup", "Content-Disposition: signal;handling=optional"], ISUP, b""),
            (
                ["Content-Type: application/isup", "Content-Disposition: signal;handling=required"],
                ISUP,
                [415],
            ),
            (["Content-Type: application/isup", "Content-Disposition: ;;;"], ISUP, [415]),
            (["Content-Type: application/sdp", "Content-Disposition: session"], SDP, SDP),
            (["Content-Type: application/sdp", "Content-Disposition: session;handling=optional"], SDP, SDP),
            (["Content-Type: application/sdp", "Content-Disposition: early-session"], SDP, [415]),
            (["Content-Type: application/sdp", "Content-Encoding: gzip"], SDP, [415]),
            (["Content-Type: application/sdp", "Content-Encoding: identity"], SDP, SDP),
            (["Content-Type: multipart/mixed"], SDP, [400]),
            (["Content-Type: multipart/mixed;boundary=none"], SDP, b""),
        ],
    )
    def test_a_single_body_has_a_disposition_too(
        self, phone: Phone, headers: list[str], body: bytes, offered: bytes | list[int]
    ) -> None:
        """What may be left is left, and then the offer is ours to make."""
        assert self.offered(phone, body, *headers) == offered

    def test_a_body_inside_a_body(self, phone: Phone) -> None:
        """Of alternatives the last that we understand; of related parts the root; to a depth."""
        inner = mixed(("Content-Type: text/plain", b"hello"), (AN_SDP, SDP), boundary="in")
        outer = mixed((ISUP_MAY_BE_LEFT, ISUP), ("Content-Type: multipart/alternative;boundary=in", inner))
        assert self.offered(phone, outer, "Content-Type: multipart/mixed;boundary=b-1") == SDP

    def test_related_parts_are_their_root(self, phone: Phone) -> None:
        """What the root refers to needs no understanding of its own (RFC 2387)."""
        related = mixed(("Content-Type: image/png", b"\x89PNG"), (f"{AN_SDP}\nContent-ID: <s>", SDP))
        content_type = 'Content-Type: multipart/related;boundary=b-1;start="<s>"'
        assert self.offered(phone, related, content_type) == SDP

    def test_depth_and_number_are_bounded(self, phone: Phone) -> None:
        """Bodies in bodies without end, and parts without number, are refused in no time."""
        body = SDP
        for depth in range(12):
            kind = AN_SDP if not depth else f"Content-Type: multipart/mixed;boundary=b{depth - 1}"
            body = mixed((kind, body), boundary=f"b{depth}")
        assert self.offered(phone, body, "Content-Type: multipart/mixed;boundary=b11") == [415]
        many = mixed(*[(ISUP_MAY_BE_LEFT, b"")] * 200)
        phone.agent.counters.clear()
        sent = phone.send(
            phone.request(
                "INVITE",
                branch="z9hG4bK-2",
                call_id="call-2",
                body=many,
                headers=["Content-Type: multipart/mixed;boundary=b-1"],
            )
        )
        assert statuses(sent) == [400]

    @pytest.mark.parametrize("handling", [ISUP_MAY_BE_LEFT, ISUP_HAS_TO_BE_READ])
    def test_answers_and_acks_have_parts_too(self, phone: Phone, handling: str) -> None:
        """In 18x, 200 and ACK nothing can be refused: what is not understood is left unread."""
        body = mixed((handling, ISUP), (AN_SDP, SDP))

        def wrapped(data: bytes) -> bytes:
            return data.replace(
                b"Content-Type: application/sdp", b"Content-Type: multipart/mixed;boundary=b-1", 1
            )

        dialog, invite = phone.called()
        phone.send(wrapped(phone.respond(invite, 183, body=body)))
        phone.send(wrapped(phone.respond(invite, 200, body=body)))
        ringing, answered = phone.events()
        assert isinstance(ringing, Ringing)
        assert isinstance(answered, Answered)
        assert ringing.body == answered.body == SDP
        assert answered.content_type == "application/sdp"
        dialog.ack(0.0)
        theirs = phone.call(call_id="call-2", branch="z9hG4bK-2")
        theirs.accept(0.0, b"offer")
        phone.heard()
        phone.events()
        tag = f";tag={theirs.local_tag}"
        ack = phone.request("ACK", branch="z9hG4bK-a", to_tag=tag, call_id="call-2", body=body)
        phone.send(wrapped(ack))
        (acknowledged,) = phone.events()
        assert isinstance(acknowledged, Acknowledged)
        assert acknowledged.body == SDP

    def test_a_bye_may_bring_anything(self, phone: Phone) -> None:
        """SIP-I ends its calls with ISUP."""
        dialog = phone.answered_call()
        bye = phone.within(dialog, "BYE", headers=["Content-Type: application/isup"], body=ISUP)
        assert statuses(phone.send(bye)) == [200]


class TestAccept:
    """What the peer takes for an answer (RFC 3261 section 20.1)."""

    @pytest.mark.parametrize(
        ("accept", "status"),
        [
            ("text/plain", [406]),
            ("application/sdp;q=0", [406]),
            ("application/sdp;q=0, */*", [406]),
            ("", [406]),
            ("application/sdp", []),
            ("text/plain, application/SDP;level=1", []),
            ("application/*", []),
            ("*/*;q=0.1", []),
            ("nonsense", []),
        ],
    )
    def test_without_sdp_an_invite_is_406(self, phone: Phone, accept: str, status: list[int]) -> None:
        """An empty one takes nothing; one that cannot be read says nothing."""
        assert statuses(phone.send(phone.request("INVITE", headers=[f"Accept: {accept}"]))) == status


class TestTheWayBack:
    """Via parameters without a value, and lines that end in LF alone."""

    @pytest.mark.parametrize("params", [";rport=", ";received=", ";received= ;rport=", ";rport=;received="])
    def test_empty_via_parameters(self, phone: Phone, params: str) -> None:
        """Are those without a value, and get their answer."""
        options = phone.request("OPTIONS", branch=f"z9hG4bK-1{params}")
        (answer,) = phone.send(options, Target("UDP", THEIRS, 40000, "udp"))
        assert isinstance(answer, Response)
        assert answer.status == 200
        assert phone.sent_to[0].port == (40000 if "rport" in params else 5060)

    def test_bare_line_feeds_are_lines_in_a_datagram(self, phone: Phone) -> None:
        """Scripts send them; the body keeps its octets."""
        invite = phone.request("INVITE", body=b"a\nb\r\nc")
        head, _, body = invite.partition(b"\r\n\r\n")
        phone.send(head.replace(b"\r\n", b"\n") + b"\n\n" + body)
        event = phone.agent.next_event()
        assert isinstance(event, InviteReceived)
        assert event.request.body == body

    def test_a_mixture_of_line_ends_is_none(self, phone: Phone) -> None:
        """There nobody knows what belongs to which line."""
        options = phone.request("OPTIONS", headers=["A: 1", "B: 2"]).replace(b"\r\nB", b"\nB")
        assert statuses(phone.send(options)) == [400]


class TestHangingUp:
    """A BYE goes where it can get, and says so when it gets nowhere."""

    @pytest.mark.parametrize(
        "host",
        [
            "100.64.3.4",
            "0.0.0.0",
            "169.254.1.1",
            "127.0.0.1",
            "255.255.255.255",
            "224.0.1.75",
            "[::]",
            "[fe80::1]",
        ],
    )
    def test_an_address_that_leads_nowhere_is_passed_by(self, phone: Phone, host: str) -> None:
        """Requests go the way that the peer came, whatever its Contact says."""
        dialog = phone.answered_call(contact=f"<sip:c@{host}:5062>")
        dialog.bye(0.0)
        (bye,) = phone.heard()
        assert isinstance(bye, Request)
        assert bye.uri == f"sip:c@{host}:5062"
        assert (phone.sent_to[0].host, phone.sent_to[0].port) == (THEIRS, 5060)

    def test_a_name_that_leads_nowhere_is_passed_by(self, phone: Phone) -> None:
        """BYE is sent again, the way that the peer came."""
        dialog = phone.answered_call(contact="<sip:c@pbx.invalid>")
        dialog.bye(0.0)
        assert phone.statuses() == ["BYE"]
        asked = phone.sent_to[0]
        assert asked.host == "pbx.invalid"
        phone.agent.transport_failed(asked, 0.0, why="no such name")
        assert phone.statuses() == ["BYE"]
        assert (phone.sent_to[0].host, phone.sent_to[0].port) == (THEIRS, 5060)
        assert phone.names() == []

    def test_so_is_one_for_an_ack(self, phone: Phone) -> None:
        """The callee would send its 200 again and again, and give up."""
        dialog, invite = phone.called()
        phone.send(phone.respond(invite, 200, contact="<sip:c@pbx.invalid>", body=b"answer"))
        dialog.ack(0.0)
        assert phone.statuses() == ["ACK"]
        phone.agent.transport_failed(phone.sent_to[0], 0.0, why="no such name")
        assert phone.statuses() == ["ACK"]
        assert phone.sent_to[0].host == THEIRS
        dialog.bye(0.0)
        assert phone.statuses() == ["BYE"]
        assert phone.sent_to[0].host == THEIRS

    def test_one_that_nobody_answers_is_told(self, phone: Phone) -> None:
        """By its Contact first, then the way that the peer came: then it is over, and known."""
        dialog = phone.answered_call(contact="<sip:c@203.0.113.77:5070>")
        dialog.bye(0.0)
        hosts = set()
        for _ in range(80):
            phone.wait(1)
            hosts |= {target.host for target in phone.sent_to}
        assert hosts == {"203.0.113.77", THEIRS}
        failed = phone.events()[0]
        assert isinstance(failed, ByeFailed)
        assert (failed.target.host, failed.why) == (THEIRS, "408 no response")
        assert phone.idle()

    def test_names_are_forgotten_with_their_dialogs(self, phone: Phone) -> None:
        """Nothing is kept of a call that is over."""
        dialog = phone.answered_call(contact="<sip:c@pbx.invalid>")
        dialog.bye(0.0)
        (bye,) = phone.heard()
        phone.send(phone.respond(bye, 200))
        phone.wait(40)
        assert not phone.agent._core._named
        assert phone.idle()


class TestDigits:
    """An INFO is read, or not answered with 200."""

    def phone_that_reads(self) -> Phone:
        """One whose application reads the digit 5 and nothing else."""
        gate = Gate()
        settings = Settings(reads_info=lambda media_type, body: b"5" in body)
        return Phone(make_agent("ours", "192.0.2.1", gate, settings), gate)

    def test_what_can_be_read_is_200(self) -> None:
        """And the application has it."""
        phone = self.phone_that_reads()
        dialog = phone.answered_call()
        info = phone.within(
            dialog, "INFO", headers=["Content-Type: application/dtmf-relay"], body=b"Signal=5"
        )
        assert statuses(phone.send(info)) == [200]
        assert [type(event) for event in phone.events()] == [InfoReceived]

    def test_what_cannot_be_read_is_400_and_told(self) -> None:
        """A caller whose keys do nothing has somebody to ask."""
        phone = self.phone_that_reads()
        dialog = phone.answered_call()
        headers = ["Content-Type: application/dtmf-relay"]
        assert statuses(phone.send(phone.within(dialog, "INFO", headers=headers, body=b"what"))) == [400]
        assert phone.gate.told[0].status == 400
        assert phone.events() == []

    def test_what_may_be_left_is_left(self, phone: Phone) -> None:
        """A body of another kind costs the INFO only where it has to be understood."""
        dialog = phone.answered_call()
        other = ["Content-Type: application/x-other"]
        assert statuses(phone.send(phone.within(dialog, "INFO", headers=other, body=b"x"))) == [415]
        optional = [*other, "Content-Disposition: signal;handling=optional"]
        assert statuses(phone.send(phone.within(dialog, "INFO", 3, headers=optional, body=b"x"))) == [200]
        assert phone.events() == []


class TestWhatIsTold:
    """Every refusal and every drop towards a source that we know has a reason that somebody hears."""

    @pytest.mark.parametrize(
        ("changes", "status", "why"),
        [
            ({"headers": ["Require: 100rel"]}, 420, "Require: 100rel is not supported"),
            ({"headers": ["Accept: text/plain"]}, 406, "Accept: no application/sdp in it"),
            ({"uri": "isbn:123"}, 416, "Request-URI: scheme isbn"),
            ({"to_tag": ";tag=gone"}, 481, "there is no such dialog"),
            ({"number": 2**32}, 400, "CSeq: number too large"),
        ],
    )
    def test_a_refused_invite(self, phone: Phone, changes: dict[str, object], status: int, why: str) -> None:
        """Says what it was, by whom, and why."""
        sent = phone.send(phone.request("INVITE", **changes))  # type: ignore[arg-type]  # as request takes
        assert statuses(sent) == [status]
        (told,) = phone.gate.told
        assert (told.status, told.what, told.why, told.call_id) == (status, "INVITE", why, "call-1")
        assert told.source.host == THEIRS

    def test_a_response_that_cannot_be_read(self, phone: Phone) -> None:
        """Is dropped, counted and told."""
        _, invite = phone.called()
        phone.send(phone.respond(invite, 200).replace(b"CSeq: 1", b"CSeq: one"))
        assert phone.agent.counters["dropped.unreadable"] == 1
        assert [(told.status, told.what) for told in phone.gate.told] == [(None, "200")]

    @pytest.mark.parametrize("name", ["From", "Call-ID", "To"])
    def test_a_response_needs_no_more_than_its_transaction(self, phone: Phone, name: str) -> None:
        """Branch and method say whose it is; the rest may be missing or broken."""
        dialog, invite = phone.called()
        answer = phone.respond(invite, 200, body=b"answer").decode()
        lines = [line for line in answer.split("\r\n") if not line.startswith(f"{name}:")]
        phone.send("\r\n".join(lines).encode())
        assert phone.names() == ["Answered"]
        assert dialog.state == "confirmed"

    def test_strangers_are_not_told_of(self, phone: Phone) -> None:
        """Nor answered: a scan fills no log."""
        phone.gate.strangers.add(THEIRS)
        assert phone.send(phone.request("INVITE", contact=None)) == []
        assert phone.send(b"nonsense\r\n\r\n") == []
        assert phone.gate.told == []

    @pytest.mark.parametrize("method", ["UPDATE", "REFER", "PRACK", "NOTIFY", "SUBSCRIBE", "MESSAGE"])
    def test_a_method_that_is_allowed_later_needs_its_dialog(self, method: str) -> None:
        """Outside one it is 481, and never more than that."""
        gate = Gate()
        settings = Settings(allow=(*Settings().allow, method))
        phone = Phone(make_agent("ours", "192.0.2.1", gate, settings), gate)
        assert statuses(phone.send(phone.request(method))) == [481]
        dialog = phone.answered_call(call_id="call-2", branch="z9hG4bK-2")
        request = phone.within(dialog, method, call_id="call-2")
        assert statuses(phone.send(request)) == [481]
