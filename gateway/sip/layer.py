"""The transaction layer (RFC 3261 section 17): which message belongs where, what goes out, what is due."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from gateway.sip.schedule import Schedule, Timed
from gateway.sip.transaction import ClientTransaction, ClientUser, ServerTransaction, Transaction

if TYPE_CHECKING:
    from gateway.sip.message import Request, Response
    from gateway.sip.settings import Settings
    from gateway.sip.target import Target

Key: TypeAlias = tuple[object, ...]


class TransactionLayer:
    """The live transactions of a user agent, its queue of messages to send, and its one schedule."""

    def __init__(self, settings: Settings, counters: Counter[str]) -> None:
        self.settings = settings
        self.counters = counters
        self.schedule = Schedule()
        self._outbox: list[tuple[bytes, Target]] = []
        self._clients: dict[Key, ClientTransaction] = {}
        self._clients_by_target: dict[Key, dict[Key, ClientTransaction]] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merge_keys: set[Key] = set()

    @property
    def server_count(self) -> int:
        """Live server transactions."""
        return len(self._servers)

    @property
    def client_count(self) -> int:
        """Live client transactions."""
        return len(self._clients)

    def send(self, data: bytes, target: Target) -> None:
        """Queue a message for the network."""
        self._outbox.append((data, target))

    def take_outbox(self) -> list[tuple[bytes, Target]]:
        """Everything queued since the last time."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def arm(self, timed: Timed) -> None:
        """Take notice of deadlines that moved."""
        self.schedule.arm(timed)

    def forget(self, transaction: Transaction) -> None:
        """The transaction has terminated: nothing can match it any more."""
        if isinstance(transaction, ServerTransaction):
            transaction.user = None
            self._servers.pop(transaction.key, None)
            if transaction.merge_key is not None:
                self._merge_keys.discard(transaction.merge_key)
        elif self._clients.pop(transaction.key, None) is not None:
            self._forget_target(transaction)

    def start_client(
        self, request: Request, target: Target, user: ClientUser, now: float
    ) -> ClientTransaction:
        """Send a request of ours by a new transaction."""
        key = (request.via.branch, request.method)
        transaction = ClientTransaction(key, request, target, user, self, now)
        self._clients[key] = transaction
        self._clients_by_target.setdefault(hop_of(target), {})[key] = transaction
        return transaction

    def start_server(self, request: Request, target: Target) -> ServerTransaction:
        """Make the transaction of a request that arrived; its responses go to `target`."""
        key = server_key(request)
        transaction = ServerTransaction(key, request, target, self)
        if request.to.tag is None:
            transaction.merge_key = merge_key(request)
            self._merge_keys.add(transaction.merge_key)
        self._servers[key] = transaction
        return transaction

    def client_of(self, response: Response) -> ClientTransaction | None:
        """The transaction that a response answers (section 17.1.3)."""
        return self._clients.get((response.via.branch, response.cseq.method))

    def server_of(self, request: Request, method: str | None = None) -> ServerTransaction | None:
        """The transaction that a request repeats, acknowledges or cancels (section 17.2.3)."""
        return self._servers.get(server_key(request, method))

    def merged(self, request: Request) -> bool:
        """Whether it is another copy, by another path, of a request that is being served (8.2.2.2)."""
        return request.to.tag is None and merge_key(request) in self._merge_keys

    def undeliverable(self, target: Target, why: str, now: float) -> None:
        """Everything of ours that waits for an answer from `target` has failed."""
        for transaction in list(self._clients_by_target.get(hop_of(target), {}).values()):
            transaction.undeliverable(why, now)

    def _forget_target(self, transaction: Transaction) -> None:
        hop = hop_of(transaction.target)
        waiting = self._clients_by_target[hop]
        del waiting[transaction.key]
        if not waiting:
            del self._clients_by_target[hop]


def server_key(request: Request, method: str | None = None) -> Key:
    """What identifies the server transaction of a request (section 17.2.3).

    `method` stands for the request's own, for CANCEL; an ACK always means its INVITE.
    """
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    branch = (via.branch or "").lower()
    if via.has_cookie:
        return (branch, via.host.lower(), via.port, method)
    # RFC 2543 knows no branch that identifies. The To tag, which the ACK has and the INVITE has not, is
    # left out: all else being equal, it could only tell a request from its own repetition.
    return (
        request.call_id,
        request.cseq.number,
        request.from_.tag,
        request.uri,
        via.host.lower(),
        via.port,
        branch,
        method,
    )


def merge_key(request: Request) -> Key:
    """What two copies of one request have in common whatever path they took (section 8.2.2.2)."""
    return (request.call_id, request.from_.tag, request.cseq.number, request.method)


def hop_of(target: Target) -> Key:
    """A target without the means by which it is reached."""
    return (target.transport, target.host, target.port)
