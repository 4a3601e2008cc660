"""How the schema came to be, step by step; alembic runs what a ledger does not have yet."""
