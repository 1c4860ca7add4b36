"""What bots call back by their vendors' APIs: Twilio's, Plivo's and Telnyx's hang-ups and transfers."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from gateway.agent.protocol import Hangup
from gateway.agent.twilio import account_sid, call_sid
from gateway.agent.twiml import BadTwiml, read_twiml
from gateway.api.keys import Credentials
from gateway.api.refusal import STATUSES
from gateway.api.vendor_gate import Gone, Login, Stranger, TooMany, VendorGate
from gateway.call.call import Call
from gateway.call.record import CallRecord
from gateway.call.refusal import Refused
from gateway.call.transfer import NotNow
from gateway.routing.decision import ReasonGroup, Rejected

MAX_FORM = 16_384
"Bytes of a form that are read."
MAX_FIELDS = 40

BASIC = HTTPBasic(
    scheme_name="VendorAccount",
    description="User and password as the vendor's SDK sends them: an account's name and the agent "
    "version's secret, or the id of an API key and its secret.",
    auto_error=False,
)
Basic = Annotated[HTTPBasicCredentials | None, Depends(BASIC)]
Account = Annotated[str, Path(description="The account that the bot has, or the id of an API key.")]
Name = Annotated[str, Path(description="The call as the bot was told it.")]

CODES = {ReasonGroup.FORMAT: 13223, ReasonGroup.POLICY: 13227, ReasonGroup.CAPACITY: 20429}
"Twilio's, for kinds of refusals; what they have no number for is an invalid state."
INVALID_STATE = 21220
FORM = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "Status": {"enum": ["completed", "canceled"], "description": "Hang up."},
                        "Twiml": {
                            "type": "string",
                            "description": "`<Response>` with `<Dial>` or `<Hangup>`.",
                        },
                    },
                }
            }
        }
    }
}
TWILIO_STATUS = {"created": "queued", "sent": "queued", "received": "ringing"}

Respond = Callable[[], Awaitable[Response]]


def vendors(gate: VendorGate) -> APIRouter:
    """The routes of all vendors."""
    router = APIRouter(tags=["vendors"])
    _twilio(router, gate)
    _plivo(router, gate)
    _telnyx(router, gate)
    return router


def _twilio(router: APIRouter, gate: VendorGate) -> None:
    path = "/2010-04-01/Accounts/{account}/Calls/{sid}.json"

    @router.get(path, responses=_said("The call as Twilio tells it", 401, 404, 429))
    async def twilio_call(account: Account, sid: Name, basic: Basic) -> Response:
        """A running call. One that has ended is 404."""

        async def shown() -> Response:
            call, _ = await gate.call(sid, _login(basic, account))
            return _json(twilio_json(call.record))

        return await _twilio_answer(shown)

    @router.post(path, responses=_said("The call as it stands", 400, 401, 404, 429), openapi_extra=FORM)
    async def twilio_change_call(request: Request, account: Account, sid: Name, basic: Basic) -> Response:
        """Hang up (`Status`), or transfer (`Twiml`). What the agent has said is heard to its end first."""

        async def changed() -> Response:
            call, by = await gate.call(sid, _login(basic, account))
            await _change(gate, call, by, _form(await request.body()))
            return _json(twilio_json(call.record))

        return await _twilio_answer(changed)


async def _change(gate: VendorGate, call: Call, by: str, form: dict[str, str]) -> None:
    status = form.get("Status", "").lower()
    if status == "completed" or (status == "canceled" and call.record.answered_at is None):
        call.leave(f"{by} ended it by Twilio's API")
    elif "Twiml" in form:
        wanted = read_twiml(form["Twiml"])
        if isinstance(wanted, Hangup):
            call.leave(f"{by} ended it by Twilio's API")
        else:
            await gate.transfers.begin(call, wanted, by, at_once=True)
    elif status != "canceled":
        raise BadTwiml(
            "give Status=completed or Twiml=<Response>…; Url and ApplicationSid are not fetched here"
        )


def _form(body: bytes) -> dict[str, str]:
    if len(body) > MAX_FORM:
        raise BadTwiml(f"the form has {len(body)} bytes, more than {MAX_FORM}")
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BadTwiml(f"the form cannot be read: {error}") from error
    return {name: values[-1] for name, values in found.items()}


async def _twilio_answer(respond: Respond) -> Response:
    """Twilio's shape for whatever went wrong."""
    try:
        return await respond()
    except Stranger:
        return _twilio_error(401, 20003, "Authenticate")
    except Gone:
        return _twilio_error(404, 20404, "The requested resource was not found: no such call is running")
    except TooMany:
        return _twilio_error(429, 20429, "Too Many Requests")
    except BadTwiml as error:
        return _twilio_error(400, 12100, str(error))
    except NotNow as error:
        return _twilio_error(400, INVALID_STATE, f"Call is not in-progress. Cannot redirect: {error}")
    except Rejected as refusal:
        group = refusal.reason.group
        # 404 would mean that the call is gone.
        status = 400 if group is ReasonGroup.NOT_FOUND else STATUSES[group]
        return _twilio_error(status, CODES.get(group, INVALID_STATE), f"{refusal.message} ({refusal.reason})")
    except Refused as refusal:
        return _twilio_error(503, 20503, f"{refusal.detail} ({refusal.reason})")


