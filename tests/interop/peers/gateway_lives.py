"""Gateways of one configuration, one life after the other: each line on stdin forks one, and prints its id.

Most of a start is imports, which are done here once; whoever kills the lives need not wait for them.
"""

import os
import sys
from pathlib import Path

from gateway.app.process import run
from gateway.config.loading import load_config


def main(config: Path, log: Path) -> None:
    """Fork, and wait for the one before, which was killed."""
    last = None
    for _ in sys.stdin:
        if last is not None:
            os.waitpid(last, 0)
        last = os.fork()
        if last == 0:
            live(config, log)
        print(last, flush=True)


def live(config: Path, log: Path) -> None:
    """One life, with a log of its own after those before."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    run(load_config(config, {}))
    os._exit(0)


main(Path(sys.argv[1]), Path(sys.argv[2]))
