"""What is done for a call's media once a second: reports, quality, the alarm for one-way audio, its end."""

from collections.abc import Callable

from gateway.agent.notices import Quality
from gateway.call.bridge import Bridge
from gateway.call.legs.phone import Phone
from gateway.call.record import Ending, EndReason, Status
from gateway.config.settings import MediaSettings
from gateway.media.quality import STEP_SECONDS
from gateway.tell import Tell

MEND = "add the carrier's media networks to media.networks, or to the trunk's sources"

UNHEARD = 0.99
"Part of our packets that is lost when a peer hears nothing of us."


class MediaWatch:
    """Looks after the media of one call; `sweep` it once a second."""

    def __init__(
        self,
        phone: Phone,
        bridge: Bridge,
        settings: MediaSettings,
        tell: Tell,
        end: Callable[[Ending], None],
    ) -> None:
        self._phone = phone
        self._bridge = bridge
        self._settings = settings
        self._tell = tell
        self._end = end
        self._seconds = 0
        self._unheard_since: float | None = None
        self._sent = self._refused = 0
        self._warned = self._suspected = False

    def sweep(self, now: float) -> None:
        """A second has gone by."""
        self._phone.media.sweep(now)
        # Who has not acknowledged the answer is dealt with by the time that it has for that.
        if not self._phone.connected.is_set():
            return
        self._measure()
        self._suspect(now)
        self._warn(now)
        self._give_up(now)

    def _measure(self) -> None:
        self._seconds += 1
        if self._seconds % STEP_SECONDS == 0:
            figures = self._phone.media.sample(self._bridge.playout.underruns)
            if figures is not None:
                self._bridge.notice(Quality(figures))

    def _suspect(self, now: float) -> None:
        """`call.media_ignored`, once a call: RTP comes, but from where it is not believed."""
        ignored = self._phone.media.ignored(now)
        if not ignored or self._suspected:
            return
        self._suspected = True
        self._tell(
            "call.media_ignored",
            level="warning",
            source=ignored,
            **self._phone.media.whereabouts(),
            mend=MEND,
        )

    def _warn(self, now: float) -> None:
        """`call.one_way`, once a call: one side has not been heard for too long, and what was agreed on."""
        missing = self._missing(now)
        if missing is None or self._warned:
            return
        self._warned = True
        self._tell(
            "call.one_way",
            level="warning",
            missing=missing,
            seconds=self._settings.one_way_seconds,
            **self._phone.media.whereabouts(),
        )

    def _missing(self, now: float) -> str | None:
        """`in` while nothing comes, `out` while nothing arrives, as far as we are told; None: all is well."""
        media, limit = self._phone.media, self._settings.one_way_seconds
        unheard = self._unheard(now)
        if media.silent_for(now) >= limit and not media.silent_on_purpose:
            return "in" if media.may_send else None
        return "out" if unheard >= limit else None

    def _unheard(self, now: float) -> float:
        """Seconds for which the peer has reported, or the kernel, that none of our packets arrives."""
        media = self._phone.media
        sent, refused = media.sent - self._sent, media.send_errors - self._refused
        self._sent, self._refused = media.sent, media.send_errors
        if sent <= 0 or (refused < UNHEARD * sent / 2 and media.lost_there < UNHEARD):
            self._unheard_since = None
            return 0.0
        if self._unheard_since is None:
            self._unheard_since = now
        return now - self._unheard_since

    def _give_up(self, now: float) -> None:
        media = self._phone.media
        limit = self._settings.no_media_seconds
        if media.is_lost(now, limit):
            ignored = media.ignored(now)
            detail = f"no audio came from the {self._phone.party} for {limit:g} s"
            detail += f"; RTP from {ignored} was not believed, see media.networks" if ignored else ""
            self._end(Ending(Status.COMPLETED, EndReason.MEDIA_LOST, "gateway", detail, None, 41))
