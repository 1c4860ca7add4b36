"""The answer-seizure guard: a batch stops itself while nothing but failures comes of its calls.

A trunk that is down would burn through ten thousand recipients in an hour. What is judged is the trunk, the
agent and the way numbers are written; people who do not pick up are no failure.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.call.record import EndReason


class Blame(StrEnum):
    """Whose failure a call's ending is."""

    TRUNK = "trunk"
    AGENT = "agent"
    NUMBERS = "numbers"
    "The carrier knows none of them: most likely it wants them written otherwise."


BLAMED: Mapping[str, Blame] = {
    EndReason.SIP_TRUNK_UNREACHABLE: Blame.TRUNK,
    EndReason.SIP_AUTH_FAILED: Blame.TRUNK,
    EndReason.NETWORK_FAILURE: Blame.TRUNK,
    EndReason.DESTINATION_FORBIDDEN: Blame.TRUNK,
    EndReason.NO_COMMON_CODEC: Blame.TRUNK,
    EndReason.BAD_SESSION: Blame.TRUNK,
    EndReason.UNKNOWN: Blame.TRUNK,
    EndReason.AGENT_UNREACHABLE: Blame.AGENT,
    EndReason.AGENT_FAILED: Blame.AGENT,
    EndReason.AGENT_FLOODED: Blame.AGENT,
    EndReason.UNALLOCATED_PHONE_NUMBER: Blame.NUMBERS,
    EndReason.INVALID_PHONE_NUMBER: Blame.NUMBERS,
}

WHY: Mapping[Blame, str] = {
    Blame.TRUNK: "the trunk failed for {count} of the last {rows} calls",
    Blame.AGENT: "the agent failed for {count} of the last {rows} calls",
    Blame.NUMBERS: "the carrier did not know the number for any of the last {rows} calls",
}

MENDS: Mapping[Blame, str] = {
    Blame.TRUNK: "Test the trunk’s connection or ask the carrier, then resume.",
    Blame.AGENT: "Start the agent’s runtime, or mend its address, then resume.",
    Blame.NUMBERS: "Look at how the trunk wants numbers written (its number format), then resume.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One call that ended: whose failure, if it was one, and how that was told."""

    blame: Blame | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a batch pauses itself."""

    code: str
    "`trunk_failing`, `agent_failing` or `numbers_unknown`, for programs."
    why: str
    "The sentence for people, with what mends it."


CODES: Mapping[Blame, str] = {
    Blame.TRUNK: "trunk_failing",
    Blame.AGENT: "agent_failing",
    Blame.NUMBERS: "numbers_unknown",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """The last calls of a batch; a new one for each time that it is started or resumed."""

    rows: int = 20
    "Calls that are looked at together; 0: the guard sleeps."
    share: float = 0.5
    "It stops where more than this part of them failed."
    last: tuple[Seen, ...] = ()

    def seen(self, end_reason: str | None, detail: str = "") -> "Guard":
        """The guard after one more call; what nobody is blamed for counts as well."""
        blame = BLAMED.get(end_reason) if end_reason is not None else None
        last = deque(self.last, max(self.rows, 0))
        last.append(Seen(blame, detail if blame else ""))
        return replace(self, last=tuple(last))

    def stop(self) -> Stop | None:
        """Why the batch has to pause; None: it may go on, or too few calls have ended to say."""
        if not self.rows or len(self.last) < self.rows:
            return None
        for blame in Blame:
            count = sum(seen.blame is blame for seen in self.last)
            enough = self.rows - 1 if blame is Blame.NUMBERS else int(self.rows * self.share)
            if count > enough:
                return Stop(CODES[blame], self._sentence(blame, count))
        return None

    def _sentence(self, blame: Blame, count: int) -> str:
        why = WHY[blame].format(count=count, rows=self.rows)
        detail = next(
            (seen.detail for seen in reversed(self.last) if seen.blame is blame and seen.detail), ""
        )
        last = f" (the last one: {detail[:200]})" if detail else ""
        return f"Paused by itself: {why}{last}. {MENDS[blame]}"
