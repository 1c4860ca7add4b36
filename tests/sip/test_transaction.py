"""The four machines of RFC 3261 section 17: their tables, and their timers in virtual time."""

from __future__ import annotations

import gc
from collections import Counter
from time import perf_counter

import pytest

from gateway.sip.layer import TransactionLayer, server_key
from gateway.sip.message import Headers, Request, Response, make_response
from gateway.sip.schedule import Schedule
from gateway.sip.settings import Settings
from gateway.sip.target import Target
from gateway.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    LENGTHS,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    Machine,
    Running,
    State,
)

MACHINES = {
    "INVITE client": INVITE_CLIENT,
    "non-INVITE client": NON_INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "non-INVITE server": NON_INVITE_SERVER,
}
UDP = Target("UDP", "198.51.100.2", 5060)
TCP = Target("TCP", "198.51.100.2", 5060, connection=1)

WAITING_FOR_THE_USER = {
    ("INVITE client", State.PROCEEDING),  # the phone may ring for ever
    ("INVITE server", State.PROCEEDING),  # ours may too
    ("non-INVITE server", State.TRYING),
    ("non-INVITE server", State.PROCEEDING),
}


def make_request(method: str = "INVITE", branch: str = "z9hG4bK1", **changes: str) -> Request:
    fields = {
        "Via": f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch}",
        "From": "<sip:a@192.0.2.1>;tag=ours",
        "To": "<sip:b@198.51.100.2>",
        "Call-ID": "call-1",
        "CSeq": f"1 {method}",
        "Route": "<sip:proxy.example;lr>",
    }
    return Request(method, "sip:b@198.51.100.2", Headers((fields | changes).items()))


class User:
    """A transaction's user that notes what it is told."""

    local_tag = "theirs"

    def __init__(self) -> None:
        self.told: list[int | str] = []

    def response_received(self, response: Response, source: Target, now: float) -> None:
        self.told.append(response.status)

    def request_failed(self, status: int, why: str, now: float) -> None:
        self.told.append(f"failed {status}")

    def acknowledged(self, ack: Request, now: float) -> None:
        self.told.append("ACK")

    def cancelled(self, cancel: Request, now: float) -> None:
        self.told.append("CANCEL")


class Stage:
    """One transaction in its layer, and virtual time."""

    def __init__(self, method: str, target: Target = UDP, **settings: float) -> None:
        self.layer = TransactionLayer(Settings(**settings), Counter())  # type: ignore[arg-type]  # all are times
        self.request = make_request(method)
        self.user = User()
        self.target = target
        self.now = 0.0

    def client(self) -> Stage:
        self.transaction = self.layer.start_client(self.request, self.target, self.user, self.now)
        return self

    def server(self) -> Stage:
        self.served = self.layer.start_server(self.request, self.target)
        self.served.user = self.user
        return self

    def hears(self, status: int) -> None:
        """A response arrives at the client."""
        response = make_response(self.request, status, to_tag="theirs")
        self.transaction.receive(response, self.target, self.now)

    def answers(self, status: int) -> None:
        """The server's user answers."""
        self.served.respond(make_response(self.request, status, to_tag="theirs"), self.now)

    def sent(self) -> list[str]:
        """The first words of what went out since the last time."""
        return [data.decode().split("\r\n")[0][:11].strip() for data, _ in self.layer.take_outbox()]

    def until(self, end: float) -> list[float]:
        """Let time pass; when something was sent."""
        times = []
        while (due := self.layer.schedule.next()) is not None and due <= end:
            self.now = due
            self.layer.schedule.expire(due)
            times += [due for _ in self.sent()]
        self.now = end
        return times

    @property
    def live(self) -> int:
        return self.layer.client_count + self.layer.server_count


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_of_a_figure_is_reached_and_left(name: str) -> None:
    """Each state of a table can be reached from the start, and from each there is a way to the end."""
    machine = MACHINES[name]
    reached = {machine.start}
    for _ in State:
        reached |= {after for (before, _), (after, _) in machine.arrows.items() if before in reached}
    assert reached == {before for before, _ in machine.arrows} | {State.TERMINATED}
    ending = {State.TERMINATED}
    for _ in State:
        ending |= {before for (before, _), (after, _) in machine.arrows.items() if after in ending}
    assert ending == reached


@pytest.mark.parametrize("name", MACHINES)
def test_every_timer_of_a_state_has_its_arrow_and_its_length(name: str) -> None:
    """A timer that runs in a state is drawn there, and one that is drawn runs: none fires into nothing."""
    machine = MACHINES[name]
    drawn = {(state, what) for state, what in machine.arrows if what.name.startswith("TIMER")}
    running = {
        (state, timer)
        for state, timers in machine.timers.items()
        for timer in (timers.repeat, timers.end)
        if timer is not None
    }
    assert drawn == running
    assert {timer for _, timer in running} <= LENGTHS.keys()


