"""The two ways SIP can go wrong: our fault, or theirs."""


class LocalProtocolError(Exception):
    """We asked for something the protocol forbids: a bug of ours, never caused by a peer."""


class RemoteProtocolError(Exception):
    """The peer sent something the protocol forbids.

    `status` and `reason` are what a response says about it. The reason is text of ours: it may name a
    header, but never repeats what the peer wrote.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
