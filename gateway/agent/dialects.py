"""The dialects by the name that an agent version gives; a new one is a file, an entry here, and a member of
`Dialect` in `routing/values.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.agent import asterisk, audiosocket, exotel, native, plivo, telnyx
from gateway.agent.asterisk import AsteriskDialect
from gateway.agent.audiosocket import AudioSocketDialect
from gateway.agent.exotel import ExotelDialect
from gateway.agent.native import NativeDialect
from gateway.agent.plivo import PlivoDialect
from gateway.agent.protocol import Dialect, Terms
from gateway.agent.sip import SipDialect
from gateway.agent.telnyx import TelnyxDialect
from gateway.agent.twilio import TwilioDialect
from gateway.media.audio import ULAW_8K, AudioFormat

__all__ = ["AUDIO", "DIALECTS", "SIP", "SUBPROTOCOL", "WEBSOCKET", "Entry", "dialect_named"]

WEBSOCKET = ("ws", "wss")
SIP = ("sip", "sips")

SUBPROTOCOL = "subprotocol"
"The option that all dialects on a WebSocket have: what to offer in the upgrade instead of their own."


@dataclass(frozen=True, slots=True)
class Entry:
    """A dialect, and what an agent version may choose of it."""

    make: Callable[[Terms, AudioFormat], Dialect]
    audio: Mapping[str, AudioFormat] = field(default_factory=lambda: {"ulaw_8k": ULAW_8K})
    "The formats by their names; the first is what a version that does not choose gets."
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "Names of options with the values that each may have; the first is what holds without."
    schemes: tuple[str, ...] = WEBSOCKET
    "Of runtime URLs."


DIALECTS: Mapping[str, Entry] = {
    "twilio": Entry(
        lambda terms, _: TwilioDialect(terms.secret, terms.options.get("signed_url", "")),
        options={"signed_url": ("as_configured", "https")},
    ),
    "native": Entry(lambda terms, audio: NativeDialect(audio, terms.secret), native.AUDIO_FORMATS),
    "plivo": Entry(lambda terms, audio: PlivoDialect(audio, terms.secret, terms.nonce), plivo.AUDIO_FORMATS),
    "telnyx": Entry(lambda terms, audio: TelnyxDialect(audio, terms.secret), telnyx.AUDIO_FORMATS),
    "exotel": Entry(lambda terms, audio: ExotelDialect(audio, terms.secret), exotel.AUDIO_FORMATS),
    "asterisk": Entry(
        lambda terms, audio: AsteriskDialect(audio, terms.secret, terms.options.get("control", "")),
        asterisk.AUDIO_FORMATS,
        {"control": asterisk.CONTROL},
    ),
    "audiosocket": Entry(
        lambda terms, audio: AudioSocketDialect(audio), audiosocket.AUDIO_FORMATS, schemes=("tcp", "tls")
    ),
    "sip": Entry(lambda terms, _: SipDialect(), schemes=SIP),
}

AUDIO: tuple[str, ...] = tuple(dict.fromkeys(name for entry in DIALECTS.values() for name in entry.audio))
"Every format that any dialect has."


def dialect_named(
    name: str,
    *,
    secret: str | None = None,
    audio: str = "",
    options: Mapping[str, str] | None = None,
    nonce: str = "",
) -> Dialect:
    """A new dialect object for one call; KeyError for a name that there is none of.

    A dialect that does not have the format called `audio` takes its first one. `nonce` is random and new for
    each call.
    """
    entry = DIALECTS[name]
    terms = Terms(secret, audio, options or {}, nonce)
    dialect = entry.make(terms, entry.audio.get(audio, next(iter(entry.audio.values()))))
    if SUBPROTOCOL in terms.options:
        dialect.subprotocols = (terms.options[SUBPROTOCOL],)
    return dialect
