"""The app that all routes are put into, and its OpenAPI description."""

import re
from collections.abc import Collection, Iterable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi import Path as InPath
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.routing import Match
from starlette.types import Scope

from gateway import __version__
from gateway.api.field_names import as_written
from gateway.api.refusal import NO_KEY, STORE_AWAY, answer_refusals

ABOUT = """
Trunkline's API. Requests and answers are JSON; times are UTC, in ISO 8601; identifiers have a prefix that
says what they name: `call_`, `agent_`, `phn_`, `trunk_`, `batch_`, `org_`, `key_`.

Every answer that refuses has the same shape, `{statusCode, message, error}`. `reason` is the same for a
program, and where a call was refused, `decision` has every check that was made, the one that failed last.
What belongs to another workspace is not found.

Wherever there is GET there is HEAD: the same answer without its content.
"""

EXAMPLES: dict[int, tuple[str, str, str]] = {
    400: ("Something in the request is wrong", "phone_number must be a valid E.164 phone number", ""),
    401: ("No key, a wrong one, or a revoked one", NO_KEY, "unauthorized"),
    402: ("The wallet does not cover it", "Insufficient billing wallet balance", "insufficient_balance"),
    403: (
        "A rule of the workspace, or of the gateway, forbids it",
        "Destination country or network prefix is not enabled for this workspace",
        "country_not_enabled",
    ),
    404: ("There is no such thing in this workspace", "Agent or phone number not found", "agent_missing"),
    409: ("It would break something else", "Phone number already registered", "conflict"),
    413: ("The body is too large", "The request is larger than 262144 bytes", "too_large"),
    415: (
        "The body is of another type than this request takes",
        "The request should be sent as multipart/form-data, not as application/json",
        "unsupported_media_type",
    ),
    416: ("There is no such part", "The recording has 64044 bytes", "range_not_satisfiable"),
    429: (
        "A limit is reached: of requests by this key, or of calls; `Retry-After` says when it may work",
        "Too many requests: this key may make 600 a minute",
        "rate_limited",
    ),
    502: ("A carrier or provider did not do its part", "SIP trunk registration failed", "bad_gateway"),
    503: ("The gateway cannot do it now; try again later", STORE_AWAY, "store_unavailable"),
}
"For each status: when it comes, and an example of its message and reason."

PHRASES = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden"} | {
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


REFERENCE = "#/components/schemas/{model}"
"Where OpenAPI has the schemas that have a name."


class Check(BaseModel):
    """One thing that a decision looked at."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    "What the check is about: `destination country`."
    looked_at: str
    "The value that was examined."
    found: str
    "What that turned out to be."
    outcome: str
    "`pass`, `fail`, `grant` (a rule set aside, `found` says by what) or `note`."


class Decision(BaseModel):
    """Why a call may go on, or why not."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    allowed: bool
    "Whether nothing refused."
    reason: str | None = None
    "The reason of the refusal, null where there is none."
    summary: str
    "The decision in one sentence."
    checks: list[Check]
    "Everything that was looked at, in order."
    near_misses: list[str] = []
    "What almost fitted."


class Mending(BaseModel):
    """How the same call can go through the next time."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    owner: str
    "What to do, in a sentence."
    page: str
    "The page of the dashboard where that is done."
    api: str
    "The request that changes it or shows what is wrong; empty: nobody with a key can."
    command: str
    "The operator's command."


class Problem(BaseModel):
    """One value of a request that is wrong."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    "Where it stands."
    given: Any = None
    "What stood there; null where nothing did."
    expected: str
    "What would be right."


class Error(BaseModel):
    """Every answer that refuses."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status_code: Annotated[int, Field(alias="statusCode")]
    "The HTTP status once more."
    message: str | list[str]
    "What is wrong, for a person; a list where several things are."
    error: str
    "The name of the HTTP status."
    reason: str
    "What is wrong, for a program: one word a cause."
    decision: Decision | None = None
    "Where a call was refused: every check that was made."
    mend: Mending | None = None
    "Where a call was refused: what mends that."
    report: dict[str, Any] | None = None
    "Where a carrier or provider did not do its part: what was tried, step by step."
    problems: list[Problem] | None = None
    "Where the request is wrong: each value that is."
    groups: list[dict[str, Any]] | None = None
    "Where rows of a file are: by reason, with `title`, `count`, `rows`, `samples` and `mend`."
    total_records: int | None = None
    "Beside `groups`: rows of the file."
    valid_records: int | None = None
    "Beside `groups`: those who can be called."
    failed_records: int | None = None
    "Beside `groups`: those who cannot."


def without_defaults(schema: dict[str, Any]) -> None:
    """A client that fills in what is described must not undo what it never meant to change."""
    for each in schema["properties"].values():
        each.pop("default", None)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these refusals, and those that every route can give."""
    return {status: refusal(status) for status in sorted({*statuses, 401, 429, 503})}


def in_path(noun: str, example: str, pattern: re.Pattern[str]) -> Any:
    """An id in a path, as it is described: what does not fit the route refuses in words of its own."""
    return InPath(
        description=f"`{example.partition('_')[0]}_…`",
        openapi_examples={noun: {"value": example}},
        json_schema_extra={"pattern": pattern.pattern},
    )


def _error_schemas() -> dict[str, Any]:
    """`Error` and what it is made of, by name."""
    _, found = models_json_schema([(Error, "serialization")], ref_template=REFERENCE)
    return dict(found["$defs"])


def refusal(status: int) -> dict[str, Any]:
    """A refusal with this status, as it is described."""
    about, message, reason = EXAMPLES[status]
    example = {"statusCode": status, "message": message, "error": PHRASES[status]}
    example["reason"] = reason or "destination_unparseable"
    # By its name and not as a model: of that, FastAPI would make a validator for each route and status.
    schema = {"$ref": REFERENCE.format(model=Error.__name__)}
    return {
        "description": about,
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def beside_words(words: Collection[str]) -> type[APIRoute]:
    """A kind of routes by an id, in whose place a word may stand that is a path of its own, and no id."""

    class ByIdentifier(APIRoute):
        """A route whose ids are none of these words."""

        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            """Starlette's own answer, but for a word where an id belongs."""
            match, child = super().matches(scope)
            is_word = any(value in words for value in child.get("path_params", {}).values())
            return (Match.NONE, {}) if is_word else (match, child)

    return ByIdentifier


def application(routers: Iterable[APIRouter], public_url: str = "") -> FastAPI:
    """An app with these routes, that answers refusals in their one shape and describes itself.

    `public_url` is where it is reached; without it, each client is told the address that it asked.
    """
    # FastAPI's pages of documentation load their scripts from a foreign server: there are none.
    app = FastAPI(
        title="Trunkline",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # An operation is called as the function that serves it: what a generated client's methods are called.
        generate_unique_id_function=lambda route: route.name,
    )
    answer_refusals(app, as_written)
    for router in routers:
        app.include_router(router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # how FastAPI wants it overridden

    @app.get("/openapi.json", include_in_schema=False)
    async def describe(request: Request) -> Response:
        server = {"url": public_url or str(request.base_url).rstrip("/")}
        return Response(orjson.dumps(app.openapi() | {"servers": [server]}), media_type="application/json")

    return app


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in found["paths"].values():
            for operation in path.values():
                _drop_422(operation["responses"])
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        found["components"]["schemas"] = dict(sorted((schemas | _error_schemas()).items()))
        app.openapi_schema = found
    return app.openapi_schema


def _drop_422(responses: dict[str, Any]) -> None:
    """FastAPI describes its own 422 everywhere; here a wrong request is a 400, and a 422 a vendor's."""
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
