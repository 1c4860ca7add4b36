"""What `pip install` gives: all that the gateway needs at run time, and a demo that places its call."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent

PORTS = {
    "TRUNKLINE_SIP__LISTENERS__0__PORT": "0",
    "TRUNKLINE_SIP__LISTENERS__1__PORT": "0",
    "TRUNKLINE_HTTP__PORT": "0",
}


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """What a program prints; it has to succeed."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TRUNKLINE_", "PYTHON"))
    }
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that hatchling builds, with nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (made,) = folder.iterdir()
    return made


def test_it_has_every_file(wheel: Path) -> None:
    """Migrations, templates, what browsers load, CSVs and the demo's furnishing, as they are in the tree."""
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("gateway/")}
        (scripts,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        assert "gateway = gateway.__main__:main" in archive.read(scripts).decode()
    assert packed == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "gateway").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    needed = (
        "data/demo.toml",
        "data/rates.csv",
        "web/static/app.css",
        "web/templates/base.html",
        "py.typed",
    )
    assert {f"gateway/{name}" for name in needed} <= packed


def test_the_demo_places_its_call(wheel: Path, tmp_path: Path) -> None:
    """In an environment with the wheel and what it depends on, from an empty folder."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    here = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    with ZipFile(wheel) as archive:
        archive.extractall(here)
    # No .pth file is read in a folder that one names: ours, which leads to the checkout, does not count.
    (here / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    said = run(python, "-c", "import gateway; print(gateway.__file__)", cwd=empty).strip()
    assert Path(said).is_relative_to(here)
    told = run(python, "-m", "gateway", "demo", "--once", cwd=empty, **PORTS)
    assert "audio came back intact" in told
