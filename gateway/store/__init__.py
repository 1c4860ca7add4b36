"""The database behind one protocol."""
