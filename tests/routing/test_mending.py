"""Every refusal says what mends it, and that is something that there is."""

import re

import pytest
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from gateway.call.record import EndReason
from gateway.call.refusal import ANSWERS, OTHER_MENDS, mend_for
from gateway.cli import app
from gateway.routing.decision import Reason
from gateway.routing.mending import MENDS, Mend
from gateway.web.dashboard import PAGES

EVERY = [*MENDS.items(), *OTHER_MENDS.items()]


def test_no_reason_is_without() -> None:
    """Those of routing, and those that call control answers a carrier or a requester with."""
    assert set(MENDS) == set(Reason)
    answered = {reason for reason in ANSWERS if isinstance(reason, EndReason)}
    assert set(OTHER_MENDS) == {*answered, EndReason.SIP_TRUNK_UNREACHABLE}
    assert all(mend_for(reason.value) for reason, _ in EVERY)
    assert mend_for("user_disconnected") is None


@pytest.mark.parametrize(("reason", "mend"), EVERY, ids=[reason.value for reason, _ in EVERY])
def test_what_is_named_is_there(reason: str, mend: Mend) -> None:
    """The page is one of the dashboard's, the command one of ours, the request one of the API."""
    assert mend.page in {page.path for page in PAGES if page.method == "GET"}
    command = get_command(app)
    words = mend.command.split()
    assert words[0] == "gateway"
    for word in words[1:]:
        if not isinstance(command, TyperGroup):
            break
        found = command.get_command(Context(command), word)
        assert found is not None, mend.command
        command = found
    known = {option for each in command.params for option in each.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert mend.owner.endswith(".")
    assert not mend.api or re.fullmatch(r"(GET|POST|PATCH) /v1/[a-z/_{}-]+", mend.api)
