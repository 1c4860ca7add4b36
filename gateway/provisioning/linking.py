"""Linking one's own number: a SIP trunk and a number on it, made together or not at all.

The rules and the words of the refusals are the reference platform's (`POST …/sip-trunks`). Its 502, `SIP
trunk registration failed`, comes where the connection test fails: the carrier is not found, does not answer,
or does not take the credentials. Nothing is saved then. A carrier that answers, and asks for credentials only
when a call comes, passes.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from gateway.provisioning.errors import Upstream
from gateway.provisioning.trial import Report, Trials
from gateway.routing.table import PhoneNumber, Secret, Trunk, TrunkAuthMode, Workspace
from gateway.store.configuration.nouns import Configuration
from gateway.store.configuration.numbers import REGISTERED
from gateway.store.configuration.rules import (
    TRANSPORTS,
    checked_e164,
    checked_host_port,
    checked_number,
    checked_trunk,
)
from gateway.store.engine.errors import Conflict, InvalidInput
from gateway.store.engine.ids import new_id
from gateway.tell import Tell

FAILED = "SIP trunk registration failed"
PROVIDER = "sip_trunk"
SYMBOLS = {"INR": "₹", "USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True, slots=True)
class FlatRate:
    """What a minute by a SIP trunk of a workspace costs; to be shown before the link is saved."""

    per_minute: Decimal | None
    "None: nothing is charged."
    currency: str

    def __str__(self) -> str:
        """`₹0.50/min`"""
        if self.per_minute is None:
            return "no SIP rate is set: calls by this trunk are not charged"
        symbol = SYMBOLS.get(self.currency, f"{self.currency} ")
        return f"{symbol}{self.per_minute:.2f}/min"


@dataclass(frozen=True, slots=True)
class Link:
    """Somebody's own number, and the trunk that carries it."""

    workspace_id: str
    number: str
    termination_uri: str
    by: str
    auth_mode: str = TrunkAuthMode.USERPASS
    username: str | None = None
    password: Secret | None = None
    nickname: str = ""
    transport: str = "UDP"
    sources: tuple[str, ...] = ()
    "Where the carrier's calls come from; empty: the addresses that the termination URI resolves to."


@dataclass(frozen=True, slots=True)
class Linked:
    """What came of a link."""

    number: PhoneNumber
    trunk: Trunk
    report: Report | None
    "None: it was not tested."


@dataclass(frozen=True, slots=True)
class Linking:
    """Links numbers."""

    there: Configuration
    trials: Trials
    tell: Tell
    testing: bool = True
    "Whether the connection has to pass its test."

    async def flat_rate(self, workspace_id: str) -> FlatRate:
        """The rate to be shown before saving."""
        return flat_rate(await self.there.workspaces.get(workspace_id))

    async def link(self, link: Link) -> Linked:
        """Save a number with its trunk.

        `InvalidInput` (400), `Conflict` (409) where the number is registered, `Upstream` (502) where the test
        fails.
        """
        trunk, number = _checked(link)
        await self._refuse_registered(number)
        report = await self._tested(trunk) if self.testing else None
        if report is not None and not report.passed:
            raise Upstream(FAILED, report=report.as_dict())
        sources = link.sources or (() if report is None else report.addresses)
        async with self.there.together(link.by) as there:
            name = await _free_name(there, link, number.e164)
            trunk = await there.trunks.add(replace(trunk, name=name, sources=sources), link.by)
            number = await there.numbers.add(number, link.by)
        about = {"number": number.e164, "workspace_id": number.workspace_id, "trunk_id": trunk.id}
        self.tell("number.linked", by=link.by, **about)
        return Linked(number, trunk, report)

    async def try_link(self, link: Link) -> Report:
        """Test a link without saving it."""
        trunk, _ = _checked(link)
        return await self._tested(trunk)

    async def _tested(self, trunk: Trunk) -> Report:
        return await self.trials.try_trunk(trunk)

    async def _refuse_registered(self, number: PhoneNumber) -> None:
        """Before anything is sent: the transaction asks again."""
        if await self.there.numbers.is_registered(number.e164):
            raise Conflict("phoneNumber", number.e164, REGISTERED, whole=True)


def flat_rate(workspace: Workspace) -> FlatRate:
    """What a minute by a SIP trunk of this workspace costs."""
    return FlatRate(workspace.sip_flat_rate, workspace.currency)


def _checked(link: Link) -> tuple[Trunk, PhoneNumber]:
    """Trunk and number as they would be saved; `InvalidInput` names the reference's fields."""
    e164 = "+" + "".join(checked_e164("phoneNumber", link.number))
    checked_host_port("terminationUri", link.termination_uri)
    if link.auth_mode not in tuple(TrunkAuthMode):
        raise InvalidInput("authMode", link.auth_mode, "should be userpass or ip")
    if link.transport.upper() not in TRANSPORTS:
        raise InvalidInput("transport", link.transport, f"should be of {', '.join(TRANSPORTS)}")
    trunk = Trunk(
        id=new_id("trunk"),
        workspace_id=link.workspace_id,
        name=e164,
        sources=link.sources,
        transport=link.transport.upper(),
        termination_uri=link.termination_uri,
        auth_mode=TrunkAuthMode(link.auth_mode),
        outbound_username=link.username,
        outbound_password=link.password,
        linked=True,
    )
    number = PhoneNumber(
        id=new_id("phn"),
        workspace_id=link.workspace_id,
        e164=e164,
        nickname=link.nickname,
        provider=PROVIDER,
        sip_trunk_enabled=True,
        trunk_id=trunk.id,
    )
    return checked_trunk(trunk), checked_number(number)


async def _free_name(there: Configuration, link: Link, e164: str) -> str:
    """The nickname, or else the number: what no other trunk of the workspace is called."""
    taken = {trunk.name.lower() for trunk in await there.trunks.list_all(link.workspace_id)}
    wanted = (link.nickname, e164, f"{e164} by {link.termination_uri}"[:64])
    return next(name for name in wanted if name and name.lower() not in taken)
