"""A softphone on pyVoIP, which knows nothing of this project: dials, speaks a WAV, writes what it hears.

Runs in an environment of its own: `pyvoip_phone.py GATEWAY_PORT OWN_PORT NUMBER SPEECH.wav HEARD.wav`.
pyVoIP's audio is 8 bits unsigned at 8 kHz. Prints one JSON line at the end.
"""

import json
import sys
import time
import wave

from pyVoIP.VoIP import CallState, VoIPPhone
from pyVoIP.VoIP.VoIP import PhoneStatus

FRAME = 160
ANSWER_SECONDS = 10.0


class Phone(VoIPPhone):  # type: ignore[misc]  # pyVoIP has no types
    """The phone as it is, but for its registration: a carrier's trunk has no registrar."""

    def start_unregistered(self) -> None:
        """Start receiving without REGISTER, which pyVoIP's own `start` cannot do without."""
        self.sip.register = self._be_registered
        self.start()

    def _be_registered(self) -> bool:
        self._status = PhoneStatus.REGISTERED
        return True


def read_wav(path: str) -> bytes:
    """The samples of a 16-bit WAV, as pyVoIP wants them."""
    with wave.open(path, "rb") as file:
        samples = file.readframes(file.getnframes())
    return bytes((high + 128) & 255 for high in samples[1::2])


def write_wav(path: str, samples: bytes) -> None:
    """pyVoIP's samples as a 16-bit WAV."""
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(bytes((0, (sample - 128) & 255)) for sample in samples))


def main() -> int:
    """Place one call; 0 when it was answered."""
    port, own_port, number, speech_file, heard_file = sys.argv[1:]
    phone = Phone(
        "127.0.0.1",
        int(port),
        "+14155550111",
        "",
        myIP="127.0.0.1",
        callCallback=lambda call: call.deny(),
        sipPort=int(own_port),
        rtpPortLow=18_000,
        rtpPortHigh=18_100,
    )
    phone.start_unregistered()
    call = phone.call(number)
    deadline = time.monotonic() + ANSWER_SECONDS
    while call.state == CallState.DIALING and time.monotonic() < deadline:
        time.sleep(0.02)
    answered = call.state == CallState.ANSWERED
    heard = talk(call, read_wav(speech_file)) if answered else b""
    state = str(call.state)
    if call.state == CallState.ANSWERED:
        call.hangup()
        time.sleep(0.5)
    phone.stop()
    write_wav(heard_file, heard)
    print(json.dumps({"answered": answered, "state": state, "heard": len(heard)}), flush=True)
    return 0 if answered else 1


def talk(call: object, speech: bytes) -> bytes:
    """Speak all of it at once into pyVoIP's buffer, which plays it in real time, and listen meanwhile."""
    heard = bytearray()
    call.write_audio(speech)  # type: ignore[attr-defined]
    end = time.monotonic() + len(speech) / 8000
    due = time.monotonic()
    while time.monotonic() < end and call.state == CallState.ANSWERED:  # type: ignore[attr-defined]
        heard += call.read_audio(FRAME, blocking=False)  # type: ignore[attr-defined]
        due += FRAME / 8000
        time.sleep(max(0.0, due - time.monotonic()))
    return bytes(heard)


if __name__ == "__main__":
    sys.exit(main())
