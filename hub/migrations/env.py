"""Alembic's entry: runs migrations on the connection that `hub.store.migration` hands over."""

from alembic import context

from hub.store.metadata import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
