"""Chains that several certificates may serve, onboarding that can be resumed, revocation, and what sending remembers:
breakers, the wire's headers, the warnings of the authority, the alarms raised."""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, drop, standing

revision = "r0005"
down_revision = "r0004"

_GUARDS = (
    Guard(
        "document",
        "INSERT",
        "link",
        "a document follows the head of its open chain",
        """NOT EXISTS (SELECT 1 FROM chain WHERE id = NEW.chain_id AND taxpayer_id = NEW.taxpayer_id
            AND unit_id = NEW.unit_id AND sealed_at IS NULL AND head_icv + 1 = NEW.icv AND head_hash = NEW.pih
            AND head_at <= NEW.made_at)""",
    ),
    Guard(
        "stamp",
        "INSERT",
        "serves",
        "a document is stamped with a certificate that serves its chain",
        """NOT EXISTS (SELECT 1 FROM csid JOIN document ON document.chain_id = csid.chain_id
            WHERE csid.id = NEW.csid_id AND document.uuid = NEW.document_uuid)""",
    ),
    Guard(
        "chain",
        "INSERT",
        "anew",
        "this row stands already",
        "EXISTS (SELECT 1 FROM chain WHERE id = NEW.id)",
    ),
    Guard(
        "chain",
        "UPDATE",
        "head",
        "the head of a chain moves by one, to the document that stands there, until the chain is sealed",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.unit_id = OLD.unit_id
            AND OLD.sealed_at IS NULL AND (
                (NEW.head_icv = OLD.head_icv AND NEW.head_hash = OLD.head_hash AND NEW.head_at = OLD.head_at)
                OR (NEW.sealed_at IS NULL AND NEW.head_icv = OLD.head_icv + 1 AND EXISTS (
                    SELECT 1 FROM document WHERE chain_id = NEW.id AND icv = NEW.head_icv
                    AND hash = NEW.head_hash AND made_at = NEW.head_at))))""",
    ),
    Guard(
        "csid",
        "INSERT",
        "serves",
        "a production CSID serves a chain of its own or the open one of its unit",
        """NEW.stage = 'production' AND COALESCE(NEW.chain_id, '') <> NEW.id AND NOT EXISTS (SELECT 1 FROM chain
            WHERE id = NEW.chain_id AND taxpayer_id = NEW.taxpayer_id AND unit_id = NEW.unit_id
            AND sealed_at IS NULL)""",
    ),
    Guard(
        "csid",
        "UPDATE",
        "retire",
        "a CSID can only be retired and revoked, each once",
        """NOT (NEW.id = OLD.id AND NEW.taxpayer_id = OLD.taxpayer_id AND NEW.unit_id = OLD.unit_id
            AND NEW.stage = OLD.stage AND NEW.request_id = OLD.request_id AND NEW.token = OLD.token
            AND NEW.certificate = OLD.certificate AND COALESCE(NEW.chain_id, '') = COALESCE(OLD.chain_id, '')
            AND (OLD.retired_at IS NULL OR (NEW.retired_at IS NOT NULL AND NEW.retired_at = OLD.retired_at))
            AND (OLD.revoked_at IS NULL OR (NEW.revoked_at IS NOT NULL AND NEW.revoked_at = OLD.revoked_at)))""",
    ),
)


def upgrade() -> None:
    _chains()
    _onboarding()
    _sending()


def _chains() -> None:
    """A chain bears the id of the CSID that opened it; `csid.chain_id` says which chain a CSID serves."""
    for table, name in (("document", "link"), ("chain", "anew"), ("chain", "head"), ("csid", "retire")):
        drop(table, name)
    op.alter_column("chain", "csid_id", new_column_name="id")
    # No foreign key: the chain that a CSID opens comes after it. Guards hold what it would.
    op.add_column("csid", sa.Column("chain_id", sa.String(), nullable=True))
    op.add_column("csid", sa.Column("revoked_at", sa.String(27), nullable=True))
    op.execute(sa.text("UPDATE csid SET chain_id = id WHERE stage = 'production'"))
    create(_GUARDS)


def _onboarding() -> None:
    op.create_table(
        "onboarding",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("unit_id", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("compliance_csid_id", sa.String(), nullable=True),
        sa.Column("passed", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id", "unit_id"], ["unit.taxpayer_id", "unit.id"]),
        sa.ForeignKeyConstraint(["compliance_csid_id"], ["csid.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_onboarding_taxpayer_id_unit_id", "onboarding", ["taxpayer_id", "unit_id"])
    op.create_table(
        "revocation_list",
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("fetched_at", sa.String(27), nullable=False),
        sa.Column("next_update", sa.String(27), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("url"),
    )


def _sending() -> None:
    op.add_column("submission", sa.Column("alarmed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("submission", sa.Column("shared_at", sa.String(27), nullable=True))
    op.create_index("ix_submission_status_due_by", "submission", ["status", "due_by"])
    leased = sa.text("lease_until IS NOT NULL")
    op.create_index("ix_submission_leased", "submission", ["lease_until"], sqlite_where=leased, postgresql_where=leased)
    op.add_column("attempt", sa.Column("wire", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "breaker",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.String(27), nullable=True),
        sa.Column("probe", sa.String(), nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    # This one always stands: whoever looks for documents to send takes its lock, so that limits hold.
    op.execute(
        sa.text(
            "INSERT INTO breaker (scope, failures, opened, open_until, probe, since, changed_at, reason) VALUES"
            " ('authority', 0, 0, NULL, '', '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z', '')"
        )
    )
    op.create_table(
        "warning",
        sa.Column("document_uuid", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("document_uuid", "rule"),
    )
    op.create_index("ix_warning_taxpayer_id_at", "warning", ["taxpayer_id", "at"])
    stands = "EXISTS (SELECT 1 FROM warning WHERE document_uuid = NEW.document_uuid AND rule = NEW.rule)"
    create(standing("warning", stands, changes=False))
