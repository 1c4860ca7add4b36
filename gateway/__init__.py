"""Trunkline: a SIP edge gateway for AI voice agents."""

__version__ = "0.2.0"
