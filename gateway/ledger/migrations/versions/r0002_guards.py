"""What the database itself refuses, whoever asks: changing or deleting what was made, and breaking a chain.

A guard is a condition under which an insert, update or delete is refused. The conditions are plain SQL that SQLite and
PostgreSQL read alike; only the triggers around them differ. That inserting over a row that stands is refused has a
reason: in SQLite `INSERT OR REPLACE` deletes the old row without asking the triggers that guard deletions.
"""

from typing import Final, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"

_FIRST_PIH: Final = "NWZlY2ViNjZmZmM4NmYzOGQ5NTI3ODZjNmQ2OTZjNzljMmRiYzIzOWRkNGU5MWI0NjcyOWQ3M2EyN2ZiNTdlOQ=="

# Rows that never change once they stand, and how a new row would be recognised as one of them.
_NEVER_CHANGED: Final = {
    "document": """EXISTS (SELECT 1 FROM document WHERE uuid = NEW.uuid)
        OR EXISTS (SELECT 1 FROM document WHERE replaces = NEW.replaces)
        OR EXISTS (SELECT 1 FROM document WHERE chain_id = NEW.chain_id AND icv = NEW.icv)
        OR (NEW.replaces IS NULL AND EXISTS (SELECT 1 FROM document
            WHERE replaces IS NULL AND taxpayer_id = NEW.taxpayer_id AND number = NEW.number))""",
    "stamp": "EXISTS (SELECT 1 FROM stamp WHERE document_uuid = NEW.document_uuid)",
    "attempt": """EXISTS (SELECT 1 FROM attempt
        WHERE document_uuid = NEW.document_uuid AND number = NEW.number AND phase = NEW.phase)""",
    "clearance": "EXISTS (SELECT 1 FROM clearance WHERE document_uuid = NEW.document_uuid)",
    "audit": "EXISTS (SELECT 1 FROM audit WHERE taxpayer_id = NEW.taxpayer_id AND seq = NEW.seq)",
    "order_snapshot": "EXISTS (SELECT 1 FROM order_snapshot WHERE id = NEW.id)",
    "idempotency_key": "EXISTS (SELECT 1 FROM idempotency_key WHERE taxpayer_id = NEW.taxpayer_id AND key = NEW.key)",
}

# Rows that are never deleted; what may change of them is guarded below.
_NEVER_DELETED: Final = {
    "csid": "EXISTS (SELECT 1 FROM csid WHERE id = NEW.id)",
    "chain": "EXISTS (SELECT 1 FROM chain WHERE csid_id = NEW.csid_id)",
    "sale": """EXISTS (SELECT 1 FROM sale WHERE id = NEW.id)
        OR EXISTS (SELECT 1 FROM sale WHERE taxpayer_id = NEW.taxpayer_id AND connection_id = NEW.connection_id
            AND thing = NEW.thing AND kind = NEW.kind)""",
    "submission": "EXISTS (SELECT 1 FROM submission WHERE document_uuid = NEW.document_uuid)",
}


class _Guard(NamedTuple):
    table: str
    event: str
    name: str
    message: str
    refused: str


