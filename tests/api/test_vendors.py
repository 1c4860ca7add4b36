"""What bots call back by their vendors' APIs, with real calls under way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from gateway.agent.identity import account_token, control_token, uuid_text
from gateway.agent.twilio import account_sid, call_sid
from gateway.routing.table import Secret, Workspace
from gateway.sip.events import ByeReceived
from tests.call.conftest import MakePhone, agent, build, make_phone, phone, world  # noqa: F401  fixtures
from tests.call.phone import Leg, Phone, babble, until
from tests.call.runtime import Runtime, Talk
from tests.call.world import CALLEE, NUMBER, World

# Fixtures are arguments by their names.
# ruff: noqa: F811

SECRET = "the auth token"
ELSEWHERE = "https://example.com/"


@dataclass
class Line:
    """A caller who talks to an agent in Twilio's dialect, and what its bot knows."""

    world: World
    leg: Leg
    phone: Phone
    talk: Talk
    other: Phone
    client: httpx2.AsyncClient
    call_id: str

    @property
    def account(self) -> str:
        """The account as the bot was told it."""
        return account_sid(self.world.workspace.id)

    @property
    def login(self) -> tuple[str, str]:
        """What the bot has in its environment."""
        return self.account, SECRET

    async def post(
        self, login: tuple[str, str] | None = None, account: str = "", sid: str = "", **form: str
    ) -> httpx2.Response:
        """Change the call as Twilio's SDK does."""
        return await self.send(form, login, account, sid)

    async def send(
        self, form: dict[str, str], login: tuple[str, str] | None = None, account: str = "", sid: str = ""
    ) -> httpx2.Response:
        """Send any form."""
        account, sid = account or self.account, sid or call_sid(self.call_id)
        path = f"/2010-04-01/Accounts/{account}/Calls/{sid}.json"
        return await self.client.post(path, auth=login or self.login, data=form)


@pytest.fixture
async def line(world: World, agent: Runtime, phone: Phone, make_phone: MakePhone) -> AsyncIterator[Line]:
    """A call under way."""
    other = await make_phone()
    await world.way_out(other.uri(), dialect="twilio", secret=Secret(SECRET))
    numbers = world.gateway.store.configuration.numbers
    number = await numbers.find(NUMBER)
    assert number.outbound_version_id is not None
    await numbers.assign(number.id, "inbound", number.outbound_version_id, "test")
    await world.gateway.store.refresh()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    talk = await agent.talk()
    start = await talk.message("start")
    phone.sound.murmur()
    call_id = world.gateway.switchboard.running()[0].id
    assert start["start"]["callSid"] == call_sid(call_id)
    base = f"http://127.0.0.1:{world.gateway.http.port}"
    async with httpx2.AsyncClient(base_url=base, timeout=20, trust_env=False) as client:
        yield Line(world, leg, phone, talk, other, client, call_id)


async def test_bot_hangs_up_by_twilios_api(line: Line) -> None:
    """The goodbye is heard to its end; the call is the agent's to end; a second time it is gone."""
    goodbye = babble(400)
    await line.talk.say(goodbye)
    answer = await line.post(Status="completed")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["sid"], told["status"]) == (call_sid(line.call_id), "in-progress")
    assert (told["from"], told["to"], told["direction"]) == ("+12125550000", NUMBER, "inbound")
    await line.leg.next(ByeReceived)
    assert goodbye in line.phone.sound.heard()
    await line.world.ended("completed", "agent_disconnected", "agent")
    gone = await line.post(Status="completed")
    assert (gone.status_code, gone.json()["code"]) == (404, 20404)


