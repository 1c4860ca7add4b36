"""What `/metrics` reads from the parts of a gateway when it is asked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.app.gateway import Gateway


def figures_of(gateway: "Gateway") -> dict[str, float]:
    """Gauges by their names, without the prefix.

    Long, since it is one table.
    """
    board, parts = gateway.switchboard, gateway.parts
    agent, records = gateway.endpoint.user_agent, gateway.store.counters
    return {
        "calls_active": board.active,
        "recordings_active": parts.recordings.active,
        "rtp_ports_in_use": parts.ports.in_use,
        "sip_dialogs": agent.dialog_count,
        "sip_transactions": agent.transaction_count,
        "calls_shed": board.overload.shed,
        "overloaded": board.overload.shedding,
        "media_clock_late_milliseconds": round(board.overload.level * 1000, 2),
        "media_clock_skipped_beats": parts.clock.skipped_beats,
        "agents_held": gateway.throttle.held,
        "agents_cut_off": gateway.throttle.cut_off,
        "sip_connections_refused": gateway.endpoint.sockets.streams.refused,
        "sip_messages_not_allowed": gateway.endpoint.sockets.not_allowed,
        "http_connections_refused": gateway.http.connections.refused,
        "http_connections_overdue": gateway.http.connections.overdue_closed,
        "webhooks_waiting": gateway.desk.waiting,
        "webhooks_delivered": gateway.desk.counters["delivered"],
        "webhooks_failed": gateway.desk.counters["failed"],
        "webhooks_dropped": gateway.desk.counters["dropped"],
        "store_records_saved": records["saved"],
        "store_records_journalled": records["journalled"],
        "store_records_replayed": records["replayed"],
        "store_records_rejected": records["rejected"],
        "store_records_lost": records["lost"],
        "store_records_fenced": records["fenced"],
        "store_records_unsaved": records["unsaved"],
        "store_stalls": records["stalls"],
        "store_stalled": records["stalled"],
        "store_journal_bytes": gateway.store.journal_bytes,
        "store_journal_refusing": records["journal_refusing"],
        "store_writable": gateway.tenure.unwritable is None,
        "batches_running": gateway.engine.running,
        "batch_calls": gateway.engine.calls,
        "batch_rows_taken_over": gateway.engine.taken_over,
        "mqtt_connected": gateway.link is not None and gateway.link.broker.is_connected,
        "mqtt_waiting": 0 if gateway.link is None else gateway.link.outbox.waiting,
        "mqtt_published": 0 if gateway.link is None else gateway.link.outbox.counters["published"],
        "mqtt_dropped": 0 if gateway.link is None else gateway.link.outbox.counters["dropped"],
    }
