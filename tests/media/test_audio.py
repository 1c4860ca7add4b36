"""Audio formats, conversion between them, WAV files."""

import itertools
import math
import struct
import subprocess
import sys
import wave
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.media.audio import (
    ALAW_8K,
    L16_8K,
    L16_16K,
    ULAW_8K,
    AudioFormat,
    amplified,
    converter,
    from_l16,
    loudness,
    read_wav,
    to_l16,
    wav_bytes,
)
from gateway.media.codecs import CODECS
from tests.cost import cost

L16_24K = AudioFormat("l16", 24000)
L16_48K = AudioFormat("l16", 48000)


def convert(source: AudioFormat, target: AudioFormat, audio: bytes) -> bytes:
    step = converter(source, target)
    return audio if step is None else step(audio)


def sine(rate: int, frequency: float, seconds: float = 1.0, amplitude: int = 16000) -> bytes:
    time = np.arange(int(rate * seconds)) / rate
    return (amplitude * np.sin(2 * math.pi * frequency * time)).astype("<i2").tobytes()


def spectrum(audio: bytes, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies, and the level at each in dB of a sine of amplitude 16000; the first 0.1 s is left out."""
    samples = np.frombuffer(audio, "<i2").astype(np.float64)[rate // 10 :]
    window = np.blackman(len(samples))
    levels = np.abs(np.fft.rfft(samples * window)) * 2 / window.sum() / 16000
    frequencies: NDArray[np.float64] = np.fft.rfftfreq(len(samples), 1 / rate).astype(np.float64)
    decibels: NDArray[np.float64] = 20 * np.log10(levels + 1e-12)
    return frequencies, decibels


class TestFormats:
    """What a format is."""

    def test_sizes(self) -> None:
        """G.711 has one byte a sample, L16 two."""
        assert [one.bytes_per_ms for one in (ULAW_8K, ALAW_8K, L16_8K, L16_16K)] == [8, 8, 16, 32]
        assert L16_16K.silence(20) == bytes(640)
        assert ULAW_8K.silence(20) == b"\xff" * 160
        assert ALAW_8K.silence(1) == b"\xd5" * 8

    @pytest.mark.parametrize(
        ("encoding", "rate"), [("opus", 8000), ("l16", 0), ("l16", 3999), ("l16", 10**6)]
    )
    def test_nonsense_is_refused(self, encoding: str, rate: int) -> None:
        """An encoding or a rate that nobody has is an error where it is named."""
        with pytest.raises(ValueError, match=r"unknown|outside"):
            AudioFormat(encoding, rate)  # type: ignore[arg-type]  # the wrong value is the point

    def test_codecs_are_found_by_name(self) -> None:
        """The static payload types of RFC 3551."""
        assert {name: codec.payload_type for name, codec in CODECS.items()} == {"PCMU": 0, "PCMA": 8}
        assert all(codec.clock_rate == codec.format.rate == 8000 for codec in CODECS.values())

    def test_loudness_and_gain(self) -> None:
        """Half as loud is half the level, in every encoding."""
        loud = sine(8000, 400)
        for one in (L16_8K, ULAW_8K, ALAW_8K):
            audio = convert(L16_8K, one, loud)
            assert loudness(audio, one) == pytest.approx(16000 / math.sqrt(2), rel=0.02)
            assert loudness(from_l16(amplified(to_l16(audio, one), 0.5), one), one) == pytest.approx(
                8000 / math.sqrt(2), rel=0.02
            )
            assert loudness(one.silence(20), one) <= 8


class TestConversion:
    """From one format to another."""

    def test_the_same_format_needs_nothing(self) -> None:
        """None: the caller skips the step."""
        assert converter(ULAW_8K, ULAW_8K) is None
        assert converter(L16_16K, AudioFormat("l16", 16000)) is None

    @given(st.binary(max_size=400))
    def test_g711_survives_l16(self, audio: bytes) -> None:
        """Decoded and encoded again it is what it was, μ-law's second zero apart."""
        assert convert(L16_8K, ULAW_8K, convert(ULAW_8K, L16_8K, audio)) == audio.replace(b"\x7f", b"\xff")
        assert convert(L16_8K, ALAW_8K, convert(ALAW_8K, L16_8K, audio)) == audio

    @given(st.binary(max_size=400))
    def test_between_the_g711_laws_little_is_lost(self, audio: bytes) -> None:
        """The quick table does what decoding and encoding does."""
        assert convert(ULAW_8K, ALAW_8K, audio) == convert(L16_8K, ALAW_8K, convert(ULAW_8K, L16_8K, audio))
        assert convert(ALAW_8K, ULAW_8K, audio) == convert(L16_8K, ULAW_8K, convert(ALAW_8K, L16_8K, audio))

    @settings(deadline=None, max_examples=50)
    @given(
        st.sampled_from(
            [(L16_16K, ULAW_8K), (ULAW_8K, L16_16K), (L16_24K, ALAW_8K), (L16_48K, L16_8K), (L16_8K, ULAW_8K)]
        ),
        st.lists(st.integers(0, 700), max_size=20),
        st.integers(0, 2**32 - 1),
    )
    def test_the_output_does_not_depend_on_the_cut(
        self, formats: tuple[AudioFormat, AudioFormat], sizes: list[int], seed: int
    ) -> None:
        """Crumbs of any size, halves of samples too, come out like one piece: to the bit."""
        source, target = formats
        audio = np.random.default_rng(seed).bytes(sum(sizes))
        step = converter(source, target)
        assert step is not None
        ends = list(itertools.accumulate(sizes))
        pieces = [step(audio[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
        assert b"".join(pieces) == convert(source, target, audio)

    def test_crumbs_of_one_byte(self) -> None:
        """The worst cut there is."""
        audio = sine(16000, 700, 0.1)
        step = converter(L16_16K, ULAW_8K)
        assert step is not None
        assert b"".join(step(audio[n : n + 1]) for n in range(len(audio))) == convert(L16_16K, ULAW_8K, audio)

    def test_streams_do_not_share_their_history(self) -> None:
        """Two converters of the same kind do not hear each other."""
        one, other = converter(L16_16K, L16_8K), converter(L16_16K, L16_8K)
        assert one is not None
        assert other is not None
        one(sine(16000, 440))
        assert other(bytes(640)) == bytes(320)


RATES = [
    (16000, 8000),
    (24000, 8000),
    (48000, 8000),
    (44100, 8000),
    (8000, 16000),
    (8000, 24000),
    (8000, 48000),
    (16000, 24000),
]


class TestResampling:
    """Between sample rates."""

    @pytest.mark.parametrize(("source", "target"), RATES)
    def test_each_frame_gives_a_frame_at_once(self, source: int, target: int) -> None:
        """20 ms in, 20 ms out: no burst, nothing held back."""
        step = converter(AudioFormat("l16", source), AudioFormat("l16", target))
        assert step is not None
        for _ in range(50):
            assert len(step(bytes(source // 50 * 2))) == target // 50 * 2

    @pytest.mark.parametrize(("source", "target"), RATES)
    @pytest.mark.parametrize("frequency", [300, 1000, 2000, 3000, 3400])
    def test_the_telephone_band_passes(self, source: int, target: int, frequency: int) -> None:
        """Level within half a decibel, and nothing else 60 dB below it: no images, no noise."""
        audio = convert(AudioFormat("l16", source), AudioFormat("l16", target), sine(source, frequency))
        frequencies, levels = spectrum(audio, target)
        at_tone = np.abs(frequencies - frequency) < 30
        assert levels[at_tone].max() == pytest.approx(0.0, abs=0.5)
        assert levels[~at_tone].max() < -60

    @pytest.mark.parametrize(
        ("source", "frequency"),
        [(rate, f) for rate in (16000, 24000, 48000, 44100) for f in (4200, 4600, 5500, 7000, 7900)],
    )
    def test_what_is_above_the_band_does_not_come_back_below_it(self, source: int, frequency: int) -> None:
        """Aliases are at least 60 dB down."""
        audio = convert(AudioFormat("l16", source), L16_8K, sine(source, frequency))
        _, levels = spectrum(audio, 8000)
        assert levels.max() < -60

    def test_a_constant_stays_what_it_is(self) -> None:
        """The gain at zero is one, at every phase."""
        for source, target in RATES:
            audio = convert(
                AudioFormat("l16", source), AudioFormat("l16", target), struct.pack("<h", 1000) * source
            )
            settled = np.frombuffer(audio, "<i2")[target // 10 :]
            assert np.abs(settled.astype(int) - 1000).max() <= 1

    def test_full_scale_does_not_wrap(self) -> None:
        """Overshoot is clipped."""
        square = (struct.pack("<h", 32767) * 20 + struct.pack("<h", -32768) * 20) * 200
        audio = np.frombuffer(convert(L16_16K, L16_8K, square), "<i2")[100:]
        assert audio.max() == 32767
        assert audio.min() == -32768
        assert np.sign(audio).sum() == pytest.approx(0, abs=len(audio) // 20)

    def test_the_delay_is_three_milliseconds(self) -> None:
        """A click comes out where it went in, but for the filter's delay."""
        click = bytes(3200) + struct.pack("<h", 20000) * 2 + bytes(3200)
        audio = np.frombuffer(convert(L16_16K, L16_8K, click), "<i2").astype(int)
        assert abs(int(np.abs(audio).argmax()) - 800) / 8 == pytest.approx(3.0, abs=0.15)

    def test_a_frame_costs_microseconds(self) -> None:
        """A guard against an accident, not a measurement: under 1 ms for 20 ms of audio."""
        step = converter(L16_16K, ULAW_8K)
        assert step is not None
        frame = sine(16000, 440, 0.02)
        assert cost(lambda: [step(frame) for _ in range(50)]) < 50

    def test_a_gateway_for_g711_never_loads_numpy(self) -> None:
        """It costs memory and start-up time that nobody would get anything for."""
        code = (
            "import sys; from gateway.media import audio, codecs, playout, rtp;"
            "audio.converter(audio.ULAW_8K, audio.L16_8K); sys.exit('numpy' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestWav:
    """WAV files."""

    @pytest.mark.parametrize("audio_format", [L16_8K, L16_16K, L16_48K, ULAW_8K, ALAW_8K])
    @pytest.mark.parametrize("size", [0, 2, 320, 1602])
    def test_files_read_as_they_were_written(self, audio_format: AudioFormat, size: int) -> None:
        """read_wav and wav_bytes are inverses."""
        audio = bytes(n % 256 for n in range(size))
        assert read_wav(wav_bytes(audio_format, audio)) == (audio_format, audio)

    def test_an_odd_number_of_bytes_is_padded(self) -> None:
        """Chunks are whole words; the sample count is in the header."""
        data = wav_bytes(ULAW_8K, b"abc")
        assert len(data) % 2 == 0
        assert read_wav(data) == (ULAW_8K, b"abc")

    def test_others_read_our_files(self) -> None:
        """The standard library, which knows PCM only."""
        audio = sine(16000, 440, 0.1)
        with wave.open(BytesIO(wav_bytes(L16_16K, audio))) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
            assert file.readframes(10000) == audio

    @pytest.mark.parametrize("channels", [1, 2])
    def test_we_read_the_files_of_others(self, channels: int) -> None:
        """Stereo is mixed down."""
        out = BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(44100)
            file.writeframes(struct.pack("<hh", 1000, 3000) * 10)
        audio_format, audio = read_wav(out.getvalue())
        assert audio_format == AudioFormat("l16", 44100)
        assert audio == struct.pack("<hh", 1000, 3000) * 10 if channels == 1 else struct.pack("<h", 2000) * 10

    def test_extensible_and_unknown_chunks(self) -> None:
        """The format may stand in the extension, and other chunks may stand anywhere before the samples."""
        fmt = struct.pack("<HHIIHHHHIH14s", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 4, 1, bytes(14))
        body = b"WAVE" + chunk(b"LIST", b"odd") + chunk(b"fmt ", fmt) + chunk(b"data", b"abcd")
        assert read_wav(chunk(b"RIFF", body)) == (L16_8K, b"abcd")

    def test_a_file_written_to_a_pipe(self) -> None:
        """Its sizes are not known: the samples end with the file, at a whole sample."""
        data = bytearray(wav_bytes(L16_8K, b"abcdefgh"))
        data[4:8] = data[40:44] = b"\xff" * 4
        assert read_wav(bytes(data) + b"i") == (L16_8K, b"abcdefgh")

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "not a WAV"),
            (b"RIFF\0\0\0\0WAVE", "without a format"),
            (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "without a format"),
            (wav_bytes(L16_8K, b"")[:36], "without samples"),
            (wav_bytes(L16_8K, b"").replace(b"\x10\0data", b"\x18\0data"), "24 bits"),
            (wav_bytes(L16_8K, b"").replace(b"\x01\0\x01\0", b"\x01\0\x06\0"), "6 channels"),
            (wav_bytes(L16_8K, b"").replace(b"\x01\0\x01\0", b"\x01\0\0\0"), "0 channels"),
            (wav_bytes(L16_8K, b"").replace(b"\x40\x1f\0\0", b"\0\0\0\0"), "rate"),
        ],
    )
    def test_what_is_wrong_is_said(self, data: bytes, why: str) -> None:
        """A file that cannot be played names its reason."""
        with pytest.raises(ValueError, match=why):
            read_wav(data)

    @given(st.binary(max_size=200).map(lambda tail: b"RIFF\0\0\0\0WAVE" + tail))
    def test_anything_else_is_a_value_error(self, data: bytes) -> None:
        """No file raises anything but ValueError."""
        try:
            read_wav(data)
        except ValueError:
            pass

    def test_a_hostile_file_takes_no_time(self) -> None:
        """A megabyte of empty chunks is refused in under 5 ms."""
        data = b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 131072

        def refuse() -> None:
            with pytest.raises(ValueError, match="without a format"):
                read_wav(data)

        assert cost(refuse) < 5


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + bytes(len(content) & 1)
