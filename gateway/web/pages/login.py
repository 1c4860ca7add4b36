"""Logging in, with a local account or an API key, and out."""

import asyncio
import secrets
import time
from datetime import timedelta
from ipaddress import IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.call.guesses import Guesses
from gateway.store.configuration.accounts import WebSession
from gateway.web import guard
from gateway.web.forms import Form, form_of, query_of
from gateway.web.page import Page, Visit, post, safe_path, theme_of

if TYPE_CHECKING:
    from gateway.web.site import Site

SESSION_COOKIE = "trunkline_session"
FORM_COOKIE = "trunkline_login"
TRIES_AT_ONCE = 2
"Each try costs scrypt 32 MiB and a quarter of a second of a core; further ones wait their turn."
WAITING = 20
"Tries that may wait for that; further ones are turned away at once."

WRONG = "That name and password do not belong together."
WRONG_KEY = "That is not an API key of this gateway, or it was revoked."
TOO_MANY = "Too many tries. Wait {seconds} seconds, then try again."
STALE = "This page was open for too long, or in another browser. Try again."


class Login:
    """The door: shows the form, lets people in, knows who is in."""

    def __init__(self, site: "Site") -> None:
        self.cookie = SESSION_COOKIE
        self._site = site
        self._guesses = Guesses()
        self._turns = asyncio.Semaphore(TRIES_AT_ONCE)
        self._waiting = 0

    def address(self, next_path: str = "") -> str:
        """The login page, which then leads on to a page of the dashboard."""
        query = f"?{urlencode({'next': next_path})}" if next_path not in ("", "/") else ""
        return f"{self._site.root}/login{query}"

    async def session(self, token: str) -> WebSession | None:
        """Whose token this is; None where they are not, or no longer, logged in."""
        if not token or len(token) > 100:
            return None
        return await self._site.parts.store.web_sessions.find(token, self._site.parts.now())

    async def show(self, request: Request) -> Response:
        """The login page; who is logged in goes on at once."""
        if await self.session(request.cookies.get(self.cookie, "")) is not None:
            return RedirectResponse(self._site.root + "/", 303)
        return await self._form(request, query_of(request).text("next"))

    async def enter(self, request: Request) -> Response:
        """Check what was given, and open a session."""
        form = await form_of(request)
        next_path = form.text("next")
        if not self._is_ours(request, form):
            return await self._form(request, next_path, STALE, form, 403)
        keys = self._keys(request, form)
        wait = self._guesses.wait(keys, time.monotonic())
        if wait > 0 or self._waiting >= WAITING:
            problem = TOO_MANY.format(seconds=max(1, round(wait)))
            return await self._form(request, next_path, problem, form, 429)
        token = await self._token(form)
        if token is None:
            self._guesses.failed(keys, time.monotonic())
            self._tell("web.login_failed", request, form, level="warning")
            problem = WRONG_KEY if form.text("how") == "key" else WRONG
            return await self._form(request, next_path, problem, form, 401)
        self._guesses.succeeded(keys[0][0])
        self._tell("web.logged_in", request, form)
        return self._welcome(token, next_path)

    def _welcome(self, token: str, next_path: str) -> Response:
        response = RedirectResponse(self._site.root + safe_path(next_path), 303)
        response.set_cookie(
            self.cookie,
            token,
            max_age=int(self._lifetime.total_seconds()),
            path=self._site.root,
            secure=self._site.is_secure,
            httponly=True,
            samesite="lax",
        )
        response.delete_cookie(FORM_COOKIE, path=self._site.root + "/login")
        return response

    @property
    def _lifetime(self) -> timedelta:
        return timedelta(hours=self._site.parts.config.web.session_hours)

    async def _token(self, form: Form) -> str | None:
        """A token for whoever proves who they are."""
        self._waiting += 1
        try:
            async with self._turns:
                if form.text("how") == "key":
                    return await self._by_key(form.raw("key").strip())
                return await self._by_account(form.text("name"), form.raw("password"))
        finally:
            self._waiting -= 1

    async def _by_account(self, name: str, password: str) -> str | None:
        if not name or not password or len(name) > 200 or len(password) > 1000:
            return None
        parts = self._site.parts
        account = await parts.store.accounts.check(name, password)
        if account is None:
            return None
        return await parts.store.web_sessions.open_for_account(account, parts.now(), self._lifetime)

    async def _by_key(self, given: str) -> str | None:
        key_id, _, secret = given.removeprefix("Bearer ").partition(":")
        if not secret or len(given) > 300:
            return None
        parts = self._site.parts
        key = await parts.store.configuration.keys.opening(key_id, secret)
        if key is None:
            return None
        name = f"API key {key.name}"
        sessions = parts.store.web_sessions
        return await sessions.open_for_key(key.id, key.workspace_id, name, parts.now(), self._lifetime)

    def _keys(self, request: Request, form: Form) -> list[tuple[str, int]]:
        """What failures are counted by, with how many are free: the pair, the address, the name."""
        source = _network(request.client.host if request.client else "")
        name = form.text("name").lower()[:100] if form.text("how") != "key" else "an API key"
        return [(f"pair {source} {name}", 5), (f"source {source}", 30), (f"name {name}", 100)]

    def _tell(self, event: str, request: Request, form: Form, level: str = "info") -> None:
        source = request.client.host if request.client else ""
        name = form.text("name")[:100] if form.text("how") != "key" else "an API key"
        self._site.parts.tell(event, level=level, name=name, source=source)

    def _is_ours(self, request: Request, form: Form) -> bool:
        token = request.cookies.get(FORM_COOKIE, "")
        from_here = guard.same_origin(request, self._site.parts.config.web.public_url)
        return bool(token) and from_here and guard.csrf_holds(token, form.text("csrf"))

    async def _form(
        self, request: Request, next_path: str, problem: str = "", form: Form | None = None, status: int = 200
    ) -> Response:
        token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
        response = self._site.html(
            "login.html",
            status,
            theme=theme_of(request),
            csrf=guard.csrf_token(token),
            next=next_path,
            problem=problem,
            name="" if form is None else form.text("name"),
            how="account" if form is None else form.text("how", "account"),
            empty=not await self._site.parts.store.accounts.list_all(),
        )
        response.set_cookie(
            FORM_COOKIE,
            token,
            max_age=3600,
            path=self._site.root + "/login",
            secure=self._site.is_secure,
            httponly=True,
            samesite="strict",
        )
        return response


def _network(host: str) -> str:
    """Who has one address of IPv6 has all of its /64."""
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


async def leave(visit: Visit) -> Response:
    """Log out."""
    await visit.site.parts.store.web_sessions.close(visit.session.id)
    response = RedirectResponse(visit.site.login.address(), 303)
    response.delete_cookie(SESSION_COOKIE, path=visit.site.root)
    return response


PAGES: tuple[Page, ...] = (post("/logout", leave),)
