"""Two channels in one file."""

import io
import wave
from array import array

import pytest

from gateway.media.audio import ALAW_8K, L16_8K, L16_16K, ULAW_8K, AudioFormat, converter
from gateway.media.stereo import HEAD_BYTES, StereoWeaver, rate_in, stereo_head


def channels(rate: int, woven: bytes) -> tuple[bytes, bytes]:
    """Left and right, as another WAV reader than ours sees them."""
    with wave.open(io.BytesIO(stereo_head(rate, len(woven)) + woven)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, rate)
        samples = array("h", file.readframes(file.getnframes()))
    return samples[0::2].tobytes(), samples[1::2].tobytes()


@pytest.mark.parametrize("audio_format", [ULAW_8K, ALAW_8K, L16_8K, L16_16K], ids=str)
def test_each_channel_comes_out_as_it_went_in(audio_format: AudioFormat) -> None:
    """Left is left, right is right, sample beside sample."""
    left = bytes(range(256)) * 4
    right = left[::-1]
    decode = converter(audio_format, AudioFormat("l16", audio_format.rate)) or bytes
    woven = StereoWeaver(audio_format.rate).weave(audio_format, left, right)
    assert channels(audio_format.rate, woven) == (decode(left), decode(right))


def test_a_change_of_rate_is_resampled_to_the_files() -> None:
    """A wideband piece in a file of 8 kHz has half its samples there."""
    weaver = StereoWeaver(8000)
    woven = b"".join(weaver.weave(L16_16K, bytes(640), bytes(640)) for _ in range(50))
    assert abs(len(woven) - 50 * 160 * 4) < 160 * 4


def test_the_rate_is_read_back_from_a_head_of_ours_only() -> None:
    """Anything else is refused."""
    assert rate_in(stereo_head(16000, 4000)) == 16000
    for wrong in (b"", bytes(HEAD_BYTES), stereo_head(8000, 4)[:-1] + b"\x01"):
        with pytest.raises(ValueError, match="not the head of a recording"):
            rate_in(wrong)
