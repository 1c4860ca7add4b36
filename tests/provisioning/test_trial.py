"""The connection test against live SIP peers: what is proven, what is not, and what to do about it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.net.dns import Resolver
from gateway.provisioning.trial import Peer, Report, Trials
from gateway.routing.table import Secret, Trunk, TrunkAuthMode
from gateway.sip.settings import Login
from tests.net.test_dns import NameServer
from tests.provisioning.sip_peer import REALM, Carrier, carrier_on, trials_on

RIGHT = Login("acme", "secret-1")
WRONG = Login("acme", "secret-2")


def plain(told: Callable[[str], None]) -> Resolver:
    """A resolver that asks nobody far away."""
    return Resolver(families=(socket.AF_INET,), query_seconds=0.2, told=told)


@pytest.fixture
async def trials() -> AsyncIterator[Trials]:
    """Our side, over UDP."""
    async with trials_on(plain) as trials:
        yield trials


def outcomes(report: Report) -> list[tuple[str, str]]:
    """The steps, without their words."""
    return [(step.name, step.outcome) for step in report.steps]


PASSED = [("address", "pass"), ("resolve", "pass"), ("reach", "pass")]


async def test_the_right_password(trials: Trials) -> None:
    """A peer that challenges OPTIONS proves the credentials."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        report = await trials.try_peer(Peer(carrier.uri, login=RIGHT))
        assert outcomes(report) == [*PASSED, ("log in", "pass")]
        assert report.passed
        assert report.proven
        assert REALM in report.steps[-1].found
        assert [request.cseq.number for request in carrier.asked] == [1, 2]
        assert report.addresses == ("127.0.0.1",)


async def test_the_wrong_password(trials: Trials) -> None:
    """The same peer refuses a wrong one; the step says what to check, and no password is in it."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        report = await trials.try_peer(Peer(carrier.uri, login=WRONG))
    assert outcomes(report)[-1] == ("log in", "fail")
    assert not report.passed
    assert "password" in report.steps[-1].mend
    assert "secret" not in str(report.as_dict()) + "".join(report.lines())


@pytest.mark.parametrize(("login", "outcome"), [(RIGHT, "pass"), (WRONG, "fail")])
async def test_by_register_where_options_ask_nothing(trials: Trials, login: Login, outcome: str) -> None:
    """A peer that answers OPTIONS to anybody is asked by a REGISTER that changes nothing."""
    async with carrier_on(Carrier("secret-1", challenged=("REGISTER",))) as carrier:
        report = await trials.try_peer(Peer(carrier.uri, login=login))
        assert outcomes(report)[-1] == ("log in", outcome)
        register = carrier.asked[-1]
        assert register.method == "REGISTER"
        assert register.headers.get("Contact") is None
        assert register.headers.get("Expires") is None


@pytest.mark.parametrize("answer", [(405, "Method Not Allowed"), (0, "")], ids=["405", "silence"])
async def test_a_peer_that_never_asks(trials: Trials, answer: tuple[int, str]) -> None:
    """Nothing is guessed: the test passes, and says that only a call can prove the credentials."""
    async with carrier_on(Carrier(answers={"REGISTER": answer})) as carrier:
        report = await trials.try_peer(Peer(carrier.uri, login=RIGHT))
    assert outcomes(report)[-1] == ("log in", "note")
    assert report.passed
    assert not report.proven
    assert "test call" in report.steps[-1].mend


async def test_by_address(trials: Trials) -> None:
    """Without credentials an answer is all that there is to prove."""
    async with carrier_on(Carrier()) as carrier:
        report = await trials.try_peer(Peer(carrier.uri))
    assert outcomes(report) == PASSED
    assert report.proven


async def test_a_peer_that_does_not_know_our_address(trials: Trials) -> None:
    """A challenge where we have no credentials means that our address is not on the carrier's list."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        report = await trials.try_peer(Peer(carrier.uri))
    assert outcomes(report)[-1] == ("reach", "fail")
    assert "list" in report.steps[-1].mend