_GUARDS: Final = (
    _Guard(
        "document",
        "INSERT",
        "link",
        "a document follows the head of its open chain",
        """NOT EXISTS (SELECT 1 FROM chain WHERE csid_id = NEW.chain_id AND taxpayer_id = NEW.taxpayer_id
            AND unit_id = NEW.unit_id AND sealed_at IS NULL AND head_icv + 1 = NEW.icv AND head_hash = NEW.pih
            AND head_at <= NEW.made_at)""",
    ),
    _Guard(
        "document",
        "INSERT",
        "refers",
        "a document replaces one of its own sale and corrects one of its own taxpayer",
        """(NEW.replaces IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM document WHERE uuid = NEW.replaces AND sale_id = NEW.sale_id))
            OR (NEW.corrects IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM document WHERE uuid = NEW.corrects AND taxpayer_id = NEW.taxpayer_id))""",
    ),
    _Guard(
        "chain",
        "INSERT",
        "start",
        "a chain begins empty",
        f"NOT (NEW.head_icv = 0 AND NEW.head_hash = '{_FIRST_PIH}' AND NEW.sealed_at IS NULL)",
    ),
    _Guard(
        "chain",
        "UPDATE",
        "head",
        "the head of a chain moves by one, to the document that stands there, until the chain is sealed",
        """NOT (NEW.csid_id = OLD.csid_id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.unit_id = OLD.unit_id
            AND OLD.sealed_at IS NULL AND (
                (NEW.head_icv = OLD.head_icv AND NEW.head_hash = OLD.head_hash AND NEW.head_at = OLD.head_at)
                OR (NEW.sealed_at IS NULL AND NEW.head_icv = OLD.head_icv + 1 AND EXISTS (
                    SELECT 1 FROM document WHERE chain_id = NEW.csid_id AND icv = NEW.head_icv
                    AND hash = NEW.head_hash AND made_at = NEW.head_at))))""",
    ),
    _Guard(
        "csid",
        "UPDATE",
        "retire",
        "a CSID can only be retired, once",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.unit_id = OLD.unit_id
            AND NEW.stage = OLD.stage AND NEW.request_id = OLD.request_id AND NEW.token = OLD.token
            AND NEW.certificate = OLD.certificate AND OLD.retired_at IS NULL)""",
    ),
    _Guard(
        "sale",
        "UPDATE",
        "current",
        "a sale points to one of its own documents",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.connection_id = OLD.connection_id
            AND NEW.thing = OLD.thing AND NEW.kind = OLD.kind AND NEW.order_id = OLD.order_id AND EXISTS (
                SELECT 1 FROM document WHERE uuid = NEW.document_uuid AND sale_id = NEW.id))""",
    ),
    _Guard(
        "submission",
        "UPDATE",
        "final",
        "a final status stays",
        """(OLD.status IN ('cleared', 'reported', 'replaced') AND NEW.status <> OLD.status)
            OR (OLD.status = 'rejected' AND NEW.status NOT IN ('rejected', 'replaced'))""",
    ),
    _Guard(
        "audit",
        "INSERT",
        "next",
        "an entry follows the last one",
        """NEW.seq <> 1 + COALESCE((SELECT MAX(seq) FROM audit WHERE taxpayer_id = NEW.taxpayer_id), 0)
            OR NEW.previous <> COALESCE((SELECT hash FROM audit WHERE taxpayer_id = NEW.taxpayer_id
                ORDER BY seq DESC LIMIT 1), '')""",
    ),
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    guards = (*_standing(), *_GUARDS)
    for guard in guards:
        for statement in _sqlite(guard) if sqlite else _postgresql(guard):
            op.execute(sa.text(statement))
    if not sqlite:
        for table in sorted({guard.table for guard in guards}):
            op.execute(sa.text(_refuse_truncate(table)))


def _standing() -> list[_Guard]:
    """The guards of rows that stand."""
    guards = []
    for table, stands in (_NEVER_CHANGED | _NEVER_DELETED).items():
        guards.append(_Guard(table, "INSERT", "anew", "this row stands already", stands))
        guards.append(_Guard(table, "DELETE", "delete", "rows are never deleted", "1 = 1"))
        if table in _NEVER_CHANGED:
            guards.append(_Guard(table, "UPDATE", "change", "rows are never changed", "1 = 1"))
    return guards


def _sqlite(guard: _Guard) -> list[str]:
    return [
        f"CREATE TRIGGER {guard.table}_{guard.name} BEFORE {guard.event} ON {guard.table} BEGIN "
        f"SELECT RAISE(ABORT, '{guard.table}: {guard.message}') WHERE {guard.refused}; END"
    ]


def _postgresql(guard: _Guard) -> list[str]:
    """A trigger needs a function there; tables get those of their own, named alike."""
    name = f"{guard.table}_{guard.name}"
    row = "OLD" if guard.event == "DELETE" else "NEW"
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {guard.refused} THEN "
        f"RAISE EXCEPTION '{guard.table}: {guard.message}' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; RETURN {row}; END $$",
        f"CREATE TRIGGER {name} BEFORE {guard.event} ON {guard.table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def _refuse_truncate(table: str) -> str:
    # The function that guards deletions refuses whatever happens, so it serves here too.
    return (
        f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_delete()"
    )
