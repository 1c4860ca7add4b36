"""Softphones that a test lets call: baresip, and pyVoIP in its own environment."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.interop.carrier import wait_bound
from tests.interop.process import ROOT
from tests.interop.sipp import free_port
from tests.interop.sound import RATE, Samples, read_wav, write_wav

PEERS = Path(__file__).parent / "peers"
TAIL_SECONDS = 1.0
"Silence after the speech, in which the last of the echo arrives."

BARESIP_CONFIG = """\
poll_method epoll
net_interface 127.0.0.1
sip_listen 127.0.0.1:{sip}
rtp_ports {rtp}-{rtp_end}
audio_source aufile,{folder}/said.wav
audio_player aufile,/dev/null
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
snd_path {folder}
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a softphone can tell of its call."""

    samples: Samples
    output: str


def call_with_baresip(
    port: int, number: str, speech: Samples, folder: Path, codec: str = "pcmu", transport: str = "udp"
) -> Heard:
    """Speak to `number` at 127.0.0.1:`port`; baresip hangs up at the end of what it has to say."""
    folder.mkdir(exist_ok=True)
    _write_speech(folder, speech)
    rtp = free_port()
    (folder / "config").write_text(
        BARESIP_CONFIG.format(
            sip=free_port(), rtp=rtp, rtp_end=rtp + 1, folder=folder, modules=_baresip_modules()
        )
    )
    account = f"<sip:+14155550122@127.0.0.1;transport={transport}>;regint=0;audio_codecs={codec}/8000/1"
    (folder / "accounts").write_text(account + "\n")
    (folder / "contacts").touch()
    seconds = int(len(speech) / RATE + TAIL_SECONDS) + 1
    dial = f"/dial sip:{number}@127.0.0.1:{port}"
    output = _run(
        ["baresip", "-4", "-v", "-f", str(folder), "-t", str(seconds), "-e", dial], folder, seconds + 10
    )
    recordings = sorted(folder.glob("dump-*-dec.wav"))
    assert recordings, output
    return Heard(read_wav(recordings[-1]), output)


@dataclass(slots=True)
class Answering:
    """A baresip that waits for a call; what it heard is there when the context is left."""

    samples: Samples
    output: str = ""


@contextmanager
def answering_baresip(port: int, number: str, speech: Samples, folder: Path) -> Iterator[Answering]:
    """A baresip at 127.0.0.1:`port` that takes calls to `number`, says its speech, and hangs up."""
    folder.mkdir(exist_ok=True)
    _write_speech(folder, speech)
    rtp = free_port()
    (folder / "config").write_text(
        BARESIP_CONFIG.format(sip=port, rtp=rtp, rtp_end=rtp + 1, folder=folder, modules=_baresip_modules())
    )
    account = f"<sip:{number}@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1"
    (folder / "accounts").write_text(account + "\n")
    (folder / "contacts").touch()
    seconds = int(len(speech) / RATE + TAIL_SECONDS) + 4
    log = folder / "output.log"
    heard = Answering(np.zeros(0))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["baresip", "-4", "-v", "-f", str(folder), "-t", str(seconds)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_bound(port)
            yield heard
            process.wait(seconds + 10)
        finally:
            process.kill()
            process.wait()
    heard.output = log.read_text(errors="replace")
    recordings = sorted(folder.glob("dump-*-dec.wav"))
    assert recordings, heard.output
    heard.samples = read_wav(recordings[-1])


def _baresip_modules() -> Path:
    folders = [*Path("/usr/lib").glob("baresip/modules"), *Path("/usr/lib").glob("*/baresip/modules")]
    assert folders, "baresip's modules are not where Debian has them"
    return folders[0]


def call_with_pyvoip(port: int, number: str, speech: Samples, folder: Path) -> Heard:
    """Speak to `number` at 127.0.0.1:`port` with pyVoIP, which hangs up a moment after the end."""
    folder.mkdir(exist_ok=True)
    _write_speech(folder, speech)
    heard = folder / "heard.wav"
    python = ROOT / ".venv-interop-pyvoip/bin/python"
    command = [str(python), str(PEERS / "pyvoip_phone.py"), str(port), str(free_port()), number]
    output = _run([*command, str(folder / "said.wav"), str(heard)], folder, len(speech) / RATE + 30)
    result = json.loads(output.splitlines()[-1])
    assert result["answered"], output
    return Heard(read_wav(heard), output)


def _write_speech(folder: Path, speech: Samples) -> None:
    write_wav(folder / "said.wav", np.pad(speech, (0, int(TAIL_SECONDS * RATE))))


def _run(command: list[str], folder: Path, seconds: float) -> str:
    """The output of a process that ends by itself; what it says on standard error comes along."""
    result = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    output = result.stdout.decode(errors="replace")
    (folder / "output.log").write_text(output)
    return output
