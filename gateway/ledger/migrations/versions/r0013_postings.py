"""Documents in the books of ERPs: what is to be posted there, what was, and what waits for a person."""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, standing

revision = "r0013"
down_revision = "r0012"

_OPEN = sa.text("next_at IS NOT NULL")
_SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in "taxpayer_id document_uuid connection_id mode".split())
_STANDS = "EXISTS (SELECT 1 FROM posting WHERE document_uuid = NEW.document_uuid AND connection_id = NEW.connection_id)"
_GUARDS = (
    *standing("posting", _STANDS, changes=True),
    Guard("posting", "UPDATE", "whose", "what is posted where stays what it is", f"NOT ({_SAME})"),
    Guard(
        "posting",
        "UPDATE",
        "entry",
        "an entry that is known is not forgotten",
        "OLD.entry_id <> '' AND NEW.entry_id = ''",
    ),
)


def upgrade() -> None:
    op.create_table(
        "posting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("connection_id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(27), nullable=True),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("entry_number", sa.String(), nullable=False),
        sa.Column("entry_state", sa.String(), nullable=False),
        sa.Column("entry_total", sa.String(40), nullable=True),
        sa.Column("entry_url", sa.String(), nullable=False),
        sa.Column("told", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"], name="fk_posting_taxpayer_id"),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"], name="fk_posting_document_uuid"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name="fk_posting_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_posting"),
        sa.UniqueConstraint("document_uuid", "connection_id", name="uq_posting_document_uuid_connection_id"),
    )
    op.create_index("ix_posting_open", "posting", ["next_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_posting_taxpayer_id_state", "posting", ["taxpayer_id", "state"])
    create(_GUARDS)
