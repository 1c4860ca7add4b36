"""Agent audio that names its own format: turned into the call's, whatever the agent chose to send."""

from gateway.agent.protocol import AgentEvent, Audio, Malformed
from gateway.media.audio import AudioFormat, Converter, converter, read_wav

__all__ = ["ForeignAudio"]

MAX_FORMATS = 8
"Formats that one agent may change between: more would only fill our memory."


class ForeignAudio:
    """Turns audio of other formats into the call's own, with one filter state for each of them."""

    def __init__(self, target: AudioFormat) -> None:
        self._target = target
        self._converters: dict[AudioFormat, Converter | None] = {}

    def take(self, source: AudioFormat, payload: bytes) -> AgentEvent:
        """The same audio in the call's format."""
        if source not in self._converters:
            if len(self._converters) >= MAX_FORMATS:
                return Malformed(f"audio in a {MAX_FORMATS + 1}th format")
            self._converters[source] = converter(source, self._target)
        convert = self._converters[source]
        return Audio(payload if convert is None else convert(payload))

    def take_wav(self, payload: bytes) -> AgentEvent:
        """The audio of a whole WAV file, from its start with a fresh filter."""
        try:
            source, audio = read_wav(payload)
            convert = converter(source, self._target)
        except ValueError as error:
            return Malformed(str(error))
        return Audio(audio if convert is None else convert(audio))

    def forget(self) -> None:
        """The queue was cleared: what comes next does not go on where the last audio ended."""
        self._converters.clear()
