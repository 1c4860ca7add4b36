"""What provisioning says no with, beside the store's own errors."""

from collections.abc import Mapping

from gateway.store.engine.errors import InvalidInput, StoreError


class Forbidden(InvalidInput):
    """The workspace may not: what has to be done first stands in the message."""


class Upstream(StoreError):
    """Somebody else, a provider or a carrier, did not do what this needs; the message says what to do."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        report: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.report = report
        "What was tried, step by step, in JSON types."
        self.retry_after = retry_after
        "Seconds after which the same request may work; None where time alone does not help."
