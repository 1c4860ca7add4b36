"""Times of the configuration that contradict each other: each may be right by itself."""

from collections.abc import Iterator

from gateway.commands.finding import Finding, warn
from gateway.config.loading import Config
from gateway.events.webhooks import pause_before

RINGING_SECONDS = 30.0
"How long calls ring where nothing else is said: a caller has hung up by then."
DAY = 86_400.0


def check_times(config: Config) -> Iterator[Finding]:
    """Each pair that cannot both be meant, with the one to change."""
    yield from _connecting(config)
    yield from _stopping(config)
    yield from _waiting(config)
    yield from _keeping(config)


def longest_connecting(config: Config) -> float:
    """Seconds until a runtime is given up that never answers."""
    agents = config.agents
    pauses = agents.connect_pause * float(2 ** (agents.connect_attempts - 1) - 1)
    return agents.connect_attempts * agents.connect_timeout + pauses


def longest_delivering(config: Config) -> float:
    """Seconds until a webhook's delivery is given up that nobody takes."""
    hooks = config.webhooks
    pauses = (pause_before(n, hooks.retry_seconds).total_seconds() for n in range(1, hooks.retries + 1))
    return (hooks.retries + 1) * hooks.timeout_ms / 1000 + sum(pauses)


def _connecting(config: Config) -> Iterator[Finding]:
    seconds, invite = longest_connecting(config), config.sip.invite_seconds
    least = min(RINGING_SECONDS, invite)
    if seconds > least:
        found = f"a runtime that is away is given up after {seconds:g} s, a call that rings after {least:g} s"
        mend = "lower [agents] connect_timeout or connect_attempts: else no fallback is reached"
        yield warn("times", found, mend)
    if invite < 64 * config.sip.t1_ms / 1000:
        found = (
            f"[sip] invite_seconds is {invite:g}, and repeating goes on for 64 T1, {64 * config.sip.t1_ms} ms"
        )
        yield warn("times", found, "raise [sip] invite_seconds, or lower t1_ms")


def _stopping(config: Config) -> Iterator[Finding]:
    drain, last_words = config.sip.drain_seconds, config.agents.drain_audio_seconds
    if 0 < drain < last_words:
        found = f"a stop waits {drain:g} s for calls, and an agent's last words may take {last_words:g} s"
        yield warn("times", found, "raise [sip] drain_seconds, or lower [agents] drain_audio_seconds")


def _waiting(config: Config) -> Iterator[Finding]:
    media = config.media
    if media.one_way_seconds >= media.no_media_seconds:
        found = f"one_way_seconds ({media.one_way_seconds:g}) is not below no_media_seconds: nobody is warned"
        yield warn("times", found, "lower [media] one_way_seconds")
    if media.stall_ms < media.reorder_ms:
        found = f"stall_ms ({media.stall_ms}) is below reorder_ms ({media.reorder_ms}): silence comes first"
        yield warn("times", found, "raise [media] stall_ms, or lower reorder_ms")
    plivo, settle = config.providers.plivo, config.provisioning.settle_seconds
    asked = plivo.timeout_seconds * plivo.attempts
    if config.provisioning.provider == "plivo" and settle < asked:
        found = f"a purchase counts as never made after {settle:g} s, and asking may take {asked:g} s"
        yield warn("times", found, "raise [provisioning] settle_seconds: else a number is paid and not had")


def _keeping(config: Config) -> Iterator[Finding]:
    seconds, calls = longest_delivering(config), config.store.keep_calls_days
    kept = min(filter(None, (config.webhooks.log_days, calls)))
    if seconds > kept * DAY:
        found = f"webhooks are tried for {seconds / DAY:.1f} days, what they are about is kept for {kept}"
        yield warn("times", found, "lower [webhooks] retries or retry_seconds, or keep records for longer")
    recordings = config.recordings
    if recordings.keep_days and recordings.link_days > recordings.keep_days:
        found = f"links work for {recordings.link_days} days, recordings go after {recordings.keep_days}"
        yield warn("times", found, "lower [recordings] link_days, or raise keep_days")
