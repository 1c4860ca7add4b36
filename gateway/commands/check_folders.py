"""Whether the gateway can write where it has to: its data, recordings, journal and queues."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config
from gateway.store.engine.private import open_to_others
from gateway.store.records.journal import Journal


def check_folders(config: Config) -> Iterator[Finding]:
    """Every folder and file that is written while calls run, and those that sounds are read from."""
    data = config.gateway.data_dir
    yield from _check_folder("data_dir", data, "chown or chmod")
    if data.exists() and open_to_others(data):
        mend = f"chmod 700 {data}, as its owner's next start does"
        yield warn("data_dir", f"{data} can be read by others", mend)
    if config.recordings_folder.parent != data:
        yield from _check_folder("recordings folder", config.recordings_folder, "mount it, or chown or chmod")
    elif config.recordings_folder.exists():
        yield from _check_folder("recordings folder", config.recordings_folder, "chown or chmod")
    files = {"journal": config.journal_file, "gateway name": config.name_file, "key file": config.key_file}
    for what, file in (files | {"mqtt queue": config.outbox_file}).items():
        yield from _check_file(what, file, writes=what != "key file")
    yield from _check_sounds(config)
    if not os.access(config.journal_file, os.R_OK) or Journal(config.journal_file).is_empty:
        return
    mend = "nothing: the next start, or the running gateway, takes them in"
    yield warn("journal", f"call records wait in {config.journal_file}", mend)


def _check_folder(what: str, folder: Path, mend: str) -> Iterator[Finding]:
    """By making a file in it, or where it would be made."""
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield bad(what, f"{folder} cannot be written: {error.strerror}", f"{mend} {existing}")
        return
    yield ok(what, str(folder) if folder.exists() else f"{folder} will be made")


def _check_file(what: str, file: Path, *, writes: bool) -> Iterator[Finding]:
    """One that is there already; one that is not is made in a folder that was looked at."""
    needed = os.R_OK | os.W_OK if writes else os.R_OK
    if file.exists() and (not file.is_file() or not os.access(file, needed)):
        can = "written" if writes else "read"
        yield bad(what, f"{file} cannot be {can}", f"chown or chmod {file}: it belongs to the gateway's user")


def _check_sounds(config: Config) -> Iterator[Finding]:
    for folder in config.media.sound_folders:
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            found = f"{folder} is no folder that can be read"
            yield warn("sounds", found, "make it, or take it out of [media] sound_folders")
