"""What calls by a trunk go out with."""

import pytest

from gateway.call.legs.dialling import login_of
from gateway.routing.table import Secret, Trunk, TrunkAuthMode
from gateway.sip.settings import Login

USERPASS, IP = TrunkAuthMode.USERPASS, TrunkAuthMode.IP


@pytest.mark.parametrize(
    ("mode", "username", "password", "login"),
    [
        (USERPASS, "ali", Secret("open sesame"), Login("ali", "open sesame", "cave")),
        (IP, "ali", Secret("open sesame"), None),
        (IP, None, None, None),
        (USERPASS, "", Secret("open sesame"), None),
        (USERPASS, "ali", None, None),
    ],
)
def test_whom_challenges_are_answered_as(
    mode: TrunkAuthMode, username: str | None, password: Secret | None, login: Login | None
) -> None:
    """A trunk that the carrier knows by our address answers none, whatever else is written down for it."""
    trunk = Trunk(
        "trunk_1",
        None,
        "Carrier",
        auth_mode=mode,
        outbound_username=username,
        outbound_password=password,
        outbound_realm="cave",
    )
    assert login_of(trunk) == login
