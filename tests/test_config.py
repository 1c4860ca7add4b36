"""Reading the configuration: defaults, file, environment, and what is said when it is wrong."""

import re
import socket
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway.config.loading import ConfigError, load_config, read_config
from gateway.config.settings import Config
from gateway.config.sip_settings import ListenerSettings

EXAMPLE = Path(__file__).parent.parent / "config" / "example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "trunkline.toml"
    path.write_text(text, "utf-8")
    return path


def problems(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_config(path, environ or {})
    return [str(problem) for problem in raised.value.problems]


# --- what comes without being asked for


def test_defaults_need_no_file() -> None:
    """Without file or environment everything listens on loopback and the database is a file in data."""
    config = load_config(None, {})
    places = [(each.transport, each.bind, each.port) for each in config.sip.listeners]
    assert places == [("udp", "127.0.0.1", 5060), ("tcp", "127.0.0.1", 5060)]
    assert (config.media.bind, config.media.port_min, config.media.port_max) == ("127.0.0.1", 20000, 29999)
    assert (config.http.bind, config.http.port) == ("127.0.0.1", 8080)
    assert str(config.store_url) == "sqlite+aiosqlite:///data/trunkline.db"
    assert config.key_file == Path("data/secret.key")


def test_example_is_the_defaults() -> None:
    """The example file reads without a problem and changes nothing."""
    assert load_config(EXAMPLE, {}) == load_config(None, {})


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key below a section as `sip.listeners.port`."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        inner: Any = next(iter(get_args(field.annotation)), field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += keys(inner, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


@pytest.mark.parametrize("key", keys(Config))
def test_every_key_is_in_the_example(key: str) -> None:
    """Each key stands in the example file, right below a comment or below keys that share one."""
    section, _, name = key.rpartition(".")
    header = f"[[{section}]]" if section == "sip.listeners" else f"[{section}]"
    text = EXAMPLE.read_text("utf-8")
    body = re.split(r"(?m)^\[", text.split(f"\n{header}\n", 1)[1])[0]
    blocks = re.split(r"(?m)^(?=#)", body)
    assert any(re.search(rf"(?m)^{name} = ", block) and block.startswith("#") for block in blocks), key


def test_every_key_describes_itself() -> None:
    """Each key has the sentence that an error message about it ends with."""
    for section in Config.model_fields.values():
        model = section.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        for name, field in [*model.model_fields.items(), *ListenerSettings.model_fields.items()]:
            assert field.description, name
            assert field.description.endswith("."), name


# --- where values come from


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """A variable with two underscores after the section overrides the key of the file."""
    path = write(tmp_path, '[sip]\nt1_ms = 250\n[gateway]\nname = "edge-1"\n')
    config = load_config(path, {"TRUNKLINE_SIP__T1_MS": "300"})
    assert (config.sip.t1_ms, config.gateway.name) == (300, "edge-1")


def test_environment_reaches_into_listeners() -> None:
    """A variable can change one key of a default listener, or add a listener after the last."""
    environ = {
        "TRUNKLINE_SIP__LISTENERS__0__ADVERTISED_HOST": "203.0.113.5",
        "TRUNKLINE_SIP__LISTENERS__2__BIND": "::1",
    }
    first, second, third = load_config(None, environ).sip.listeners
    assert (first.transport, first.advertised_host) == ("udp", "203.0.113.5")
    assert (second.transport, second.advertised_host) == ("tcp", "127.0.0.1")
    assert (third.transport, third.bind) == ("udp", "::1")


def test_environment_takes_lists_as_json() -> None:
    """All listeners can be given in one variable."""
    environ = {"TRUNKLINE_SIP__LISTENERS": '[{"transport": "tcp", "port": 5070}]'}
    (only,) = load_config(None, environ).sip.listeners
    assert (only.transport, only.port, only.name) == ("tcp", 5070, "tcp-1")


def test_foreign_and_empty_variables_are_passed_over() -> None:
    """What Kubernetes sets for a service of our name, and empty variables, change nothing."""
    environ = {"TRUNKLINE_PORT": "tcp://10.0.0.1:5060", "TRUNKLINE_CONFIG": "x", "TRUNKLINE_SIP__T1_MS": ""}
    assert load_config(None, environ) == load_config(None, {})


# --- what follows from other keys


def test_wildcard_advertises_a_guess_and_warns() -> None:
    """Bound to every address, the machine's own routable one is advertised, and the owner is told."""
    environ = {"TRUNKLINE_SIP__LISTENERS__0__BIND": "0.0.0.0", "TRUNKLINE_MEDIA__BIND": "0.0.0.0"}
    loaded = read_config(None, environ, lambda family: "198.51.100.7" if family == socket.AF_INET else None)
    listener = loaded.config.sip.listeners[0]
    assert listener.advertised_host == loaded.config.media.advertised_host == "198.51.100.7"
    assert listener.media_advertised_host == "198.51.100.7"
    assert len(loaded.warnings) == 2
    assert "[[sip.listeners]] number 1 advertised_host is not set" in loaded.warnings[1]


def test_wildcard_without_any_route_needs_an_advertised_host() -> None:
    """Where no address can be guessed, the configuration is refused and says which key is missing."""
    with pytest.raises(ConfigError, match=r"\[\[sip.listeners\]\] number 1 advertised_host: should be set"):
        read_config(None, {"TRUNKLINE_SIP__LISTENERS__0__BIND": "::"}, lambda _: None)


def test_media_on_loopback_behind_a_public_listener_is_warned_of() -> None:
    """SIP that others can reach with RTP that they cannot is the classic way to silence."""
    loaded = read_config(None, {"TRUNKLINE_SIP__LISTENERS__0__ADVERTISED_HOST": "203.0.113.5"})
    (warning,) = loaded.warnings
    assert "203.0.113.5" in warning
    assert "[media] advertised_host" in warning


def test_media_of_an_ipv6_listener_stays_on_ipv6() -> None:
    """A listener of the other IP version takes its RTP on its own address."""
    listener = load_config(None, {"TRUNKLINE_SIP__LISTENERS__0__BIND": "::1"}).sip.listeners[0]
    assert (listener.media_bind, listener.media_advertised_host) == ("::1", "::1")


def test_media_of_a_listener_can_be_its_own() -> None:
    """A listener towards another network carries its own media address in its SDP."""
    environ = {
        "TRUNKLINE_SIP__LISTENERS__0__MEDIA_BIND": "127.0.0.2",
        "TRUNKLINE_SIP__LISTENERS__1__MEDIA_ADVERTISED_HOST": "127.0.0.9",
    }
    first, second = load_config(None, environ).sip.listeners
    assert (first.media_bind, first.media_advertised_host) == ("127.0.0.2", "127.0.0.2")
    assert (second.media_bind, second.media_advertised_host) == ("127.0.0.1", "127.0.0.9")


def test_tls_has_its_own_default_port(tmp_path: Path) -> None:
    """A tls listener listens on 5061."""
    path = write(tmp_path, '[[sip.listeners]]\ntransport = "tls"\ncertificate = "a"\nprivate_key = "b"\n')
    (listener,) = load_config(path, {}).sip.listeners
    assert (listener.port, listener.advertised_port, listener.name) == (5061, 5061, "tls-1")


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:////var/lib/t.db", "sqlite+aiosqlite"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
    ],
)
def test_store_url_gets_its_driver(given: str, driver: str) -> None:
    """A database URL as everybody writes it is served by the asynchronous driver."""
    assert load_config(None, {"TRUNKLINE_STORE__URL": given}).store_url.drivername == driver


