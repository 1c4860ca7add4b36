"""Whether calls that are to be recorded will be, and for how long: announcements, room, retention."""

from collections.abc import AsyncIterator, Iterator, Sequence

from gateway.call.recording.sounds import NoSound, Sounds
from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config
from gateway.media.audio import ULAW_8K
from gateway.recordings.folder import FolderStore
from gateway.routing.table import AgentVersion, PhoneNumber, RecordingMode, Workspace
from gateway.store.configuration.nouns import Configuration


async def check_recordings(there: Configuration, config: Config) -> AsyncIterator[Finding]:
    """Nothing where nobody is recorded."""
    sounds = Sounds(config.sound_folders, config.media.max_sound_bytes)
    numbers, trunks = await there.numbers.list_all(), await there.trunks.list_all()
    versions = {
        f"agent {agent.name}/{version.number}": version
        for agent in await there.agents.list_all()
        for version in await there.agents.versions(agent.id)
        if version.published_at is not None
    }
    for number in numbers:
        for finding in _announcement(f"number {number.e164}", number, sounds):
            yield finding
    for label, version in versions.items():
        for finding in _announcement(label, version, sounds):
            yield finding
    modes = [one.recording for group in (numbers, trunks, versions.values()) for one in group]
    if set(modes) - {None, RecordingMode.OFF}:
        yield _room(config)
        for finding in _retention(config, await there.workspaces.list_all()):
            yield finding


def _announcement(label: str, of: PhoneNumber | AgentVersion, sounds: Sounds) -> list[Finding]:
    file = of.recording_announcement
    if file is None:
        return []
    try:
        sounds.read(file, ULAW_8K)
    except NoSound as error:
        found = f"the announcement {file}: {error.reason}; calls go on, and are not recorded"
        return [bad(label, found, "put a WAV file there: 16 bit PCM, μ-law or A-law")]
    return [ok(label, f"announces recordings by {file}")]


def _room(config: Config) -> Finding:
    folder, least = config.recordings_folder, config.recordings.min_free_mb
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = (FolderStore(existing).free_bytes() or 0) >> 20
    if free < least:
        mend = "make room, or lower [recordings] min_free_mb"
        return warn(
            "recordings", f"{free} MB are free in {folder}, min_free_mb is {least}: none is made", mend
        )
    return ok("recordings", f"{folder}, {free} MB free")


def _retention(config: Config, workspaces: Sequence[Workspace]) -> Iterator[Finding]:
    days, calls = config.recordings.keep_days, config.store.keep_calls_days
    rules = [f"deleted after {days} days" if days else "kept for ever"]
    rules += [
        f"{one.name}'s after {one.recording_keep_days}"
        for one in workspaces
        if one.recording_keep_days is not None
    ]
    yield ok("recordings", "; ".join(rules))
    if calls and not 0 < days <= calls:
        found = f"a recording goes with its call's record, and these go after {calls} days: before recordings"
        yield warn("recordings", found, "raise [store] keep_calls_days, or lower [recordings] keep_days")
