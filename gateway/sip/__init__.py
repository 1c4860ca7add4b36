"""RFC 3261 without I/O: bytes in, events out."""
