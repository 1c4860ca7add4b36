"""The lock files say what pyproject.toml asks for, and every package in them is pinned by hash."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
RUN = [
    *PROJECT["project"]["dependencies"],
    *EXTRAS["postgresql"],
    *EXTRAS["mqtt"],
    *EXTRAS["xls"],
    *GROUPS["build"],
]

ASKED = {
    "run": RUN,
    "dev": [*RUN, *GROUPS["dev"]],
    "tools": GROUPS["tools"],
    "interop-openapi": GROUPS["interop-openapi"],
    "interop-pipecat": GROUPS["interop-pipecat"],
    "interop-pyvoip": GROUPS["interop-pyvoip"],
    "interop-schemathesis": GROUPS["interop-schemathesis"],
    "interop-vendors": GROUPS["interop-vendors"],
}
"What each lock file is made from, as scripts/lock makes it."


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock file; some have one for each Python."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / f"requirements/{name}.lock").read_text().splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==(\S+)", line):
            versions.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return versions


@pytest.mark.parametrize("name", ASKED)
def test_lock_holds_what_is_asked(name: str) -> None:
    """Each requirement has a version in the lock that satisfies it; else scripts/lock was forgotten."""
    versions = locked(name)
    for text in ASKED[name]:
        requirement = Requirement(text)
        fitting = versions.get(canonicalize_name(requirement.name), set())
        assert fitting, f"{text} is not in {name}.lock"
        assert all(requirement.specifier.contains(version) for version in fitting), f"{text}: {fitting}"


@pytest.mark.parametrize("name", ASKED)
def test_lock_pins_by_hash(name: str) -> None:
    """No package can be exchanged under its version."""
    text = (ROOT / f"requirements/{name}.lock").read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split(None, 1)[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_development_runs_what_users_run() -> None:
    """The development lock has every package of the run lock, in the same version."""
    run, development = locked("run"), locked("dev")
    assert {name: development.get(name) for name in run} == run


@pytest.mark.parametrize("script", ["run", "test", "check", "lock", "lib/setup.sh", "../.ci/run"])
def test_scripts_are_bash(script: str) -> None:
    """bash reads each script to its end, and those that one starts can be started."""
    path = ROOT / "scripts" / script
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert script.startswith("lib/") or path.stat().st_mode & 0o111
