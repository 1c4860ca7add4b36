"""Links to recordings that work without a key, for whoever has them, until they run out."""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.store.records.calls import CallRow

_EXPIRES = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class RecordingLinks:
    """Makes links and checks them (HMAC-SHA256 over the call and the time)."""

    key: bytes
    days: int
    "How long a link works."

    def link(self, base: str, row: CallRow, now: datetime) -> str | None:
        """The link to a call's recording, None where there is none; `base` ends in a slash."""
        if not (row.recording or {}).get("key"):
            return None
        # By the hour: a player that asks for the record again gets the same link, and keeps what it has.
        until = now + timedelta(days=self.days)
        expires = int(until.replace(minute=0, second=0, microsecond=0).timestamp()) + 3600
        return f"{base}recordings/{row.id}.wav?expires={expires}&signature={self._sign(row.id, expires)}"

    def opens(self, call_id: str, expires: str, signature: str, now: datetime) -> bool:
        """Whether a link is one of ours, and has not run out."""
        if _EXPIRES.fullmatch(expires) is None:
            return False
        right = self._sign(call_id, int(expires))
        return hmac.compare_digest(signature.encode(), right.encode()) and int(expires) > now.timestamp()

    def _sign(self, call_id: str, expires: int) -> str:
        return hmac.digest(self.key, f"{call_id} {expires}".encode(), "sha256").hex()
