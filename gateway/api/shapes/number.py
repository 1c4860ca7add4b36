"""Phone numbers as the API shows and takes them, in the reference platform's field names."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.shapes.page import ListPage
from gateway.provisioning.market import COUNTRIES
from gateway.routing.number import parse_e164
from gateway.routing.plan import NumberingPlan
from gateway.routing.table import PhoneNumber, TrunkAuthMode
from gateway.store.configuration.number_list import VersionLabel
from gateway.store.configuration.rules import MAX_NAME, MAX_SOURCES, TRANSPORTS

# What follows is for the description alone: the rules say in their own words what does not fit.
E164 = {"pattern": r"^\+[1-9][0-9 .()-]{6,20}$"}
LINE = {"maxLength": MAX_NAME, "pattern": r"^[^\x00-\x1f\x7f]*$"}
HOST_PORT = {"pattern": r"^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$", "maxLength": 255}
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
NETWORK = {
    "anyOf": [
        {"pattern": rf"^{_OCTET}(\.{_OCTET}){{3}}(/([1-9]|[12][0-9]|3[0-2]))?$"},
        {"format": "ipv6"},
        {"pattern": r"^[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){0,6}::/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$"},
    ]
}
LOGIN: dict[str, Any] = {
    "if": {"required": ["authMode"], "properties": {"authMode": {"const": "ip"}}},
    "then": {
        "properties": {"sipTrunkUserName": {"enum": ["", None]}, "sipTrunkPassword": {"enum": ["", None]}}
    },
    "else": {
        "required": ["sipTrunkUserName", "sipTrunkPassword"],
        "properties": {
            "sipTrunkUserName": {"type": "string", "pattern": r"^[!-~]+$"},
            "sipTrunkPassword": {"type": "string", "minLength": 1},
        },
    },
}
"With `userpass` both, with `ip` neither."

Country = Annotated[str, Field(max_length=8, json_schema_extra={"enum": [*COUNTRIES]})]
Nickname = Annotated[str, Field(json_schema_extra={**LINE})]
PhoneNumberText = Annotated[str, Field(json_schema_extra={**E164})]

PROVIDERS = ("plivo", "simulated")
SHAPE = ConfigDict(use_attribute_docstrings=True)
TAKEN = ConfigDict(strict=True, use_attribute_docstrings=True, extra="forbid")


class AssignedVersion(BaseModel):
    """An agent version that a number is assigned to."""

    model_config = SHAPE

    id: str
    "`ver_…`"
    agent_id: str
    "`agent_…`"
    agent_name: str
    "What people call the agent."
    version_number: int
    "1, 2, 3, … within the agent."


class Share(BaseModel):
    """A version's share of the callers."""

    model_config = TAKEN

    agent_version_id: str
    "`ver_…`, published."
    weight: Annotated[float, Field(gt=0, le=1, examples=[0.8])]
    "All shares add up to 1."


class Assignment(BaseModel):
    """How the version of one direction is chosen."""

    model_config = SHAPE

    mode: Annotated[str, Field(examples=["latest_published"])]
    "`disabled`, `version`, `latest_published`, or `split`: the same caller always gets the same version."
    shares: list[Share]
    "Of a split; empty otherwise."


class NumberItem(BaseModel):
    """A phone number."""

    model_config = SHAPE

    id: Annotated[str, Field(examples=["phn_01m85m1gbt83exwnbdjt8m8z3n"])]
    "`phn_…`"
    phone_number: Annotated[str, Field(examples=["+12025550101"])]
    "E.164"
    provider: Annotated[str, Field(examples=["plivo"])]
    "`plivo`, or `sip_trunk` for a number of your own."
    status: Annotated[str, Field(examples=["active"])]
    "`pending`, `active` or `unavailable`."
    country_code: Annotated[str | None, Field(examples=["US"])]
    "ISO 3166 code of the country; null where the numbering plan has none."
    calling_code: Annotated[str, Field(examples=["1"])]
    "Digits before the local number."
    local_number: Annotated[str, Field(examples=["2025550101"])]
    "Digits after the calling code."
    nickname: str | None
    "What people call it."
    label: str | None
    "The nickname once more."
    rental_status: Annotated[str, Field(examples=["active"])]
    "`active`, `expired`, or `available` for reassignment."
    renews_at: str | None
    "When the provider renews the rental; null where it is not known."
    rental_expires_at: str | None
    "From then on the rental counts as expired; null: no end."
    sip_trunk_enabled: bool
    "Linked by a SIP trunk."
    trunk_id: str | None
    "`trunk_…`, the trunk that carries it; null: the provider's."
    is_default: bool
    "The workspace's default number."
    inbound_agent_version: AssignedVersion | None
    "Who answers; null: inbound calls are refused."
    outbound_agent_version: AssignedVersion | None
    "Who speaks in calls from this number; null: no call goes out from it."
    inbound_assignment: Assignment
    "How that is chosen."
    outbound_assignment: Assignment
    "How that is chosen."


