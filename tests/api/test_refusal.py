"""What is wrong comes in one shape, whatever it is."""

import pytest

from gateway.api.refusal import STATUSES, answer_to
from gateway.call.record import EndReason
from gateway.call.refusal import Refused
from gateway.routing.decision import Reason, ReasonGroup, Trail
from gateway.store.engine.errors import Conflict, InvalidInput, NotFound, StoreError
from tests.api.conftest import Api


def test_every_group_has_its_status() -> None:
    """No reason of a refusal is without an answer."""
    assert set(STATUSES) == set(ReasonGroup)
    assert all(reason.group in STATUSES for reason in Reason)


def test_rejection_says_why() -> None:
    """A refused call's answer has the reference's text, the reason, and every check."""
    trail = Trail()
    trail.passed("destination", "+1", "fine")
    rejected = trail.refused(Reason.COUNTRY_NOT_ENABLED, "country", "FR", "not enabled", message="No")
    body = answer_to(rejected).body()
    assert {name: body[name] for name in ("statusCode", "message", "error", "reason")} == {
        "statusCode": 403,
        "message": "No",
        "error": "Forbidden",
        "reason": "country_not_enabled",
    }
    assert body["decision"] == rejected.decision.as_dict()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Refused(EndReason.STORE_UNAVAILABLE, "away"), 503, "away"),
        (Refused(EndReason.INTERNAL_ERROR, "oh"), 500, "oh"),
        (NotFound("number", "phn_1", "there is none"), 404, "Phone number not found"),
        (NotFound("trunk", "trunk_1", "did you mean Secret Inc?"), 404, "Trunk not found"),
        (Conflict("name", "A", "should be free"), 409, "name = A: should be free"),
        (InvalidInput("name", "", "should be there"), 400, "name = : should be there"),
        (
            StoreError("the database postgresql://u@h/d is gone"),
            503,
            "The database does not answer; try again later",
        ),
        (ValueError("secret"), 500, "Internal server error"),
    ],
)
def test_each_error_has_its_answer(error: Exception, status: int, message: str) -> None:
    """Errors of the layers below get their status; what a stranger should not read is not said."""
    answer = answer_to(error)
    assert (answer.status, answer.text) == (status, message)


def test_retry_after_is_whole_seconds_and_never_now() -> None:
    """Where time helps the answer says how much of it."""
    refused = Refused(EndReason.STORE_UNAVAILABLE, "away")
    refused.retry_after = 0
    assert answer_to(refused).response().headers["retry-after"] == "1"


async def test_unknown_routes_and_methods_have_the_shape(api: Api) -> None:
    """404 and 405 look like every other refusal."""
    for answer, status in (
        (await api.client.get("/v1/nothing"), 404),
        (await api.client.put("/v1/calls/call_1"), 405),
        (await api.client.get("/v1/calls/nonsense"), 400),
    ):
        assert answer.status_code == answer.json()["statusCode"] == status
        assert {"message", "error", "reason"} <= answer.json().keys()
    assert answer.json()["message"] == "Invalid call ID format"
    assert (await api.client.put("/v1/calls/call_1")).headers["allow"] == "DELETE, GET, HEAD"


async def test_large_bodies_are_refused(api: Api) -> None:
    """A body that says it is beyond the bound gets 413."""
    announced = await api.client.put("/v1/calls/call_1", content=b"x" * 300_000)
    assert announced.status_code == 413


async def test_own_mistakes_are_500_and_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours costs one request, is in the log once, and says nothing of itself to the caller."""
    from gateway.call.lookup import Lookup

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Lookup, "find", broken)
    api.world.expected_crashes = ["http.crashed"]
    answer = await api.client.get("/v1/calls/call_1")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal_error")
    assert "secret" not in answer.text
    (event,) = api.world.told("http.crashed")
    assert event.fields["path"] == "/v1/calls/call_1"
