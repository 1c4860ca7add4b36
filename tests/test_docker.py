"""What can be said of the container files without a container engine."""

import re
from pathlib import Path
from typing import Any

import yaml

from gateway.config.loading import load_config

DOCKER = Path(__file__).parent.parent / "docker"


def parsed(name: str) -> Any:
    """A YAML file of `docker/`."""
    return yaml.safe_load((DOCKER / name).read_text())


def test_compose_has_all_parts() -> None:
    """The gateway comes with a database, a broker and metrics, and mounts only files that are there."""
    compose = parsed("compose.yaml")
    assert compose["services"].keys() == {"gateway", "postgres", "mosquitto", "prometheus"}
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).is_file()


def test_env_example_names_every_variable() -> None:
    """Whoever copies env.example has set all that compose.yaml asks for."""
    asked = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (DOCKER / "env.example").read_text(), re.MULTILINE))
    assert asked == given


def test_gateway_configuration_is_right() -> None:
    """The image's configuration is accepted with the environment that compose.yaml gives it."""
    environment = parsed("compose.yaml")["services"]["gateway"]["environment"]
    values = {"POSTGRES_PASSWORD": "secret", "PUBLIC_HOST": "203.0.113.5"}
    filled = {
        key: re.sub(r"\$\{(\w+)[^}]*\}", lambda m: values[m[1]], text) for key, text in environment.items()
    }
    config = load_config(DOCKER / "gateway.toml", filled)
    assert {listener.advertised_host for listener in config.sip.listeners} == {"203.0.113.5"}
    assert config.store_url.drivername == "postgresql+asyncpg"


def test_image_copies_what_exists() -> None:
    """Every file that the Dockerfile takes from the project is there, and is let through to the engine."""
    root = DOCKER.parent
    let_through = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    for source in " ".join(copies).split():
        assert (root / source).exists()
        assert {source, source.split("/")[0]} & let_through


def test_metrics_are_scraped_where_they_are() -> None:
    """Prometheus asks the HTTP port of the gateway's default configuration."""
    (job,) = parsed("prometheus.yml")["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
