"""The dialects by the name that an agent version gives; a new dialect is one file and one line here."""

from collections.abc import Callable, Mapping

from gateway.agent.native import AUDIO_FORMATS, NativeDialect
from gateway.agent.protocol import Dialect
from gateway.agent.twilio import TwilioDialect

__all__ = ["DIALECTS", "dialect_named"]


def _twilio(secret: str | None, audio: str) -> Dialect:
    return TwilioDialect(secret)


def _native(secret: str | None, audio: str) -> Dialect:
    return NativeDialect(AUDIO_FORMATS[audio], secret)


DIALECTS: Mapping[str, Callable[[str | None, str], Dialect]] = {"twilio": _twilio, "native": _native}
"A dialect for one call, from the version's secret and the name of its audio format."


def dialect_named(name: str, *, secret: str | None = None, audio: str = "ulaw_8k") -> Dialect:
    """A new dialect object for one call; KeyError for a name or an audio format that there is none of.

    `audio` counts only where the dialect leaves the choice (`native`).
    """
    return DIALECTS[name](secret, audio)
