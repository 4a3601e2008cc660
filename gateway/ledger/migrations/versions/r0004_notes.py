"""What notes take of their originals, notes on invoices from elsewhere, and prepayments that documents take off."""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import create, standing

revision = "r0004"
down_revision = "r0003"

_STANDS = """EXISTS (SELECT 1 FROM deduction
    WHERE document_uuid = NEW.document_uuid AND prepayment_uuid = NEW.prepayment_uuid)"""


def upgrade() -> None:
    # Documents that stand are no notes. Adding columns with a default touches no row, so no guard is in the way.
    op.add_column("document", sa.Column("takes", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("document", sa.Column("external_number", sa.String(), nullable=False, server_default=""))
    op.add_column("document", sa.Column("external_left", sa.String(40), nullable=True))
    op.create_index("ix_document_taxpayer_id_external_number", "document", ["taxpayer_id", "external_number"])
    op.create_table(
        "deduction",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("prepayment_uuid", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["prepayment_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("document_uuid", "prepayment_uuid"),
    )
    op.create_index("ix_deduction_prepayment_uuid", "deduction", ["prepayment_uuid"])
    create(standing("deduction", _STANDS, changes=False))
