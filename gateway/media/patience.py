"""How long to wait for what is late: the adaptive part of the jitter buffer."""

_HALF_LIFE = 10.0
"Seconds in which what was learnt about the network's worst is half forgotten."
_MARGIN = 1.25
"How much longer than the longest wait that paid off."


class Patience:
    """A wait that follows what lately would have been long enough, between two bounds. All in seconds."""

    __slots__ = ("_at", "_longest", "_peak", "_shortest")

    def __init__(self, shortest: float, longest: float, first: float) -> None:
        """`first`: the wait before anything is known."""
        self._shortest = min(shortest, longest)
        self._longest = longest
        self._peak = min(first, longest)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """How long to wait at most."""
        if self._at is None:
            self._at = now
        forgotten: float = 0.5 ** ((now - self._at) / _HALF_LIFE)
        return self._shortest + max(0.0, self._peak - self._shortest) * forgotten

    def came(self, after: float, now: float) -> None:
        """Something came that far behind its time; what comes too late for any wait teaches nothing."""
        wanted = after * _MARGIN
        if after <= self._longest and wanted > self.wait(now):
            self._peak = min(wanted, self._longest)
            self._at = now
