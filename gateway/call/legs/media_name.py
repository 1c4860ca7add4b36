"""The host of the peer's audio where its SDP names it by name (RFC 8866 section 5.7)."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from gateway.media.sdp import NotAcceptable, check_host

Resolve = Callable[[str], Awaitable[list[str]]]
"Gives the addresses of a name, in bounded time; raises OSError where there are none."


class MediaName:
    """Looks names of `c=` lines up while the call goes on: nothing waits for DNS.

    What a name leads to is held to what an address in its place would be.
    """

    __slots__ = ("_address", "_name", "_ours", "_resolve", "_task", "on_found", "on_unknown")

    def __init__(self, resolve: Resolve | None, ours: str) -> None:
        """`ours` is the address of our own SDP."""
        self._resolve = resolve
        self._ours = ours
        self._name = self._address = ""
        self._task: asyncio.Task[None] | None = None
        self.on_found: Callable[[str], None] = _nobody
        "Called with the address, once it is known."
        self.on_unknown: Callable[[str, str], None] = _nobody_else
        "Called with the name and why it leads nowhere."

    def address_of(self, name: str) -> str:
        """What is known of the name by now, maybe nothing; it is asked for anew."""
        if name != self._name:
            self._name, self._address = name, ""
        self.forget()
        if self._resolve is None:
            self.on_unknown(name, "names are not looked up here")
        else:
            self._task = asyncio.create_task(self._look_up(self._resolve, name), name=f"media name {name}")
        return self._address

    def forget(self) -> None:
        """Wait for no answer any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look_up(self, resolve: Resolve, name: str) -> None:
        try:
            found = await resolve(name)
        except OSError as error:
            self.on_unknown(name, str(error))
            return
        refusals = [why_not(address, self._ours) for address in found]
        usable = [address for address, refusal in zip(found, refusals, strict=True) if not refusal]
        if not usable:
            self.on_unknown(name, next(iter(refusals), "it has no address"))
        elif self._address not in usable:  # else DNS has only put them in another order
            self._address = usable[0]
            self.on_found(self._address)


def why_not(address: str, ours: str) -> str:
    """Why nothing may be sent to an address that a name leads to; empty where it may."""
    if ip_address(address).is_unspecified:
        return f"{address} is nobody's address"
    try:
        check_host(address, ours)
    except NotAcceptable as error:
        return f"{address}: {error}"
    return ""


def _nobody(address: str) -> None:
    """Before anyone listens."""


def _nobody_else(name: str, why: str) -> None:
    """Before anyone listens."""
