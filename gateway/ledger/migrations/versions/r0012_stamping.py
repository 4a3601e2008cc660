"""Documents whose stamp follows: what is to be stamped, kept until a slow signer has signed it and for good."""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, standing

revision = "r0012"
down_revision = "r0011"

_OPEN = sa.text("next_at IS NOT NULL")
_SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in "document_uuid taxpayer_id csid_id body".split())
_STAMPED = "EXISTS (SELECT 1 FROM stamp WHERE document_uuid = NEW.document_uuid)"
_GUARDS = (
    *standing("stamping", "EXISTS (SELECT 1 FROM stamping WHERE document_uuid = NEW.document_uuid)", changes=True),
    Guard("stamping", "UPDATE", "body", "what is to be stamped stays what it is", f"NOT ({_SAME})"),
    Guard(
        "stamping",
        "UPDATE",
        "done",
        "it is done when the stamp is there, and never again",
        f"(NEW.next_at IS NULL AND NOT {_STAMPED}) OR (OLD.next_at IS NULL AND NEW.next_at IS NOT NULL)",
    ),
    Guard(
        "submission",
        "UPDATE",
        "stamped",
        "nothing is sent without its stamp",
        f"OLD.status = 'unstamped' AND (NEW.status <> OLD.status OR NEW.next_at IS NOT NULL) AND NOT {_STAMPED}",
    ),
)


def upgrade() -> None:
    op.create_table(
        "stamping",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("csid_id", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("next_at", sa.String(27), nullable=True),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"], name="fk_stamping_document_uuid"),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"], name="fk_stamping_taxpayer_id"),
        sa.ForeignKeyConstraint(["csid_id"], ["csid.id"], name="fk_stamping_csid_id"),
        sa.PrimaryKeyConstraint("document_uuid", name="pk_stamping"),
    )
    op.create_index("ix_stamping_open", "stamping", ["next_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    create(_GUARDS)
