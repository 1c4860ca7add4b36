"""What audio looks like between the parts: formats, conversion between them, and WAV files.

Audio is always mono. Samples of `l16` are signed 16 bit, little-endian.
"""

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

with warnings.catch_warnings():
    # The standard library's audioop left in Python 3.13 and lives on as audioop-lts: the warning
    # of 3.11 and 3.12 that it will leave tells us nothing new.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

Encoding = Literal["ulaw", "alaw", "l16"]
Converter = Callable[[bytes], bytes]

_ZERO: dict[Encoding, bytes] = {"ulaw": b"\xff", "alaw": b"\xd5", "l16": b"\0\0"}
"The bytes of one sample of silence (RFC 3551 section 4.5.14 for G.711)."


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How samples are written as bytes, and how many there are in a second."""

    encoding: Encoding
    rate: int
    "Samples a second, 4000 to 192000."

    def __post_init__(self) -> None:
        if self.encoding not in _ZERO:
            raise ValueError(f"unknown audio encoding {self.encoding!r}")
        if not 4000 <= self.rate <= 192000:
            raise ValueError(f"sample rate {self.rate} is outside 4000 to 192000")

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample: 1 for G.711, 2 for `l16`."""
        return len(_ZERO[self.encoding])

    @property
    def bytes_per_ms(self) -> int:
        """Bytes of one millisecond; exact for rates that are whole kilohertz, as all live ones are."""
        return self.rate * self.sample_bytes // 1000

    def silence(self, ms: int) -> bytes:
        """`ms` milliseconds of silence."""
        return _ZERO[self.encoding] * (self.rate * ms // 1000)


ULAW_8K = AudioFormat("ulaw", 8000)
ALAW_8K = AudioFormat("alaw", 8000)
L16_8K = AudioFormat("l16", 8000)
L16_16K = AudioFormat("l16", 16000)
L16_24K = AudioFormat("l16", 24000)
L16_48K = AudioFormat("l16", 48000)


def _ulaw_to_l16(audio: bytes) -> bytes:
    return audioop.ulaw2lin(audio, 2)


def _alaw_to_l16(audio: bytes) -> bytes:
    return audioop.alaw2lin(audio, 2)


def _l16_to_ulaw(samples: bytes) -> bytes:
    return audioop.lin2ulaw(samples, 2)


def _l16_to_alaw(samples: bytes) -> bytes:
    return audioop.lin2alaw(samples, 2)


_DECODE: dict[Encoding, Converter | None] = {"ulaw": _ulaw_to_l16, "alaw": _alaw_to_l16, "l16": None}
_ENCODE: dict[Encoding, Converter | None] = {"ulaw": _l16_to_ulaw, "alaw": _l16_to_alaw, "l16": None}


def converter(source: AudioFormat, target: AudioFormat) -> Converter | None:
    """A function that turns bytes of `source` into bytes of `target`; None when there is nothing to do.

    It belongs to one stream in one direction: it keeps half samples and the resampler's history
    from call to call, so its output does not depend on how the input was cut.
    """
    if source == target:
        return None
    if source.rate == target.rate and source.sample_bytes == target.sample_bytes == 1:
        return _translator(source.encoding, target.encoding)
    steps = [_DECODE[source.encoding], _resampler(source.rate, target.rate), _ENCODE[target.encoding]]
    chain = _chain([step for step in steps if step is not None])
    return chain if source.sample_bytes == 1 else _whole_samples(chain)


def prepare_resampling() -> None:
    """Load what changes of rate need: in a call it would cost every other call half a second of audio."""
    for audio_format in (L16_16K, L16_24K, L16_48K):
        converter(ULAW_8K, audio_format)
        converter(audio_format, ULAW_8K)


def _resampler(source: int, target: int) -> Converter | None:
    if source == target:
        return None
    # Imported here because it loads numpy, which commands can do without.
    from gateway.media.resample import Resampler

    return Resampler(source, target).convert


@cache
def _translation_table(source: Encoding, target: Encoding) -> bytes:
    decode, encode = _DECODE[source], _ENCODE[target]
    assert decode is not None
    assert encode is not None
    return encode(decode(bytes(range(256))))


def _translator(source: Encoding, target: Encoding) -> Converter:
    table = _translation_table(source, target)
    return lambda audio: audio.translate(table)


def _chain(steps: list[Converter]) -> Converter:
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps
        return lambda audio: second(first(audio))
    decode, resample, encode = steps
    return lambda audio: encode(resample(decode(audio)))


def in_whole_samples(audio_format: AudioFormat) -> Converter | None:
    """Audio in its own format, but never a part of a sample; None where a byte is one."""
    return None if audio_format.sample_bytes == 1 else _whole_samples(lambda audio: audio)


def in_whole_frames(convert: Converter, silence: bytes) -> Converter:
    """A converter between rates that gives a frame for a frame; `silence` is one frame.

    What its filter holds back at first is silence.
    """
    waiting = b""

    def frame(audio: bytes) -> bytes:
        nonlocal waiting
        waiting += convert(audio)
        made = silence[: max(0, len(silence) - len(waiting))] + waiting[: len(silence)]
        waiting = waiting[len(silence) :]
        return made

    return frame


def _whole_samples(convert: Converter) -> Converter:
    """Keep the odd byte at the end of an `l16` chunk for the next one."""
    odd = b""

    def whole(audio: bytes) -> bytes:
        nonlocal odd
        if odd:
            audio = odd + audio
            odd = b""
        if len(audio) & 1:
            odd = audio[-1:]
            audio = audio[:-1]
        return convert(audio)

    return whole


def to_l16(audio: bytes, audio_format: AudioFormat) -> bytes:
    """The same audio as `l16`, at its own rate."""
    decode = _DECODE[audio_format.encoding]
    return decode(audio) if decode else audio


def from_l16(samples: bytes, audio_format: AudioFormat) -> bytes:
    """The reverse of `to_l16`."""
    encode = _ENCODE[audio_format.encoding]
    return encode(samples) if encode else samples


def amplified(samples: bytes, gain: float) -> bytes:
    """The same `l16`, `gain` times as loud."""
    return audioop.mul(samples, 2, gain)


def best_fit(samples: bytes, like: bytes) -> int:
    """Where in `l16` the part begins that is most like another, shorter piece, in samples from the start."""
    offset, _ = audioop.findfit(samples, like)
    return offset


def difference(samples: bytes, others: bytes) -> int:
    """Root mean square of how far two pieces of `l16`, of one length, are apart."""
    return audioop.rms(audioop.add(samples, audioop.mul(others, 2, -1), 2), 2)


def loudness(audio: bytes, audio_format: AudioFormat) -> int:
    """Root mean square of the samples, 0 to 32767."""
    decode = _DECODE[audio_format.encoding]
    return audioop.rms(decode(audio) if decode else audio, 2)


_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_TAGS: dict[tuple[int, int], Encoding] = {(_PCM, 16): "l16", (_ALAW, 8): "alaw", (_ULAW, 8): "ulaw"}
"Format tag and bits of a sample, as WAV files have them (RFC 2361)."

_FMT = struct.Struct("<HHIIHH")
_CHUNK = struct.Struct("<4sI")
_MOST_CHUNKS = 64


def read_wav(data: bytes) -> tuple[AudioFormat, bytes]:
    """The format and the samples of a WAV file: 16 bit PCM, μ-law or A-law, mono or stereo.

    Stereo is mixed down. ValueError says what cannot be read. A data chunk that claims to be longer
    than the file, as one that was written to a pipe does, ends with the file.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    chunks = _wav_chunks(data)
    if b"fmt " not in chunks or len(chunks[b"fmt "]) < _FMT.size:
        raise ValueError("a WAV file without a format")
    if b"data" not in chunks:
        raise ValueError("a WAV file without samples")
    tag, channels, rate, _, _, bits = _FMT.unpack_from(chunks[b"fmt "])
    if tag == _EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        (tag,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
    if (tag, bits) not in _TAGS:
        raise ValueError(f"WAV format {tag} with {bits} bits: only 16 bit PCM, μ-law and A-law are read")
    return _mono(AudioFormat(_TAGS[tag, bits], rate), channels, chunks[b"data"])


def wav_bytes(audio_format: AudioFormat, audio: bytes) -> bytes:
    """A WAV file of that audio."""
    tag, bits = next(key for key, encoding in _TAGS.items() if encoding == audio_format.encoding)
    width, rate = audio_format.sample_bytes, audio_format.rate
    fmt = _FMT.pack(tag, 1, rate, rate * width, width, bits)
    if tag != _PCM:
        fmt += b"\0\0"  # the size of an extension that is not there, required of every format but PCM
    body = _wav_chunk(b"fmt ", fmt)
    if tag != _PCM:
        body += _wav_chunk(b"fact", struct.pack("<I", len(audio)))
    return _wav_chunk(b"RIFF", b"WAVE" + body + _wav_chunk(b"data", audio))


def _wav_chunks(data: bytes) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    start = 12
    for _ in range(_MOST_CHUNKS):
        if start + _CHUNK.size > len(data) or b"data" in chunks:
            break
        name, size = _CHUNK.unpack_from(data, start)
        start += _CHUNK.size
        chunks[name] = data[start : start + size]
        start += size + (size & 1)
    return chunks


def _wav_chunk(name: bytes, content: bytes) -> bytes:
    return _CHUNK.pack(name, len(content)) + content + bytes(len(content) & 1)


def _mono(audio_format: AudioFormat, channels: int, audio: bytes) -> tuple[AudioFormat, bytes]:
    width = audio_format.sample_bytes * channels
    if not 1 <= channels <= 2:
        raise ValueError(f"a WAV file with {channels} channels: only mono and stereo are read")
    audio = audio[: len(audio) // width * width]
    if channels == 1:
        return audio_format, audio
    decode = _DECODE[audio_format.encoding]
    samples = audioop.tomono(decode(audio) if decode else audio, 2, 0.5, 0.5)
    return AudioFormat("l16", audio_format.rate), samples
