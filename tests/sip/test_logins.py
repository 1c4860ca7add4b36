"""Digest challenges to our requests, and who gets our password (RFC 3261 section 22)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.sip.digest import Challenge, Credentials, answer
from gateway.sip.events import Refused
from gateway.sip.message import Request
from gateway.sip.useragent import Login
from tests.sip.messages import last_request

if TYPE_CHECKING:
    from tests.sip.conftest import Phone


class TestLogins:
    """Digest challenges to our requests (section 22)."""

    LOGIN = Login("user", "secret", "carrier")

    def challenge(self, phone: Phone, request: Request, status: int = 401, **fields: str) -> Request | None:
        """Challenge a request; returns what is sent in its place."""
        parts = {"realm": '"carrier"', "nonce": '"n1"', "qop": '"auth"', "algorithm": "MD5"} | fields
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        text = ", ".join(f"{key}={value}" for key, value in parts.items())
        sent = phone.send(phone.respond(request, status, headers=[f"{name}: Digest {text}"]))
        others = [one for one in sent if isinstance(one, Request) and one.method != "ACK"]
        return others[0] if others else None

    def proves(self, request: Request, header: str = "Authorization", password: str = "secret") -> bool:
        credentials = Credentials.parse(request.headers.get(header) or "")
        challenge = Challenge(
            credentials.realm,
            credentials.nonce,
            credentials.algorithm,
            (credentials.qop,) if credentials.qop else (),
        )
        expected = answer(
            challenge,
            "user",
            password,
            request.method,
            request.uri,
            request.body,
            credentials.cnonce,
            int(credentials.nc or "1", 16),
        )
        return expected.response == credentials.response and credentials.uri == request.uri

    @pytest.mark.parametrize(("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
    def test_a_challenge_is_answered(self, phone: Phone, status: int, header: str) -> None:
        """Same Call-ID and From tag, next CSeq, new branch, no To tag, and the proof."""
        dialog, invite = phone.called(credentials=self.LOGIN)
        again = self.challenge(phone, invite, status)
        assert again is not None
        assert self.proves(again, header)
        assert (again.call_id, again.from_.tag, again.to.tag) == (invite.call_id, invite.from_.tag, None)
        assert again.cseq.number == invite.cseq.number + 1
        assert again.via.branch != invite.via.branch
        assert again.body == invite.body
        phone.send(phone.respond(again, 200, body=b"answer"))
        assert phone.names() == ["Answered"]
        dialog.ack(0.0)
        ack = last_request(phone.heard())
        assert ack.cseq.number == again.cseq.number
        assert ack.headers.get(header) == again.headers.get(header)

    def test_the_strongest_algorithm_is_chosen(self, phone: Phone) -> None:
        """SHA-256 before MD5 (RFC 8760)."""
        _, invite = phone.called(credentials=self.LOGIN)
        headers = [
            f'WWW-Authenticate: Digest realm="carrier", nonce="{name}", qop="auth", algorithm={name}'
            for name in ("MD5", "SHA-256", "SHA-999")
        ]
        again = last_request(phone.send(phone.respond(invite, 401, headers=headers)))
        assert Credentials.parse(again.headers.get("Authorization") or "").algorithm == "SHA-256"
        assert self.proves(again)

    def test_a_wrong_password_is_not_tried_again(self, phone: Phone) -> None:
        """A second 401 for the same realm is the answer."""
        _, invite = phone.called(credentials=self.LOGIN)
        again = self.challenge(phone, invite)
        assert again is not None
        assert self.challenge(phone, again, nonce='"n2"') is None
        refused = phone.events()[0]
        assert isinstance(refused, Refused)
        assert refused.status == 401

    def test_a_stale_nonce_is_replaced(self, phone: Phone) -> None:
        """`stale=true` means that the password was right; yet not for ever."""
        _, invite = phone.called(credentials=self.LOGIN)
        request: Request | None = self.challenge(phone, invite)
        tries = 0
        while request is not None and tries < 20:
            tries += 1
            request = self.challenge(phone, request, nonce=f'"s{tries}"', stale="TRUE")
        assert tries == 4
        assert phone.names() == ["Refused", "DialogTerminated"]

    def test_a_proxy_and_the_callee_may_both_ask(self, phone: Phone) -> None:
        """407, then 401: the third request answers both, the proxy's nonce for the second time."""
        _, invite = phone.called(credentials=Login("user", "secret"))
        again = self.challenge(phone, invite, 407)
        assert again is not None
        third = self.challenge(phone, again, 401, realm='"callee"', nonce='"n2"')
        assert third is not None
        assert self.proves(third)
        assert self.proves(third, "Proxy-Authorization")
        assert Credentials.parse(third.headers.get("Proxy-Authorization") or "").nc == "00000002"

    def test_only_its_own_realm_once_it_was_taken(self, phone: Phone) -> None:
        """The first call learns whose realm it is; another's challenge then gets no answer, in any way."""
        login = Login("user", "secret")
        _, invite = phone.called(credentials=login)
        again = self.challenge(phone, invite)
        assert again is not None
        phone.send(phone.respond(again, 200, body=b"answer"))
        for status in (401, 407):
            _, invite = phone.called(credentials=login)
            assert self.challenge(phone, invite, status, realm='"elsewhere"') is None
        _, invite = phone.called(credentials=login)
        assert self.challenge(phone, invite, nonce='"n9"') is not None

    def test_what_was_refused_teaches_nothing(self, phone: Phone) -> None:
        """A realm in which the account was not taken is forgotten with the call; others have their own."""
        login = Login("user", "secret")
        _, invite = phone.called(credentials=login)
        again = self.challenge(phone, invite, realm='"elsewhere"')
        assert again is not None
        phone.send(phone.respond(again, 403))
        _, invite = phone.called(credentials=login)
        again = self.challenge(phone, invite)
        assert again is not None
        phone.send(phone.respond(again, 200, body=b"answer"))
        _, invite = phone.called(credentials=Login("other", "secret"))
        assert self.challenge(phone, invite, realm='"elsewhere"') is not None

    @pytest.mark.parametrize("login", [None, Login("user", "secret", "another realm")])
    def test_nobody_else_gets_the_password(self, phone: Phone, login: Login | None) -> None:
        """Without a login, or for another realm than the trunk names, 401 is the answer."""
        _, invite = phone.called(credentials=login)
        assert self.challenge(phone, invite) is None
        refused = phone.events()[0]
        assert isinstance(refused, Refused)
        assert refused.status == 401

    def test_a_challenge_after_cancel_is_the_end(self, phone: Phone) -> None:
        """No second INVITE for a call that nobody wants any more."""
        dialog, invite = phone.called(credentials=self.LOGIN)
        dialog.cancel(0.0)
        assert self.challenge(phone, invite) is None
        assert phone.names() == ["DialogTerminated"]

    def answered(self, phone: Phone, contact: str) -> Request:
        """Answer a call with that Contact, hang up, and return the BYE."""
        dialog, invite = phone.called(credentials=self.LOGIN)
        phone.send(phone.respond(invite, 200, body=b"answer", contact=contact))
        dialog.ack(0.0)
        dialog.bye(0.0)
        return last_request(phone.heard())

    def test_a_challenged_bye_is_sent_again(self, phone: Phone) -> None:
        """The peer of the login may challenge everything."""
        bye = self.answered(phone, "<sip:phone@198.51.100.2>")
        again = self.challenge(phone, bye)
        assert again is not None
        assert self.proves(again)
        phone.send(phone.respond(again, 200))
        assert phone.names() == ["Answered", "DialogTerminated"]

    def test_another_machine_does_not_get_the_password(self, phone: Phone) -> None:
        """A Contact may lead anywhere, also to somebody who would like to have it."""
        bye = self.answered(phone, "<sip:phone@203.0.113.66>")
        assert self.challenge(phone, bye) is None
        assert phone.names() == ["Answered", "DialogTerminated"]

    def test_a_challenged_reinvite_is_sent_again(self, phone: Phone) -> None:
        """Like the first INVITE."""
        dialog, invite = phone.called(credentials=self.LOGIN)
        phone.send(phone.respond(invite, 200, body=b"answer"))
        dialog.ack(0.0)
        dialog.reinvite(0.0, b"hold")
        again = self.challenge(phone, last_request(phone.heard()), 407)
        assert again is not None
        assert self.proves(again, "Proxy-Authorization")
        assert again.body == b"hold"

    def test_a_login_hides_its_password(self) -> None:
        """Also from a log that prints values."""
        assert "secret" not in repr(self.LOGIN)