class NumberPage(ListPage[NumberItem]):
    """A page of numbers, oldest first."""


class PurchaseBody(BaseModel):
    """A number to buy."""

    model_config = TAKEN

    phone_number: Annotated[PhoneNumberText, Field(alias="phoneNumber", examples=["+12025550110"])]
    "E.164"
    telephony_provider_id: Annotated[
        str | None,
        Field(
            alias="telephonyProviderId", examples=["plivo"], json_schema_extra={"enum": [*PROVIDERS, None]}
        ),
    ] = None
    "The provider; without it, the one that is set up."
    country_iso: Annotated[Country, Field(alias="countryISO", examples=["US"])]
    "The number's country, ISO 3166."
    nickname: Annotated[Nickname, Field(max_length=MAX_NAME)] = ""
    "What people call it."


class Purchased(BaseModel):
    """A number that was bought."""

    model_config = SHAPE

    phone_number: Annotated[str, Field(alias="phoneNumber")]
    "E.164"
    status: Annotated[str, Field(examples=["active"])]
    "`active`, or `pending` until the provider has what the country asks for."
    message: str
    "The same in words."
    organization_phone_number: Annotated[NumberItem, Field(alias="organizationPhoneNumber")]
    "The number as it is among yours."


class LinkBody(BaseModel):
    """A number of your own, and the SIP trunk that carries it."""

    model_config = ConfigDict(**TAKEN, json_schema_extra={**LOGIN})

    phone_number: Annotated[PhoneNumberText, Field(alias="phoneNumber", examples=["+12025550101"])]
    "E.164"
    termination_uri: Annotated[
        str,
        Field(
            alias="terminationUri",
            examples=["31974861099010243.zt.plivo.com:5060"],
            json_schema_extra={**HOST_PORT},
        ),
    ]
    "`host[:port]`, without `sip:` before it."
    auth_mode: Annotated[
        str, Field(alias="authMode", examples=["userpass"], json_schema_extra={"enum": [*TrunkAuthMode]})
    ] = "userpass"
    "`userpass`, or `ip` where the carrier knows us by our signalling address."
    sip_trunk_user_name: Annotated[str | None, Field(alias="sipTrunkUserName", max_length=64)] = None
    "Required with `userpass`, not allowed with `ip`."
    sip_trunk_password: Annotated[str | None, Field(alias="sipTrunkPassword", max_length=256)] = None
    "Kept encrypted, and never shown again."
    nickname: Nickname | None = None
    "What people call it."
    transport: Annotated[str, Field(json_schema_extra={"enum": [*TRANSPORTS]})] = "UDP"
    "`UDP`, `TCP` or `TLS`."
    sources: Annotated[
        list[Annotated[str, Field(json_schema_extra={**NETWORK})]],
        Field(json_schema_extra={"maxItems": MAX_SOURCES}),
    ] = []
    "Where the carrier's calls come from, addresses and networks; none: what `terminationUri` resolves to."


WAYS = {
    "inbound": ("agent_id", "inbound_agent_version_id", "inbound_split"),
    "outbound": ("outbound_agent_id", "outbound_agent_version_id", "outbound_split"),
}
"How the version of a direction can be given: one of them at a time."
ONE_WAY: list[Any] = [
    {"not": {"required": [*two]}} for ways in WAYS.values() for two in combinations(ways, 2)
]