@pytest.mark.parametrize("name", MACHINES)
def test_no_state_lasts_for_ever_unless_a_user_is_waited_for(name: str) -> None:
    """Where no person is waited for, a timer ends the state."""
    machine = MACHINES[name]
    states = {state for state, _ in machine.arrows}
    endless = {state for state in states if machine.timers.get(state, Running()).end is None}
    assert {(name, state) for state in endless} <= WAITING_FOR_THE_USER


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("target", [UDP, TCP], ids=["UDP", "TCP"])
def test_what_a_figure_does_not_draw_is_ignored(name: str, target: Target) -> None:
    """An input that has no arrow changes nothing and sends nothing."""
    machine: Machine = MACHINES[name]
    method = "INVITE" if name.startswith("INVITE") else "BYE"
    for state in {state for state, _ in machine.arrows}:
        for what in set(Input) - {seen for before, seen in machine.arrows if before is state}:
            stage = Stage(method, target)
            transaction = stage.client().transaction if name.endswith("client") else stage.server().served
            transaction.state = state
            stage.sent()
            transaction._feed(what, 1.0)
            assert (transaction.state, stage.sent(), stage.user.told) == (state, [], [])


def test_an_unanswered_invite_is_repeated_at_doubling_intervals_and_fails_after_64_t1() -> None:
    """Timer A doubles without limit, Timer B ends Calling with 408 (figure 5)."""
    stage = Stage("INVITE").client()
    assert stage.sent() == ["INVITE sip:"]
    assert stage.until(40) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert stage.user.told == ["failed 408"]
    assert stage.live == 0


def test_an_invite_that_rings_is_neither_repeated_nor_given_up() -> None:
    """After a provisional response, silence rings on: Timer B is for Calling only."""
    stage = Stage("INVITE").client()
    stage.hears(180)
    stage.sent()
    assert stage.until(600) == []
    assert stage.user.told == [180]
    stage.hears(200)
    assert stage.user.told == [180, 200]


def test_every_repeated_refusal_is_acknowledged() -> None:
    """A final response other than 2xx is told once and ACKed each time, until Timer D."""
    stage = Stage("INVITE").client()
    stage.sent()
    for _ in range(3):
        stage.hears(486)
        assert stage.sent() == ["ACK sip:b@1"]
    assert stage.user.told == [486]
    stage.until(31.9)
    assert stage.live == 1
    stage.until(32.1)
    assert stage.live == 0


def test_the_ack_of_a_refusal_repeats_the_path_of_its_invite() -> None:
    """Same branch, Request-URI and Route as the INVITE, To as in the response (section 17.1.1.3)."""
    stage = Stage("INVITE").client()
    stage.layer.take_outbox()
    stage.hears(603)
    (data, target), *_ = stage.layer.take_outbox()
    assert target == UDP
    assert data == (
        b"ACK sip:b@198.51.100.2 SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n"
        b"Route: <sip:proxy.example;lr>\r\n"
        b"Max-Forwards: 70\r\n"
        b"From: <sip:a@192.0.2.1>;tag=ours\r\n"
        b"To: <sip:b@198.51.100.2>;tag=theirs\r\n"
        b"Call-ID: call-1\r\n"
        b"CSeq: 1 ACK\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_every_2xx_reaches_the_user_for_64_t1() -> None:
    """In Accepted each 2xx is told, since only the user can ACK it, until Timer M (RFC 6026)."""
    stage = Stage("INVITE").client()
    stage.hears(200)
    stage.hears(200)
    assert stage.user.told == [200, 200]
    stage.hears(486)
    assert stage.user.told == [200, 200]
    stage.until(32)
    assert stage.live == 0


def test_an_unanswered_bye_is_repeated_up_to_every_t2() -> None:
    """Timer E doubles up to T2, Timer F ends the transaction with 408 (figure 6)."""
    stage = Stage("BYE").client()
    stage.sent()
    assert stage.until(40) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert stage.user.told == ["failed 408"]


def test_a_bye_that_is_being_thought_about_is_repeated_every_t2() -> None:
    """In Proceeding Timer E runs T2 at once, and Timer F goes on from the beginning."""
    stage = Stage("BYE").client()
    stage.hears(100)
    stage.sent()
    assert stage.until(40) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert stage.user.told == [100, "failed 408"]


def test_a_final_answer_to_a_bye_is_told_once() -> None:
    """Repetitions of the response end in Completed, until Timer K."""
    stage = Stage("BYE").client()
    stage.hears(200)
    stage.hears(200)
    assert stage.user.told == [200]
    stage.until(5)
    assert stage.live == 0


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_nothing_is_repeated_over_a_reliable_transport(method: str) -> None:
    """Timers A and E do not run over TCP; the time-out is the same."""
    stage = Stage(method, TCP).client()
    stage.sent()
    assert stage.until(40) == []
    assert stage.user.told == ["failed 408"]


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("BYE", 200)])
def test_a_client_over_a_reliable_transport_is_gone_with_its_final_response(method: str, status: int) -> None:
    """Timers D and K are zero over TCP."""
    stage = Stage(method, TCP).client()
    stage.hears(status)
    assert stage.user.told == [status]
    assert stage.live == 0


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_request_that_cannot_be_sent_fails_as_by_a_503(method: str) -> None:
    """The transport's error ends the transaction (section 8.1.3.1)."""
    stage = Stage(method).client()
    stage.layer.undeliverable(Target("UDP", UDP.host, 5060, "udp-1"), "refused", 0.1)
    assert stage.user.told == ["failed 503"]
    assert stage.live == 0


