"""What mends a refusal: beside every reason the page, the request and the command that change it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.routing.decision import Reason


@dataclass(frozen=True, slots=True)
class Mend:
    """How whoever may can make the same call go through the next time."""

    owner: str
    "What to do, for the owner of the workspace."
    page: str
    "The page of the dashboard where that is done."
    api: str
    "The request of the API that changes it, or shows what is wrong; empty: nobody with a key can."
    command: str
    "The operator's command; capitals stand for a value."

    def as_dict(self) -> dict[str, str]:
        """In JSON types."""
        return {"owner": self.owner, "page": self.page, "api": self.api, "command": self.command}


_EXPLAIN_IN = "gateway explain --from FROM --to NUMBER --source ADDRESS"
_EXPLAIN_OUT = "gateway explain --outbound --to NUMBER --workspace WORKSPACE"
_COUNTRIES = "gateway workspaces countries enable COUNTRY --workspace WORKSPACE"
_NUMBER = "PATCH /v1/organization-phone-numbers/{number_id}"
_CHECKLIST = "GET /v1/organization-phone-numbers/{number_id}/checklist"
_QUOTE = "GET /v1/rates/quote"
_PLACE = "POST /v1/calls"

MENDS: Mapping[Reason, Mend] = {
    Reason.UNKNOWN_SOURCE: Mend(
        "Add the carrier’s address to the sources of its trunk.",
        "/trunks",
        "",
        "gateway trunks set TRUNK sources=ADDRESS",
    ),
    Reason.TRUNK_DISABLED: Mend("Enable the trunk.", "/trunks", "", "gateway trunks set TRUNK enabled=true"),
    Reason.CREDENTIALS_REQUIRED: Mend(
        "Give the carrier the trunk’s user name and password, or take them off the trunk.",
        "/trunks",
        "",
        "gateway trunks set TRUNK username=NAME password=PASSWORD",
    ),
    Reason.BAD_CREDENTIALS: Mend(
        "Have the same user name and password on the trunk and at the carrier.",
        "/trunks",
        "",
        "gateway trunks set TRUNK username=NAME password=PASSWORD",
    ),
    Reason.STALE_CREDENTIALS: Mend(
        "Nothing: the carrier answers the new challenge. If it does not, look at its digest settings.",
        "/trunks",
        "",
        _EXPLAIN_IN,
    ),
    Reason.MALFORMED_NUMBER: Mend(
        "Have the carrier send numbers in the trunk’s format, or change the format.",
        "/trunks",
        "",
        "gateway trunks set TRUNK number_format=FORMAT",
    ),
    Reason.UNKNOWN_NUMBER: Mend(
        "Link or buy the number.",
        "/numbers",
        "POST /v1/organization-phone-numbers/sip-trunks",
        "gateway numbers add NUMBER --trunk TRUNK",
    ),
    Reason.NUMBER_ON_OTHER_TRUNK: Mend(
        "Have the number on the trunk that its calls come by.",
        "/numbers",
        _CHECKLIST,
        "gateway numbers set NUMBER --trunk TRUNK",
    ),
    Reason.NUMBER_IN_OTHER_WORKSPACE: Mend(
        "Ask the operator: the number is another workspace’s.",
        "/numbers",
        "",
        "gateway numbers show NUMBER",
    ),
    Reason.NUMBER_NOT_ACTIVE: Mend(
        "Activate the number.", "/numbers", _CHECKLIST, "gateway numbers set NUMBER status=active"
    ),
    Reason.RENTAL_EXPIRED: Mend(
        "Renew the number’s rental.", "/numbers", _CHECKLIST, "gateway numbers check NUMBER"
    ),
    Reason.RENTAL_NOT_TAKEN: Mend(
        "Wait until the provider hands the number over, or buy another.",
        "/numbers",
        _CHECKLIST,
        "gateway numbers check NUMBER",
    ),
    Reason.NO_INBOUND_VERSION: Mend(
        "Assign an agent that answers the number.",
        "/numbers",
        _NUMBER,
        "gateway numbers assign NUMBER inbound AGENT",
    ),
    Reason.VERSION_MISSING: Mend(
        "Assign another version: this one was removed.",
        "/numbers",
        _NUMBER,
        "gateway numbers assign NUMBER inbound AGENT",
    ),
    Reason.VERSION_NOT_PUBLISHED: Mend(
        "Publish the version, or assign one that is.",
        "/agents",
        "GET /v1/agents/{agent_id}/versions",
        "gateway agents publish AGENT",
    ),
    Reason.AGENT_MISSING: Mend(
        "Assign another agent: this one was removed.",
        "/agents",
        "GET /v1/agents",
        "gateway agents list",
    ),
    Reason.WORKSPACE_CONCURRENCY_LIMIT: Mend(
        "Wait for a call to end, or ask the operator for more calls at once.",
        "/calls",
        "GET /v1/calls",
        "gateway workspaces set WORKSPACE concurrency_limit=N",
    ),
    Reason.NUMBER_CHANNEL_LIMIT: Mend(
        "Wait for a call of the number to end, or ask the operator for more channels.",
        "/numbers",
        "GET /v1/calls",
        "gateway numbers set NUMBER channel_limit=N",
    ),
    Reason.TRUNK_CHANNEL_LIMIT: Mend(
        "Wait for a call of the trunk to end, or give it more channels.",
        "/trunks",
        "GET /v1/calls",
        "gateway trunks set TRUNK channel_limit=N",
    ),
    Reason.TRUNK_RATE_LIMIT: Mend(
        "Try again a moment later, or let the trunk take more calls a second.",
        "/trunks",
        _PLACE,
        "gateway trunks set TRUNK calls_per_second=N",
    ),
    Reason.WEB_CALL_LIMIT: Mend(
        "Try again when a web call has ended; the operator can allow more.",
        "/web-call",
        "POST /v1/web-calls",
        "gateway check",
    ),
    Reason.DESTINATION_MISSING: Mend("Name a number to call.", "/calls/new", _PLACE, _EXPLAIN_OUT),
    Reason.DESTINATION_UNPARSEABLE: Mend(
        "Write the number in E.164, such as +14155550100.", "/calls/new", _PLACE, _EXPLAIN_OUT
    ),
    Reason.DESTINATION_IMPOSSIBLE: Mend(
        "Check the number’s length and country code.", "/calls/new", _PLACE, _EXPLAIN_OUT
    ),
    Reason.DESTINATION_EMERGENCY: Mend(
        "Nothing: emergency numbers are never called from here.", "/telephony", _QUOTE, _EXPLAIN_OUT
    ),
    Reason.DESTINATION_SHORT_CODE: Mend(
        "Call the full number: short codes are not called from here.", "/telephony", _QUOTE, _EXPLAIN_OUT
    ),
    Reason.KYC_NOT_VERIFIED: Mend(
        "Have the operator verify the workspace.",
        "/settings",
        _CHECKLIST,
        "gateway workspaces set WORKSPACE kyc_verified=true",
    ),
    Reason.NO_ENABLED_COUNTRIES: Mend("Enable the countries to call.", "/telephony", _QUOTE, _COUNTRIES),
    Reason.COUNTRY_NOT_ENABLED: Mend("Enable the country.", "/telephony", _QUOTE, _COUNTRIES),
    Reason.PREFIX_NOT_ENABLED: Mend(
        "Enable the network group of the number.",
        "/telephony",
        _QUOTE,
        "gateway workspaces countries enable COUNTRY --group GROUP",
    ),
    Reason.DESTINATION_PREMIUM: Mend(
        "Allow premium-rate numbers.",
        "/telephony",
        _QUOTE,
        "gateway workspaces set WORKSPACE allow_premium=true",
    ),
    Reason.DESTINATION_SATELLITE: Mend(
        "Allow satellite phones.",
        "/telephony",
        _QUOTE,
        "gateway workspaces set WORKSPACE allow_satellite=true",
    ),
    Reason.DESTINATION_SHARED_COST: Mend(
        "Allow shared-cost numbers.",
        "/telephony",
        _QUOTE,
        "gateway workspaces set WORKSPACE allow_shared_cost=true",
    ),
    Reason.DO_NOT_CALL: Mend(
        "Leave the number alone; or take it off the do-not-call list, where its owner wants to be called.",
        "/telephony",
        "GET /v1/do-not-call",
        "gateway do-not-call remove NUMBER --workspace WORKSPACE",
    ),
    Reason.FROM_NUMBER_MISSING: Mend(
        "Name a number to call from, or make one the default.",
        "/numbers",
        _PLACE,
        "gateway numbers list",
    ),
    Reason.FROM_NUMBER_UNKNOWN: Mend(
        "Call from a number of the workspace, or link this one.",
        "/numbers",
        "GET /v1/organization-phone-numbers",
        "gateway numbers list",
    ),
    Reason.FROM_NUMBER_OF_OTHER_AGENT: Mend(
        "Call from a number of this agent, or assign the agent to the number.",
        "/numbers",
        _NUMBER,
        "gateway numbers assign NUMBER outbound AGENT",
    ),
    Reason.CALLER_ID_NOT_ALLOWED: Mend(
        "Call from a number of the workspace; the operator can verify another caller id.",
        "/numbers",
        _PLACE,
        "gateway workspaces set WORKSPACE verified_caller_ids=NUMBER",
    ),
    Reason.NO_OUTBOUND_VERSION: Mend(
        "Assign an agent that speaks in calls out.",
        "/numbers",
        _NUMBER,
        "gateway numbers assign NUMBER outbound AGENT",
    ),
    Reason.NO_OUTBOUND_NUMBER: Mend(
        "Assign the agent to a number that it calls from.",
        "/numbers",
        _NUMBER,
        "gateway numbers assign NUMBER outbound AGENT",
    ),
    Reason.NO_OUTBOUND_TRUNK: Mend(
        "Give the number a trunk with a termination URI.",
        "/trunks",
        "POST /v1/organization-phone-numbers/sip-trunks",
        "gateway trunks set TRUNK termination_uri=URI",
    ),
    Reason.NO_RATE: Mend(
        "Ask the operator: there is no price for this number.",
        "/telephony",
        _QUOTE,
        "gateway rates import FILE",
    ),
    Reason.INSUFFICIENT_BALANCE: Mend(
        "Have the wallet topped up.", "/settings", _QUOTE, "gateway wallet top-up WORKSPACE AMOUNT"
    ),
}
"For every reason; a test holds the pages, requests and commands to what there is."
