"""Reads the configuration: defaults, then a TOML file, then the environment, and every problem at once.

A variable `TRUNKLINE_SIP__T1_MS` overrides `t1_ms` of `[sip]`; `TRUNKLINE_SIP__LISTENERS__0__PORT` reaches
into the first listener. Lists can be given as JSON. An empty variable counts as not set.
"""

import difflib
import json
import socket
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gateway.config.settings import Config
from gateway.config.sip_settings import ListenerSettings

__all__ = [
    "Config",
    "ConfigError",
    "Loaded",
    "Problem",
    "is_loopback",
    "is_wildcard",
    "load_config",
    "read_config",
    "routable_address",
]

PREFIX = "TRUNKLINE_"
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
DEFAULT_LISTENERS = [{"transport": "udp"}, {"transport": "tcp"}]

MESSAGES = {
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "model_type": "should be a table",
    "tuple_type": "should be a list of tables",
    "too_short": "should have at least one table",
    "string_pattern_mismatch": "has characters that cannot stand there",
}
"Plainer words than pydantic's for some of its error types."

Location = tuple[str | int, ...]
"Keys and list positions from the top, as pydantic gives them: `('sip', 'listeners', 0, 'port')`."
Guess = Callable[[int], str | None]
"Takes `socket.AF_INET` or `AF_INET6`, gives the address this machine would be seen by, or None."


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration."""

    where: str
    "The file, or `environment variable TRUNKLINE_…`."
    field: str
    "`[sip] t1_ms`; empty where the whole file is wrong."
    given: str
    "What stands there; empty where nothing does, hidden where it is a secret."
    right: str
    "What would be right."

    def __str__(self) -> str:
        value = f"{self.field} = {self.given}" if self.given else self.field
        return ": ".join(part for part in (self.where, value, self.right) if part)


class ConfigError(Exception):
    """The configuration cannot be used; names everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used, and what its owner should know about it all the same."""

    config: Config
    warnings: tuple[str, ...] = ()


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from a file (None: defaults only) and the environment.

    Every listener comes back complete: its name, port, advertised address and media addresses are filled in.
    `ConfigError` names all problems at once.
    """
    return read_config(path, environ).config


def routable_address(family: int) -> str | None:
    """The address by which this machine would send to the internet, or None; sends nothing."""
    far = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            address = str(probe.getsockname()[0])
    except OSError:
        return None
    return None if is_wildcard(address) else address


def read_config(path: Path | None, environ: Mapping[str, str], guess: Guess = routable_address) -> Loaded:
    """As `load_config`, with the warnings.

    `guess` finds the address to advertise where a wildcard is bound and none is configured.
    """
    file = "defaults" if path is None else str(path)
    tree = _read_file(path)
    origins = _overlay(tree, environ)
    problems = list(_single_underscores(environ))
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        problems += [_describe(details, file, origins) for details in _deepest(error.errors())]
    if problems:
        raise ConfigError(problems)
    return _Completion(file, guess).run(config)


def is_wildcard(address: str) -> bool:
    """Whether an IP address stands for every address of the machine."""
    return ip_address(address).is_unspecified


