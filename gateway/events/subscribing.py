"""Who is to be told of a workspace's calls: what API and dashboard check, ask and do alike."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from gateway.config.settings import WebhookSettings
from gateway.events.webhook_bodies import EVENTS, verification
from gateway.events.webhooks import WebhookDesk, signed
from gateway.routing.table import Secret
from gateway.store.configuration.webhooks import Delivery, Webhook, Webhooks
from gateway.store.engine.errors import InvalidInput
from gateway.store.engine.ids import new_id

MAX_URL = 150
SECRET_LENGTH = (8, 200)
CONTROL = re.compile(r"[\x00-\x20\x7f]")


class NotAnAddress(InvalidInput):
    """It is no URL that a webhook can have."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants a webhook to be; None: as it was."""

    url: str | None = None
    events: Sequence[str] | None = None
    secret: str | None = None
    is_active: bool | None = None


def fresh_secret() -> str:
    """A secret that nobody has to think up."""
    return f"whsec_{secrets.token_urlsafe(24)}"


@dataclass(frozen=True, slots=True)
class Subscribing:
    """Makes, changes and removes webhooks; raises `InvalidInput`, and then nothing was kept."""

    webhooks: Webhooks
    desk: WebhookDesk
    settings: WebhookSettings

    async def add(self, workspace_id: str, wish: Wish, by: str) -> Webhook:
        """Make a webhook: its address is asked first, and kept only when it answers with 2xx."""
        blank = Webhook(
            id=new_id("webhook"),
            workspace_id=workspace_id,
            url="",
            events=(),
            secret=Secret(fresh_secret()),
            is_active=True,
            created_by=by,
            created_at=datetime.now(UTC),
        )
        webhook = wished(blank, replace(wish, url=wish.url or "", events=wish.events or ()), self.settings)
        await self._verify(webhook)
        await self.webhooks.add(webhook)
        self.desk.forget_known()
        return webhook

    async def change(self, before: Webhook, wish: Wish, by: str) -> Webhook:
        """Change a webhook; a new address is asked first."""
        after = wished(before, wish, self.settings)
        if after.url != before.url:
            await self._verify(after)
        await self.webhooks.change(before, after, by)
        self.desk.forget_known()
        return after

    async def remove(self, webhook: Webhook, by: str) -> None:
        """Remove a webhook, with its log."""
        await self.webhooks.remove(webhook, by)
        self.desk.forget_known()

    async def again(self, webhook: Webhook, delivery_id: str) -> Delivery:
        """Deliver something once more, as soon as may be; the new delivery."""
        fresh = await self.webhooks.again(webhook, delivery_id, datetime.now(UTC))
        self.desk.forget_known()
        return fresh

    async def _verify(self, webhook: Webhook) -> None:
        """Ask the address whether it wants to be told; never tried again."""
        body = verification("Trunkline asks whether this address takes webhooks", datetime.now(UTC))
        headers = signed(webhook, "verification", new_id("whd"), body)
        outcome = await self.desk.sender.post(webhook.url, body, headers)
        if not outcome.succeeded:
            why = outcome.error or f"answered {outcome.status}"
            raise InvalidInput("url", webhook.url, f"should answer a verification with 2xx, but: {why}")


def wished(before: Webhook, wish: Wish, settings: WebhookSettings) -> Webhook:
    """The webhook as it is wished, if the rules allow it."""
    after = before
    if wish.url is not None:
        after = replace(after, url=_checked_url(wish.url, settings))
    if wish.events is not None:
        after = replace(after, events=_checked_events(wish.events))
    if wish.secret is not None:
        after = replace(after, secret=_checked_secret(wish.secret))
    return after if wish.is_active is None else replace(after, is_active=wish.is_active)


def _checked_url(url: str, settings: WebhookSettings) -> str:
    schemes = ("https", "http") if settings.allow_http == "yes" else ("https",)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or CONTROL.search(url) or "@" in url.partition("?")[0]:
        expected = f"should be a valid URL that begins with {' or '.join(f'{one}://' for one in schemes)}"
        raise NotAnAddress("url", url[:200], expected)
    if len(url) > MAX_URL:
        raise InvalidInput("url", url[:200], f"should be at most {MAX_URL} characters")
    return url


def _checked_events(events: Sequence[str]) -> tuple[str, ...]:
    if not events:
        raise InvalidInput("events", None, "at least one should be chosen")
    for event in events:
        if event not in EVENTS:
            raise InvalidInput("events", event[:80], f"should be of {', '.join(EVENTS)}")
    return tuple(dict.fromkeys(events))


def _checked_secret(secret: str) -> Secret:
    least, most = SECRET_LENGTH
    if not least <= len(secret) <= most:
        raise InvalidInput("secret", None, f"should have {least} to {most} characters")
    return Secret(secret)
