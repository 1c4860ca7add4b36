"""Runs the migrations on the connection of `Database.migrate`; alembic loads this file by its name."""

from alembic import context

from gateway.store.engine.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
