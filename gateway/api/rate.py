"""How many requests a key may make: so many a window, told in the headers of every answer."""

from dataclasses import dataclass

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands after a request."""

    allowed: bool
    limit: int
    remaining: int
    reset: int
    "Seconds until the window is over and the count begins anew."

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer says of it."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        ]


class RateLimit:
    """Counts the requests of each key in windows that begin with its first request."""

    def __init__(self, limit: int) -> None:
        """`limit` requests a window."""
        self.limit = limit
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, key: str, now: float) -> Standing:
        """Count a request; `now` in seconds of any clock that never goes back."""
        begun, count = self._windows.get(key, (now, 0))
        if now - begun >= WINDOW_SECONDS:
            begun, count = now, 0
        self._windows[key] = begun, count + 1
        reset = max(1, round(begun + WINDOW_SECONDS - now))
        return Standing(count < self.limit, self.limit, max(0, self.limit - count - 1), reset)
