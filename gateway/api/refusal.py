"""The one place where a refusal becomes an HTTP answer: `{statusCode, message, error}`, and why."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gateway.call.record import EndReason
from gateway.call.refusal import Refused, mend_for
from gateway.provisioning.errors import Forbidden, Upstream
from gateway.routing.decision import Reason, ReasonGroup, Rejected
from gateway.routing.mending import Mend
from gateway.store.configuration.rules import NUMBER_RIGHT
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError, Unacceptable

MAX_GIVEN = 200
"Characters of a wrong value that are said back."
NO_KEY = "API key is missing or invalid"
STORE_AWAY = "The database does not answer; try again later"
STORE_RETRY_SECONDS = 5.0
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

STATUSES: Mapping[ReasonGroup, int] = {
    ReasonGroup.SOURCE: 403,
    ReasonGroup.CREDENTIALS: 403,
    ReasonGroup.FORMAT: 400,
    ReasonGroup.NOT_FOUND: 404,
    ReasonGroup.CONFIGURATION: 400,
    ReasonGroup.POLICY: 403,
    ReasonGroup.PAYMENT: 402,
    ReasonGroup.CAPACITY: 429,
}
"What a call is refused with, by the kind of its reason."

NOUNS = {"number": "Phone number", "phone_number": "Phone number", "key": "API key", "batch": "Batch call"}
"Nouns of the store that the API calls by another name."

NO_FIELD = "is no field of this request"
WORDS = {
    "missing": "is required",
    "json_invalid": "should be valid JSON",
    "string_type": "should be text",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_parsing": "should be true or false",
    "dict_type": "should be an object",
    "model_attributes_type": "should be an object",
    "list_type": "should be a list",
    "extra_forbidden": NO_FIELD,
}
"Plainer words than pydantic's for some of its error types."


@dataclass(frozen=True, slots=True)
class Problem:
    """One value of a request that is wrong."""

    field: str
    "`phone_number`, `metadata.name`, `limit`."
    given: object
    "What stood there, None where nothing did."
    expected: str
    "What would be right."
    form: str = "{field} {expected}"
    "The problem as a sentence, to be filled in."
    is_unknown: bool = False
    "There is no such field."

    def __str__(self) -> str:
        """The problem as a sentence."""
        given = "" if self.given is None else self.given
        return self.form.format(field=self.field, given=given, expected=self.expected)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that refuses."""

    status: int
    message: str
    "Empty: what the problems say."
    reason: str
    "A word for a program, as `reason`."
    decision: Mapping[str, object] | None = None
    mend: Mend | None = None
    problems: Sequence[Problem] = ()
    report: Mapping[str, object] | None = None
    "What was tried at a carrier, step by step."
    more: Mapping[str, object] = field(default_factory=dict)
    "What else the answer says, by its own names."
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str | list[str]:
        """The message; a list where there are several problems."""
        said = list(map(str, self.problems))
        return self.message or (said if len(said) != 1 else said[0])

    def body(self) -> dict[str, object]:
        """What the answer says, in JSON types."""
        said: dict[str, object] = {
            "statusCode": self.status,
            "message": self.text,
            "error": HTTPStatus(self.status).phrase,
            "reason": self.reason,
        }
        if self.decision is not None:
            said["decision"] = dict(self.decision)
        if self.mend is not None:
            said["mend"] = self.mend.as_dict()
        if self.report is not None:
            said["report"] = dict(self.report)
        said |= self.more
        if self.problems:
            said["problems"] = [
                {"field": each.field, "given": each.given, "expected": each.expected}
                for each in self.problems
            ]
        return said

    def response(self) -> Response:
        """The answer, to be sent."""
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(self.retry_after)))
        try:
            content = orjson.dumps(self.body(), default=str)
        except TypeError:
            # Half a character or a number beyond 64 bits, said back to whoever sent it.
            content = json.dumps(self.body(), default=str).encode()
        return Response(content, self.status, headers, media_type="application/json")


class Declined(Exception):
    """The API itself refuses a request; carries the whole answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{answer.status} {answer.reason}")


def unauthorised() -> Declined:
    """No key, a wrong one, or one that was revoked: which of them, a stranger is not told."""
    return Declined(Answer(401, NO_KEY, "unauthorized", headers={"WWW-Authenticate": "Bearer"}))


def invalid(*problems: Problem, message: str = "") -> Declined:
    """The request is written wrongly; `message` where the reference has a sentence of its own for it."""
    return Declined(Answer(400, message, "invalid_request", problems=problems))


def _word_of(sentence: str) -> str:
    """`Batch call not found` for a program; a longer sentence says more than a word can."""
    is_short = sentence.endswith(" not found")
    return sentence.lower().replace(" ", "_") if is_short else "not_found"


def not_found(noun: str) -> Declined:
    """There is no such thing in the caller's workspace, whether or not there is in another."""
    return Declined(Answer(404, f"{noun} not found", f"{noun.lower().replace(' ', '_')}_not_found"))