def is_loopback(host: str) -> bool:
    """Whether a host is this machine to itself, and nobody to others."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- one tree from the file and the environment -------------------------------------------------------------


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError([Problem(str(path), "", "", f"cannot be read: {error.strerror}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), "", "", f"is not valid TOML: {error}")]) from None


def _overlay(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[Location, str]:
    """Put the environment's values over the file's; which variable set what comes back."""
    origins: dict[Location, str] = {}
    for name in sorted(environ):
        # Names without a double underscore are other people's: Kubernetes sets TRUNKLINE_PORT for a service.
        if not name.startswith(PREFIX) or "__" not in name or not environ[name]:
            continue
        parts = name.removeprefix(PREFIX).lower().split("__")
        location = tuple(int(part) if part.isdecimal() else part for part in parts)
        if _set(tree, location, _value(environ[name])):
            origins[location] = name
        else:
            raise ConfigError(
                [Problem(f"environment variable {name}", "", "", "there is no place for such a key")]
            )
    return origins


def _value(text: str) -> object:
    if text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _set(tree: dict[str, Any], location: Location, value: object) -> bool:
    """Set one value, making tables on the way; False where something that is no table stands in it."""
    if location[:2] == ("sip", "listeners") and len(location) > 2:
        listeners = tree.setdefault("sip", {}).setdefault(
            "listeners", [dict(item) for item in DEFAULT_LISTENERS]
        )
        if listeners is not None and location[2] == len(listeners):
            listeners.append({})
    node: Any = tree
    for part in location[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return False
    if isinstance(node, dict):
        node[location[-1]] = value
    return isinstance(node, dict)


def _single_underscores(environ: Mapping[str, str]) -> Iterator[Problem]:
    """`TRUNKLINE_SIP_T1_MS` would be passed over in silence, and is surely meant for a key."""
    wanted = {f"{PREFIX}{section}_{key}".upper(): (section, key) for section, key in _all_keys()}
    for name in environ:
        if name in wanted:
            section, key = wanted[name]
            right = (
                f"should be {PREFIX}{section.upper()}__{key.upper()}, with two underscores after the section"
            )
            yield Problem(f"environment variable {name}", "", "", right)


# --- errors for a person ------------------------------------------------------------------------------------


def _deepest(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without those that only follow from an error further in: a list is too short for want of good items."""
    locations = [tuple(error["loc"]) for error in errors]
    inner = {location[:depth] for location in locations for depth in range(1, len(location))}
    leaves = [not location or location not in inner for location in locations]
    return [error for error, is_leaf in zip(errors, leaves, strict=True) if is_leaf]


def _describe(details: ErrorDetails, file: str, origins: Mapping[Location, str]) -> Problem:
    location: Location = tuple(details["loc"])
    variable = next((name for origin, name in origins.items() if _touches(origin, location)), None)
    where = file if variable is None else f"environment variable {variable}"
    if details["type"] == "extra_forbidden":
        loose = len(location) == 1 and not isinstance(details["input"], dict)
        return Problem(where, str(location[0]) if loose else _label(location), "", _unknown(location))
    if not location:
        # Several values together: no variable is to blame for all of them.
        return Problem(file, "", "", details["msg"].removeprefix("Value error, "))
    field = _field(location)
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    message = MESSAGES.get(details["type"], message)
    description = f" ({field.description})" if field is not None and field.description else ""
    return Problem(where, _label(location), _given(details["input"], field), message + description)


def _touches(origin: Location, location: Location) -> bool:
    shorter = min(len(origin), len(location))
    return origin[:shorter] == location[:shorter] and len(origin) >= len(location) - 1


def _label(location: Location) -> str:
    """`[sip] t1_ms`, `[providers.plivo] auth_id`, `[[sip.listeners]] number 2: port`."""
    if len(location) > 2 and isinstance(location[2], int):
        rest = ".".join(map(str, location[3:]))
        return f"[[{location[0]}.{location[1]}]] number {location[2] + 1}" + (f": {rest}" if rest else "")
    depth = 2 if len(location) > 2 and _model(location[:2]) is not None else 1
    table = ".".join(map(str, location[:depth]))
    return f"[{table}] {'.'.join(map(str, location[depth:]))}".rstrip()


def _given(value: object, field: FieldInfo | None) -> str:
    if field is None or isinstance(value, dict | BaseModel):
        return ""
    if "SecretStr" in str(field.annotation):
        return "(hidden)"
    return json.dumps(value, default=str, ensure_ascii=False)[:200]


def _unknown(location: Location) -> str:
    """What a key that is not known was probably meant to be."""
    key, parent = str(location[-1]), location[:-1]
    model = _model(parent)
    names = [] if model is None else list(model.model_fields)
    elsewhere = [section for section, name in _all_keys() if name == key and (section,) != parent]
    near = difflib.get_close_matches(key, names, n=1)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    if elsewhere:
        return f"unknown key here; it belongs to [{elsewhere[0]}]"
    return f"unknown key; there are {', '.join(names)}"


def _all_keys() -> Iterator[tuple[str, str]]:
    for section in Config.model_fields:
        model = _model((section,))
        if model is not None:
            yield from ((section, key) for key in model.model_fields)


def _field(location: Location) -> FieldInfo | None:
    model = _model(location[:-1])
    return None if model is None else model.model_fields.get(str(location[-1]))


