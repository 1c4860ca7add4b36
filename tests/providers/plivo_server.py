"""A server that answers as Plivo's API documents it: paths, bodies, statuses and error objects."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from gateway.api.server import HttpServer

AUTH_ID = "MA2025RK4E639VJFZAGV"
AUTH_TOKEN = "token-of-the-tests"
API_ID = "aa52882c-1c88-11e4-bd8a-12313f016a39"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    "Below the account, as in `PhoneNumber/14154009186/`."
    query: dict[str, str]
    body: dict[str, Any] | None


@dataclass
class PlivoServer:
    """What the account has, what was asked, and how the next requests go wrong."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    failing: list[Response | float] = field(default_factory=list)
    "The next requests get these answers instead, undone; a number is seconds of silence."
    failing_late: list[Response | float] = field(default_factory=list)
    "The next purchases are made, and then get these answers."
    offered: dict[str, dict[str, Any]] = field(default_factory=dict)
    rented: dict[str, dict[str, Any]] = field(default_factory=dict)
    uris: list[dict[str, Any]] = field(default_factory=list)
    trunks: list[dict[str, Any]] = field(default_factory=list)

    def offer(self, number: str, **differing: Any) -> None:
        """Put a number on offer; the fields are those of the documented PhoneNumber object."""
        row = {
            "number": number,
            "prefix": "415",
            "city": "SAN FRANCISCO",
            "country": "UNITED STATES",
            "region": "United States",
            "rate_center": "SNFC CNTRL",
            "lata": 722,
            "type": "fixed",
            "sub_type": "local",
            "setup_rate": "0.00000",
            "monthly_rental_rate": "0.80000",
            "sms_enabled": True,
            "sms_rate": "0.00800",
            "voice_enabled": True,
            "voice_rate": "0.00500",
            "restriction": None,
            "restriction_text": None,
            "resource_uri": f"/v1/Account/{AUTH_ID}/PhoneNumber/{number}/",
        }
        self.offered[number] = {**row, **differing}

    def rent(self, number: str, **differing: Any) -> None:
        """Have a number in the account; the fields are those of the documented AccountPhoneNumber object."""
        row = {
            "active": True,
            "number": number,
            "alias": None,
            "sub_account": None,
            "added_on": "2026-11-01",
            "application": None,
            "carrier": "Plivo",
            "region": "California, UNITED STATES",
            "number_type": "local",
            "monthly_rental_rate": "0.80000",
            "renewal_date": "2026-12-01",
            "compliance_application_id": None,
            "compliance_status": None,
            "sms_enabled": True,
            "voice_enabled": True,
            "resource_uri": f"/v1/Account/{AUTH_ID}/Number/{number}/",
        }
        self.rented[number] = {**row, **differing}

    def answer(self, method: str, parts: list[str], asked: Asked) -> Response:
        """What Plivo says."""
        match method, parts:
            case "GET", ["PhoneNumber"]:
                return self._search(asked.query)
            case "GET", ["PhoneNumber", "Compliance", "Requirements"]:
                return _requirements(asked.query)
            case "POST", ["PhoneNumber", number]:
                return self._buy(number, asked.body or {})
            case "GET", ["Number"]:
                return _page(list(self.rented.values()), asked.query)
            case "GET", ["Number", number] if number in self.rented:
                return JSONResponse({"api_id": API_ID, **self.rented[number]})
            case "POST", ["Number", number] if number in self.rented:
                app_id = (asked.body or {})["app_id"]
                self.rented[number]["application"] = f"/v1/Account/{AUTH_ID}/Application/{app_id}/"
                return JSONResponse({"api_id": API_ID, "message": "changed"}, 202)
            case "DELETE", ["Number", number] if number in self.rented:
                del self.rented[number]
                return Response(status_code=204)
            case "GET", ["Zentrunk", "URI"]:
                return _page(self.uris, asked.query)
            case "POST", ["Zentrunk", "URI"]:
                uuid = f"f19c4773-4ae6-4b75-92ea-{len(self.uris):012}"
                self.uris.append({"uri_uuid": uuid, "authentication_needed": False, **(asked.body or {})})
                message = "Origination URI created successfully."
                return JSONResponse({"api_id": API_ID, "message": message, "uri_uuid": uuid}, 201)
            case "GET", ["Zentrunk", "Trunk"]:
                rows = [
                    row for row in self.trunks if row["trunk_direction"] == asked.query["trunk_direction"]
                ]
                return _page(rows, asked.query)
            case "POST", ["Zentrunk", "Trunk"]:
                trunk_id = f"2178417724157{len(self.trunks)}"
                self.trunks.append({"trunk_id": trunk_id, **(asked.body or {})})
                message = "Trunk created successfully."
                return JSONResponse({"api_id": API_ID, "message": message, "trunk_id": trunk_id}, 201)
        return error(404, "not found")

    def _search(self, query: dict[str, str]) -> Response:
        if "country_iso" not in query:
            return error(400, "country_iso parameter is missing")
        rows = [row for row in self.offered.values() if query.get("pattern", "") in row["number"]]
        return _page(rows, query)

    def _buy(self, number: str, body: dict[str, Any]) -> Response:
        offer = self.offered.pop(number, None)
        if offer is None:
            return error(404, "number not found")
        regulated = offer["restriction"] is not None
        self.rent(
            number,
            active=not regulated,
            compliance_status="submitted" if regulated else None,
            application=f"/v1/Account/{AUTH_ID}/Application/{body['app_id']}/",
        )
        status = "pending" if regulated else "Success"
        bought = {"numbers": [{"number": number, "status": status}], "status": "fulfilled"}
        return JSONResponse({"api_id": API_ID, "message": "created", **bought}, 201)


