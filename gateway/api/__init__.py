"""HTTP: health, metrics, the event stream, and the versioned API."""
