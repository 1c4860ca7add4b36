"""Slows down those who guess passwords: after some failures each try has to wait, longer each time."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

FORGET_SECONDS = 3600.0
"So long after the last failure a key is forgotten."
FIRST_WAIT, LONGEST_WAIT = 2.0, 900.0
REMEMBERED = 10_000
"Keys that are kept; the one that failed longest ago makes room."


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0


class Guesses:
    """Counts failures by key; time is an argument, in seconds of any clock that only grows."""

    def __init__(self, longest_wait: float = LONGEST_WAIT) -> None:
        self._longest_wait = longest_wait
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, keys: Sequence[tuple[str, int]], now: float) -> float:
        """Seconds until another try is heard; 0: now. Each key comes with the failures that are free."""
        return max(0.0, *(self._wait(key, free, now) for key, free in keys))

    def failed(self, keys: Sequence[tuple[str, int]], now: float) -> None:
        """A try with these keys has failed."""
        for key, _ in keys:
            known = self._failures.pop(key, None)
            fresh = known is None or now - known.last > FORGET_SECONDS
            failures = _Failures() if known is None or fresh else known
            failures.count, failures.last = failures.count + 1, now
            self._failures[key] = failures
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """A try was right: what this key did before is forgiven."""
        self._failures.pop(key, None)

    def _wait(self, key: str, free: int, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < free:
            return 0.0
        # The exponent is bounded: a count in the thousands would be a number of that many bits.
        pause = min(self._longest_wait, FIRST_WAIT * 2.0 ** min(failures.count - free, 16))
        return max(0.0, failures.last + pause - now)
