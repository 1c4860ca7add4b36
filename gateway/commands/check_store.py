"""The database, and whether what is configured in it can take calls."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import URL

from gateway.app.listening import reach
from gateway.call.recording.sounds import NoSound, Sounds
from gateway.commands.check_drafts import check_drafts
from gateway.commands.check_recordings import check_recordings
from gateway.commands.check_secrets import check_secret
from gateway.commands.check_trunks import shared_sources
from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config
from gateway.media.audio import ULAW_8K
from gateway.net.tls import BadCertificate, client_context
from gateway.routing.table import AgentVersion, NumberStatus, RentalStatus, Trunk
from gateway.store.configuration.nouns import Configuration
from gateway.store.engine.database import HEAD, Database, migrations_after
from gateway.store.engine.errors import StoreError
from gateway.store.engine.tenure import BEAT_SECONDS, Holder, NameFile, row_of
from gateway.store.sql import open_store

CONNECT_SECONDS = 5.0


async def check_store(config: Config, *, connect: bool) -> AsyncIterator[Finding]:
    """The database, and what is in it; with `connect`, agents' runtimes are dialled too."""
    finding, usable = await _check_database(config)
    yield finding
    yield await _check_name(config, usable=usable)
    if not usable:
        return
    try:
        store = await open_store(config, serving=False)
    except StoreError as error:
        yield bad("store", str(error), "see the sentence itself")
        return
    try:
        async for finding in _check_contents(store.configuration, config, connect):
            yield finding
        async for finding in check_recordings(store.configuration, config):
            yield finding
    except StoreError as error:
        yield bad("store", str(error), "bring back the key that the secrets were sealed with")
    finally:
        await store.close()


async def _check_name(config: Config, *, usable: bool) -> Finding:
    """Whether a start could have the gateway's name, or who has it; `usable`: the database can be asked."""
    what, name = "gateway name", config.gateway.name
    file = NameFile(config.name_file)
    slip = await asyncio.to_thread(file.read)
    if await asyncio.to_thread(file.is_held):
        who = "a process" if slip is None else str(slip.holder)
        return ok(what, f"“{name}” runs: {who}; a second start of it would be refused")
    database = Database(config.store_url)
    try:
        found = await _living(database, name) if usable else None
    except StoreError as error:
        return bad(what, str(error), "see the sentence itself")
    finally:
        await database.close()
    if found is not None:
        mend = "stop that one, or give this one another gateway.name"
        return bad(what, f"“{name}” is taken by {found}, which shares this database", mend)
    if config.store_url.get_backend_name() == "postgresql" and name == "trunkline":
        mend = "set gateway.name, different on each gateway that shares the database"
        return warn(what, f"“{name}” is free; a second gateway of this name would not start", mend)
    return ok(what, f"“{name}” is free")


async def _living(database: Database, name: str) -> Holder | None:
    """Who has the name and gives signs of life; None: nobody, or one that died."""
    async with database.reading() as connection:
        before = await row_of(connection, name)
    if before is None:
        return None
    await asyncio.sleep(BEAT_SECONDS + 1)
    async with database.reading() as connection:
        after = await row_of(connection, name)
    return None if after is None or after == before else after[0]


async def _check_database(config: Config) -> tuple[Finding, bool]:
    """The finding, and whether it makes sense to look inside."""
    url = config.store_url
    shown = url.render_as_string(hide_password=True)
    if _is_yet_to_be_made(url):
        return ok("database", f"{url.database} will be made at the first start"), False
    database = Database(url)
    try:
        version = await database.version()
    except StoreError as error:
        return bad("database", str(error), "start it, or mend [store] url"), False
    finally:
        await database.close()
    if version == HEAD:
        return ok("database", f"{shown}, at migration {HEAD}"), True
    if version is not None and version > HEAD:
        newer = f"{shown} is at migration {version}; this program knows {HEAD}, and will not start"
        return bad("database", newer, "install the version that migrated it, or bring back a backup"), False
    to_come = ", ".join(migrations_after(version))
    found = f"{shown} is at migration {version or 'none'}, {HEAD} is current: {to_come} will run"
    return warn("database", found, "nothing: the next start migrates it; or gateway migrate"), False


