"""How many files the system lets us have open, and how many we may come to need."""

import resource

from gateway.config.settings import Config

PER_CALL = 6
"RTP and RTCP, the agent's connection or its own pair, a recording, and one to spare."
OTHERS = 200
"The database's connections, the broker's, webhooks on their way, log, journal and what Python has open."


def needed(config: Config) -> int:
    """Files that are open when all bounds are reached at once."""
    return config.sip.max_calls * PER_CALL + config.sip.max_connections + config.http.max_connections + OTHERS


def allowed() -> tuple[int, int]:
    """How many we may have open, and how far we may raise that ourselves."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_limit(wanted: int) -> int:
    """Raise the limit as far as is needed and allowed; returns what it is then."""
    soft, hard = allowed()
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
