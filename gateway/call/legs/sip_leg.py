"""The phone's side of a call: a dialog and its audio, which do not know each other."""

from collections.abc import Sequence
from random import randrange

from gateway.call.legs.outcome import ending_of_refused
from gateway.call.legs.phone import Party, PhoneUser
from gateway.call.legs.phone_media import PhoneMedia
from gateway.call.one_shot import OneShot
from gateway.call.record import Ending, EndReason, Status
from gateway.call.refusal import (
    Refused,
    answer_for,
    reason_header,
    refused_offer,
    retry_headers,
    warning_headers,
)
from gateway.media.dtmf import parse_info
from gateway.media.sdp import NotAcceptable
from gateway.media.session import UNACCEPTABLE, Action, Message, Refusal, Session
from gateway.net.sip import SipEndpoint
from gateway.routing.decision import Rejected
from gateway.sip.dialog import Dialog
from gateway.sip.events import (
    AckMissing,
    Acknowledged,
    Answered,
    ByeReceived,
    Cancelled,
    Event,
    InfoReceived,
    OptionsAnswered,
    ReinviteAnswered,
    ReinviteCancelled,
    ReinviteReceived,
    Ringing,
)
from gateway.sip.events import Refused as InviteRefused

GIVEN_UP = Ending(Status.CANCELLED, EndReason.CALLER_CANCELLED, "caller", "the caller gave up", 487)
UNACKNOWLEDGED = Ending(
    Status.FAILED, EndReason.NEVER_ACKNOWLEDGED, "gateway", "our 200 was never acknowledged", 200, 102
)


