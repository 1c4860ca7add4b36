"""Sounds that tenants name: which files are read, how much of them, and what is said of all others."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.call.recording import sounds as module
from gateway.call.recording.sounds import NoSound, Sounds
from gateway.media.audio import L16_16K, L16_48K, ULAW_8K, wav_bytes
from gateway.sip.events import ByeReceived
from tests.call.phone import Phone
from tests.call.world import NUMBER, World

MOST = 100_000
SOUND = bytes(range(1, 201)) * 8
ONE_ERROR = "it is no sound that this gateway has"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder, with one sound in it, and secrets beside it."""
    made = tmp_path / "sounds"
    (made / "en").mkdir(parents=True)
    (made / "en" / "sorry.wav").write_bytes(wav_bytes(ULAW_8K, SOUND))
    (tmp_path / "outside.wav").write_bytes(wav_bytes(ULAW_8K, SOUND))
    (tmp_path / "sounds-of-others").mkdir()
    (tmp_path / "sounds-of-others" / "x.wav").write_bytes(wav_bytes(ULAW_8K, SOUND))
    return made


@pytest.fixture
def known(folder: Path) -> Sounds:
    """The sounds of that folder."""
    return Sounds([folder], MOST)


def test_names(known: Sounds, folder: Path) -> None:
    """A sound is named by its path in the folder, or by its whole one."""
    for name in ("en/sorry.wav", "./en/../en/sorry.wav", str(folder / "en" / "sorry.wav")):
        assert known.read(name, ULAW_8K) == SOUND


def _link(folder: Path, target: Path) -> str:
    (folder / "link.wav").symlink_to(target)
    return "link.wav"


def _pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe.wav")
    return "pipe.wav"


def _door(folder: Path) -> str:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(folder / "door.wav"))
    return "door.wav"


def _text(folder: Path) -> str:
    (folder / "text.wav").write_text("root:x:0:0")
    return "text.wav"


def _huge(folder: Path) -> str:
    with (folder / "huge.wav").open("wb") as file:
        file.write(wav_bytes(ULAW_8K, SOUND))
        file.truncate(50 << 30)
    return "huge.wav"


def _loop(folder: Path) -> str:
    (folder / "loop.wav").symlink_to("loop.wav")
    return "loop.wav"


def _locked(folder: Path) -> str:
    (folder / "en" / "folder.wav").mkdir()
    return "en/folder.wav"


BAD: dict[str, Callable[[Path], str]] = {
    "there is none": lambda folder: "nowhere.wav",
    "none outside": lambda folder: str(folder.parent / "nowhere.wav"),
    "one outside": lambda folder: str(folder.parent / "outside.wav"),
    "one above": lambda folder: "../outside.wav",
    "a folder whose name begins alike": lambda folder: "../sounds-of-others/x.wav",
    "a link out": lambda folder: _link(folder, folder.parent / "outside.wav"),
    "a link to a device": lambda folder: _link(folder, Path("/dev/zero")),
    "a link to itself": _loop,
    "a pipe": _pipe,
    "a socket": _door,
    "a folder": _locked,
    "no WAV": _text,
    "one of fifty gigabytes": _huge,
    "/dev/zero": lambda folder: "/dev/zero",
    "/dev/stdin": lambda folder: "/dev/stdin",
    "/proc": lambda folder: "/proc/self/environ",
    "a descriptor": lambda folder: "/proc/self/fd/0",
    "the password file": lambda folder: "/etc/passwd",
    "a name of a megabyte": lambda folder: "x" * (1 << 20),
    "a zero in the name": lambda folder: "a\0.wav",
    "half a character": lambda folder: "\udcff.wav",
    "nothing": lambda folder: "",
    "the folder itself": lambda folder: ".",
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_one_error_for_all(known: Sounds, folder: Path, make: Callable[[Path], str]) -> None:
    """Whatever is wrong, the same is said at once, and the operator alone learns what it was."""
    async with asyncio.timeout(2):
        with pytest.raises(NoSound) as refused:
            await known.play(make(folder), ULAW_8K)
    assert str(refused.value) == ONE_ERROR
    assert refused.value.reason != ONE_ERROR


def test_as_large_as_it_may_be(folder: Path) -> None:
    """The bound is on the file: a byte more is too much."""
    size = (folder / "en" / "sorry.wav").stat().st_size
    assert Sounds([folder], size).read("en/sorry.wav", ULAW_8K) == SOUND
    with pytest.raises(NoSound):
        Sounds([folder], size - 1).read("en/sorry.wav", ULAW_8K)


def test_read_and_converted_once(known: Sounds, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was played before is neither read nor converted again, until the file changes."""
    read: list[int] = []
    contents = module._contents

    def counted(descriptor: int, size: int) -> bytes:
        read.append(size)
        return contents(descriptor, size)

    monkeypatch.setattr(module, "_contents", counted)
    for _ in range(3):
        known.read("en/sorry.wav", L16_16K)
    assert len(read) == 1
    (folder / "en" / "sorry.wav").write_bytes(wav_bytes(ULAW_8K, SOUND * 2))
    assert len(known.read("en/sorry.wav", ULAW_8K)) == 2 * len(SOUND)


def test_what_is_kept_is_bounded(known: Sounds, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sounds are named, those of the last few are kept."""
    monkeypatch.setattr(module, "KEPT_BYTES", 5 * len(SOUND))
    for number in range(50):
        (folder / f"{number}.wav").write_bytes(wav_bytes(ULAW_8K, SOUND))
        known.read(f"{number}.wav", ULAW_8K)
    assert sum(map(len, known._kept.values())) == known._kept_bytes == 5 * len(SOUND)


async def test_off_the_loop(known: Sounds, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and converting happen in a thread of their own; one that hangs is given up."""
    (folder / "wide.wav").write_bytes(wav_bytes(L16_48K, bytes(96_000)))
    names: list[str] = []
    found = module._converted

    def named(*given: object) -> bytes:
        names.append(threading.current_thread().name)
        return found(*given)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(module, "_converted", named)
    assert len(await known.play("wide.wav", ULAW_8K)) == pytest.approx(8000, abs=10)
    assert names == ["sounds_0"]
    monkeypatch.setattr(module, "READ_SECONDS", 0.05)
    over = threading.Event()
    monkeypatch.setattr(known, "read", lambda *_: over.wait(5))
    with pytest.raises(NoSound):
        await known.play("wide.wav", ULAW_8K)
    over.set()


@pytest.mark.parametrize("name", ["/dev/zero", "/etc/passwd", "/nowhere.wav"])
async def test_a_call(world: World, phone: Phone, name: str) -> None:
    """Nothing is played, and what is told tells no file from another."""
    await world.line(runtime_url="ws://127.0.0.1:9/", fallback_wav=f"{name}.wav")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    await leg.next(ByeReceived)
    (told,) = world.told("agent.fallback_wav")
    assert told.fields["why"] == ONE_ERROR
