"""A carrier for calls out: a real SIP endpoint that rings, answers or refuses as a test tells it."""

import asyncio
import secrets

from gateway.net.sip import Binding, SipEndpoint
from gateway.phones.telephone import AnybodyMayCall, Literals
from gateway.sip.dialog import Dialog
from gateway.sip.events import ByeReceived, Cancelled, Event, InviteReceived
from gateway.sip.message import Request
from gateway.sip.settings import Settings
from tests.call.phone import Sound, sdp

SECONDS = 10.0


class Carrier:
    """Takes every call that comes: rings, and then does what `final` says."""

    def __init__(self) -> None:
        self.sound = Sound()
        self.final: int | None = 200
        "The status that a call gets after it rang; None: it goes on ringing."
        self.invites: list[Request] = []
        self.dialogs: list[Dialog] = []
        self.over: list[Event] = []
        "BYEs and CANCELs that came."
        self.news = asyncio.Event()
        self.endpoint = SipEndpoint(
            [Binding("carrier", "UDP", "127.0.0.1", 0)],
            AnybodyMayCall(),
            lambda: secrets.token_hex(8),
            Literals(),
            self._event,
            settings=Settings(t1=0.1, t2=0.5, t4=0.5),
        )

    async def start(self) -> None:
        """Be there."""
        await self.endpoint.start()

    async def stop(self) -> None:
        """Be gone."""
        self.sound.close()
        await self.endpoint.stop()

    @property
    def uri(self) -> str:
        """What a trunk has as its termination URI."""
        return f"127.0.0.1:{self.endpoint.listeners[0].port}"

    async def until_called(self, times: int = 1) -> Request:
        """Wait for the INVITE of a call."""
        await self._until(lambda: len(self.invites) >= times)
        return self.invites[times - 1]

    async def until_over(self, times: int = 1) -> Event:
        """Wait for a BYE or CANCEL."""
        await self._until(lambda: len(self.over) >= times)
        return self.over[times - 1]

    def hang_up(self) -> None:
        """BYE on the last call."""
        self.dialogs[-1].bye(self.endpoint.now())
        self.endpoint.flush()

    def _event(self, event: Event) -> None:
        match event:
            case InviteReceived(dialog, request):
                self.invites.append(request)
                self.dialogs.append(dialog)
                self._answer(dialog)
            case ByeReceived() | Cancelled():
                self.over.append(event)
        self.news.set()

    def _answer(self, dialog: Dialog) -> None:
        now = self.endpoint.now()
        dialog.ring(now)
        if self.final == 200:
            dialog.accept(now, sdp(self.sound.port))
        elif self.final is not None:
            dialog.refuse(now, self.final)
        self.endpoint.flush()

    async def _until(self, holds: object) -> None:
        assert callable(holds)
        async with asyncio.timeout(SECONDS):
            while not holds():
                self.news.clear()
                await self.news.wait()
