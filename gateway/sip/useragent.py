"""The user agent: skeleton of the interface; the body lands next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.sip.dialog import Dialog
from gateway.sip.events import Event
from gateway.sip.screening import Admit, Deny, Gatekeeper, Ignore, Screening
from gateway.sip.settings import Login, Settings
from gateway.sip.target import Listener, Target

if TYPE_CHECKING:
    from gateway.sip.headers import NameAddr

__all__ = [
    "Admit",
    "Deny",
    "Dialog",
    "Event",
    "Gatekeeper",
    "Ignore",
    "Listener",
    "Login",
    "Screening",
    "Settings",
    "Target",
    "UserAgent",
]


class UserAgent:
    """SIP without I/O: messages in, events out; verbs in, messages out."""

    draining: bool
    counters: Counter[str]

    def __init__(
        self,
        listeners: Sequence[Listener],
        gatekeeper: Gatekeeper,
        token: Callable[[], str],
        *,
        settings: Settings = Settings(),  # noqa: B008  frozen
    ) -> None:
        raise NotImplementedError

    def receive(self, data: bytes, source: Target, now: float) -> None:
        """Take one whole message."""
        raise NotImplementedError

    def next_event(self) -> Event | None:
        """The oldest event that was not taken yet."""
        raise NotImplementedError

    def messages_to_send(self) -> list[tuple[bytes, Target]]:
        """Everything queued since the last time; the caller sends it."""
        raise NotImplementedError

    def next_timeout(self) -> float | None:
        """When `handle_timeout` is due, or `None`."""
        raise NotImplementedError

    def handle_timeout(self, now: float) -> None:
        """Do what is due by `now`."""
        raise NotImplementedError

    def transport_failed(self, target: Target, now: float, *, why: str) -> None:
        """A message to `target` could not be delivered: its client transactions fail as by a 503."""
        raise NotImplementedError

    def invite(
        self,
        request_uri: str,
        *,
        target: Target,
        from_: NameAddr | str,
        to: str | None = None,
        contact_user: str,
        body: bytes,
        content_type: str = "application/sdp",
        headers: Sequence[tuple[str, str]] = (),
        credentials: Login | None = None,
        routes: Sequence[str] = (),
        now: float,
    ) -> Dialog:
        """Call `request_uri` by way of `target`; `Ringing`, `Answered` or `Refused` tell the rest."""
        raise NotImplementedError

    def options(self, request_uri: str, *, target: Target, from_: NameAddr | str, now: float) -> str:
        """Ask whether the peer is there; returns the Call-ID that `OptionsAnswered` will carry."""
        raise NotImplementedError
