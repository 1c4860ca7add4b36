"""A gateway as a process of its own, so that it can be killed."""

import os
import subprocess
import sys
from pathlib import Path


def serve(folder: Path, seed: str, port: int, **settings: object) -> "subprocess.Popen[bytes]":
    """`gateway serve` on a SIP port, furnished from a seed; its log is `gateway.log` in the folder."""
    (folder / "seed.toml").write_text(seed)
    given = {
        "GATEWAY__DATA_DIR": folder / "data",
        "DEMO__SEED": folder / "seed.toml",
        "SIP__LISTENERS__0__PORT": port,
        "SIP__LISTENERS__1__PORT": 0,
        "HTTP__PORT": 0,
        "LIMITS__SHED_LATE_MS": 1000,
        "MEDIA__PORT_MIN": 41_000,
        "MEDIA__PORT_MAX": 41_999,
        **settings,
    }
    environ = {f"TRUNKLINE_{name}": str(value) for name, value in given.items()}
    with (folder / "gateway.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"],
            env=os.environ | environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
