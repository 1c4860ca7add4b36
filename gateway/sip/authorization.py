"""Our answers to the digest challenges that one request meets: none yet, the next commit has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.sip.message import Request, Response
    from gateway.sip.settings import Login

CREDENTIALS = ("Authorization", "Proxy-Authorization")


class Authorization:
    """What one request has learnt from its challenges; without a login, it meets none."""

    def __init__(self, login: Login | None, token: Callable[[], str]) -> None:
        self._login = login
        self._token = token

    def takes(self, response: Response) -> bool:
        """Whether the request is worth sending again."""
        return False

    def headers_for(self, request: Request) -> list[tuple[str, str]]:
        """The credentials of a request that is about to be sent."""
        return []