def _twilio_error(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return _json({"code": code, "message": message, "more_info": more, "status": status}, status)


def twilio_json(record: CallRecord) -> dict[str, Any]:
    """A running call in Twilio's field names."""
    sid, account = call_sid(record.id), account_sid(record.workspace_id or "")
    answered = record.answered_at is not None
    status = "in-progress" if answered else TWILIO_STATUS.get(record.status.value, "ringing")
    status = "ringing" if record.ringing_at is not None and not answered else status
    return {
        "sid": sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "parent_call_sid": call_sid(record.parent_call_id) if record.parent_call_id else None,
        "from": record.from_number,
        "to": record.to_number,
        "status": status,
        "direction": "inbound" if record.direction == "inbound" else "outbound-api",
        "date_created": _rfc2822(record.created_at),
        "date_updated": _rfc2822(record.answered_at or record.created_at),
        "start_time": _rfc2822(record.answered_at),
        "end_time": None,
        "duration": None,
        "price": None,
        "price_unit": None if record.quote is None else record.quote.currency,
        "uri": f"/2010-04-01/Accounts/{account}/Calls/{sid}.json",
    }


def _plivo(router: APIRouter, gate: VendorGate) -> None:
    path = "/v1/Account/{account}/Call/{uuid}/"

    async def ended(account: str, uuid: str, basic: HTTPBasicCredentials | None) -> Response:
        async def left() -> Response:
            call, by = await gate.call(uuid, _login(basic, account))
            call.leave(f"{by} ended it by Plivo's API")
            return Response(status_code=204)

        return await _plivo_answer(left)

    @router.delete(path, status_code=204, responses=_said("", 401, 404, 429))
    async def plivo_hang_up(account: Account, uuid: Name, basic: Basic) -> Response:
        """Hang up. What the agent has said is heard to its end first."""
        return await ended(account, uuid, basic)

    @router.delete(f"{path}Stream/", status_code=204, responses=_said("", 401, 404, 429))
    async def plivo_stop_stream(account: Account, uuid: Name, basic: Basic) -> Response:
        """Stop the stream, which ends the call: there is no XML that would go on after it."""
        return await ended(account, uuid, basic)

    @router.post(path, responses=_said("", 400, 401, 404, 429))
    async def plivo_transfer(account: Account, uuid: Name, basic: Basic) -> Response:
        """Refused: Plivo's transfer fetches XML from a URL, and that is not done here."""

        async def refused() -> Response:
            await gate.call(uuid, _login(basic, account))
            return _plivo_error(400, "transfers to aleg_url and bleg_url are not done here")

        return await _plivo_answer(refused)


async def _plivo_answer(respond: Respond) -> Response:
    try:
        return await respond()
    except Stranger:
        return _plivo_error(401, "authentication failed")
    except Gone:
        return _plivo_error(404, "not found: no such call is running")
    except TooMany:
        return _plivo_error(429, "too many requests")


def _plivo_error(status: int, message: str) -> Response:
    return _json({"error": message}, status)


def _telnyx(router: APIRouter, gate: VendorGate) -> None:
    @router.post("/v2/calls/{control_id}/actions/hangup", responses=_said("It ends", 401, 422, 429))
    async def telnyx_hang_up(control_id: Name, bearer: Credentials) -> Response:
        """Hang up. The bearer is the agent version's secret, or an API key."""
        given = "" if bearer is None else bearer.credentials
        user, _, password = given.partition(":") if given.startswith("key_") else ("", "", given)
        try:
            login = Login(user, password) if given else None
            call, by = await gate.call(control_id, login)
        except Stranger:
            return _telnyx_error(401, "10009", "Authentication failed")
        except Gone:
            return _telnyx_error(422, "90018", "Call has already ended")
        except TooMany:
            return _telnyx_error(429, "10011", "Too many requests")
        call.leave(f"{by} ended it by Telnyx's API")
        return _json({"data": {"result": "ok"}})


def _telnyx_error(status: int, code: str, title: str) -> Response:
    return _json({"errors": [{"code": code, "title": title}]}, status)


def _login(basic: HTTPBasicCredentials | None, account: str) -> Login | None:
    return None if basic is None else Login(basic.username, basic.password, account)


def _said(success: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: a vendor's own shapes, which its documents describe."""
    about = {400: "Not done here", 401: "Wrong credentials", 404: "No such call is running"} | {
        422: "The call has ended",
        429: "Too many requests about this workspace's calls",
    }
    told: dict[int | str, dict[str, Any]] = {status: {"description": about[status]} for status in statuses}
    return told | ({200: {"description": success}} if success else {})


def _json(content: object, status: int = 200) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="Trunkline"'} if status == 401 else None
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def _rfc2822(at: Any) -> str | None:
    return None if at is None else at.strftime("%a, %d %b %Y %H:%M:%S +0000")
