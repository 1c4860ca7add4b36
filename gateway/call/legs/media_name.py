"""The host of the peer's audio where its SDP names it by name (RFC 8866 section 5.7)."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from gateway.media.sdp import NotAcceptable, check_host

Resolve = Callable[[str], Awaitable[list[str]]]
"Gives the addresses of a name, in bounded time; raises OSError where there are none."

OnFound = Callable[[str], None]
OnUnknown = Callable[[str, str], None]


class MediaName:
    """Looks names of `c=` lines up while the call goes on: nothing waits for DNS.

    What a name leads to is held to what an address in its place would be.
    """

    __slots__ = ("_address", "_name", "_on_found", "_on_unknown", "_ours", "_resolve", "_task")

    def __init__(self, resolve: Resolve | None, ours: str, on_unknown: OnUnknown) -> None:
        """`ours` is the address of our own SDP; `on_unknown` hears of names that lead nowhere, and why."""
        self._resolve = resolve
        self._ours = ours
        self._name = self._address = ""
        self._task: asyncio.Task[None] | None = None
        self._on_found: OnFound = _nobody
        self._on_unknown = on_unknown

    def address_of(self, name: str, on_found: OnFound) -> str:
        """What is known of the name by now, maybe nothing; it is asked for anew.

        `on_found` is called with the address, once it is known, unless it stays what this returns.
        """
        self._on_found = on_found
        if name != self._name:
            self._name, self._address = name, ""
        self.forget()
        if self._resolve is None:
            self._on_unknown(name, "names are not looked up here")
        else:
            self._task = asyncio.create_task(self._look_up(self._resolve, name), name=f"media name {name}")
        return self._address

    def close(self) -> None:
        """Wait for no answer, and tell nobody anything any more."""
        self.forget()
        self._on_found, self._on_unknown = _nobody, _nobody_else

    def forget(self) -> None:
        """Wait for no answer any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _look_up(self, resolve: Resolve, name: str) -> None:
        try:
            addresses = await resolve(name)
        except OSError as error:
            self._on_unknown(name, str(error))
            return
        refusals = [why_not(address, self._ours) for address in addresses]
        usable = [address for address, refusal in zip(addresses, refusals, strict=True) if not refusal]
        if not usable:
            self._on_unknown(name, next(iter(refusals), "it has no address"))
        elif self._address not in usable:  # else DNS has only put them in another order
            self._address = usable[0]
            self._on_found(self._address)


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
    """When nobody listens."""


def _nobody_else(name: str, why: str) -> None:
    """When nobody listens."""
