"""Batches: a gateway, its agent's runtime, and a telephone that answers."""

from tests.call.conftest import agent, build, make_phone, phone, world  # noqa: F401  fixtures
