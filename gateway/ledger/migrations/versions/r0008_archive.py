"""The archive: what is kept of each document and how long, holds, deletion by two people, and what is forgotten."""

# ruff: noqa: S608, only names of tables are put in

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, drop, standing

revision = "r0008"
down_revision = "r0006"

_FINAL = "('cleared', 'reported', 'rejected', 'replaced')"

_HELD = """EXISTS (SELECT 1 FROM legal_hold WHERE taxpayer_id = NEW.taxpayer_id AND lifted_at IS NULL
    AND (document_uuid IS NULL OR document_uuid = NEW.document_uuid)
    AND (until IS NULL OR until > (SELECT confirmed_at FROM disposal WHERE id = NEW.disposal_id)))"""

_GUARDS = (
    Guard(
        "disposed",
        "INSERT",
        "lawful",
        "a file is deleted after its time, not under hold, and by two people",
        f"""NOT EXISTS (SELECT 1 FROM disposal JOIN archived ON archived.taxpayer_id = disposal.taxpayer_id
            WHERE disposal.id = NEW.disposal_id AND archived.document_uuid = NEW.document_uuid
            AND archived.name = NEW.name AND archived.taxpayer_id = NEW.taxpayer_id
            AND disposal.confirmed_at IS NOT NULL AND disposal.confirmed_by <> disposal.proposed_by
            AND archived.keep_until <= disposal.ended_before AND disposal.ended_before <= disposal.proposed_at
            AND disposal.confirmed_at <= NEW.at) OR {_HELD}""",
    ),
    Guard(
        "disposal",
        "INSERT",
        "open",
        "a disposal begins unconfirmed",
        "NEW.confirmed_at IS NOT NULL OR NEW.confirmed_by <> ''",
    ),
    Guard(
        "disposal",
        "UPDATE",
        "confirm",
        "a disposal is confirmed once, and not by who proposed it",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.ended_before = OLD.ended_before
            AND NEW.reason = OLD.reason AND NEW.proposed_by = OLD.proposed_by AND NEW.proposed_at = OLD.proposed_at
            AND OLD.confirmed_at IS NULL AND NEW.confirmed_at IS NOT NULL AND NEW.confirmed_by <> ''
            AND NEW.confirmed_by <> OLD.proposed_by)""",
    ),
    Guard(
        "legal_hold",
        "UPDATE",
        "lift",
        "a hold can only be lifted, once; a longer retention cannot",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id
            AND COALESCE(NEW.document_uuid, '') = COALESCE(OLD.document_uuid, '') AND NEW.reason = OLD.reason
            AND NEW.actor = OLD.actor AND NEW.at = OLD.at AND NEW.until IS NULL AND OLD.until IS NULL
            AND OLD.lifted_at IS NULL AND NEW.lifted_at IS NOT NULL AND NEW.lifted_by <> '')""",
    ),
    Guard(
        "order_snapshot",
        "UPDATE",
        "forget",
        "rows are never changed, but for an order that is forgotten",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.connection_id = OLD.connection_id
            AND NEW.order_id = OLD.order_id AND NEW.version = OLD.version AND NEW.digest = OLD.digest
            AND NEW.received_at = OLD.received_at AND OLD.order_json <> '' AND NEW.order_json = '')""",
    ),
)


def upgrade() -> None:
    _files()
    _keeping_and_deleting()
    op.add_column("notice", sa.Column("body_digest", sa.String(), nullable=False, server_default=""))
    drop("order_snapshot", "change")
    here = "WHERE document_uuid = NEW.document_uuid AND name = NEW.name"
    for table in ("archived", "disposed"):
        create(standing(table, f"EXISTS (SELECT 1 FROM {table} {here})", changes=False))
    for table in ("legal_hold", "disposal"):
        create(standing(table, f"EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)", changes=True))
    create(_GUARDS)
    # What was answered before there was an archive is due at once.
    op.execute(
        sa.text(
            "INSERT INTO archive_task (document_uuid, taxpayer_id, next_at, attempts, error)"
            " SELECT document_uuid, taxpayer_id, '2026-01-01T00:00:00.000000Z', 0, '' FROM submission"
            f" WHERE status IN {_FINAL}"
        )
    )


def _files() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "archive_task",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(27), nullable=True),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("document_uuid"),
    )
    is_open = sa.text("next_at IS NOT NULL")
    op.create_index("ix_archive_task_open", "archive_task", ["next_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "archived",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        # Sorted by bytes, as the archive itself is listed.
        sa.Column("key", sa.String(collation=None if is_sqlite else "C"), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("keep_until", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("document_uuid", "name"),
        sa.UniqueConstraint("key", name="uq_archived_key"),
    )
    op.create_index("ix_archived_taxpayer_id_keep_until", "archived", ["taxpayer_id", "keep_until"])


def _keeping_and_deleting() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("document_uuid", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("until", sa.String(27), nullable=True),
        sa.Column("lifted_at", sa.String(27), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_legal_hold_taxpayer_id_document_uuid", "legal_hold", ["taxpayer_id", "document_uuid"])
    op.create_table(
        "disposal",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("ended_before", sa.String(27), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.String(27), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.String(27), nullable=True),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_disposal_taxpayer_id", "disposal", ["taxpayer_id"])
    op.create_table(
        "disposed",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("disposal_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.ForeignKeyConstraint(["disposal_id"], ["disposal.id"]),
        sa.PrimaryKeyConstraint("document_uuid", "name"),
    )
    op.create_index("ix_disposed_disposal_id", "disposed", ["disposal_id"])
