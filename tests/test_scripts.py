"""What the scripts keep and tell."""

import subprocess
from pathlib import Path

LIB = Path(__file__).parent.parent / "scripts" / "lib"


def bash(folder: Path, script: str) -> list[str]:
    """What a script prints that has the functions about unsteady tests."""
    command = ["bash", "-euo", "pipefail", "-c", f". {LIB / 'unsteady.sh'}\n{script}"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines()


def test_unsteady_tests_are_counted_over_the_last_runs(tmp_path: Path) -> None:
    """Each with how often it passed at the second try only; of runs the last ten count."""
    bash(tmp_path, "keep_unsteady 'tests/a.py::test_old[x y]'")
    bash(tmp_path, "for n in 1 2 3 4 5 6 7; do keep_unsteady; done")
    bash(tmp_path, "keep_unsteady 'tests/a.py::test_one[x y]' tests/b.py::test_two")
    assert "unsteady over the last 9 runs: tests/a.py::test_old[x y], 1 times" in bash(
        tmp_path, "count_unsteady"
    )
    bash(tmp_path, "keep_unsteady; keep_unsteady 'tests/a.py::test_one[x y]'")
    assert bash(tmp_path, "count_unsteady") == [
        "unsteady over the last 10 runs: tests/a.py::test_one[x y], 2 times",
        "unsteady over the last 10 runs: tests/b.py::test_two, 1 times",
    ]


def test_steady_runs_are_silent(tmp_path: Path) -> None:
    """Where nothing was unsteady nothing is told."""
    bash(tmp_path, "keep_unsteady")
    assert bash(tmp_path, "count_unsteady") == []
