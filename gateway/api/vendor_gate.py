"""Who asks by a vendor's API, and which running call it is about.

An agent has the name of its own call, and the version's secret, which the call's upgrade was signed with.
Which account it names protects nothing: bots have one in their environment, and keep it. Anybody else needs a
key of the workspace.
"""

import asyncio
import hmac
from dataclasses import dataclass

from gateway.api.keys import KEY
from gateway.api.rate import RateLimit
from gateway.call.call import Call
from gateway.call.switchboard import Switchboard
from gateway.call.transfer import Transfers
from gateway.store.configuration.keys import Keys


class Stranger(Exception):
    """No credentials, or wrong ones."""


class Gone(Exception):
    """No such call runs, or it is another workspace's."""


class TooMany(Exception):
    """The workspace's calls were asked about too often."""


@dataclass(frozen=True, slots=True)
class Login:
    """What somebody gave to be let in."""

    user: str
    "An account, or `key_…`; empty where only a secret is given."
    password: str
    account: str = ""
    "The account that the path names."


class VendorGate:
    """Lets requests by vendors' APIs in, each to one running call."""

    def __init__(
        self, keys: Keys, board: Switchboard, transfers: Transfers, requests_per_minute: int
    ) -> None:
        self.transfers = transfers
        self._keys = keys
        self._board = board
        self._rate = RateLimit(requests_per_minute)

    async def call(self, name: str, login: Login | None) -> tuple[Call, str]:
        """The running call of that name, and who asks; raises `Gone`, `Stranger` and `TooMany`.

        Whether there is such a call only those learn who know its name, which nobody guesses.
        """
        if login is None or (login.account and login.user not in (login.account, *_key_of(login))):
            raise Stranger
        call = self._board.call_named(name)
        if _key_of(login):
            return await self._by_key(call, login)
        if call is None or call.route is None:
            raise Gone
        self._count(call.route.workspace.id)
        secret = call.route.version.secret
        if secret is None or not hmac.compare_digest(secret.reveal().encode(), login.password.encode()):
            raise Stranger
        return call, f"agent:{call.record.agent_id}"

    async def _by_key(self, call: Call | None, login: Login) -> tuple[Call, str]:
        key = await self._keys.opening(login.user, login.password)
        if key is None:
            raise Stranger
        self._count(key.workspace_id)
        if call is None or call.record.workspace_id != key.workspace_id:
            raise Gone
        return call, f"api:{key.id}"

    def _count(self, workspace_id: str) -> None:
        if not self._rate.take(workspace_id, asyncio.get_running_loop().time()).allowed:
            raise TooMany


def _key_of(login: Login) -> tuple[str, ...]:
    """The API key that the user is, if it is one: SDKs send it with any account, or as the account too."""
    return (login.user,) if KEY.fullmatch(f"{login.user}:{login.password}") else ()