@pytest.mark.parametrize(
    ("status", "outcome"), [(404, "pass"), (405, "pass"), (501, "pass"), (500, "fail"), (503, "fail")]
)
async def test_what_an_answer_says(trials: Trials, status: int, outcome: str) -> None:
    """A peer that does not like OPTIONS is there all the same; one out of order is not."""
    async with carrier_on(Carrier(answers={"OPTIONS": (status, "Words")})) as carrier:
        report = await trials.try_peer(Peer(carrier.uri))
    assert outcomes(report)[-1] == ("reach", outcome)
    assert f"{status} Words" in report.steps[-1].found


async def test_nobody_answers() -> None:
    """Silence is told as such, within the seconds of the configuration, and so is a closed port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        async with trials_on(plain, "UDP", "TCP", seconds=0.3) as trials:
            report = await trials.try_peer(Peer(f"127.0.0.1:{silent.getsockname()[1]}", login=RIGHT))
            assert outcomes(report)[-1] == ("reach", "fail")
            assert "no answer within 0.3 s" in report.steps[-1].found
            refused = await trials.try_peer(Peer(f"127.0.0.1:{silent.getsockname()[1]}", "TCP"))
            assert outcomes(refused)[-1] == ("reach", "fail")


async def test_over_tcp() -> None:
    """The transport of the trunk is the one that is tested."""
    async with carrier_on(Carrier("secret-1"), "TCP") as carrier, trials_on(plain, "TCP") as trials:
        report = await trials.try_peer(Peer(carrier.uri, "TCP", RIGHT))
        assert report.proven
        assert carrier.asked[0].uri == f"sip:{carrier.uri};transport=tcp"


async def test_a_transport_without_listener(trials: Trials) -> None:
    """A gateway that does not speak TLS says which listener is missing."""
    report = await trials.try_peer(Peer("127.0.0.1:5061", "TLS"))
    assert outcomes(report)[-1] == ("reach", "fail")
    assert "tls" in report.steps[-1].mend


@pytest.mark.parametrize("uri", ["sip:carrier.example", "carrier example", "", "a.example:0", "u@a.example"])
async def test_addresses_that_make_no_sense(trials: Trials, uri: str) -> None:
    """What is no host[:port] gets no packet."""
    report = await trials.try_peer(Peer(uri))
    assert outcomes(report) == [("address", "fail")]


async def test_the_steps_of_dns() -> None:
    """SRV and address questions are shown with their answers; a dead first server leaves the second."""
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))

    def resolver(told: Callable[[str], None]) -> Resolver:
        return Resolver(name_servers=[names.address], families=(socket.AF_INET,), query_seconds=1, told=told)

    async with carrier_on(Carrier("secret-1")) as carrier, trials_on(resolver, seconds=0.5) as trials:
        names.has("carrier.test", "SRV")
        names.has("_sip._udp.carrier.test", "SRV", f"10 0 {carrier.port} sbc.carrier.test.")
        names.has("sbc.carrier.test", "A", "127.0.0.1")
        report = await trials.try_peer(Peer("carrier.test", login=RIGHT))
        assert report.proven, report.lines()
        resolved = report.steps[1].found
        assert f"SRV _sip._udp.carrier.test: 10 0 {carrier.port} sbc.carrier.test." in resolved
        assert "A sbc.carrier.test: 127.0.0.1" in resolved
        assert f"so 127.0.0.1:{carrier.port}" in resolved
        missing = await trials.try_peer(Peer("nobody.test"))
        assert outcomes(missing)[-1] == ("resolve", "fail")
    transport.close()


async def test_saved_trunks(trials: Trials) -> None:
    """A trunk in the store is tested with its own credentials; one that takes calls only is told so."""
    async with carrier_on(Carrier("secret-1")) as carrier:
        trunk = Trunk(
            "trunk_1",
            None,
            "Carrier",
            termination_uri=carrier.uri,
            auth_mode=TrunkAuthMode.USERPASS,
            outbound_username="acme",
            outbound_password=Secret("secret-1"),
        )
        assert (await trials.try_trunk(trunk)).proven
    assert outcomes(await trials.try_trunk(Trunk("trunk_2", None, "In"))) == [("address", "fail")]
