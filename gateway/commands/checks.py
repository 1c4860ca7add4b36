"""Everything that `gateway check` looks at, in the order in which a gateway would stumble over it."""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.commands.check_folders import check_folders
from gateway.commands.check_mqtt import check_mqtt
from gateway.commands.check_secrets import check_login
from gateway.commands.check_sockets import check_sockets
from gateway.commands.check_store import check_store
from gateway.commands.check_times import check_times
from gateway.commands.check_tls import check_certificates
from gateway.commands.finding import Finding, bad, ok, warn
from gateway.config.loading import Config, ConfigError, read_config
from gateway.numbering.files import load_plan

SECRETS = (("security", "key"), ("store", "url"))


async def gather(path: Path | None, environ: Mapping[str, str], *, connect: bool) -> list[Finding]:
    """All findings, in the order in which a gateway would stumble over them."""
    try:
        loaded = read_config(path, environ)
    except ConfigError as error:
        return [bad("configuration", str(problem), "mend it") for problem in error.problems]
    config = loaded.config
    findings = [ok("configuration", "the defaults" if path is None else str(path))]
    findings += [warn("configuration", found, "see the sentence itself") for found in loaded.warnings]
    findings += _check_files(path, config)
    findings += _check_numbering(config)
    findings += check_sockets(config)
    findings += check_certificates(config)
    findings += _check_trust(config)
    findings += check_times(config)
    findings += check_login(config)
    findings += check_folders(config)
    findings += [finding async for finding in check_mqtt(config)]
    findings += [finding async for finding in check_store(config, connect=connect)]
    return findings


def _check_files(path: Path | None, config: Config) -> Iterator[Finding]:
    if path is not None and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH) and _holds_secrets(path):
        yield warn("configuration", f"{path} holds secrets and others can read it", f"chmod 600 {path}")
    if config.demo.seed is not None and not os.access(config.demo.seed, os.R_OK):
        yield bad("demo seed", f"{config.demo.seed} cannot be read", "mend [demo] seed, or leave it empty")


def _check_trust(config: Config) -> Iterator[Finding]:
    """What is believed, and where tenants may lead us, where that is more than it should be for some."""
    if config.web.public_url and not config.http.proxies:
        found = "web.public_url names a proxy, http.proxies none: whoever logs in is taken for the proxy"
        yield warn("proxies", found, "set http.proxies to the proxy's address")
    if config.reaches_private:
        found = "whoever has a key can lead the gateway into private networks"
        yield warn("allow_private", found, 'for tenants, set [security] allow_private = "no"')


def _check_numbering(config: Config) -> Iterator[Finding]:
    try:
        plan = load_plan(config.outbound)
    except ConfigError as error:
        yield from (bad("numbering data", str(problem), "mend the file") for problem in error.problems)
    else:
        yield ok("numbering data", f"{len(plan.countries)} countries, {len(plan.ranges)} special ranges")


def _holds_secrets(path: Path) -> bool:
    content = tomllib.loads(path.read_text("utf-8"))
    values = [str(content.get(section, {}).get(key, "")) for section, key in SECRETS]
    return bool(values[0]) or "@" in values[1]