def answer_to(error: Exception) -> Answer:
    """The answer to whatever was raised while a request was served."""
    match error:
        case Declined():
            return error.answer
        case Rejected():
            return _rejected(error)
        case Refused():
            status = 500 if error.reason is EndReason.INTERNAL_ERROR else 503
            mend, later = mend_for(error.reason), error.retry_after
            return Answer(status, error.detail, error.reason.value, mend=mend, retry_after=later)
        case RequestValidationError():
            return invalid(*map(_problem, error.errors())).answer
        case HTTPException():
            return Answer(
                error.status_code, error.detail, _word(error.status_code), headers=error.headers or {}
            )
        case StoreError():
            return _store_answer(error)
        case _:
            return Answer(500, "Internal server error", "internal_error")


def _rejected(error: Rejected) -> Answer:
    """Where the number itself makes no sense, its field is named, as where something is written wrongly."""
    status, later = STATUSES[error.reason.group], error.retry_after
    decision, mend = error.decision.as_dict(), mend_for(error.reason)
    problems = []
    if error.reason.group is ReasonGroup.FORMAT:
        name = "from_number" if error.reason is Reason.FROM_NUMBER_UNKNOWN else "phone_number"
        failed = error.decision.checks[-1]
        given = None if error.reason is Reason.DESTINATION_MISSING else failed.looked_at
        problems = [Problem(name, given, NUMBER_RIGHT)]
    reason = error.reason.value
    return Answer(status, error.message, reason, decision, mend, problems, retry_after=later)


def problem_of(error: InvalidInput) -> Problem:
    """What the store's rules do not allow."""
    return Problem(error.field, error.given or None, error.right, error.form)


def _store_answer(error: StoreError) -> Answer:
    match error:
        case Upstream():
            message, report = error.message, error.report
            return Answer(502, message, "bad_gateway", retry_after=error.retry_after, report=report)
        case Forbidden():
            return Answer(403, str(error), "forbidden")
        case NotFound(whole=True):
            return Answer(404, error.right, _word_of(error.right))
        case NotFound(field=noun):
            return not_found(NOUNS.get(noun, noun.capitalize())).answer
        case Conflict():
            return Answer(409, "", "conflict", problems=[problem_of(error)])
        case InvalidInput():
            return Answer(400, "", "invalid_request", problems=[problem_of(error)])
        case Unacceptable():
            return Answer(400, "The database cannot keep these values", "invalid_request")
        case _:
            # Its text names the database's address: for the log, not for a caller.
            return Answer(503, STORE_AWAY, "store_unavailable", retry_after=STORE_RETRY_SECONDS)


def answer_refusals(app: FastAPI, written: Callable[[Request, Answer], Answer]) -> None:
    """Let an app answer everything that is raised in it as this module says, in the words of `written`."""

    async def answered(request: Request, error: Exception) -> Response:
        answer = answer_to(error)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            answer = replace(answer, headers={"Allow": ", ".join(_allowed(request))})
        return written(request, answer).response()

    for kind in (
        Declined,
        Rejected,
        Refused,
        StoreError,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, answered)


def _allowed(request: Request) -> list[str]:
    """The methods that a path has: each stands in a route of its own, which knows of no other."""

    def serves(method: str) -> bool:
        # HEAD is served as GET: see `heads`.
        scope = {**request.scope, "method": "GET" if method == "HEAD" else method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in METHODS if serves(method)]


def _word(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


def _problem(details: Mapping[str, object]) -> Problem:
    location = details["loc"]
    assert isinstance(location, tuple)
    kind = str(details["type"])
    place, *parts = location
    named = kind != "json_invalid" and parts
    name = ".".join(map(str, parts)) if named else str(place)
    words = str(details["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    given = None if kind in ("missing", "json_invalid") else _given(name, details.get("input"))
    return Problem(name, given, WORDS.get(kind, words), is_unknown=kind == "extra_forbidden")


def _given(name: str, value: object) -> object:
    if "password" in name.lower() or "secret" in name.lower():
        return "(hidden)"
    if isinstance(value, str):
        return value[:MAX_GIVEN]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:MAX_GIVEN]
