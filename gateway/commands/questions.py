"""Questions that a command asks on a terminal: the first interrupt ends them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer


def confirm(question: str) -> None:
    """Ask for a yes; whoever says no has aborted the command."""
    with _interruptible():
        typer.confirm(question, abort=True, err=True)


def prompt(name: str, *, twice: bool = False, err: bool = True) -> str:
    """Ask for a secret, which is not shown as it is typed; `twice` to be sure of it."""
    with _interruptible():
        asked: str = typer.prompt(name, hide_input=True, confirmation_prompt=twice, err=err)
    return asked


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let an interrupt end a question at once.

    asyncio makes a cancellation of the first one, which whoever waits for a line of input never notices.
    Elsewhere that is right: it closes what is open.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