def test_a_failing_peer_concerns_only_its_own_transactions() -> None:
    """What was sent elsewhere goes on."""
    stage = Stage("BYE").client()
    stage.layer.undeliverable(Target("TCP", UDP.host, 5060), "refused", 0.1)
    assert stage.user.told == []


def test_a_repeated_invite_gets_the_last_provisional_response_again() -> None:
    """In Proceeding the server repeats itself, and tells its user nothing (figure 7)."""
    stage = Stage("INVITE").server()
    stage.answers(100)
    stage.answers(180)
    assert stage.sent() == ["SIP/2.0 100", "SIP/2.0 180"]
    stage.served.repeated(0.5)
    assert stage.sent() == ["SIP/2.0 180"]


def test_a_refusal_is_repeated_until_the_ack() -> None:
    """Timer G doubles up to T2 until the ACK; Timer I then absorbs further ACKs."""
    stage = Stage("INVITE").server()
    stage.answers(486)
    stage.sent()
    assert stage.until(4) == [0.5, 1.5, 3.5]
    stage.served.acknowledge(make_request("ACK"), stage.now)
    stage.served.acknowledge(make_request("ACK"), stage.now)
    assert stage.until(8.9) == []
    assert stage.live == 1
    stage.until(9.1)
    assert stage.live == 0


def test_a_refusal_that_is_never_acknowledged_ends_after_64_t1() -> None:
    """Timer H ends what Timer G repeats."""
    stage = Stage("INVITE").server()
    stage.answers(486)
    stage.sent()
    assert stage.until(60) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert stage.live == 0


def test_a_refusal_over_tcp_is_sent_once() -> None:
    """Timer G does not run over TCP, and the ACK ends the transaction at once."""
    stage = Stage("INVITE", TCP).server()
    stage.answers(486)
    stage.sent()
    assert stage.until(10) == []
    stage.served.acknowledge(make_request("ACK"), stage.now)
    assert stage.live == 0


def test_an_invite_repeated_after_the_2xx_is_answered_by_it() -> None:
    """In Accepted the request is no second call: the 2xx goes out again, until Timer L (RFC 6026)."""
    stage = Stage("INVITE").server()
    stage.answers(200)
    stage.sent()
    stage.served.repeated(1.0)
    assert stage.sent() == ["SIP/2.0 200"]
    stage.served.acknowledge(make_request("ACK"), 1.0)
    assert stage.user.told == ["ACK"]
    stage.until(32)
    assert stage.live == 0


def test_a_second_final_response_is_not_sent() -> None:
    """What was refused stays refused, what was accepted stays accepted."""
    stage = Stage("INVITE").server()
    stage.answers(486)
    stage.answers(200)
    assert stage.sent() == ["SIP/2.0 486"]
    stage.served.repeated(0.1)
    assert stage.sent() == ["SIP/2.0 486"]


def test_a_repeated_bye_is_answered_again() -> None:
    """Completed repeats the response until Timer J (figure 8); before an answer there is none to repeat."""
    stage = Stage("BYE").server()
    stage.served.repeated(0.0)
    assert stage.sent() == []
    stage.answers(200)
    stage.served.repeated(1.0)
    stage.served.repeated(2.0)
    assert stage.sent() == ["SIP/2.0 200"] * 3
    stage.until(32)
    assert stage.live == 0


def test_a_non_invite_server_may_say_that_it_is_working() -> None:
    """A provisional response leads to Proceeding, where repetitions get it again."""
    stage = Stage("BYE").server()
    stage.answers(100)
    stage.served.repeated(0.1)
    stage.answers(200)
    assert stage.sent() == ["SIP/2.0 100", "SIP/2.0 100", "SIP/2.0 200"]