def _is_yet_to_be_made(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and bool(url.database) and not Path(str(url.database)).exists()


async def _check_contents(there: Configuration, config: Config, connect: bool) -> AsyncIterator[Finding]:
    trunks = [trunk for trunk in await there.trunks.list_all() if trunk.enabled]
    callable_ = [trunk for trunk in trunks if trunk.sources]
    if not callable_:
        yield warn("trunks", "none that calls can come in by", "gateway trunks add NAME sources=192.0.2.0/24")
    else:
        yield ok("trunks", f"{len(callable_)} that calls can come in by")
    for trunk in trunks:
        for finding in _check_way_out(trunk, config):
            yield finding
    for finding in shared_sources(trunks):
        yield finding
    yield await _check_numbers(there)
    async for finding in check_drafts(there):
        yield finding
    yield _check_retention(config)
    for agent in await there.agents.list_all():
        for version in await there.agents.versions(agent.id):
            if version.published_at is not None:
                async for finding in _check_version(agent.name, version, config, connect):
                    yield finding


def _check_way_out(trunk: Trunk, config: Config) -> Iterator[Finding]:
    """An address that a trunk names; a name is looked up with each call, and by `gateway trunks test`."""
    if trunk.termination is None:
        return
    host = trunk.termination.host
    is_address = host[-1:].isdigit() or ":" in host
    if is_address and not reach(config).allows(host):
        found = f"{host} is no public address: no call goes out by it"
        yield bad(f"trunk {trunk.name}", found, "add its network to [security] allowed_networks")


def _check_retention(config: Config) -> Finding:
    days = config.store.keep_calls_days
    kept = f"deleted after {days} days" if days else "kept for ever (store.keep_calls_days = 0)"
    return ok("call records", f"{kept}, with what was posted about them")


async def _check_numbers(there: Configuration) -> Finding:
    numbers = await there.numbers.list_all()
    silent = [
        number.e164
        for number in numbers
        if number.inbound_version_id is None
        or number.status is not NumberStatus.ACTIVE
        or number.rental_status is not RentalStatus.ACTIVE
    ]
    if not numbers:
        return warn("numbers", "none yet", "gateway numbers add +… --trunk NAME --inbound AGENT")
    if silent:
        found = f"{len(silent)} of {len(numbers)} take no calls: {', '.join(silent[:5])}"
        return warn("numbers", found, f"gateway explain --to {silent[0]} --trunk NAME tells why")
    return ok("numbers", f"{len(numbers)}, all of them take calls")


async def _check_version(
    name: str, version: AgentVersion, config: Config, connect: bool
) -> AsyncIterator[Finding]:
    label = f"agent {name}/{version.number}"
    for url in filter(None, (version.runtime_url, version.fallback_url)):
        yield await _check_runtime(label, url, config, connect)
    if version.fallback_wav is not None:
        try:
            Sounds(config.sound_folders, config.media.max_sound_bytes).read(version.fallback_wav, ULAW_8K)
        except NoSound as error:
            found = f"{version.fallback_wav}: {error.reason}"
            yield bad(label, found, "put the file there, or make a version without it")
    for finding in check_secret(label, version):
        yield finding


SECURE = {"ws": "wss", "tcp": "tls"}


async def _check_runtime(label: str, url: str, config: Config, connect: bool) -> Finding:
    """The URL's name resolves and, where that is asked for, somebody listens there."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme in ("wss", "tls")
    port = parts.port or (443 if secure else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return bad(label, f"{host} of {url}: {error.strerror}", "mend the URL in a new version, or the DNS")
    address = str(found[0][4][0])
    if not any(reach(config).allows(str(entry[4][0])) for entry in found):
        beyond = f"{url} leads to {address}, which is no public address: no call gets there"
        return bad(label, beyond, "add its network to [security] allowed_networks")
    if not secure and not ip_address(address).is_private:
        found_out = f"{url}: speech and headers cross the internet in clear"
        return warn(label, found_out, f"make it {SECURE[parts.scheme]}://")
    if not connect:
        return ok(label, f"{url}, which is {address}; --connect dials it" if host != address else url)
    try:
        context = client_context(config.agents.ca) if secure else None
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.close()
            await writer.wait_closed()
    except TimeoutError:
        return bad(
            label, f"{url}: no answer in {CONNECT_SECONDS:.0f} s", "start the runtime, or open the firewall"
        )
    except (OSError, BadCertificate) as error:
        return bad(label, f"{url}: {error}", "start the runtime; for wss, look at its certificate")
    return ok(label, f"{url}: somebody listens there")
