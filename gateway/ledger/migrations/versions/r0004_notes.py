"""What notes take of their originals, notes on invoices from elsewhere, and prepayments that documents take off."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"

_GUARDS = {
    "anew": (
        "INSERT",
        "this row stands already",
        """EXISTS (SELECT 1 FROM deduction
        WHERE document_uuid = NEW.document_uuid AND prepayment_uuid = NEW.prepayment_uuid)""",
    ),
    "delete": ("DELETE", "rows are never deleted", "1 = 1"),
    "change": ("UPDATE", "rows are never changed", "1 = 1"),
}


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
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, guard in _GUARDS.items():
        for statement in _sqlite(name, *guard) if sqlite else _postgresql(name, *guard):
            op.execute(sa.text(statement))


def _sqlite(name: str, event: str, message: str, refused: str) -> list[str]:
    return [
        f"CREATE TRIGGER deduction_{name} BEFORE {event} ON deduction BEGIN "
        f"SELECT RAISE(ABORT, 'deduction: {message}') WHERE {refused}; END"
    ]


def _postgresql(name: str, event: str, message: str, refused: str) -> list[str]:
    row = "OLD" if event == "DELETE" else "NEW"
    made = [
        f"CREATE FUNCTION deduction_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {refused} THEN "
        f"RAISE EXCEPTION 'deduction: {message}' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; RETURN {row}; END $$",
        f"CREATE TRIGGER deduction_{name} BEFORE {event} ON deduction FOR EACH ROW EXECUTE FUNCTION deduction_{name}()",
    ]
    if event == "DELETE":
        made.append(
            "CREATE TRIGGER deduction_truncate BEFORE TRUNCATE ON deduction "
            "FOR EACH STATEMENT EXECUTE FUNCTION deduction_delete()"
        )
    return made
