"""What the database itself refuses, whoever asks: changing or deleting what was made, and breaking a chain.

What a guard is, and why inserting over a row that stands has one of its own, is said in migrations/guards.py.
"""

from typing import Final

from gateway.ledger.migrations.guards import Guard, create, standing

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


_GUARDS: Final = (
    Guard(
        "document",
        "INSERT",
        "link",
        "a document follows the head of its open chain",
        """NOT EXISTS (SELECT 1 FROM chain WHERE csid_id = NEW.chain_id AND taxpayer_id = NEW.taxpayer_id
            AND unit_id = NEW.unit_id AND sealed_at IS NULL AND head_icv + 1 = NEW.icv AND head_hash = NEW.pih
            AND head_at <= NEW.made_at)""",
    ),
    Guard(
        "document",
        "INSERT",
        "refers",
        "a document replaces one of its own sale and corrects one of its own taxpayer",
        """(NEW.replaces IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM document WHERE uuid = NEW.replaces AND sale_id = NEW.sale_id))
            OR (NEW.corrects IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM document WHERE uuid = NEW.corrects AND taxpayer_id = NEW.taxpayer_id))""",
    ),
    Guard(
        "chain",
        "INSERT",
        "start",
        "a chain begins empty",
        f"NOT (NEW.head_icv = 0 AND NEW.head_hash = '{_FIRST_PIH}' AND NEW.sealed_at IS NULL)",
    ),
    Guard(
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
    Guard(
        "csid",
        "UPDATE",
        "retire",
        "a CSID can only be retired, once",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.unit_id = OLD.unit_id
            AND NEW.stage = OLD.stage AND NEW.request_id = OLD.request_id AND NEW.token = OLD.token
            AND NEW.certificate = OLD.certificate AND OLD.retired_at IS NULL)""",
    ),
    Guard(
        "sale",
        "UPDATE",
        "current",
        "a sale points to one of its own documents",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.connection_id = OLD.connection_id
            AND NEW.thing = OLD.thing AND NEW.kind = OLD.kind AND NEW.order_id = OLD.order_id AND EXISTS (
                SELECT 1 FROM document WHERE uuid = NEW.document_uuid AND sale_id = NEW.id))""",
    ),
    Guard(
        "submission",
        "UPDATE",
        "final",
        "a final status stays",
        """(OLD.status IN ('cleared', 'reported', 'replaced') AND NEW.status <> OLD.status)
            OR (OLD.status = 'rejected' AND NEW.status NOT IN ('rejected', 'replaced'))""",
    ),
    Guard(
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
    for table, stands in _NEVER_CHANGED.items():
        create(standing(table, stands, changes=False))
    for table, stands in _NEVER_DELETED.items():
        create(standing(table, stands, changes=True))
    create(_GUARDS)
