"""Somebody with a browser, as far as a server can tell: cookies, forms, an origin."""

import re
from html import unescape
from typing import Any

import httpx2

from gateway.net.tls import http_context

PASSWORD = "correct horse battery"


class Visitor:
    """Visits a dashboard by HTTP."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.http = httpx2.AsyncClient(base_url=self.origin + "/dashboard", timeout=20, verify=http_context())

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page."""
        return await self.http.get(path, headers=headers)

    async def post(
        self, path: str, form: dict[str, Any] | None = None, *, csrf: str | None = None, **headers: str
    ) -> httpx2.Response:
        """A form, with the token of a page that was loaded for it, from our own origin."""
        token = await self.csrf() if csrf is None else csrf
        return await self.http.post(
            path, data={"csrf": token, **(form or {})}, headers={"origin": self.origin, **headers}
        )

    async def csrf(self) -> str:
        """The token of this session's forms."""
        return csrf_in((await self.get("/agents")).text)

    async def log_in(self, name: str, password: str = PASSWORD, **form: str) -> httpx2.Response:
        """Fill in the login form."""
        page = await self.get("/login")
        given = {"how": "account", "name": name, "password": password, **form}
        return await self.post("/login", given, csrf=csrf_in(page.text))


def csrf_in(page: str) -> str:
    """The token in the first form of a page."""
    found = re.search(r'name="csrf" value="([^"]*)"', page)
    return "" if found is None else found[1]


def text_of(page: str) -> str:
    """What somebody reads of a page: no tags, one blank between words."""
    without = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(without))
