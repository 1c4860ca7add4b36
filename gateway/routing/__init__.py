"""Routing decisions as values: which trunk, which agent version, and why."""
