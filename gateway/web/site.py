"""The dashboard as an ASGI app: who is asking, may they, which page answers, and what goes wrong in words."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.api.bounds import READ_OFF_SECONDS
from gateway.batch.files.multipart import TYPE, BadForm, SentFile
from gateway.numbering.files import known_groups
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError
from gateway.store.engine.ids import new_id
from gateway.web import guard
from gateway.web.assets import Assets
from gateway.web.forms import Form, NotAForm, TooLarge, form_of, query_of
from gateway.web.page import THEME_COOKIE, THEMES, Page, Visit, complaint, safe_path, theme_of
from gateway.web.pages.login import Login
from gateway.web.parts import Parts
from gateway.web.prices import PriceIndex
from gateway.web.render import environment

ROOT = "/dashboard"
NO_STORE = {"Cache-Control": "no-store"}
NOTHING = Form({})

Endpoint = Callable[[Request], Awaitable[Response]]


class Site:
    """Everything that all pages share."""

    def __init__(self, parts: Parts, pages: Sequence[Page]) -> None:
        self.root = ROOT
        self.parts = parts
        self.places = frozenset(page.path for page in pages if page.method == "GET")
        "The addresses that there are, so that no page links to one that there is not."
        self.assets = Assets()
        self.groups = known_groups(parts.placing.plan)
        self.price_indexes: dict[int, PriceIndex] = {}
        "The loaded rate decks in order, by their identity; each holds its deck, so that none is mistaken."
        self.login = Login(self)
        self._templates = environment()
        self.app = Starlette(
            routes=[
                Route("/static/{name}", self._static),
                Route("/login", self._open(self.login.show)),
                Route("/login", self._open(self.login.enter), methods=["POST"]),
                Route("/theme", self._open(self._theme), methods=["POST"]),
                *(
                    Route(page.path, self._open(self._visiting(page)), methods=[page.method])
                    for page in pages
                ),
            ],
            exception_handlers={HTTPException: self._http_error},
        )

    @property
    def is_secure(self) -> bool:
        """Whether people reach the dashboard by https."""
        return self.parts.config.web.public_url.startswith("https://")

    def html(self, template: str, http_status: int, **values: object) -> HTMLResponse:
        """A page from a template."""
        shared = {"asset": lambda name: self.assets.url(self.root, name), "root": self.root}
        text = self._templates.get_template(template).render({**shared, **values})
        return HTMLResponse(text, http_status, headers=NO_STORE)

    def error(
        self, request: Request, status: int, title: str, text: str, visit: Visit | None = None
    ) -> Response:
        """A page that says what went wrong, and what to do; for a script of ours the sentence alone."""
        if request.headers.get("x-part") is not None:
            return self.html("problem.html", status, visit=visit, problem=text)
        return self.html(
            "error.html",
            status,
            visit=visit,
            section="",
            status=status,
            title=title,
            text=text,
            theme=theme_of(request),
        )

    def _open(self, act: Endpoint) -> Endpoint:
        """The endpoint with our headers, its errors in words, and how long it took."""

        async def endpoint(request: Request) -> Response:
            began = time.perf_counter()
            response = await self._in_words(act, request)
            response.headers.update(guard.HEADERS)
            if self.is_secure:
                response.headers.update(guard.SECURE_HEADERS)
            response.headers["Server-Timing"] = f"page;dur={(time.perf_counter() - began) * 1000:.1f}"
            return response

        return endpoint

    async def _in_words(self, act: Endpoint, request: Request) -> Response:
        try:
            return await act(request)
        except (TooLarge, NotAForm):
            text = (
                "What was sent is no form of this dashboard. Go back, load the page again, and try once more."
            )
            return self.error(request, 400, "That form cannot be read", text)
        except BadForm as error:
            title, text = "The file was not taken", f"The file was not taken: {error}."
            return self.error(request, 503 if error.code == "busy" else 400, title, text, _visit(request))
        except HTTPException as error:
            return await self._http_error(request, error)
        except NotFound as error:
            return self.error(request, 404, "There is nothing here", complaint(error), _visit(request))
        except Conflict as error:
            return self.error(request, 409, "That cannot be done now", complaint(error), _visit(request))
        except InvalidInput as error:
            return self.error(request, 400, "Something is not right", complaint(error), _visit(request))
        except StoreError as error:
            self.parts.tell("web.store_away", level="warning", path=request.url.path, detail=str(error))
            text = "The database does not answer. Calls go on; this page works again as soon as it does."
            return self.error(request, 503, "The database is away", text)
        except Exception as error:  # a bug of ours: the visitor gets a name for it, the log the traceback
            failure = new_id("err")
            self.parts.tell("web.crashed", level="error", id=failure, path=request.url.path, exc_info=error)
            text = f"A mistake of the gateway; its log has it under {failure}. Nothing was half done."
            return self.error(request, 500, "Something broke", text, _visit(request))

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase
        text = "The address is not one of this dashboard. The navigation leads to what there is."
        if error.status_code != 404:
            text = error.detail if error.detail != phrase else "This address cannot be asked that way."
        response = self.error(request, error.status_code, "There is nothing here", text)
        response.headers.update(guard.HEADERS)
        return response

    def _visiting(self, page: Page) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visit = await self._visit(request)
            if visit is None:
                return self._to_login(request)
            request.state.visit = visit
            if page.method == "GET":
                return await page.act(visit)
            async with self._sent(request, page) as (visit.form, visit.file):
                return await self._act(page, visit)

        return endpoint

    async def _act(self, page: Page, visit: Visit) -> Response:
        if self._is_ours(visit.request, visit):
            return await page.act(visit)
        text = "It did not come from a page of your session. Load the page again, and try once more."
        return self.error(visit.request, 403, "That form was not accepted", text, visit)

    @asynccontextmanager
    async def _sent(self, request: Request, page: Page) -> AsyncIterator[tuple[Form, SentFile | None]]:
        """What was posted. A file of a page that is not ours does not even reach the disk."""
        kind = request.headers.get("content-type", "")
        if not page.takes_file or not kind.lower().startswith(TYPE):
            yield await form_of(request), None
        elif not guard.same_origin(request, self.parts.config.web.public_url):
            yield NOTHING, None
        else:
            body = request.stream()
            try:
                async with self.parts.uploads.receive(body, kind) as sent:
                    yield Form(sent.fields), sent.files.get("file")
            except BadForm:
                await _read_off(body)
                raise

    def _is_ours(self, request: Request, visit: Visit) -> bool:
        """Both proofs: the browser says that the page is ours, and the form has the session's token."""
        token = request.cookies.get(self.login.cookie, "")
        from_here = guard.same_origin(request, self.parts.config.web.public_url)
        return from_here and guard.csrf_holds(token, visit.form.text("csrf"))

    async def _visit(self, request: Request) -> Visit | None:
        token = request.cookies.get(self.login.cookie, "")
        session = await self.login.session(token)
        if session is None:
            return None
        workspace = await self.parts.store.configuration.workspaces.get(session.workspace_id)
        if session.notice is not None and request.headers.get("x-part") is None and request.method == "GET":
            await self.parts.store.web_sessions.say_next(session.id, None)
            notice: Mapping[str, str] | None = session.notice
        else:
            notice = None
        return Visit(
            site=self,
            request=request,
            session=session,
            workspace=workspace,
            csrf=guard.csrf_token(token),
            query=query_of(request),
            form=NOTHING,
            notice=notice,
            path=request.path_params,
        )

    def _to_login(self, request: Request) -> Response:
        if request.method != "GET" or request.headers.get("x-part") is not None:
            text = "Your session has ended. Log in, and try once more; nothing was changed."
            return self.error(request, 401, "You are logged out", text)
        path = request.url.path.removeprefix(self.root)
        where = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(self.login.address(where), 303, headers=NO_STORE)

    async def _static(self, request: Request) -> Response:
        response = self.assets.answer(request.path_params["name"])
        if response is None:
            return Response("", 404)
        response.headers.update(guard.HEADERS)
        return response

    async def _theme(self, request: Request) -> Response:
        """Light or dark for this browser; without a script this form does it."""
        if not guard.same_origin(request, self.parts.config.web.public_url):
            raise HTTPException(403, "It did not come from a page of this dashboard.")
        form = await form_of(request)
        response = RedirectResponse(self.root + safe_path(form.text("back")), 303)
        wanted = form.text("theme")
        if wanted in THEMES:
            response.set_cookie(THEME_COOKIE, wanted, max_age=31_536_000, path=self.root, samesite="lax")
        return response


async def _read_off(body: AsyncIterator[bytes]) -> None:
    """Take what is still being sent: whoever is cut off in it never reads our answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_OFF_SECONDS):
            async for _ in body:
                pass


def _visit(request: Request) -> Visit | None:
    found: Visit | None = getattr(request.state, "visit", None)
    return found
