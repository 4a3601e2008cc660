"""Run by alembic, inside the transaction that Database opened."""

from alembic import context

from gateway.ledger.database import VERSION_TABLE
from gateway.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
