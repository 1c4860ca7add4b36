"""The steps before a number is used in production, as they stand at the moment.

The six of the reference platform, and the trunk that calls can go out by, which it has none to choose from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.routing.assignment import is_ready
from gateway.routing.outbound import NO_TRUNK, trunks_for, way_out
from gateway.routing.table import NumberStatus, PhoneNumber, Trunk, Workspace
from gateway.store.records.calls import CallFilter, CallRow
from gateway.store.sql import SqlStore

Ends = tuple[str, str]

OF_THE_PROVIDER = (
    "no trunk of the number's provider takes calls out yet; whoever runs the gateway sets one up"
)
"Nothing that a customer can mend."


@dataclass(frozen=True, slots=True)
class Item:
    """One step."""

    key: str
    "`active`, `readiness`, `versions`, `telephony`, `trunk`, `inbound_test` or `outbound_test`."
    title: str
    done: bool
    found: str
    mend: str = ""
    "What mends it, as a command; empty where nothing is missing, or only time helps."
    call_id: str = ""
    "The call by which it was done; it stands before what was found."

    @property
    def told(self) -> str:
        """What was found, with the call."""
        return f"{self.call_id} {self.found}".lstrip()

    def as_dict(self) -> dict[str, object]:
        """In JSON types."""
        return {
            "key": self.key,
            "title": self.title,
            "done": self.done,
            "found": self.told,
            "mend": self.mend or None,
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """What the steps are judged by."""

    number: PhoneNumber
    workspace: Workspace
    inbound: str | None
    "The version that answers, as people write it; None: nobody answers."
    outbound: str | None
    pending: str
    "Why the number is pending, in the provider's words."
    trunk: Trunk | None
    "What its calls go out by."
    trouble: str
    "Why they cannot, where there is none."
    inbound_test: CallRow | None
    "The latest inbound call that was answered and had sound both ways."
    outbound_test: CallRow | None
    now: datetime


async def checklist(store: SqlStore, number: PhoneNumber, now: datetime) -> list[Item]:
    """The steps of one number."""
    there = store.configuration
    labels = await store.number_list.labels(number.workspace_id)
    purchase = await there.purchases.open_for(number.e164)
    trunk, trouble = way_out(trunks_for(store.trunks(), number), number)
    return judge(
        Facts(
            number=number,
            workspace=await there.workspaces.get(number.workspace_id),
            inbound=_label(labels.get(number.inbound_version_id or "")),
            outbound=_label(labels.get(number.outbound_version_id or "")),
            pending="" if purchase is None else purchase.detail,
            trunk=trunk,
            trouble=trouble,
            inbound_test=await _last_good(store, number, "inbound"),
            outbound_test=await _last_good(store, number, "outbound"),
            now=now,
        )
    )


def judge(facts: Facts) -> list[Item]:
    """The steps, in the reference's order."""
    return [
        _active(facts),
        _readiness(facts),
        _versions(facts),
        _telephony(facts),
        _way_out(facts),
        _tested(facts, "inbound", facts.inbound_test),
        _tested(facts, "outbound", facts.outbound_test),
    ]


def lines(items: Sequence[Item]) -> list[str]:
    """For a terminal."""
    return [
        f"{'✓' if item.done else '✗'} {item.title}: {item.told}" + (f" – {item.mend}" if item.mend else "")
        for item in items
    ]


def _label(label: object | None) -> str | None:
    return None if label is None else str(label)


async def _last_good(store: SqlStore, number: PhoneNumber, direction: str) -> CallRow | None:
    """A call that ended well: answered, with sound both ways."""
    which = CallFilter(
        number.workspace_id,
        number_ids=(number.id,),
        direction=direction,
        statuses=("completed",),
        limit=20,
        whole=False,
    )
    calls = (await store.list_calls(which)).calls
    heard = (call for call in calls if call.first_audio_in_at and call.first_audio_out_at)
    return next(heard, None)


def _active(facts: Facts) -> Item:
    number, title = facts.number, "Confirm active state"
    if number.status is NumberStatus.PENDING:
        found = f"the number is pending: {facts.pending or 'the provider has not activated it yet'}"
        return Item("active", title, False, found)
    if number.status is not NumberStatus.ACTIVE:
        mend = f"gateway numbers set {number.e164} status=active"
        return Item("active", title, False, f"the number is {number.status.value}", mend)
    if not is_ready(number, facts.now):
        mend = f"gateway numbers set {number.e164} rental_status=active rental_expires_at=…"
        return Item("active", title, False, "the rental has ended", mend)
    until = number.rental_expires_at or number.renews_at
    paid = f", the rental runs until {until:%Y-%m-%d}" if until else ""
    return Item("active", title, True, f"the number is active{paid}")


def _readiness(facts: Facts) -> Item:
    title, workspace = "Check readiness", facts.workspace
    if workspace.kyc_verified:
        return Item("readiness", title, True, "KYC is verified")
    only = workspace.verification_number or "nobody, since no verification number is registered,"
    found = f"KYC is not verified: only {only} can be called"
    return Item(
        "readiness", title, False, found, f"gateway workspaces set {workspace.name!r} kyc_verified=true"
    )


def _versions(facts: Facts) -> Item:
    found = f"inbound: {facts.inbound or 'disabled'}; outbound: {facts.outbound or 'disabled'}"
    missing = [
        name for name, given in (("inbound", facts.inbound), ("outbound", facts.outbound)) if not given
    ]
    mend = f"gateway numbers assign {facts.number.e164} {missing[0]} AGENT" if missing else ""
    return Item("versions", "Assign published versions", not missing, found, mend)


def _telephony(facts: Facts) -> Item:
    title, workspace = "Review Telephony Config", facts.workspace
    if facts.number.sip_trunk_enabled or workspace.sip_byoc_enabled:
        why = "a SIP trunk number" if facts.number.sip_trunk_enabled else "SIP/BYOC is enabled"
        return Item("telephony", title, True, f"country rules do not apply: {why}")
    countries = sorted(workspace.enabled_prefixes)
    if countries:
        return Item("telephony", title, True, f"enabled: {', '.join(countries)}")
    found = "no destination country is enabled, so nobody can be called"
    return Item("telephony", title, False, found, "enable network groups in Telephony Config")


def _way_out(facts: Facts) -> Item:
    title, number, trunk = "A trunk that calls can go out by", facts.number, facts.trunk
    if trunk is not None:
        return Item("trunk", title, True, f"trunk “{trunk.name}”, to {trunk.termination_uri}")
    if not number.sip_trunk_enabled:
        found = OF_THE_PROVIDER if facts.trouble == NO_TRUNK else f"{OF_THE_PROVIDER}: {facts.trouble}"
        mend = f"gateway trunks add NAME provider={number.provider} termination_uri=HOST"
        return Item("trunk", title, False, found, mend)
    mend = "gateway trunks set TRUNK termination_uri=HOST enabled=true"
    found = "no trunk is linked to the number" if facts.trouble == NO_TRUNK else facts.trouble
    return Item("trunk", title, False, found, mend)


def _tested(facts: Facts, direction: str, call: CallRow | None) -> Item:
    title = f"Run one {direction} test"
    if call is not None:
        found = f"of {call.created_at:%Y-%m-%d %H:%M} UTC, sound both ways"
        return Item(f"{direction}_test", title, True, found, call_id=call.id)
    mend = (
        f"call {facts.number.e164} and listen"
        if direction == "inbound"
        else f"gateway call --from {facts.number.e164} +…"
    )
    return Item(f"{direction}_test", title, False, "no call with sound both ways yet", mend)
