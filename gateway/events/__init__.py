"""What leaves the gateway: events to the log, to whoever follows, to the metrics."""
