"""Who is told of calls over HTTP, and the desk that tells them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.app.http import links_of, lookup_of
from gateway.events.webhooks import Parts, WebhookDesk
from gateway.net.webhook import WebhookSender
from gateway.store.records.calls import CallRow

if TYPE_CHECKING:
    from gateway.app.gateway import Gateway


def build_events(gateway: "Gateway") -> WebhookDesk:
    """The desk of webhooks, which hears from now on; closed with the gateway."""
    settings = gateway.config.webhooks
    sender = WebhookSender(
        allow_private=settings.allow_private == "yes",
        timeout_seconds=settings.timeout_ms / 1000,
        reach=gateway.reach,
    )
    gateway.closing.push_async_callback(sender.close)

    def recording_url(row: CallRow) -> str | None:
        """A recording's link for receivers elsewhere; None where nobody said how we are reached."""
        base = gateway.config.web.public_url
        return links_of(gateway).link(f"{base}/", row, datetime.now(UTC)) if base else None

    parts = Parts(
        webhooks=gateway.store.configuration.webhooks,
        calls=lookup_of(gateway),
        texts=gateway.store.texts,
        sender=sender,
        recording_url=recording_url,
        tell=gateway.bus.tell,
    )
    desk = WebhookDesk(settings, parts)
    gateway.bus.add(desk.hear)
    gateway.beside(desk.run(), "webhooks")
    return desk
