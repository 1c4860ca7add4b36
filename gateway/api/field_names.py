"""What a client calls the fields of the route that it asked: refusals name them so, whoever raised them."""

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from gateway.api.refusal import NO_FIELD, Answer, Problem

STORED = {"outbound_username": "sipTrunkUserName", "outbound_password": "sipTrunkPassword"}
"Names of the store that the API's are nothing like."


def as_written(request: Request, answer: Answer) -> Answer:
    """The refusal with the client's names for its fields, and the near one for each that there is not."""
    known = list(_known(request))
    if not answer.problems or not known:
        return answer
    return replace(answer, problems=[_renamed(problem, known) for problem in answer.problems])


def _renamed(problem: Problem, known: list[str]) -> Problem:
    if problem.is_unknown and problem.field not in known:
        near = get_close_matches(problem.field, known, 1)
        return replace(problem, expected=f"{NO_FIELD}; did you mean {near[0]}?") if near else problem
    name = STORED.get(problem.field, problem.field)
    here = next((each for each in known if _plain(each) == _plain(name)), None)
    return problem if problem.field in known or here is None else replace(problem, field=here)


def _plain(name: str) -> str:
    """`countryISO` and `country_iso` are one name in two writings."""
    return name.replace("_", "").replace("-", "").lower()


def _known(request: Request) -> Iterator[str]:
    """The fields of the body, the query and the headers that the route takes, as clients write them."""
    route: Any = request.scope.get("route")
    taken: Any = getattr(route, "dependant", None)
    if taken is None:
        return
    yield from _of_form(route.openapi_extra or {})
    for field in (*taken.body_params, *taken.query_params, *taken.header_params):
        shape = field.field_info.annotation
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            yield from (about.alias or name for name, about in shape.model_fields.items())
        else:
            yield field.alias


def _of_form(described: dict[str, Any]) -> Iterator[str]:
    """The fields of a form that the route reads by itself, as it is described."""
    for kind in described.get("requestBody", {}).get("content", {}).values():
        yield from kind["schema"].get("properties", {})
