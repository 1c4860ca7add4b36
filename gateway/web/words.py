"""Words of the records and the reference platform as people read them, and the colours they come in."""

from gateway.call.record import EndReason, Status
from gateway.routing.table import NumberStatus, RentalStatus, VersionState

_SAID = {
    "sip_trunk": "SIP trunk",
    "plivo": "Plivo",
    "twilio": "Twilio",
    "simulated": "Simulated",
    "available": "available for reassignment",
    "kyc_not_verified": "KYC not verified",
    "sip_auth_failed": "SIP authentication failed",
    "sip_trunk_unreachable": "SIP trunk unreachable",
    "did_not_pick": "did not pick up",
    "user_did_not_pick_up": "did not pick up",
    "userpass": "user name and password",
    "ip": "IP address",
}

_TONES = {
    "good": {
        NumberStatus.ACTIVE,
        Status.COMPLETED,
        VersionState.PUBLISHED,
        "verified",
        "enabled",
        "healthy",
        "saved",
        "recovered",
        "answered",
        "pass",
        "delivered",
        "positive",
        "running",
        "done",
    },
    "wait": {
        NumberStatus.PENDING,
        Status.CREATED,
        Status.INITIATED,
        Status.SENT,
        Status.RECEIVED,
        VersionState.DRAFT,
        "unknown",
        "ringing",
        "grant",
        "pending verification",
        "paused",
        "waiting",
        "scheduled",
        "queued",
        "claimed",
        "dialling",
        "uncertain",
    },
    "bad": {
        NumberStatus.UNAVAILABLE,
        RentalStatus.EXPIRED,
        Status.FAILED,
        "failing",
        "fail",
        "not verified",
        "negative",
        EndReason.INTERNAL_ERROR,
    },
    "calm": {
        RentalStatus.AVAILABLE,
        Status.BUSY,
        Status.NO_ANSWER,
        Status.DID_NOT_PICK,
        Status.CANCELLED,
        "disabled",
    },
    "blue": {"inbound", "outbound", "live", "default", "web"},
}
_TONE_OF = {str(word): tone for tone, known in _TONES.items() for word in known}


def say(word: str | None) -> str:
    """A word of the record with spaces for underscores."""
    if not word:
        return ""
    return _SAID.get(word, word.replace("_", " "))


def tone(word: str) -> str:
    """The class of a word's badge."""
    return _TONE_OF.get(str(word), "calm")
