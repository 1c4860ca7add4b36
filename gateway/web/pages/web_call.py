"""Web call: talk to an agent version with the browser's microphone."""

from starlette.responses import JSONResponse, Response

from gateway.call.refusal import Refused
from gateway.call.web_calls import WebCallRequest
from gateway.net.browser import SUBPROTOCOL
from gateway.routing.decision import Rejected
from gateway.routing.table import VersionState
from gateway.routing.web import WebRequest
from gateway.store.engine.errors import StoreError
from gateway.web.page import Page, Visit, get, post

NO_STORE = {"Cache-Control": "no-store"}


async def show(visit: Visit) -> Response:
    """The page; `version` chooses one."""
    versions = await _versions(visit)
    chosen = visit.query.text("version")[:64]
    return visit.page("web_call.html", "web_call", versions=versions, chosen=chosen)


async def _versions(visit: Visit) -> list[tuple[str, str]]:
    """All published versions, each agent's newest first."""
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    published = (label for label in labels.values() if label.state is VersionState.PUBLISHED)
    return [(label.id, f"{label.agent_name}, version {label.number}") for label in published]


async def begin(visit: Visit) -> Response:
    """A ticket for the page's script, or why there is none."""
    agents = visit.site.parts.store.configuration.agents
    try:
        version = await agents.version(visit.form.text("version")[:64])
        route = WebRequest(visit.workspace.id, version.agent_id, version.number)
        ticket = await visit.site.parts.web_calls.place(WebCallRequest(route, visit.by))
    except Rejected as refusal:
        return _refused(refusal.message, 409)
    except Refused as refusal:
        return _refused(refusal.detail, 503)
    except StoreError:
        return _refused("This version cannot be called: load the page again, and choose another.", 409)
    content = {"id": ticket.call.id, "path": ticket.path, "protocol": SUBPROTOCOL, "token": ticket.token}
    return JSONResponse(content, 201, NO_STORE)


def _refused(message: str, status: int) -> Response:
    return JSONResponse({"message": message}, status, NO_STORE)


PAGES: tuple[Page, ...] = (
    get("/web-call", show),
    post("/web-call", begin),
)
