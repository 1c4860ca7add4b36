"""`/v1/web-calls`: a call between a browser and an agent, and the ticket that lets the browser in."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.calls import json
from gateway.api.description import answers
from gateway.api.keys import Caller, KeyGate
from gateway.api.shapes.call import shown_time
from gateway.api.shapes.call_request import JsonObject
from gateway.call.web_calls import Ticket, WebCallRequest, WebCalls
from gateway.net.browser import SUBPROTOCOL
from gateway.routing.web import WebRequest


class WebCallBody(BaseModel):
    """A request for a web call."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    agent_id: Annotated[str, Field(max_length=64, examples=["agent_01m85m1gbt83exwnbdjt8m8z3n"])]
    "The agent that the browser talks to."
    agent_version_number: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    "A published version of the agent; without it the latest published one."
    metadata: JsonObject = {}
    "Kept in the record; its texts, numbers and truths are the agent's parameters."


class WebCallCreated(BaseModel):
    """A web call that waits for its browser."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: Annotated[str, Field(examples=["call_01m85m1gbt83exwnbdjt8m8z3n"])]
    "`call_…`: what `/v1/calls` knows it by."
    status: Annotated[str, Field(examples=["created"])]
    "Where the call stands."
    agent_id: str
    "The agent that the browser talks to."
    agent_version_number: int
    "Its version."
    url: Annotated[str, Field(examples=["wss://voice.example.com/v1/web-calls/call_01m85m1g/audio"])]
    "Where the browser's WebSocket connects to."
    protocol: Annotated[str, Field(examples=[SUBPROTOCOL])]
    "The subprotocol that the browser offers."
    token: str
    "The second subprotocol that it offers: good once."
    expires_at: Annotated[datetime, Field(alias="expiresAt")]
    "Until when the browser has to have connected; then the call is cancelled."


def web_calls(gate: KeyGate, begun: WebCalls, public_url: str) -> APIRouter:
    """The routes about web calls."""
    router = APIRouter(prefix="/v1/web-calls", tags=["calls"])

    @router.post("", status_code=201, response_model=WebCallCreated, responses=answers(400, 404, 413))
    async def place_web_call(
        request: Request, body: WebCallBody, caller: Annotated[Caller, Depends(gate)]
    ) -> Response:
        """Begin a web call: its place is taken, and the agent is called when the browser comes."""
        route = WebRequest(caller.workspace_id, body.agent_id, body.agent_version_number)
        ticket = await begun.place(WebCallRequest(route, caller.by, body.metadata))
        answer = json(_shown(ticket, public_url or str(request.base_url)), 201)
        answer.headers["Location"] = f"/v1/calls/{ticket.call.id}"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return router


def _shown(ticket: Ticket, base: str) -> dict[str, Any]:
    call, at = ticket.call, urlsplit(base)
    scheme = "wss" if at.scheme == "https" else "ws"
    return {
        "id": call.id,
        "status": call.status.value,
        "agent_id": call.agent_id,
        "agent_version_number": call.version_number,
        "url": f"{scheme}://{at.netloc}{ticket.path}",
        "protocol": SUBPROTOCOL,
        "token": ticket.token,
        "expiresAt": shown_time(ticket.expires_at),
    }
