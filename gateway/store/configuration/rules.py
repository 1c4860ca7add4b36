"""What a trunk, number, agent version or workspace has to be like. Each refusal says field, given and right.

These functions look at one value alone; whether names are free and references hold, the database is asked.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

import phonenumbers

from gateway.agent.dialects import DIALECTS, SIP, SUBPROTOCOL, WEBSOCKET
from gateway.agent.placeholders import OF_EVERY_CALL, unknown_placeholders
from gateway.media.codecs import CODECS
from gateway.routing.host_port import HostPort
from gateway.routing.network import parse_network
from gateway.routing.number import SEPARATORS, parse_e164
from gateway.routing.table import AgentVersion, PhoneNumber, Trunk, TrunkAuthMode, VersionState, Workspace
from gateway.routing.typed import cleaned, perhaps_meant, strange_in
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.uri import SipUri, parse_uri
from gateway.store.configuration.zone_names import zone_like, zone_name
from gateway.store.engine.errors import InvalidInput, Wrong

TRANSPORTS = ("UDP", "TCP", "TLS")
UNCHOSEN_AUDIO = "ulaw_8k"
"What a version has that never chose: where its dialect does not have it, the dialect's first is meant."
NUMBER_RIGHT = "should be a possible international number with its plus, such as +442079460018"
MAX_NAME = 64
MAX_PATH = 1024
MAX_REASON = 200
MAX_SOURCES = 1000
MAX_HEADERS = 32
MAX_PARAMETERS = 64
RESERVED_HEADERS = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding"})
"Headers of the WebSocket upgrade itself, and any Sec-WebSocket-…"

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checked_e164(field: str, given: str) -> tuple[str, str]:
    """An E.164 number taken apart: country code without plus, and local number."""
    number = parse_e164(cleaned(given).translate(SEPARATORS))
    if number is None:
        raise InvalidInput(field, given, _right_number(given))
    return number.calling_code, number.national


def _right_number(given: str) -> str:
    right, strange = NUMBER_RIGHT, strange_in(given)
    if strange:
        right = f"{right}, and not with {strange}"
    digits = re.sub(r"[^0-9]", "", perhaps_meant(given)).removeprefix("00")
    near = parse_e164(f"+{digits}")
    return right if near is None else f"{right}; did you mean {near.e164}?"


def checked_number(number: PhoneNumber) -> PhoneNumber:
    """The number with its country code and local number apart; `InvalidInput` where a field is wrong."""
    code, local = checked_e164("phone_number", number.e164)
    checked_nickname(number.nickname)
    _check_text("provider", number.provider, 1)
    _check_sound("recording_announcement", number.recording_announcement)
    _check_least("channel_limit", number.channel_limit, 1)
    for field in ("rental_expires_at", "renews_at"):
        moment = getattr(number, field)
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput(field, moment, "should have a time zone, such as 2027-01-31T00:00:00Z")
    return replace(number, e164=f"+{code}{local}", country_code=code, local_number=local)


def checked_trunk(trunk: Trunk) -> Trunk:
    """The trunk with its sources written the usual way; `InvalidInput` where a field is wrong."""
    _check_text("name", trunk.name, 1)
    _check_choices("codecs", trunk.codecs, tuple(CODECS))
    _check_choices("transport", (trunk.transport,), TRANSPORTS)
    _check_least("channel_limit", trunk.channel_limit, 1)
    _check_least("calls_per_second", trunk.calls_per_second, 0.01)
    _check_least("flat_rate", trunk.flat_rate, 0)
    if trunk.termination_uri is not None:
        checked_host_port("termination_uri", trunk.termination_uri)
    _check_inbound_login(trunk)
    _check_outbound_login(trunk)
    return replace(trunk, sources=_checked_sources(trunk))


def _checked_sources(trunk: Trunk) -> tuple[str, ...]:
    if len(trunk.sources) > MAX_SOURCES:
        raise InvalidInput("sources", len(trunk.sources), f"should be at most {MAX_SOURCES} networks")
    networks = []
    for source in trunk.sources:
        try:
            network = parse_network(source)
        except ValueError:
            right = "should be an address or network, such as 192.0.2.7, 198.51.100.0/24 or 2001:db8::/48"
            raise InvalidInput("sources", source, right) from None
        if network.prefixlen == 0 and trunk.username is None:
            right = "is everybody: should name the carrier's networks, or the trunk should have a username"
            raise InvalidInput("sources", source, right)
        single = network.prefixlen == network.max_prefixlen
        networks.append(str(network.network_address) if single else str(network))
    return tuple(dict.fromkeys(networks))


def _check_inbound_login(trunk: Trunk) -> None:
    if (trunk.username is None) != (trunk.password is None):
        missing = "password" if trunk.password is None else "username"
        raise InvalidInput(
            missing, None, "should be set: calls come in with username and password, or neither"
        )
    if trunk.username is not None:
        _check_text("username", trunk.username, 1)


def _check_outbound_login(trunk: Trunk) -> None:
    """The rules and words of the reference platform for `authMode`."""
    complete = bool(trunk.outbound_username) and bool(trunk.outbound_password)
    if trunk.auth_mode is TrunkAuthMode.USERPASS and not complete:
        missing = "outbound_password" if trunk.outbound_username else "outbound_username"
        right = "sipTrunkUserName and sipTrunkPassword are required when authMode=userpass"
        raise InvalidInput(missing, None, right, whole=True, wrong=Wrong.LOGIN_INCOMPLETE)
    if trunk.outbound_username is not None:
        _check_text("outbound_username", trunk.outbound_username, 0)
    if trunk.auth_mode is TrunkAuthMode.IP and (trunk.outbound_username or trunk.outbound_password):
        given = "outbound_username" if trunk.outbound_username else "outbound_password"
        right = "sipTrunkUserName and sipTrunkPassword are not allowed when authMode=ip"
        raise InvalidInput(given, None, right, whole=True, wrong=Wrong.LOGIN_UNWANTED)


def checked_host_port(field: str, given: str) -> HostPort:
    """`host[:port]` taken apart; an IPv6 address stands in brackets."""
    right = "should be host or host:port, such as sip.example.com:5060"
    if given.lower().startswith(("sip:", "sips:")):
        raise InvalidInput(field, given, f"{right}, without sip: before it")
    try:
        parsed = HostPort.parse(given)
    except ValueError:
        raise InvalidInput(field, given, right) from None
    if not _is_of_sip(given):
        raise InvalidInput(field, given, right)
    return parsed


def checked_version(version: AgentVersion) -> AgentVersion:
    """The version, its audio one that the dialect has; `InvalidInput` where a field is wrong.

    A draft may still lack its runtime URL.
    """
    if version.runtime_url or version.state is VersionState.PUBLISHED:
        _check_runtime_url("runtime_url", version.runtime_url, version)
    if version.fallback_url is not None:
        _check_runtime_url("fallback_url", version.fallback_url, version)
    version = replace(version, audio=_checked_audio(version))
    _check_options(version)
    _check_range("max_call_duration_sec", version.max_call_duration_sec, 60, 5400)
    _check_range("ring_duration_sec", version.ring_duration_sec, 1, 300)
    _check_headers(version)
    _check_sound("recording_announcement", version.recording_announcement)
    _check_sound("fallback_wav", version.fallback_wav)
    if len(version.parameters) > MAX_PARAMETERS:
        right = f"should be at most {MAX_PARAMETERS}"
        raise InvalidInput("parameters", len(version.parameters), right)
    return version


def _check_sound(field: str, given: str | None) -> None:
    """The gateway reads the file, from its own folders, so `gateway check` looks for it, not this."""
    if given is None:
        return
    if not given.lower().endswith(".wav") or _CONTROL.search(given) or len(given) > MAX_PATH:
        right = "should be the path of a WAV file among the gateway's sounds"
        raise InvalidInput(field, given[:MAX_PATH], right)


def _check_runtime_url(field: str, given: str, version: AgentVersion) -> None:
    schemes = DIALECTS[version.dialect].schemes
    if schemes == SIP:
        _check_agent_uri(field, given)
        return
    right = "should be a WebSocket URL, such as wss://agents.example.com/calls or ws://127.0.0.1:8765/native"
    if schemes != WEBSOCKET:
        right = f"should be a TCP address for {version.dialect}, such as {schemes[0]}://127.0.0.1:9092"
    try:
        parts = urlsplit(given)
        port = parts.port or (0 if schemes != WEBSOCKET else 1)
        usable = parts.scheme in schemes and bool(parts.hostname) and port > 0
    except ValueError:
        usable = False
    if not usable or _CONTROL.search(given) or " " in given or len(given) > 2048:
        raise InvalidInput(field, given, right)
    if "{" in parts.netloc:
        raise InvalidInput(field, given, "should name its host itself: placeholders go in path and query")
    wrong = _wrong_placeholders(given, version)
    if wrong is not None:
        raise InvalidInput(field, given, wrong)


def _check_agent_uri(field: str, given: str) -> None:
    try:
        uri = parse_uri(given)
    except RemoteProtocolError:
        uri = None
    if not isinstance(uri, SipUri) or uri.password is not None or uri.headers or len(given) > 2048:
        right = "should be a SIP URI, such as sip:bot@agents.example.com;transport=tls, without password"
        raise InvalidInput(field, given, right)


def _wrong_placeholders(template: str, version: AgentVersion) -> str | None:
    names = [name for name, _ in version.parameters]
    unknown = unknown_placeholders(template, names)
    if not unknown:
        return None
    known = ", ".join(f"{{{name}}}" for name in (*OF_EVERY_CALL, *names))
    return (
        f"has {unknown[0]} in it, but there are {known}: name it in parameters, or write braces {{{{ and }}}}"
    )


def _checked_audio(version: AgentVersion) -> str:
    offered = tuple(DIALECTS[version.dialect].audio)
    if version.audio not in offered and version.audio != UNCHOSEN_AUDIO:
        raise InvalidInput("audio", version.audio, f"should be of {', '.join(offered)} in {version.dialect}")
    return version.audio if version.audio in offered else offered[0]


def _check_options(version: AgentVersion) -> None:
    entry = DIALECTS[version.dialect]
    own = {name: f"{name}: {' or '.join(values)}" for name, values in entry.options.items()}
    if entry.schemes == WEBSOCKET:
        own[SUBPROTOCOL] = f"{SUBPROTOCOL}: a name of your own"
    for name, value in version.options:
        if name not in own:
            listed = "; ".join(own.values()) or "none"
            raise InvalidInput("options", name, f"is no option of {version.dialect}: there are {listed}")
        fits = value in entry.options[name] if name in entry.options else _HEADER_NAME.fullmatch(value)
        if not fits:
            raise InvalidInput("options", f"{name}: {value}", f"should be {own[name]}")


def _check_headers(version: AgentVersion) -> None:
    if len(version.headers) > MAX_HEADERS:
        raise InvalidInput("headers", len(version.headers), f"should be at most {MAX_HEADERS}")
    for name, value in version.headers:
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidInput("headers", name, "should be an HTTP header name, such as Authorization")
        if name.lower() in RESERVED_HEADERS or name.lower().startswith("sec-websocket-"):
            raise InvalidInput("headers", name, "belongs to the WebSocket upgrade and cannot be set")
        if _CONTROL.search(value) or len(value) > 4096:
            raise InvalidInput("headers", name, "should have a value on one line, of at most 4096 characters")
        if _wrong_placeholders(value, version) is not None:
            right = "has braces in its value that are no placeholder: write braces {{ and }}"
            raise InvalidInput("headers", name, right)


def checked_workspace(workspace: Workspace) -> Workspace:
    """The workspace with its numbers in E.164; `InvalidInput` where a field is wrong."""
    _check_text("name", workspace.name, 1)
    _check_least("concurrency_limit", workspace.concurrency_limit, 1)
    _check_least("sip_flat_rate", workspace.sip_flat_rate, 0)
    _check_least("recording_keep_days", workspace.recording_keep_days, 1)
    if not re.fullmatch(r"[A-Z]{3}", workspace.currency):
        raise InvalidInput(
            "currency", workspace.currency, "should be three capital letters, such as INR or EUR"
        )
    registered, own = workspace.verification_number, workspace.verified_caller_ids
    country = workspace.default_country
    return replace(
        workspace,
        timezone=checked_zone("timezone", workspace.timezone),
        default_country=None if country is None else checked_country("default_country", country),
        verification_number=None if registered is None else _e164("verification_number", registered),
        verified_caller_ids=tuple(dict.fromkeys(_e164("verified_caller_ids", number) for number in own)),
    )


def checked_zone(field: str, given: str) -> str:
    """The name of a time zone as the tz database has it, in whatever case it is given."""
    name = zone_name(given[: MAX_NAME + 1])
    if name is not None:
        return name
    right, like = "should be a time zone such as Asia/Kolkata or UTC", zone_like(given)
    raise InvalidInput(field, given[:MAX_NAME], f"{right}; did you mean {like}?" if like else right)


def is_country(iso: str) -> bool:
    """Whether it has telephone numbers of its own."""
    return iso in phonenumbers.SUPPORTED_REGIONS


def checked_country(field: str, given: str) -> str:
    """The two letters of a country that has telephone numbers of its own."""
    country = given.strip().upper()
    if not is_country(country):
        raise InvalidInput(
            field, given, "should be the two letters of a country (ISO 3166), such as IN or GB"
        )
    return country


def _e164(field: str, given: str) -> str:
    return "+" + "".join(checked_e164(field, given))


def checked_reason(given: str) -> str:
    """Why a number is not called; `InvalidInput` where it is more than a line."""
    if len(given) > MAX_REASON or _CONTROL.search(given):
        raise InvalidInput(
            "reason", given[:MAX_REASON], f"should be a line of at most {MAX_REASON} characters"
        )
    return given.strip()


def checked_nickname(given: str) -> str:
    """What people call a number; `InvalidInput` where it is too long, or more than a line."""
    _check_text("nickname", given, 0)
    return given


def checked_name(given: str) -> str:
    """The name of an agent; `InvalidInput` where it is empty or too long."""
    _check_text("name", given, 1)
    return given


def _check_text(field: str, given: str, least: int) -> None:
    if not least <= len(given.strip()) <= MAX_NAME or _CONTROL.search(given):
        right = f"should be {'a' if least else 'empty or a'} line of at most {MAX_NAME} characters"
        raise InvalidInput(field, given, right)


def _check_choices(field: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    given = tuple(given)
    unknown = [item for item in given if item not in known]
    if unknown or not given or len(set(given)) < len(given):
        raise InvalidInput(field, ",".join(unknown or given), f"should be of {', '.join(known)}")


def _check_least(field: str, given: object, least: float) -> None:
    if isinstance(given, bool) or (given is not None and not given >= least):  # type: ignore[operator]
        raise InvalidInput(field, given, f"should be at least {least}")


def _check_range(field: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise InvalidInput(field, given, f"should be from {least} to {most} seconds")


def _is_of_sip(host_port: str) -> bool:
    """Whether it can stand in a SIP URI: `127.1` is an address to some resolvers, and nothing to RFC 3261."""
    try:
        return isinstance(parse_uri(f"sip:{host_port}"), SipUri)
    except RemoteProtocolError:
        return False
