"""What a page is made from: one visit of somebody, and the table row that says who answers it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.batch.files.multipart import SentFile
from gateway.routing.table import Workspace
from gateway.store.configuration.accounts import WebSession
from gateway.store.engine.errors import InvalidInput, NotFound, Wrong
from gateway.web.forms import Form

if TYPE_CHECKING:
    from gateway.web.site import Site

Kind = Literal["good", "bad"]

FIELD_WORDS = {
    "phoneNumber": "phone number",
    "terminationUri": "termination URI",
    "countryISO": "country",
    "telephonyProviderId": "provider",
    "authMode": "way to log in",
    "url": "address",
    "starts_at": "start",
    "ends_at": "end",
    "timezone": "time zone",
    "calling_hours_start": "calling hours, from",
    "calling_hours_end": "calling hours, to",
    "calling_hours_days": "days",
    "retry_max": "attempts after the first",
    "retry_interval_minutes": "minutes between",
    "retry_growth": "the time between",
    "retry_outcomes": "after",
    "max_concurrent_calls": "calls at once",
    "calls_per_callee_per_day": "calls to one callee a day",
    "from_numbers": "numbers",
}
"Fields that the reference names for programs, as people read them."

LOGIN_WORDS = {
    Wrong.LOGIN_INCOMPLETE: "User name and password are both needed.",
    Wrong.LOGIN_UNWANTED: "User name and password stay empty where the carrier knows our address.",
}

THEME_COOKIE = "trunkline_theme"
THEMES = ("light", "dark")


@dataclass(slots=True)
class Visit:
    """One request of somebody who is logged in, within their workspace and nowhere else."""

    site: "Site"
    request: Request
    session: WebSession
    workspace: Workspace
    csrf: str
    "What every form of the page carries."
    query: Form
    form: Form
    "What was posted; empty for a GET."
    notice: Mapping[str, str] | None = None
    "What this page says once, left by the one before."
    path: Mapping[str, str] = field(default_factory=dict)
    "The named parts of the address."
    file: SentFile | None = None
    "What was sent with the form, as long as the request lasts; None: nothing was chosen."

    @property
    def by(self) -> str:
        """Who changes things, for the history."""
        return self.session.by

    @property
    def wants_part(self) -> bool:
        """Whether a script of ours asks, which puts the answer into the page that it has."""
        return self.request.headers.get("x-part") is not None

    @property
    def theme(self) -> str:
        """Light or dark as this browser has chosen; empty: as its system has it."""
        return theme_of(self.request)

    @property
    def back(self) -> str:
        """This page's own path within the dashboard."""
        url = self.request.url
        return url.path.removeprefix(self.site.root) + (f"?{url.query}" if url.query else "")

    def page(self, template: str, section: str, status: int = 200, **values: object) -> HTMLResponse:
        """A whole page; `section` is what the navigation marks."""
        return self.site.html(template, status, visit=self, section=section, **values)

    def part(self, template: str, **values: object) -> HTMLResponse:
        """A piece of a page, for the script that asks for it."""
        return self.site.html(template, 200, visit=self, section="", **values)

    def url(self, path: str, **query: object) -> str:
        """An address within the dashboard."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.site.root}{path}" + (f"?{urlencode(given, doseq=True)}" if given else "")

    async def go(self, path: str, say: str = "", kind: Kind = "good", **query: object) -> Response:
        """Send the browser on, and have the next page say something."""
        if say:
            notice = {"kind": kind, "text": say}
            await self.site.parts.store.web_sessions.say_next(self.session.id, notice)
        return RedirectResponse(self.url(path, **query), 303)

    def own(self, kind: str, object_id: str, workspace_id: str | None) -> None:
        """Hold what was asked for to this workspace: what belongs to another one is not there."""
        if workspace_id != self.workspace.id:
            raise NotFound(kind, object_id, f"there is no such {kind}")


Act = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table of pages."""

    method: Literal["GET", "POST"]
    path: str
    act: Act
    takes_file: bool = False
    "A file may come with the form."


def get(path: str, act: Act) -> Page:
    """A page that is looked at."""
    return Page("GET", path, act)


def post(path: str, act: Act) -> Page:
    """Something that is done; who asks has to be logged in and to have our form."""
    return Page("POST", path, act)


def upload(path: str, act: Act) -> Page:
    """Something that is done with a file; `visit.file` is where it lies."""
    return Page("POST", path, act, takes_file=True)


def complaint(error: InvalidInput) -> str:
    """A refusal as a sentence for the page: the field's name as people read it, and what would be right."""
    if error.wrong is not None:
        return LOGIN_WORDS[error.wrong]
    if error.whole:
        return error.right
    field_name = FIELD_WORDS.get(error.field, error.field.replace("_", " "))
    given = f" “{error.given}”" if error.given else ""
    return f"{field_name[:1].upper()}{field_name[1:]}{given} {error.right}."


def theme_of(request: Request) -> str:
    """What this browser has chosen; empty: as its system has it."""
    given = request.cookies.get(THEME_COOKIE, "")
    return given if given in THEMES else ""


def safe_path(given: str) -> str:
    """A path within the dashboard to go back to; never an address elsewhere."""
    usable = (
        given.startswith("/") and not given.startswith("//") and "\\" not in given and given.isprintable()
    )
    return given if usable else "/"