def test_port_pairs_start_even() -> None:
    """A range that starts or ends in the middle of a pair holds one pair less."""
    environ = {"TRUNKLINE_MEDIA__PORT_MIN": "20001", "TRUNKLINE_MEDIA__PORT_MAX": "20006"}
    assert load_config(None, environ).media.pairs == 2


# --- what is said when it is wrong


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sip]\nt1_m = 5", "[sip] t1_m: unknown key; did you mean t1_ms?"),
        ("[spi]\nt1_ms = 5", "[spi]: unknown key; did you mean sip?"),
        (
            "[gateway]\nno_media_seconds = 3",
            "[gateway] no_media_seconds: unknown key here; it belongs to [media]",
        ),
        ("t1_ms = 5", "t1_ms: unknown key here; it belongs to [sip]"),
        ("[http]\nxyzzy = 5", "[http] xyzzy: unknown key; there are bind, port, "),
        ('[sip]\nt1_ms = "fast"', '[sip] t1_ms = "fast": should be a whole number'),
        ("[sip]\nt1_ms = 1", "[sip] t1_ms = 1: should be greater than or equal to 50"),
        ("[sip]\nmax_calls = true", "[sip] max_calls = true: should be a number or a text"),
        (
            '[sip]\nunknown_sources = "drop"',
            "[sip] unknown_sources = \"drop\": should be 'ignore' or 'refuse'",
        ),
        ("[sip]\nt1_ms = 5000", "[sip]: t2_ms should not be shorter than t1_ms"),
        ("sip = 5", "[sip] = 5: should be a table"),
        ("[[sip.listeners]]\nprt = 5", "[[sip.listeners]] number 1: prt: unknown key; did you mean port?"),
        ('[[sip.listeners]]\nbind = "x"', '[[sip.listeners]] number 1: bind = "x": should be an IP address'),
        ('[[sip.listeners]]\nadvertised_host = "0.0.0.0"', "an address that the peer can reach"),
        ('[[sip.listeners]]\nadvertised_host = "a b"', "an address or a name without port"),
        ('[[sip.listeners]]\ntransport = "tls"', "should have both certificate and private_key"),
        ('[[sip.listeners]]\nca = "x.pem"', "certificate, private_key and ca are for tls"),
        ("[[sip.listeners]]\n[[sip.listeners]]", "number 2: port = 5060: is taken by another listener"),
        (
            '[[sip.listeners]]\nname="a"\n[[sip.listeners]]\nname="a"\nport=1',
            'number 2: name = "a": should differ',
        ),
        ("[sip]\nlisteners = []", "[sip] listeners"),
        ("[media]\nport_min = 3000\nport_max = 3000", "[media]: port_max should leave room for a pair"),
        (
            '[store]\nurl = "mysql://a:geheim@b/c"',
            "[store] url = (hidden): should be sqlite:///path/to/file.db or",
        ),
        (
            '[store]\nurl = "postgresql+psycopg2://a@b/c"',
            "should name the driver postgresql+asyncpg, or none",
        ),
        (
            '[security]\nkey = "short-geheim"',
            "[security] key = (hidden): should be 32 bytes in URL-safe base64",
        ),
        ("[sip", "is not valid TOML"),
    ],
)
def test_problem_names_key_value_and_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is told with its file, its section and key, what was given, and what would be right."""
    path = write(tmp_path, text)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: ")
    assert said in problem
    assert "geheim" not in problem


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Three mistakes are three lines, of the file and the environment alike."""
    path = write(tmp_path, '[sip]\nt1_ms = "fast"\n[http]\nprt = 1\n')
    found = problems(path, {"TRUNKLINE_MEDIA__PORT_MIN": "7"})
    assert len(found) == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TRUNKLINE_SIP__T1_MS", "x", 'environment variable TRUNKLINE_SIP__T1_MS: [sip] t1_ms = "x"'),
        (
            "TRUNKLINE_SIP__T1_M",
            "5",
            "environment variable TRUNKLINE_SIP__T1_M: [sip] t1_m: unknown key; did you",
        ),
        (
            "TRUNKLINE_SIPP__T1_MS",
            "5",
            "environment variable TRUNKLINE_SIPP__T1_MS: [sipp]: unknown key; did you",
        ),
        ("TRUNKLINE_SIP_T1_MS", "5", "should be TRUNKLINE_SIP__T1_MS, with two underscores"),
        ("TRUNKLINE_SIP__LISTENERS__7__PORT", "5", "there is no place for such a key"),
        ("TRUNKLINE_SIP__LISTENERS__0__PORT", "99999", '[[sip.listeners]] number 1: port = "99999"'),
        ("TRUNKLINE_SIP__LISTENERS", "[", "environment variable TRUNKLINE_SIP__LISTENERS: [sip] listeners"),
    ],
)
def test_problem_names_the_variable(name: str, value: str, said: str) -> None:
    """A mistake in the environment is told with the variable's name."""
    (problem,) = problems(None, {name: value})
    assert said in problem


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A configuration file that is not there is one plain sentence."""
    (problem,) = problems(tmp_path / "none.toml")
    assert problem.endswith("none.toml: cannot be read: No such file or directory")


def test_secrets_show_nowhere() -> None:
    """Neither the configuration's repr nor the database URL's text has a password or key in it."""
    key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    environ = {"TRUNKLINE_STORE__URL": "postgresql://u:geheim@h/d", "TRUNKLINE_SECURITY__KEY": key}
    config = load_config(None, environ)
    assert "geheim" not in repr(config) + str(config.store_url)
    assert key not in repr(config)


def test_configuration_is_frozen() -> None:
    """Nothing can be changed once it is read."""
    config = load_config(None, {})
    with pytest.raises(ValueError, match="frozen"):
        config.sip.t1_ms = 5


def test_example_is_toml() -> None:
    """The example is valid TOML with all sections."""
    assert set(tomllib.loads(EXAMPLE.read_text("utf-8"))) == set(Config.model_fields)


def test_a_provider_needs_its_account() -> None:
    """Numbers cannot be bought without the account's id and token; the token shows nowhere."""
    with pytest.raises(ConfigError, match="auth_id and auth_token"):
        load_config(None, {"TRUNKLINE_PROVISIONING__PROVIDER": "plivo"})
    account = {
        "TRUNKLINE_PROVISIONING__PROVIDER": "plivo",
        "TRUNKLINE_PROVIDERS__PLIVO__AUTH_ID": "MA1",
        "TRUNKLINE_PROVIDERS__PLIVO__AUTH_TOKEN": "hush-hush",
        "TRUNKLINE_PROVISIONING__PRICES": '{"US": "300"}',
    }
    config = load_config(None, account)
    assert "hush-hush" not in repr(config)
    assert str(config.provisioning.prices["US"]) == "300"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PROVIDERS__PLIVO__BASE_URL", "ftp://x", "[providers.plivo] base_url"),
        ("PROVISIONING__PRICES", '{"US": "-1"}', "the price for US"),
        ("PROVISIONING__PROVIDER", "twilio", "[provisioning] provider"),
    ],
)
def test_provisioning_mistakes_name_their_key(name: str, value: str, said: str) -> None:
    """A nested table is named as it stands in the file."""
    with pytest.raises(ConfigError) as told:
        load_config(None, {f"TRUNKLINE_{name}": value})
    assert said in str(told.value)
