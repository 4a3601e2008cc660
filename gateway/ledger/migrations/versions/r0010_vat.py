"""What a document says of VAT, beside it; keys that end, and that see a part only."""

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"


def upgrade() -> None:
    # Documents that stand are read from their bytes instead; adding a column touches no row, so no guard is in the way.
    op.add_column("document", sa.Column("taxed", sa.Text(), nullable=True))
    op.add_column("document", sa.Column("supplied_on", sa.String(10), nullable=True))
    op.add_column("api_key", sa.Column("ends_at", sa.String(27), nullable=True))
    op.add_column("api_key", sa.Column("scope", sa.Text(), nullable=False, server_default="{}"))
