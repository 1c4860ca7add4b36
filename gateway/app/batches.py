"""The batches of a gateway: what dials them, and what people do with them."""

from typing import TYPE_CHECKING

from gateway.batch.batches import Batches, BatchParts
from gateway.batch.engine import Engine, EngineParts

if TYPE_CHECKING:
    from gateway.app.gateway import Gateway


def batches_of(gateway: "Gateway") -> tuple[Engine, Batches]:
    """Both, made of the gateway's parts; `Engine.start` once there may be calls."""
    config, board = gateway.config, gateway.switchboard
    most = min(config.sip.max_calls, config.media.pairs)
    parts = EngineParts(
        store=gateway.store,
        placer=gateway.placing,
        tell=gateway.bus.tell,
        settings=config.batch,
        owner=gateway.tenure.token,
        running_calls=lambda: board.active,
        most_calls=max(1, int(most * (1 - config.batch.free_share))),
    )
    engine = Engine(parts)
    batches = Batches(
        BatchParts(
            store=gateway.store,
            engine=engine,
            board=board,
            plan=gateway.placing.plan,
            folder=config.upload_folder,
            tell=gateway.bus.tell,
            owner=gateway.tenure.token,
            most_batches=config.tenants.batches,
        )
    )
    return engine, batches
