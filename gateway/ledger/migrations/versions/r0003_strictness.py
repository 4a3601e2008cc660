"""The rule book each document was judged by, the warnings it was made in spite of, and those a taxpayer allows."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"


def upgrade() -> None:
    # Documents that stand were judged by the only book there was, and nothing was allowed. Adding columns with a
    # default touches no row, so the guards of what never changes have nothing to refuse.
    op.add_column("document", sa.Column("rule_book", sa.String(), nullable=False, server_default="R3.4.8"))
    op.add_column("document", sa.Column("allowed", sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "allowed_warning",
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("taxpayer_id", "rule"),
    )
