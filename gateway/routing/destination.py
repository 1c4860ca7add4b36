"""Where an outbound call may go: the rules, in their order, for single calls, batches and transfers alike."""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from gateway.routing.decision import Reason, Rejected, Trail
from gateway.routing.number import (
    E164,
    EMERGENCY,
    LONGEST_SHORT_CODE,
    MAX_RAW,
    SEPARATORS,
    normalise,
    parse_e164,
)
from gateway.routing.plan import NumberingPlan, PlanEntry, RangeKind, SpecialRange
from gateway.routing.table import Workspace
from gateway.routing.typed import cleaned, strange_in

INVALID_NUMBER = "phone_number must be a valid E.164 phone number"
NEVER_DIALLED = "Emergency numbers and short codes are never dialled"
KYC_NOT_VERIFIED = "KYC is not verified: only the registered verification number can be called"
NOT_ENABLED = "Destination country or network prefix is not enabled for this workspace"
NO_COUNTRIES = "No enabled countries configured for this workspace"
RANGE_CLOSED = "Destination is in a {kind} range, which is not enabled for this workspace"


@dataclass(frozen=True, slots=True)
class Destination:
    """A number that may be called."""

    number: E164
    entry: PlanEntry

    @property
    def e164(self) -> str:
        """With its plus."""
        return self.number.e164


def validate_destination(
    raw: str | None, *, workspace: Workspace, plan: NumberingPlan, is_sip_trunk: bool, trail: Trail
) -> Destination:
    """Hold a destination to the rules, the first failure wins; raises Rejected.

    `is_sip_trunk` is whether the calling number is linked by SIP trunk; what was looked at goes into `trail`.
    Routes that bring their own carrier skip the country rules, and nothing else.
    """
    number = _parse(trail, raw)
    entry = plan.look_up(number)
    _can_be_dialled(trail, number, entry)
    _known_to_the_owner(trail, number, workspace)
    bypass = _bypass(workspace, is_sip_trunk)
    if bypass:
        trail.granted("destination country", _country_name(entry, number), f"not asked: {bypass}")
        trail.granted("network prefix", number.national, f"not asked: {bypass}")
    else:
        _country_is_open(trail, number, entry, workspace)
    _range_is_open(trail, number, entry, workspace)
    return Destination(number, entry)


def _parse(trail: Trail, raw: str | None) -> E164:
    """Rule 1: present, parseable, and possible as an international number."""
    written = _written(raw)
    if len(written) > MAX_RAW:
        found = f"longer than {MAX_RAW} characters"
        raise trail.refused(
            Reason.DESTINATION_UNPARSEABLE, "destination", written, found, message=INVALID_NUMBER
        )
    number = _number(written)
    if number is None:
        raise _no_number(trail, written)
    trail.passed("destination", written, f"{number.e164}, a possible international number")
    return number


def _written(raw: str | None) -> str:
    # Before the bound: what is longer is no number, however it is cleaned.
    return cleaned((raw or "").strip()[: 4 * MAX_RAW])


def number_of(raw: str | None) -> E164 | None:
    """The number that the first rule takes a destination for; None where it refuses it."""
    written = _written(raw)
    return None if len(written) > MAX_RAW else _number(written)


def _number(written: str) -> E164 | None:
    return parse_e164(written if written[1:].isdecimal() else written.translate(SEPARATORS))


def _no_number(trail: Trail, written: str) -> Rejected:
    text = written.translate(SEPARATORS)
    digits, strange = text.removeprefix("+"), strange_in(written)
    if not text:
        reason, found, message = Reason.DESTINATION_MISSING, "there is no destination", INVALID_NUMBER
    elif digits in EMERGENCY:
        reason, found, message = Reason.DESTINATION_EMERGENCY, "an emergency number", NEVER_DIALLED
    elif strange:
        reason, found = Reason.DESTINATION_UNPARSEABLE, f"not a telephone number: it has {strange}"
        message = f"{INVALID_NUMBER}: it has {strange}"
    elif not digits or digits.strip("0123456789*#"):
        reason, found, message = Reason.DESTINATION_UNPARSEABLE, "not a telephone number", INVALID_NUMBER
    elif len(digits) <= LONGEST_SHORT_CODE or digits.strip("0123456789"):
        reason, found, message = Reason.DESTINATION_SHORT_CODE, "a short or service code", NEVER_DIALLED
    elif not text.startswith("+"):
        trail.near(f"{reading.e164} was perhaps meant, {reading.how}" for reading in normalise(text).readings)
        found = "without a + it is not clear what country this is in"
        reason, message = Reason.DESTINATION_UNPARSEABLE, INVALID_NUMBER
    else:
        found = "no country has numbers of this length behind this calling code"
        reason, message = Reason.DESTINATION_IMPOSSIBLE, INVALID_NUMBER
    return trail.refused(reason, "destination", written or "nothing", found, message=message)


