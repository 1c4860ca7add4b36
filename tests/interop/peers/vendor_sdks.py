"""Asks the vendors' own SDKs what they think of our frames and signatures: one JSON object in, one out.

Runs in an environment of its own. In: `plivo_frames`, a list of messages; `signatures`, of what servers see.
"""

import json
import sys
from typing import Any

from plivo.utils import validate_v3_signature
from plivo_stream import types
from twilio.request_validator import RequestValidator

MODELS = {
    "start": types.StartEvent,
    "media": types.MediaEvent,
    "dtmf": types.DtmfEvent,
    "playedStream": types.PlayedStreamEvent,
    "clearedAudio": types.ClearedAudioEvent,
}


def fits(message: dict[str, Any]) -> str:
    """Empty, or what Plivo's model of that event has against it, in pydantic's strict mode too."""
    try:
        types.EventType(message["event"])
        MODELS[message["event"]].model_validate(message, strict=True)
    except (ValueError, KeyError) as error:
        return str(error)
    return ""


def is_valid(vendor: str, url: str, headers: dict[str, str], token: str) -> bool:
    """Whether the vendor's validator takes the upgrade for its own."""
    if vendor == "twilio":
        return bool(RequestValidator(token).validate(url, {}, headers["X-Twilio-Signature"]))
    nonce, signature = headers["X-Plivo-Signature-V3-Nonce"], headers["X-Plivo-Signature-V3"]
    return bool(validate_v3_signature("GET", url, nonce, token, signature))


asked = json.load(sys.stdin)
json.dump(
    {
        "plivo_frames": [fits(message) for message in asked["plivo_frames"]],
        "signatures": [is_valid(**one) for one in asked["signatures"]],
    },
    sys.stdout,
)
