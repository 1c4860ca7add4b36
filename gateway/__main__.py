"""`python -m gateway`, and the `gateway` command."""

import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; whoever interrupts it, or reads no further, gets no traceback."""
    try:
        from gateway.cli import app

        if "_GATEWAY_COMPLETE" in os.environ:
            from gateway.commands.completion import prepare

            prepare()
        app(prog_name="gateway")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        _flush()


def _flush() -> None:
    """What waits to be written, while an error of it can still be caught; a closed pipe is none."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
