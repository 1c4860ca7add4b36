"""How a part tells what happened to whoever logs and counts: `EventBus.tell` as those below it see it."""

from typing import Protocol


class Tell(Protocol):
    """Tells an event to whoever logs and counts."""

    def __call__(self, name: str, /, *, level: str = "info", **fields: object) -> None: ...


def tell_nobody(name: str, /, *, level: str = "info", **fields: object) -> None:
    """For a command or a trial, which says itself what happened: the gateway's log is the gateway's."""