def error(status: int, words: str, **headers: str) -> Response:
    """An error object."""
    return JSONResponse({"api_id": API_ID, "error": words}, status, headers=headers)


def _page(rows: list[dict[str, Any]], query: dict[str, str]) -> Response:
    limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    if not 0 < limit <= 20:
        return error(400, "limit must be between 1 and 20")
    meta = {"limit": limit, "offset": offset, "previous": None, "next": None, "total_count": len(rows)}
    return JSONResponse({"api_id": API_ID, "meta": meta, "objects": rows[offset : offset + limit]})


def _requirements(query: dict[str, str]) -> Response:
    """Plivo documents them for India only."""
    if query.get("country_iso") != "IN":
        return error(404, "no compliance requirement found")
    registration = {
        "document_type_id": "1e8ab4a0-5c4f-4ea4-9c0c-6d8b4c6b1f3d",
        "name": "Registration Certificate",
        "description": "Certificate of incorporation of the business",
        "proof_required": True,
        "required_fields": [
            {"field_name": "business_name", "friendly_name": "Business name", "field_type": "string"}
        ],
    }
    return JSONResponse(
        {"api_id": API_ID, "requirement_id": "f5b6", "document_types": [registration], **query}
    )


@asynccontextmanager
async def plivo_server() -> AsyncIterator[PlivoServer]:
    """The server on a port of its own."""
    plivo = PlivoServer()
    app = FastAPI()
    expected = "Basic " + base64.b64encode(f"{AUTH_ID}:{AUTH_TOKEN}".encode()).decode()

    @app.api_route("/v1/Account/{auth_id}/{path:path}", methods=["GET", "POST", "DELETE", "PUT"])
    async def everything(auth_id: str, path: str, request: Request) -> Response:
        body = await request.json() if await request.body() else None
        asked = Asked(request.method, path, dict(request.query_params), body)
        plivo.asked.append(asked)
        if request.headers.get("Authorization") != expected or auth_id != AUTH_ID:
            # As Plivo does it: plain words, no JSON.
            text = "Could not verify your access level for that URL. Authentication failed"
            return Response(text, 401, media_type="text/html")
        if plivo.failing:
            return await _wrong(plivo.failing.pop(0))
        answer = plivo.answer(request.method, path.strip("/").split("/"), asked)
        if request.method == "POST" and path.startswith("PhoneNumber/") and plivo.failing_late:
            return await _wrong(plivo.failing_late.pop(0))
        return answer

    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    plivo.url = f"http://127.0.0.1:{server.port}"
    try:
        yield plivo
    finally:
        await server.stop()


async def _wrong(what: Response | float) -> Response:
    if isinstance(what, Response):
        return what
    await asyncio.sleep(what)
    return error(500, "too late")
