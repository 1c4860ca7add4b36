"""What a trunk, a number, a version has to be like, and how a mistake is told."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.routing.table import (
    AgentVersion,
    Dialect,
    PhoneNumber,
    Secret,
    Trunk,
    TrunkAuthMode,
    VersionState,
    Workspace,
)
from gateway.store.configuration.rules import (
    checked_number,
    checked_trunk,
    checked_version,
    checked_workspace,
)
from gateway.store.engine.errors import InvalidInput

TRUNK = Trunk("trunk_1", "org_1", "Carrier")
VERSION = AgentVersion("ver_1", "agent_1", 1)
NUMBER = PhoneNumber("phn_1", "org_1", "+442079460018")
WORKSPACE = Workspace("org_1", "Acme")


@pytest.mark.parametrize(
    ("fields", "field", "right"),
    [
        ({"name": " "}, "name", "at most 64 characters"),
        ({"name": "x" * 65}, "name", "at most 64 characters"),
        ({"name": "a\nb"}, "name", "at most 64 characters"),
        ({"sources": ("192.0.2.300",)}, "sources", "192.0.2.7, 198.51.100.0/24 or 2001:db8::/48"),
        ({"sources": ("carrier.example.com",)}, "sources", "should be an address or network"),
        ({"sources": ("0.0.0.0/0",)}, "sources", "is everybody"),
        ({"username": "u"}, "password", "username and password, or neither"),
        ({"password": Secret("p")}, "username", "username and password, or neither"),
        ({"codecs": ("PCMU", "G729")}, "codecs", "should be of PCMU, PCMA"),
        ({"codecs": ()}, "codecs", "should be of PCMU, PCMA"),
        ({"codecs": ("PCMU", "PCMU")}, "codecs", "should be of PCMU, PCMA"),
        ({"transport": "udp"}, "transport", "should be of UDP, TCP, TLS"),
        ({"channel_limit": 0}, "channel_limit", "at least 1"),
        ({"calls_per_second": 0.0}, "calls_per_second", "at least 0.01"),
        ({"calls_per_second": float("nan")}, "calls_per_second", "at least 0.01"),
        ({"flat_rate": Decimal(-1)}, "flat_rate", "at least 0"),
        ({"termination_uri": "sip:x.example.com"}, "termination_uri", "without sip:"),
        ({"termination_uri": "x.example.com:0"}, "termination_uri", "host or host:port"),
        ({"termination_uri": "x.example.com:99999"}, "termination_uri", "host or host:port"),
        ({"termination_uri": "user@x.example.com"}, "termination_uri", "host or host:port"),
        ({"termination_uri": "x example.com"}, "termination_uri", "host or host:port"),
        ({"termination_uri": "x.example.com/a"}, "termination_uri", "host or host:port"),
        ({"termination_uri": ""}, "termination_uri", "host or host:port"),
        (
            {"auth_mode": TrunkAuthMode.USERPASS, "outbound_username": "u"},
            "outbound_password",
            "sipTrunkUserName and sipTrunkPassword are required when authMode=userpass",
        ),
        (
            {"auth_mode": TrunkAuthMode.IP, "outbound_username": "u"},
            "outbound_username",
            "sipTrunkUserName and sipTrunkPassword are not allowed when authMode=ip",
        ),
    ],
)
def test_bad_trunk_is_refused(fields: dict[str, Any], field: str, right: str) -> None:
    """Each mistake is refused with its field and with what would be right."""
    with pytest.raises(InvalidInput, match=right) as raised:
        checked_trunk(replace(TRUNK, **fields))
    assert raised.value.field == field


@pytest.mark.parametrize(
    "given", ["sip.example.com", "192.0.2.1:5080", "[2001:db8::1]:5061", "a-b.c_d.example."]
)
def test_termination_is_a_host_and_perhaps_a_port(given: str) -> None:
    """Names, IPv4 and bracketed IPv6 addresses go, with and without port."""
    assert checked_trunk(replace(TRUNK, termination_uri=given)).termination_uri == given


def test_sources_are_written_the_usual_way() -> None:
    """Host bits, single addresses and repetitions are tidied; anybody may come who has a password."""
    sources = ("192.0.2.77/24", "192.0.2.0/24", "198.51.100.7/32", "2001:DB8::1", "0.0.0.0/0")
    trunk = checked_trunk(replace(TRUNK, sources=sources, username="u", password=Secret("p")))
    assert trunk.sources == ("192.0.2.0/24", "198.51.100.7", "2001:db8::1", "0.0.0.0/0")


def test_refusal_never_shows_a_secret() -> None:
    """Neither text nor traceback of a refusal has the password in it."""
    with pytest.raises(InvalidInput) as raised:
        checked_trunk(replace(TRUNK, password=Secret("geheim")))
    assert "geheim" not in str(raised.value) + repr(raised.value.args)


@pytest.mark.parametrize(
    ("fields", "field", "right"),
    [
        ({"runtime_url": "http://x/"}, "runtime_url", "should be a WebSocket URL"),
        ({"runtime_url": "ws://"}, "runtime_url", "should be a WebSocket URL"),
        ({"runtime_url": "ws://a:99999/"}, "runtime_url", "should be a WebSocket URL"),
        ({"runtime_url": "ws://a/\r\nX: y"}, "runtime_url", "should be a WebSocket URL"),
        ({"fallback_url": "x"}, "fallback_url", "should be a WebSocket URL"),
        ({"audio": "opus"}, "audio", "should be of ulaw_8k in twilio"),
        ({"dialect": Dialect.PLIVO, "audio": "l16_24k"}, "audio", "of ulaw_8k, l16_8k, l16_16k in plivo"),
        ({"dialect": Dialect.AUDIOSOCKET, "runtime_url": "ws://a/"}, "runtime_url", "a TCP address"),
        ({"dialect": Dialect.AUDIOSOCKET, "runtime_url": "tcp://a"}, "runtime_url", "tcp://127.0.0.1:9092"),
        ({"runtime_url": "tcp://a:9092"}, "runtime_url", "should be a WebSocket URL"),
        ({"runtime_url": "ws://{from}/"}, "runtime_url", "should name its host itself"),
        (
            {"runtime_url": "ws://a/{caller}"},
            "runtime_url",
            r"has \{caller\} in it, but there are \{call_id\}",
        ),
        ({"fallback_url": "ws://a/?x={"}, "fallback_url", r"has \{ in it"),
        ({"headers": (("X-Token", "{tokn}"),)}, "headers", r"write braces \{\{ and \}\}"),
        ({"options": (("control", "json"),)}, "options", "is no option of twilio: there are signed_url: as_"),
        ({"options": (("signed_url", "maybe"),)}, "options", "should be signed_url: as_configured or https"),
        ({"options": (("subprotocol", "a b"),)}, "options", "should be subprotocol: a name of your own"),
        ({"max_call_duration_sec": 59}, "max_call_duration_sec", "from 60 to 5400 seconds"),
        ({"max_call_duration_sec": 5401}, "max_call_duration_sec", "from 60 to 5400 seconds"),
        ({"ring_duration_sec": 0}, "ring_duration_sec", "from 1 to 300 seconds"),
        ({"headers": (("Bad Name", "x"),)}, "headers", "should be an HTTP header name"),
        ({"headers": (("Upgrade", "x"),)}, "headers", "belongs to the WebSocket upgrade"),
        ({"headers": (("sec-websocket-key", "x"),)}, "headers", "belongs to the WebSocket upgrade"),
        ({"headers": (("X", "a\r\nb"),)}, "headers", "a value on one line"),
        ({"headers": (("X", "a"),) * 33}, "headers", "at most 32"),
        ({"parameters": (("X", "a"),) * 65}, "parameters", "at most 64"),
        ({"state": VersionState.PUBLISHED}, "runtime_url", "should be a WebSocket URL"),
    ],
)
def test_bad_version_is_refused(fields: dict[str, Any], field: str, right: str) -> None:
    """Each mistake is refused with its field and with what would be right."""
    with pytest.raises(InvalidInput, match=right) as raised:
        checked_version(replace(VERSION, **fields))
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("fields", "audio"),
    [
        ({}, "ulaw_8k"),
        ({"dialect": Dialect.EXOTEL}, "l16_8k"),
        ({"dialect": Dialect.AUDIOSOCKET, "runtime_url": "tls://[::1]:9092"}, "l16_8k"),
        ({"dialect": Dialect.ASTERISK, "audio": "l16_48k"}, "l16_48k"),
    ],
)
def test_version_has_an_audio_format_of_its_dialect(fields: dict[str, Any], audio: str) -> None:
    """One that was never chosen becomes the dialect's first."""
    assert checked_version(replace(VERSION, **fields)).audio == audio


