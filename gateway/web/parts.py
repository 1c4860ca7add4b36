"""What the pages are made from: the parts of the gateway that the dashboard looks at and acts on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.batch.batches import Batches
from gateway.batch.files.multipart import Uploads
from gateway.call.placing import Placing
from gateway.call.record import utc_now
from gateway.call.switchboard import Switchboard
from gateway.call.web_calls import WebCalls
from gateway.config.settings import Config
from gateway.events.subscribing import Subscribing
from gateway.provisioning.counter import Counter
from gateway.provisioning.linking import Linking
from gateway.provisioning.runtime_trial import RuntimeTrials
from gateway.recordings.keeping import Keeping
from gateway.store.sql import SqlStore
from gateway.tell import Tell
from gateway.web.kept_files import KeptFiles


class HousePhone(Protocol):
    """A telephone of the gateway's own, which calls its numbers."""

    @property
    def source(self) -> str | None:
        """The address that it calls from; None: it can call nobody."""

    def call(self, to: str, caller: str) -> bool:
        """Begin to call; False: not now."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway as the dashboard sees it."""

    config: Config
    store: SqlStore
    switchboard: Switchboard
    placing: Placing
    web_calls: WebCalls
    keeping: Keeping
    counter: Counter
    linking: Linking
    subscribing: Subscribing
    house_phone: HousePhone
    runtime_trials: RuntimeTrials
    uploads: Uploads
    kept_files: KeptFiles
    batches: Batches
    tell: Tell
    now: Callable[[], datetime] = field(default=utc_now)