def _can_be_dialled(trail: Trail, number: E164, entry: PlanEntry) -> None:
    """Part of rule 1: what is short enough may still be a code that only works inside its country."""
    if entry.country is not None and entry.country.max_length is not None:
        longest = entry.country.max_length
        if len(number.national) > longest:
            found = (
                f"numbers in {entry.country.name} have at most {longest} digits behind +{number.calling_code}"
            )
            raise trail.refused(
                Reason.DESTINATION_IMPOSSIBLE, "destination", number.e164, found, message=INVALID_NUMBER
            )
    if len(number.national) <= LONGEST_SHORT_CODE and entry.country is not None:
        reason = _short_code(number.national, entry.country.iso)
        if reason is not None:
            found = f"an emergency number or short code in {entry.country.name}"
            raise trail.refused(reason, "destination", number.e164, found, message=NEVER_DIALLED)


@lru_cache(maxsize=1024)
def _short_code(national: str, country: str) -> Reason | None:
    if national in EMERGENCY or phonenumbers.is_emergency_number(national, country):
        return Reason.DESTINATION_EMERGENCY
    calling_code = phonenumbers.country_code_for_region(country)
    number = phonenumbers.PhoneNumber(country_code=calling_code, national_number=int(national))
    if phonenumbers.is_valid_short_number_for_region(number, country):
        return Reason.DESTINATION_SHORT_CODE
    return None


def _known_to_the_owner(trail: Trail, number: E164, workspace: Workspace) -> None:
    """Rule 2: before KYC is verified, only the owner's registered verification number."""
    if workspace.kyc_verified:
        trail.passed("KYC", f"“{workspace.name}”", f"verified ({workspace.id})")
        return
    registered = parse_e164((workspace.verification_number or "").translate(SEPARATORS))
    if registered == number:
        found = f"not verified ({workspace.id}), but this is the registered verification number"
        trail.passed("KYC", f"“{workspace.name}”", found)
        return
    known = "another one is registered" if registered else "none is registered"
    found = f"not verified, and this is not the verification number ({known})"
    raise trail.refused(Reason.KYC_NOT_VERIFIED, "KYC", number.e164, found, message=KYC_NOT_VERIFIED)


def _bypass(workspace: Workspace, is_sip_trunk: bool) -> str:
    """Rule 5: what exempts this route from rules 3 and 4, or nothing."""
    sources = []
    if is_sip_trunk:
        sources.append("the calling number is a SIP trunk number")
    if workspace.sip_byoc_enabled:
        sources.append("the workspace's SIP/BYOC configuration is enabled")
    return ", and ".join(sources)


def _country_is_open(trail: Trail, number: E164, entry: PlanEntry, workspace: Workspace) -> None:
    """Rules 3 and 4: the country is enabled, and one of its enabled groups has the number's prefix."""
    name = _country_name(entry, number)
    if not workspace.enabled_prefixes:
        found = "no country is enabled in the workspace's telephony config"
        raise trail.refused(
            Reason.NO_ENABLED_COUNTRIES, "destination country", name, found, message=NO_COUNTRIES
        )
    opened = workspace.enabled_prefixes.get(entry.country.iso) if entry.country is not None else None
    if opened is None:
        found = "not enabled in the workspace's telephony config"
        raise trail.refused(
            Reason.COUNTRY_NOT_ENABLED, "destination country", name, found, message=NOT_ENABLED
        )
    trail.passed("destination country", name, "enabled in the workspace's telephony config")
    match = opened.longest(number.national)
    if match is None:
        found = f"none of the {len(opened)} enabled prefixes of {name} begins it"
        raise trail.refused(
            Reason.PREFIX_NOT_ENABLED, "network prefix", number.national, found, message=NOT_ENABLED
        )
    prefix, group = match
    found = (
        f"{prefix} of network group “{group.name}”"
        if prefix
        else f"network group “{group.name}” has no prefixes"
    )
    trail.passed("network prefix", number.national, found)


def _country_name(entry: PlanEntry, number: E164) -> str:
    if entry.country is None:
        return f"unknown, behind +{number.calling_code}"
    return f"{entry.country.name} ({entry.country.iso})"


_CLOSED = {
    RangeKind.PREMIUM: Reason.DESTINATION_PREMIUM,
    RangeKind.SATELLITE: Reason.DESTINATION_SATELLITE,
    RangeKind.SHARED_COST: Reason.DESTINATION_SHARED_COST,
}


def _range_is_open(trail: Trail, number: E164, entry: PlanEntry, workspace: Workspace) -> None:
    """On every route: premium, satellite and shared-cost ranges only where the workspace has opted in."""
    special = entry.special
    if special is None:
        trail.passed("special ranges", number.e164, "neither premium, satellite nor shared cost")
        return
    kind = special.kind.value.replace("_", " ")
    found = f"{kind} range +{special.prefix}" + (f" ({special.note})" if special.note else "")
    if not _opted_in(special, workspace):
        message = RANGE_CLOSED.format(kind=kind)
        raise trail.refused(
            _CLOSED[special.kind], "special ranges", number.e164, f"{found}, not opted in", message=message
        )
    trail.granted("special ranges", number.e164, f"{found}, which the workspace has opted in to")


def _opted_in(special: SpecialRange, workspace: Workspace) -> bool:
    return {
        RangeKind.PREMIUM: workspace.allow_premium,
        RangeKind.SATELLITE: workspace.allow_satellite,
        RangeKind.SHARED_COST: workspace.allow_shared_cost,
    }[special.kind]
