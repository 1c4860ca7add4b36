"""Who is asking: a workspace's key, or the operator on the gateway's own machine."""

import asyncio
import hmac
import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.api.rate import RateLimit
from gateway.api.refusal import Answer, Declined, unauthorised
from gateway.store.configuration.nouns import Configuration

KEY = re.compile(r"(key_[0-9a-z]{1,40}):([A-Za-z0-9_-]{1,128})")
OPERATOR = "operator"
WORKSPACE_HEADER = "X-Workspace"
"With the operator's token: the workspace to act in, id or name, percent-encoded; not needed with only one."
USER_HEADER = "X-Operator"
"With the operator's token: the name of whoever is at the terminal, for the history."
USER = re.compile(r"[A-Za-z0-9._-]{1,64}")

BEARER = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="key_id:secret",
    description="`Authorization: Bearer key_…:secret`, as `gateway keys add` prints it. A key belongs to one "
    "workspace and sees nothing of any other.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request that was let in."""

    workspace_id: str
    key_id: str
    "`key_…`, or `operator`."
    by: str
    "Who it is, for records and history: `api:key_…`, `cli:root`."


class KeyGate:
    """Lets requests in by their key, and counts them. A FastAPI dependency that gives the `Caller`."""

    def __init__(self, configuration: Configuration, operator_token: str, requests_per_minute: int) -> None:
        self._configuration = configuration
        self._operator_token = operator_token.encode()
        self._rate = RateLimit(requests_per_minute)

    async def __call__(self, request: Request, credentials: Credentials) -> Caller:
        """Who is asking; raises `Declined` with 401 or 429."""
        given = "" if credentials is None else credentials.credentials
        if self._operator_token and hmac.compare_digest(given.encode(), self._operator_token):
            return await self._operator(request)
        parts = KEY.fullmatch(given)
        key = None if parts is None else await self._configuration.keys.opening(parts[1], parts[2])
        if key is None:
            raise unauthorised()
        self._count(request, key.id)
        return Caller(key.workspace_id, key.id, f"api:{key.id}")

    async def _operator(self, request: Request) -> Caller:
        given = request.headers.get(WORKSPACE_HEADER)
        name = None if given is None else unquote(given)
        workspace = await self._configuration.workspaces.find(name)
        user = USER.fullmatch(request.headers.get(USER_HEADER, ""))
        return Caller(workspace.id, OPERATOR, f"cli:{user[0]}" if user else OPERATOR)

    def _count(self, request: Request, key_id: str) -> None:
        standing = self._rate.take(key_id, asyncio.get_running_loop().time())
        request.state.rate = standing
        if not standing.allowed:
            message = f"Too many requests: this key may make {standing.limit} a minute"
            raise Declined(Answer(429, message, "rate_limited", retry_after=standing.reset))
