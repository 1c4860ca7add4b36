"""Requests to Plivo's REST API: signed in, bounded in time and size, repeated where that is safe.

What is safe: Plivo answers 429 before it does anything, so that is repeated after `Retry-After`; a request
that never left is repeated; a 5xx or a time-out only where doing it twice is as good as once. The rest is
told as `ProviderAway(uncertain=True)`: whoever asked has to look before asking again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from gateway.config.provider_settings import PlivoSettings
from gateway.net.tls import http_context
from gateway.providers.protocol import ProviderAway, ProviderRefused

MAX_ANSWER_BYTES = 2 * 1024 * 1024
"A page of twenty numbers is 20 kB."

LONGEST_WAIT_SECONDS = 10.0
"A `Retry-After` beyond this is told to whoever asked, instead of being waited for."

FIRST_PAUSE_SECONDS = 0.5
"Before the second attempt; doubled for each further one."

AWAY = "Plivo cannot be reached ({why}): try again later, and see https://status.plivo.com"
SLOW = "Plivo gave no answer within {seconds:g} s: try again later, and see https://status.plivo.com"
BROKEN = "Plivo answered {status} ({words}): try again later, and see https://status.plivo.com"
THROTTLED = "Plivo asks for fewer requests (429): try again in {seconds:g} s"
NOT_US = "Plivo does not accept this gateway’s credentials: whoever runs it has to check them"

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What Plivo said, whatever the status below 500 other than 401 and 429."""

    status: int
    body: Mapping[str, Any]

    @property
    def words(self) -> str:
        """Plivo's own words about what is wrong, fit to be shown."""
        found = self.body.get("error") or self.body.get("message") or "it gave no reason"
        if isinstance(found, Mapping):
            found = found.get("message") or found.get("error") or found
        text = "".join(letter if letter.isprintable() else " " for letter in str(found))
        return text[:200]

    def expect(self, *statuses: int) -> Mapping[str, Any]:
        """The body of an answer with one of the statuses; `ProviderRefused` in Plivo's words otherwise."""
        if self.status in statuses:
            return self.body
        raise ProviderRefused(f"Plivo refused ({self.status}): {self.words}")


class PlivoApi:
    """One account's resources: `get`, `post` and `delete` of paths below `/v1/Account/{auth_id}/`."""

    def __init__(self, settings: PlivoSettings, sleep: Sleep = asyncio.sleep) -> None:
        token = settings.auth_token.get_secret_value() if settings.auth_token is not None else ""
        self._settings = settings
        self._sleep = sleep
        self._client = httpx2.AsyncClient(
            base_url=f"{settings.base_url.rstrip('/')}/v1/Account/{settings.auth_id}/",
            auth=(settings.auth_id, token),
            timeout=settings.timeout_seconds,
            headers={"Accept": "application/json", "User-Agent": "Trunkline"},
            trust_env=False,
            verify=http_context(),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Read a resource."""
        query = {name: value for name, value in (params or {}).items() if value is not None}
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any], *, repeatable: bool) -> Answer:
        """Create or change a resource; `repeatable` where doing it twice is as good as once."""
        return await self._ask("POST", path, repeatable=repeatable, json=body)

    async def delete(self, path: str) -> Answer:
        """Delete a resource; deleting it twice is as good as once."""
        return await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, *, repeatable: bool = True, **what: Any) -> Answer:
        """Ask until there is an answer, or no attempt is left, or another one is not safe."""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return await self._once(method, path, **what)
            except ProviderAway as error:
                wait = pause if error.retry_after is None else error.retry_after
                hopeless = error.uncertain and not repeatable
                if hopeless or attempt == self._settings.attempts or wait > LONGEST_WAIT_SECONDS:
                    raise _told(error, repeatable=repeatable) from error.__cause__
            await self._sleep(wait)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, method: str, path: str, **what: Any) -> Answer:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                async with self._client.stream(method, path, **what) as response:
                    body = await _body(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise ProviderAway(AWAY.format(why=_why(error))) from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            slow = SLOW.format(seconds=self._settings.timeout_seconds)
            raise ProviderAway(slow, uncertain=True) from error
        except httpx2.HTTPError as error:
            raise ProviderAway(AWAY.format(why=_why(error)), uncertain=True) from error
        return _judged(response, body)


def _told(error: ProviderAway, *, repeatable: bool) -> ProviderAway:
    """What can be repeated without harm is not uncertain to whoever asked."""
    uncertain = error.uncertain and not repeatable
    return ProviderAway(str(error), uncertain=uncertain, retry_after=error.retry_after)


async def _body(response: httpx2.Response) -> bytes:
    """The answer's bytes, as long as they are not too many."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx2.ReadError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _judged(response: httpx2.Response, body: bytes) -> Answer:
    answer = Answer(response.status_code, _parsed(body))
    if answer.status == 429:
        seconds = _retry_after(response)
        raise ProviderAway(THROTTLED.format(seconds=seconds), retry_after=seconds)
    if answer.status == 401:
        raise ProviderRefused(NOT_US)
    if answer.status >= 500:
        words = BROKEN.format(status=answer.status, words=answer.words)
        raise ProviderAway(words, uncertain=True)
    return answer


def _parsed(body: bytes) -> Mapping[str, Any]:
    """A JSON object; whatever else comes, a proxy's page for one, is as good as nothing."""
    try:
        answer = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_after(response: httpx2.Response) -> float:
    """Seconds; Plivo's window is five seconds long where it does not say (300 requests in 5 s)."""
    try:
        return min(max(float(response.headers.get("Retry-After", 5)), 0.0), 3600.0)
    except ValueError:
        return 5.0


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