class NumberChange(BaseModel):
    """What is to change of a number; what is left out stays."""

    model_config = ConfigDict(**TAKEN, json_schema_extra={"allOf": [*ONE_WAY]})

    agent_id: str | None = None
    "The agent that answers, by its latest published version; null: inbound calls are refused."
    outbound_agent_id: str | None = None
    "The agent that speaks in calls from this number; null: no call goes out from it."
    inbound_agent_version_id: str | None = None
    "One published version instead; null: inbound calls are refused."
    outbound_agent_version_id: str | None = None
    "The same for calls from this number."
    inbound_split: list[Share] | None = None
    "Versions of one agent that share the callers out."
    outbound_split: list[Share] | None = None
    "The same for calls from this number."
    nickname: Nickname | None = None
    "What people call it."
    label: Nickname | None = None
    "Another word for `nickname`."
    is_default: bool | None = None
    "The workspace's default number."


class OfferItem(BaseModel):
    """A number that can be bought."""

    model_config = SHAPE

    number: Annotated[str, Field(examples=["12025550110"])]
    "Without a plus, as the provider writes it."
    type: Annotated[str, Field(examples=["local"])]
    "`local`, `mobile`, `national`, `tollfree` or `fixed`."
    monthly_rental_rate: Annotated[str, Field(examples=["0.80000"])]
    "Of the provider, in `currency`."
    setup_rate: Annotated[str, Field(examples=["0.00000"])]
    "Once, in `currency`."
    voice_enabled: bool
    "It takes calls."
    sms_enabled: bool
    "It takes text messages."
    mms_enabled: bool
    "It takes pictures."
    country_iso: Annotated[str, Field(examples=["US"])]
    "The number's country, ISO 3166."
    number_format: Annotated[str, Field(examples=["+12025550110"])]
    "E.164"
    region: str
    "As the provider names it."
    currency: str
    "Of both rates."
    restriction: str | None
    "What the country asks for before the number becomes active."


class OfferPage(BaseModel):
    """Numbers on offer."""

    model_config = SHAPE

    api_id: str
    "Names this answer."
    objects: list[OfferItem]
    "Of this page."
    meta: dict[str, int]
    "`total_count`"


def number_item(
    number: PhoneNumber, plan: NumberingPlan, labels: Mapping[str, VersionLabel]
) -> dict[str, Any]:
    """A number in the shape of `NumberItem`."""
    parsed = parse_e164(number.e164)
    country = plan.look_up(parsed).country if parsed is not None else None
    return {
        "id": number.id,
        "phone_number": number.e164,
        "provider": number.provider,
        "status": number.status.value,
        "country_code": None if country is None else country.iso,
        "calling_code": number.country_code,
        "local_number": number.local_number,
        "nickname": number.nickname or None,
        "label": number.nickname or None,
        "rental_status": number.rental_status.value,
        "renews_at": _time(number.renews_at),
        "rental_expires_at": _time(number.rental_expires_at),
        "sip_trunk_enabled": number.sip_trunk_enabled,
        "trunk_id": number.trunk_id,
        "is_default": number.is_default,
        "inbound_agent_version": _assigned(labels.get(number.inbound_version_id or "")),
        "outbound_agent_version": _assigned(labels.get(number.outbound_version_id or "")),
        "inbound_assignment": _mode(number.inbound_version_id, number.inbound_latest, number.inbound_split),
        "outbound_assignment": _mode(
            number.outbound_version_id, number.outbound_latest, number.outbound_split
        ),
    }


def _assigned(label: VersionLabel | None) -> dict[str, Any] | None:
    if label is None:
        return None
    return {
        "id": label.id,
        "agent_id": label.agent_id,
        "agent_name": label.agent_name,
        "version_number": label.number,
    }


def _mode(
    version_id: str | None,
    latest: bool,
    split: Sequence[tuple[str, float]],
) -> dict[str, Any]:
    word = "split" if split else "latest_published" if latest else "version"
    shares = [{"agent_version_id": version, "weight": share} for version, share in split]
    return {"mode": word if version_id else "disabled", "shares": shares}


def _time(moment: Any) -> str | None:
    return None if moment is None else str(moment.isoformat().replace("+00:00", "Z"))