def test_timers_follow_t1_t2_and_t4() -> None:
    """The settings scale every timer."""
    stage = Stage("BYE", t1=0.1, t2=0.3, t4=1.0).client()
    stage.sent()
    assert [round(at, 3) for at in stage.until(1.3)] == [0.1, 0.3, 0.6, 0.9, 1.2]
    stage.hears(200)
    stage.until(2.3)
    assert stage.live == 0


def test_requests_match_by_branch_sent_by_and_method() -> None:
    """Same branch from another hop, or another method, is another transaction (section 17.2.3)."""
    key = server_key(make_request())
    assert server_key(make_request(branch="Z9HG4BK1")) == key
    assert server_key(make_request("ACK")) == key
    assert server_key(make_request("CANCEL"), "INVITE") == key
    assert server_key(make_request("BYE")) != key
    assert server_key(make_request(branch="z9hG4bK2")) != key
    assert server_key(make_request(Via="SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1")) != key


@pytest.mark.parametrize("branch", ["", ";branch=z9hG4bK", ";branch=1"])
def test_requests_of_rfc_2543_match_by_everything_else(branch: str) -> None:
    """Without a branch that identifies, Request-URI, From tag, Call-ID, CSeq and Via do."""
    via = f"SIP/2.0/UDP 192.0.2.1:5060{branch}"
    key = server_key(make_request(Via=via))
    to = "<sip:b@198.51.100.2>;tag=theirs"
    assert server_key(make_request("ACK", Via=via, To=to, CSeq="1 ACK")) == key
    assert server_key(make_request("CANCEL", Via=via, CSeq="1 CANCEL"), "INVITE") == key
    assert server_key(make_request(Via=via, CSeq="2 INVITE")) != key
    assert server_key(make_request(Via=via, From="<sip:a@192.0.2.1>;tag=other")) != key
    assert server_key(make_request(Via=via, **{"Call-ID": "call-2"})) != key


class Alarm:
    """Something with a deadline and nothing else."""

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.scheduled: float | None = None
        self.woken: list[float] = []

    def expire(self, now: float) -> None:
        self.woken.append(now)
        self.deadline = None


def test_a_deadline_that_moves_is_met_where_it_moved() -> None:
    """Earlier, later or gone: the schedule wakes each once, at its last deadline."""
    schedule = Schedule()
    earlier, later, gone = Alarm(5.0), Alarm(5.0), Alarm(1.0)
    for alarm in (earlier, later, gone):
        schedule.arm(alarm)
    earlier.deadline, later.deadline, gone.deadline = 2.0, 9.0, None
    for alarm in (earlier, later, gone):
        schedule.arm(alarm)
    assert schedule.next() == 2.0
    schedule.expire(2.0)
    assert (earlier.woken, later.woken, gone.woken) == ([2.0], [], [])
    assert schedule.next() == 9.0
    schedule.expire(9.0)
    assert (earlier.woken, later.woken, gone.woken) == ([2.0], [9.0], [])
    assert schedule.next() is None
    assert len(schedule) == 0


def test_what_is_over_does_not_stay_in_the_schedule() -> None:
    """Deadlines that went away are swept out long before their time would have come."""
    schedule = Schedule()
    staying = Alarm(1000.0)
    schedule.arm(staying)
    for _ in range(10_000):
        alarm = Alarm(600.0)
        schedule.arm(alarm)
        alarm.deadline = 0.5
        schedule.arm(alarm)
        alarm.deadline = None
        schedule.arm(alarm)
    assert len(schedule) < 200
    assert schedule.next() == 1000.0
    assert len(schedule) == 1


@pytest.mark.slow
def test_the_next_timeout_of_20_000_transactions_costs_next_to_nothing() -> None:
    """Asking for the next timeout after each change stays under 50 µs with 20 000 live transactions."""
    stage = Stage("BYE")
    for number in range(20_000):
        request = make_request("BYE", f"z9hG4bK{number}")
        served = stage.layer.start_server(request, UDP)
        served.respond(make_response(request, 200), number / 1000)
        stage.layer.schedule.next()
    # The collector looks at all that the tests before this one have left, which is no transaction's cost.
    gc.disable()
    started = perf_counter()
    for number in range(1000):
        request = make_request("BYE", f"z9hG4bK-{number}")
        stage.layer.start_server(request, UDP).respond(make_response(request, 200), 20.0)
        stage.layer.schedule.next()
    one = (perf_counter() - started) / 1000
    gc.enable()
    assert stage.layer.server_count == 21_000
    assert one < 0.0005  # some 30 µs, most of it the message; generous on a busy machine