class SipLeg:
    """A dialog with the phone's side, and the audio that its offers and answers describe.

    The dialog comes with the caller's INVITE (`begin`), or with ours. Verbs send at once. What the peer does
    arrives by `receive`, and is told to the user.
    """

    def __init__(self, party: Party, endpoint: SipEndpoint, user: PhoneUser) -> None:
        self.party = party
        "Who the phone is in this call."
        self.ringing = OneShot()
        "Set when the callee rings, or has picked up at once."
        self.picked_up = OneShot()
        "Set when the callee has answered our INVITE, and we have acknowledged that."
        self.connected = OneShot()
        "Set when the peer surely hears us: by its ACK or ours, or by its first audio."
        self.username: str | None = None
        "Whom the trunk's challenges are answered as."
        self._endpoint = endpoint
        self._user = user
        self._closed = False
        self._dialog: Dialog | None = None
        self._media: PhoneMedia | None = None
        self._session = Session()
        self._answer = b""
        "To the offer that is open, if it is theirs."
        self._held = False
        self._told_kept = False
        "The log knows that an answer could not be used, and the session is the one before."

    @property
    def dialog(self) -> Dialog:
        """The dialog, once there is one."""
        assert self._dialog is not None, "the leg has no dialog yet"
        return self._dialog

    def begin(self, dialog: Dialog) -> None:
        """This is the dialog: the caller's INVITE made it, or ours did."""
        self._dialog = dialog

    def offer(self, media: PhoneMedia) -> bytes:
        """Take the media of a call of ours, and make the offer for its INVITE."""
        self._take(media)
        return self._description(Message.INVITE)

    def _take(self, media: PhoneMedia) -> None:
        self._media = media
        if self._dialog is not None:
            media.signalled_by(self._dialog.heard_from.host)

    @property
    def media(self) -> PhoneMedia:
        """The phone's audio, once `open` gave it to us."""
        assert self._media is not None, "the leg has no media yet"
        return self._media

    def open(self, media: PhoneMedia, offer: bytes) -> None:
        """Negotiate the caller's offer; without one the offer will be ours (RFC 3261 section 13.2.1).

        Raises `Refused`: 488 without a common codec, 400 where the SDP makes no sense.
        """
        self._take(media)
        try:
            if self._session.receive(Message.INVITE, bool(offer)) is Action.ANSWER:
                self._answer = media.answer(offer, self._endpoint.now())
        except NotAcceptable as error:
            raise refused_offer(error) from error
        except ValueError as error:
            raise Refused(EndReason.BAD_SESSION, str(error)) from error

    def ring(self) -> None:
        """180."""
        self.dialog.ring(self._endpoint.now())
        self._endpoint.flush()

    def accept(self) -> None:
        """200, with our answer, or with our offer when the INVITE had none."""
        now = self._endpoint.now()
        self.dialog.accept(now, self._description(Message.SUCCESS))
        self._endpoint.flush()
        self.media.wait_anew(now)

    def _description(self, message: Message) -> bytes:
        """The session description that a message of ours carries; empty where it carries none."""
        match self._session.send(message):
            case Action.OFFER:
                return self.media.offer()
            case Action.ANSWER:
                return self._answer
            case _:
                return b""

    def refuse(self, refusal: Rejected | Refused, challenge: Sequence[tuple[str, str]] = ()) -> None:
        """Answer the INVITE with the status that belongs to the refusal, saying why; too late does nothing.

        `challenge` is what a 401 has to carry (RFC 3261 section 21.4.2).
        """
        if self.dialog.state != "early":
            return
        answer = answer_for(refusal)
        headers = [reason_header(answer), *warning_headers(refusal), *retry_headers(refusal), *challenge]
        self.dialog.refuse(self._endpoint.now(), answer.status, answer.phrase, headers)
        self._endpoint.flush()

    def close(self, ending: Ending) -> None:
        """Hang up in the way that the dialog's state asks for, and free the media; right at any time.

        From then on nobody is told anything.
        """
        now = self._endpoint.now()
        if self._dialog is not None:
            self._leave(self._dialog, ending, now)
            self._endpoint.flush()
        if self._media is not None:
            self._media.close(now)
        if not self._closed:
            self._closed = True
            del self._user

    def _leave(self, dialog: Dialog, ending: Ending, now: float) -> None:
        reason = self._reason(ending)
        if dialog.state == "confirmed":
            dialog.bye(now, reason)
        elif dialog.state == "early" and not dialog.incoming:
            dialog.cancel(now, reason)
        elif dialog.state == "early":
            status = ending.sip_status or 487
            headers = [] if reason is None else [("Reason", reason)]
            dialog.refuse(now, status if status >= 300 else 487, headers=headers)

    def _reason(self, ending: Ending) -> str | None:
        """The `Reason` header of our BYE or CANCEL (RFC 3326): what a carrier's engineer will ask for."""
        if ending.by == self.party:
            return None
        return f'Q.850;cause={ending.q850 or 16};text="{ending.reason}"'

    def figures(self) -> dict[str, object]:
        """What became of the audio, for the record; nothing where there was none."""
        return {} if self._media is None else self._media.figures()

    def receive(self, event: Event) -> None:
        """Take an event of this leg's dialog; once it is closed, what is still to be done is the dialog's."""
        if self._closed:
            return
        if self._media is not None and not isinstance(event, OptionsAnswered):
            self._media.signalled_by(event.dialog.heard_from.host)
        match event:
            case Cancelled():
                self._user.end(GIVEN_UP)
            case ByeReceived():
                detail = f"the {self.party} hung up"
                self._user.end(Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, self.party, detail))
            case Ringing(_, status, body, _):
                self._rings(status, body)
            case Answered(_, body, _):
                self._picks_up(body)
            case InviteRefused():
                self._user.end(ending_of_refused(event, self.username))
            case AckMissing():
                self._user.end(UNACKNOWLEDGED)
            case Acknowledged(_, body, _):
                self._acknowledged(body)
            case ReinviteReceived() | ReinviteCancelled() | ReinviteAnswered():
                self._renegotiates(event)
            case InfoReceived(_, content_type, body):
                self._info(content_type, body)
            case _:
                pass

    def _rings(self, status: int, body: bytes) -> None:
        """The callee's side is at work; an SDP in it is audio before the answer (RFC 3960)."""
        early = self._session.receive(Message.PROVISIONAL, bool(body)) is Action.PREVIEW
        early = early and self._hears_early(body)
        self.ringing.set()
        self._user.rings(status, early)

    def _hears_early(self, answer: bytes) -> bool:
        try:
            self.media.take_answer(answer, self._endpoint.now())
        except ValueError:
            return False  # what counts is the answer; that one will be held to what it says
        self._session.previewed()
        self._retuned()
        return True

    def _picks_up(self, answer: bytes) -> None:
        """A 2xx is acknowledged at once, whatever its answer is worth."""
        now = self._endpoint.now()
        self.dialog.ack(now)
        self._endpoint.flush()
        if not self._answered(Message.SUCCESS, answer):
            return
        self.media.wait_anew(now)
        self._user.picked_up()
        self.ringing.set()
        self.picked_up.set()
        self.connected.set()

    def _acknowledged(self, answer: bytes) -> None:
        self._user.acknowledged()
        if self._answered(Message.ACK, answer):
            self.connected.set()

    def _answered(self, message: Message, answer: bytes) -> bool:
        """Take what may be the answer to our offer; False where the call cannot go on with it.

        Within the call the session goes on as it was, as if no re-INVITE had been issued, as RFC 3261
        section 14.1 has it of a failed one: an offer without an answer changes nothing, and is no reason to
        hang up on people who talk.
        """
        match self._session.receive(message, bool(answer)):
            case Action.APPLY:
                return self._apply(answer)
            case Action.MISSING:
                return self._unanswered("no answer to our offer came")
            case Action.KEEP:
                self._session.applied()
        return True

    def _apply(self, answer: bytes) -> bool:
        try:
            self.media.take_answer(answer, self._endpoint.now())
        except ValueError as error:
            return self._unanswered(f"the answer to our offer: {error}")
        self._session.applied()
        self._retuned()
        return True

    def _unanswered(self, why: str) -> bool:
        if not self._session.agreed:
            self._user.end(Ending(Status.FAILED, EndReason.BAD_SESSION, "gateway", why, 200, 95))
        elif not self._told_kept:
            self._told_kept = True
            self._user.tell("call.session_kept", level="warning", why=why)
        return self._session.agreed

    def _renegotiates(self, event: ReinviteReceived | ReinviteCancelled | ReinviteAnswered) -> None:
        """An INVITE within the call: theirs, which they may have taken back, or the answer to ours."""
        match event:
            case ReinviteReceived(_, request):
                self._reinvited(request.body)
            case ReinviteAnswered(_, status, body, _) if 200 <= status < 300:
                self._answered(Message.SUCCESS, body)
            case _:
                self._session.fail(Message.INVITE)

    def _reinvited(self, offer: bytes) -> None:
        """Answer a change of the session: hold, resume, another address (RFC 3264 section 8)."""
        now = self._endpoint.now()
        action = self._session.receive(Message.INVITE, bool(offer))
        if isinstance(action, Refusal):
            self._refuse_offer(action, now)
            self._endpoint.flush()
            return
        self._agree(offer, now)
        self._endpoint.flush()
        self._retuned()

    def _agree(self, offer: bytes, now: float) -> None:
        """Answer 200: with our answer, or with our offer to an INVITE that has none."""
        try:
            if offer:
                self._answer = self.media.answer(offer, now)
        except NotAcceptable as error:
            self._session.fail(Message.INVITE)
            self._refuse_offer(UNACCEPTABLE, now, error.phrase, warning_headers(refused_offer(error)))
        except ValueError as error:
            self._session.fail(Message.INVITE)
            self._refuse_offer(Refusal(400), now, f"Session Description: {error}"[:80])
        else:
            self.dialog.accept(now, self._description(Message.SUCCESS))

    def _refuse_offer(
        self,
        refusal: Refusal,
        now: float,
        phrase: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """The session goes on as it was (RFC 3261 section 14.2)."""
        if refusal.retry_after:
            headers = [*headers, ("Retry-After", str(randrange(11)))]  # noqa: S311  no secret
        self.dialog.refuse(now, refusal.status, phrase, headers)

    def _retuned(self) -> None:
        self._user.retuned()
        held = self.media.held
        if held != self._held:
            self._held = held
            self._user.tell("call.held" if held else "call.resumed")
            self._user.held(held)

    def _info(self, content_type: str, body: bytes) -> None:
        press = parse_info(content_type, body)
        if press is not None:
            self._user.pressed(press.digit, press.duration_ms)