def _model(location: Location) -> type[BaseModel] | None:
    """The section that a location names, or None where it names a key."""
    model: Any = Config
    for part in location:
        if isinstance(part, str):
            field = model.model_fields.get(part) if _is_section(model) else None
            model = None if field is None else field.annotation
        else:
            model = next(iter(get_args(model)), None)
    return model if _is_section(model) else None


def _is_section(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


# --- what follows from other keys ---------------------------------------------------------------------------


class _Completion:
    """Fills in names, ports and the addresses to advertise; collects problems and warnings on the way."""

    def __init__(self, file: str, guess: Guess) -> None:
        self._file = file
        self._guess = guess
        self._problems: list[Problem] = []
        self._warnings: list[str] = []

    def run(self, config: Config) -> Loaded:
        advertised = config.media.advertised_host or self._reachable("[media]", config.media.bind)
        media = config.media.model_copy(update={"advertised_host": advertised})
        config = config.model_copy(update={"media": media})
        listeners = tuple(
            self._listener(config, index, each) for index, each in enumerate(config.sip.listeners)
        )
        self._check_unique(listeners)
        self._check_media(listeners)
        if self._problems:
            raise ConfigError(self._problems)
        sip = config.sip.model_copy(update={"listeners": listeners})
        return Loaded(config.model_copy(update={"sip": sip}), tuple(dict.fromkeys(self._warnings)))

    def _listener(self, config: Config, index: int, given: ListenerSettings) -> ListenerSettings:
        label = f"[[sip.listeners]] number {index + 1}"
        port = DEFAULT_PORTS[given.transport] if given.port is None else given.port
        advertised = given.advertised_host or self._reachable(label, given.bind)
        media_bind, media_advertised = self._media(config, given, advertised)
        return given.model_copy(
            update={
                "name": given.name or f"{given.transport}-{index + 1}",
                "port": port,
                "advertised_host": advertised,
                "advertised_port": port if given.advertised_port is None else given.advertised_port,
                "media_bind": media_bind,
                "media_advertised_host": media_advertised,
            }
        )

    def _media(self, config: Config, given: ListenerSettings, advertised: str) -> tuple[str, str]:
        """Where RTP of a listener's calls is bound, and what their SDP says."""
        if given.media_bind:
            own = advertised if is_wildcard(given.media_bind) else given.media_bind
            return given.media_bind, given.media_advertised_host or own
        if ip_address(config.media.bind).version == ip_address(given.bind).version:
            return config.media.bind, given.media_advertised_host or config.media.advertised_host
        # The media section speaks the other IP version: stay on the address that the call came in by.
        return given.bind, given.media_advertised_host or advertised

    def _reachable(self, label: str, bind: str) -> str:
        """The address bound, or a guess where that is the wildcard."""
        if not is_wildcard(bind):
            return bind
        found = self._guess(socket.AF_INET if ip_address(bind).version == 4 else socket.AF_INET6)
        if found is None:
            right = "should be set to the address that peers can reach, since bind is the wildcard"
            self._problems.append(Problem(self._file, f"{label} advertised_host", "", right))
            return bind
        self._warnings.append(
            f"{label} advertised_host is not set and bind is {bind}: {found} is advertised. "
            "Set it, if peers reach this machine by another address (NAT)."
        )
        return found

    def _check_media(self, listeners: tuple[ListenerSettings, ...]) -> None:
        for index, listener in enumerate(listeners):
            if is_loopback(listener.media_advertised_host) and not is_loopback(listener.advertised_host):
                self._warnings.append(
                    f"[[sip.listeners]] number {index + 1} advertises {listener.advertised_host}, but the "
                    f"audio of its calls {listener.media_advertised_host}, which no other machine can reach. "
                    "Set [media] bind and [media] advertised_host."
                )

    def _check_unique(self, listeners: tuple[ListenerSettings, ...]) -> None:
        names = [listener.name for listener in listeners]
        addresses = [
            (each.transport != "udp", each.bind, each.port or -index) for index, each in enumerate(listeners)
        ]
        for index, listener in enumerate(listeners):
            label = f"[[sip.listeners]] number {index + 1}"
            if listener.name in names[:index]:
                right = "should differ from the names of the other listeners"
                self._problems.append(Problem(self._file, f"{label}: name", json.dumps(listener.name), right))
            if addresses[index] in addresses[:index]:
                right = "is taken by another listener with the same address"
                self._problems.append(Problem(self._file, f"{label}: port", str(listener.port), right))