async def test_strangers_change_nothing(line: Line) -> None:
    """Without the right credentials 401; another account's call, or none, is not there."""
    book = line.world.gateway.store.configuration
    await book.workspaces.add(Workspace("org_other", "Other"), "test")
    theirs, their_secret = await book.keys.add("org_other", "theirs", "test")
    path = f"/2010-04-01/Accounts/{line.account}/Calls/{call_sid(line.call_id)}.json"
    nobody = await line.client.post(path, data={"Status": "completed"})
    assert (nobody.status_code, nobody.json()["code"]) == (401, 20003)
    for wrong in ((line.account, "wrong"), (theirs.id, "wrong"), ("AC1", SECRET), ("", SECRET), ("", "")):
        assert (await line.post(login=wrong, Status="completed")).status_code == 401
    assert (await line.post((theirs.id, their_secret), Status="completed")).status_code == 404
    assert (await line.post(sid="CA" + "0" * 32, Status="completed")).status_code == 404
    uuid, control = uuid_text(line.call_id), control_token("v3:", line.call_id)
    plivo = f"/v1/Account/{account_token('MA', 'org_other')}/Call/{uuid}/"
    assert (await line.client.delete(plivo, auth=(theirs.id, their_secret))).status_code == 404
    assert (await line.client.delete(plivo)).status_code == 401
    telnyx = f"/v2/calls/{control}/actions/hangup"
    assert (await line.client.post(telnyx)).status_code == 401
    for bearer in ("wrong", f"{theirs.id}:{their_secret}"):
        answer = await line.client.post(telnyx, headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == (401 if bearer == "wrong" else 422)
    assert line.world.gateway.switchboard.active == 1
    line.leg.bye()
    await line.world.ended("completed", "user_disconnected", "caller")


@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("vendor", ["twilio", "plivo", "plivo-stream", "telnyx"])
async def test_every_vendors_hang_up(line: Line, vendor: str, with_key: bool) -> None:
    """By the version's secret, or a key of the workspace, which may stand for the account too."""
    key, secret = await line.world.gateway.store.configuration.keys.add(
        line.world.workspace.id, "bot", "test"
    )
    workspace, client = line.world.workspace.id, line.client
    if vendor == "twilio":
        user = key.id if with_key else line.account
        answer = await line.post((user, secret if with_key else SECRET), user, Status="completed")
        assert answer.status_code == 200
    elif vendor == "telnyx":
        bearer = f"{key.id}:{secret}" if with_key else SECRET
        path = f"/v2/calls/{control_token('v3:', line.call_id)}/actions/hangup"
        answer = await client.post(path, headers={"Authorization": f"Bearer {bearer}"}, content=b"{}")
        assert (answer.status_code, answer.json()) == (200, {"data": {"result": "ok"}})
    else:
        user = key.id if with_key else account_token("MA", workspace)
        path = f"/v1/Account/{user}/Call/{uuid_text(line.call_id)}/"
        path += "Stream/" if vendor == "plivo-stream" else ""
        login = (user, secret if with_key else SECRET)
        answer = await client.delete(path, auth=login)
        assert (answer.status_code, answer.content) == (204, b"")
    await line.leg.next(ByeReceived)
    row = await line.world.ended("completed", "agent_disconnected", "agent")
    assert (f"api:{key.id}" if with_key else "agent:") in row.detail


async def test_twiml_transfers(line: Line) -> None:
    """`<Dial>` puts the caller through, by a call of its own; `Status=completed` then ends both."""
    said = babble(300)
    await line.talk.say(said)
    answer = await line.post(Twiml=f'<Response><Dial timeout="9"><Number>{CALLEE}</Number></Dial></Response>')
    assert answer.status_code == 200, answer.text
    there = await line.other.called()
    await line.talk.message("stop")
    there.accept()
    await line.world.hears("call.transferred")
    assert said in line.phone.sound.heard()
    again = await line.post(Twiml=f"<Response><Dial>{CALLEE}</Dial></Response>")
    assert (again.status_code, again.json()["code"]) == (400, 21220)
    assert (await line.post(Status="completed")).status_code == 200
    await line.leg.next(ByeReceived)
    await there.next(ByeReceived)
    first, second = await line.world.records()
    assert (first.end_reason, first.ended_by) == ("agent_disconnected", "agent")
    assert (second.end_reason, second.parent_call_id) == ("transfer_ended", first.id)


async def test_what_is_refused(line: Line) -> None:
    """What is not done here, and what no call may do, is said in Twilio's shape; the call goes on."""
    refused: list[tuple[dict[str, str], int, int]] = [
        ({}, 400, 12100),
        ({"Url": ELSEWHERE}, 400, 12100),
        ({"Twiml": "<Response><Say>Hi</Say></Response>"}, 400, 12100),
        ({"Twiml": '<!DOCTYPE a [<!ENTITY b "c">]><Response/>'}, 400, 12100),
        ({"Twiml": "<Response><Dial>+1900</Dial></Response>"}, 400, 13223),
        ({"Twiml": "<Response><Dial>+19005550123</Dial></Response>"}, 403, 13227),
        ({"Twiml": "<Response><Dial>nobody</Dial></Response>"}, 400, 13223),
        ({f"field{number}": "" for number in range(100)}, 400, 12100),
        ({"Twiml": "x" * 20_000}, 400, 12100),
    ]
    for form, status, code in refused:
        answer = await line.send(form)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["status"] == status
    assert (await line.post(Status="canceled")).status_code == 200
    account = account_token("MA", line.world.workspace.id)
    path = f"/v1/Account/{account}/Call/{uuid_text(line.call_id)}/"
    answer = await line.client.post(path, auth=(account, SECRET), data={"aleg_url": ELSEWHERE})
    assert answer.status_code == 400
    assert line.world.gateway.switchboard.active == 1
    assert not line.other.calls
    shown: Any = await line.client.get(
        f"/2010-04-01/Accounts/{line.account}/Calls/{call_sid(line.call_id)}.json", auth=line.login
    )
    assert shown.json()["status"] == "in-progress"
    line.leg.bye()
    await line.world.records()


async def test_bot_gives_up_a_call_that_rings(line: Line) -> None:
    """An outbound call that nobody has answered is cancelled."""
    record = await line.world.place()
    there = await line.other.called()
    there.ring()
    await line.world.hears("call.ringing", 2)
    answer = await line.post(sid=call_sid(record.id), Status="canceled")
    assert (answer.status_code, answer.json()["status"]) == (200, "ringing")
    await until(lambda: line.other.received("CANCEL"))
    line.leg.bye()
    _, second = await line.world.records()
    assert (second.status, second.end_reason, second.ended_by) == ("cancelled", "agent_disconnected", "agent")
