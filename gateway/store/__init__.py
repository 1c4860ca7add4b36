"""The database behind one protocol: routing tables in, call records out, and the configuration in between."""
