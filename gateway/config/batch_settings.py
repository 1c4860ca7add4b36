"""The section of the configuration that is about batches: see `gateway.config.settings`."""

from typing import Annotated

from pydantic import Field

from gateway.config.setting_types import Section


class BatchSettings(Section):
    """`[batch]`: calls that are placed by the file."""

    free_share: Annotated[float, Field(ge=0, le=0.9, allow_inf_nan=False)] = 0.1
    "Share of each limit, and of a trunk's calls per second, that batches leave to single and inbound calls."
    calls_per_second: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 50.0
    "New calls a second that all batches of this gateway place together, whatever their trunks allow."
    window: Annotated[int, Field(ge=1, le=1000)] = 50
    "Recipients of a batch that this gateway takes from the database at once, to call them next."
    guard_calls: Annotated[int, Field(ge=0, le=10_000)] = 20
    "Calls of a batch that are looked at together: when most of them failed, it pauses itself. 0: never."
    guard_share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.5
    "It pauses where more than this share of them failed at the trunk, or for want of its agent."