def test_version_may_name_what_each_call_fills_in() -> None:
    """The facts, the secret and the parameters, in URLs and headers; and the options of its dialect."""
    version = replace(
        VERSION,
        runtime_url="wss://a.example/{secret}?from={from}&tier={tier}",
        headers=(("X-Call", "{call_id}"), ("X-Json", "{{}}"), ("Origin", "https://a.example")),
        parameters=(("tier", "gold"),),
        dialect=Dialect.ASTERISK,
        options=(("control", "json"), ("subprotocol", "media.v2")),
    )
    assert checked_version(version) == version


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("442079460018", r"with its plus, such as \+442079460018; did you mean \+442079460018\?"),
        ("00442079460018", r"did you mean \+442079460018\?"),
        ("02079460018", "with its plus"),
        ("+44", "should be a possible international number"),
        ("+999123456789", "should be a possible international number"),
        ("anonymous", "should be a possible international number"),
        ("", "should be a possible international number"),
    ],
)
def test_number_has_to_be_international(given: str, right: str) -> None:
    """What is no E.164 number is refused, with a guess at what was meant."""
    with pytest.raises(InvalidInput, match=right) as raised:
        checked_number(replace(NUMBER, e164=given))
    assert raised.value.field == "phone_number"


@pytest.mark.parametrize(
    ("given", "code", "local"),
    [
        ("+44 20 7946 0018", "44", "2079460018"),
        ("+12025550100", "1", "2025550100"),
        ("+91 98765-43210", "91", "9876543210"),
        ("+37122345678", "371", "22345678"),
    ],
)
def test_country_code_stands_apart(given: str, code: str, local: str) -> None:
    """A number is kept whole and taken apart into country code and local number."""
    number = checked_number(replace(NUMBER, e164=given))
    assert (number.e164, number.country_code, number.local_number) == (f"+{code}{local}", code, local)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"nickname": "a\nb"}, "nickname"),
        ({"provider": ""}, "provider"),
        ({"channel_limit": 0}, "channel_limit"),
        ({"channel_limit": True}, "channel_limit"),
        ({"renews_at": datetime(2027, 1, 1)}, "renews_at"),  # noqa: DTZ001 - that it is naive is the mistake
    ],
)
def test_bad_number_fields_are_refused(fields: dict[str, Any], field: str) -> None:
    """Each mistake is refused with its field."""
    with pytest.raises(InvalidInput) as raised:
        checked_number(replace(NUMBER, **fields))
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"concurrency_limit": 0}, "concurrency_limit"),
        ({"sip_flat_rate": Decimal("-0.01")}, "sip_flat_rate"),
        ({"currency": "rupees"}, "currency"),
        ({"verification_number": "123"}, "verification_number"),
        ({"verified_caller_ids": ("+12025550100", "x")}, "verified_caller_ids"),
    ],
)
def test_bad_workspace_is_refused(fields: dict[str, Any], field: str) -> None:
    """Each mistake is refused with its field."""
    with pytest.raises(InvalidInput) as raised:
        checked_workspace(replace(WORKSPACE, **fields))
    assert raised.value.field == field
