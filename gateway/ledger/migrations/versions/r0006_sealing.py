"""The audit log as plain rows that are sealed in batches; an envelope that belongs to the installation."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, standing

revision = "r0006"
down_revision = "r0005"

_WAITING = sa.text("seq IS NULL")
_SAME = " AND ".join(f"NEW.{name} = OLD.{name}" for name in "id taxpayer_id at actor action object detail".split())
_GUARDS = (
    *standing("audit", "EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)", changes=True),
    Guard(
        "audit", "INSERT", "wait", "an entry is sealed after it was made", "NEW.seq IS NOT NULL OR NEW.hash IS NOT NULL"
    ),
    Guard(
        "audit",
        "UPDATE",
        "seal",
        "rows are never changed; an entry gets the next place, once",
        f"""NOT ({_SAME} AND OLD.seq IS NULL AND NEW.seq IS NOT NULL AND NEW.hash IS NOT NULL AND NEW.seq =
            1 + COALESCE((SELECT MAX(seq) FROM audit WHERE taxpayer_id = NEW.taxpayer_id), 0))""",  # noqa: S608
    ),
    *standing(
        "audit_batch",
        "EXISTS (SELECT 1 FROM audit_batch WHERE taxpayer_id = NEW.taxpayer_id AND number = NEW.number)",
        changes=False,
    ),
    Guard(
        "audit_batch",
        "INSERT",
        "next",
        "a batch follows the last one and ends at the last sealed entry",
        """NEW.number <> 1 + COALESCE((SELECT MAX(number) FROM audit_batch WHERE taxpayer_id = NEW.taxpayer_id), 0)
            OR NEW.previous <> COALESCE((SELECT hash FROM audit_batch WHERE taxpayer_id = NEW.taxpayer_id
                ORDER BY number DESC LIMIT 1), '')
            OR NEW.last_seq <> COALESCE((SELECT MAX(seq) FROM audit WHERE taxpayer_id = NEW.taxpayer_id), 0)
            OR NOT EXISTS (SELECT 1 FROM audit
                WHERE taxpayer_id = NEW.taxpayer_id AND seq = NEW.last_seq AND hash = NEW.digest)""",
    ),
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.rename_table("audit", "audit_before")
    if not is_sqlite:
        op.execute(sa.text("ALTER INDEX pk_audit RENAME TO pk_audit_before"))
    _tables()
    _carry_over()
    op.drop_table("audit_before")
    if not is_sqlite:
        for name in ("anew", "delete", "change", "next"):
            op.execute(sa.text(f"DROP FUNCTION audit_{name}()"))
    create(_GUARDS)
    with op.batch_alter_table("envelope") as envelope:
        envelope.alter_column("taxpayer_id", existing_type=sa.String(), nullable=True)


def _tables() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=True),
        sa.Column("hash", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("taxpayer_id", "seq"),
    )
    open_ones = ["taxpayer_id", "id"]
    op.create_index("ix_audit_waiting", "audit", open_ones, sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_table(
        "audit_batch",
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("sealed_at", sa.String(27), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("taxpayer_id", "number"),
    )


def _carry_over() -> None:
    """Entries were chained one by one, with the same hash. Those that stand keep it, and are one batch a taxpayer: a
    hash of before that somebody noted elsewhere is still that of the same entry. Nothing is judged here; where the
    log was broken before, it is still, at the same place."""
    columns = "taxpayer_id, at, actor, action, object, detail, seq, hash"
    op.execute(
        sa.text(f"INSERT INTO audit ({columns}) SELECT {columns} FROM audit_before ORDER BY taxpayer_id, seq")  # noqa: S608
    )
    last = sa.text(
        "SELECT taxpayer_id, seq, hash, at FROM audit AS entry"
        " WHERE seq = (SELECT MAX(seq) FROM audit WHERE taxpayer_id = entry.taxpayer_id)"
    )
    for row in op.get_bind().execute(last).all():
        batch = {
            "taxpayer": row.taxpayer_id, "number": 1, "last_seq": row.seq, "digest": row.hash, "sealed_at": row.at,
            "previous": "",
        }  # fmt: skip
        spelled = json.dumps(batch, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        op.get_bind().execute(
            sa.text(
                "INSERT INTO audit_batch (taxpayer_id, number, last_seq, digest, sealed_at, previous, hash)"
                " VALUES (:taxpayer, :number, :last_seq, :digest, :sealed_at, :previous, :hash)"
            ),
            batch | {"hash": hashlib.sha256(spelled.encode()).hexdigest()},
        )
