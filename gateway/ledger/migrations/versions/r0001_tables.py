"""The tables."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

_OPEN = sa.text("next_at IS NOT NULL")


def _string(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=optional)


def _text(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _moment(name: str, *, optional: bool = False) -> sa.Column[str]:
    """ISO 8601 in UTC with microseconds."""
    return sa.Column(name, sa.String(27), nullable=optional)


def _money(name: str) -> sa.Column[str]:
    """The digits of a decimal."""
    return sa.Column(name, sa.String(40), nullable=False)


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=optional)


def _bytes(name: str, *, optional: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=optional)


def _taxpayer() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"])


def _unit() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["taxpayer_id", "unit_id"], ["unit.taxpayer_id", "unit.id"])


def upgrade() -> None:
    _people()
    _units()
    _inbox()
    _sales()
    _documents()
    _proofs()
    _sending()


def _people() -> None:
    op.create_table(
        "mark",
        _string("name"),
        _string("value"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "taxpayer",
        _string("id"),
        _string("name"),
        _string("vat"),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "api_key",
        _string("id"),
        _string("taxpayer_id"),
        _string("role"),
        _string("hash"),
        _string("label"),
        _moment("created_at"),
        _moment("last_used_at", optional=True),
        _moment("revoked_at", optional=True),
        _taxpayer(),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_api_key_taxpayer_id", "api_key", ["taxpayer_id"])
    op.create_table(
        "audit",
        _string("taxpayer_id"),
        _number("seq"),
        _moment("at"),
        _string("actor"),
        _string("action"),
        _string("object"),
        _text("detail"),
        _string("previous"),
        _string("hash"),
        _taxpayer(),
        sa.PrimaryKeyConstraint("taxpayer_id", "seq"),
    )
    op.create_table(
        "envelope",
        _string("kind"),
        _string("ref"),
        _string("taxpayer_id"),
        _bytes("blob"),
        _taxpayer(),
        sa.PrimaryKeyConstraint("kind", "ref"),
    )


def _units() -> None:
    op.create_table(
        "unit",
        _string("taxpayer_id"),
        _string("id"),
        _text("seller"),
        _string("common_name"),
        _string("serial"),
        _string("branch"),
        _string("industry"),
        _string("location"),
        _string("number_prefix"),
        _string("invoice_types"),
        _string("environment"),
        _number("next_number"),
        _moment("held_at", optional=True),
        _string("held_reason"),
        _moment("created_at"),
        _taxpayer(),
        sa.PrimaryKeyConstraint("taxpayer_id", "id"),
        sa.UniqueConstraint("taxpayer_id", "number_prefix"),
    )
    op.create_table(
        "connection",
        _string("id"),
        _string("taxpayer_id"),
        _string("unit_id"),
        _string("platform"),
        _string("base_url"),
        _text("settings"),
        _moment("cutover", optional=True),
        _moment("created_at"),
        _unit(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("taxpayer_id", "id"),
    )
    op.create_table(
        "csid",
        _string("id"),
        _string("taxpayer_id"),
        _string("unit_id"),
        _string("stage"),
        _string("request_id"),
        _text("token"),
        _text("certificate"),
        _moment("not_before"),
        _moment("not_after"),
        _moment("created_at"),
        _moment("retired_at", optional=True),
        _unit(),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_csid_taxpayer_id_unit_id", "csid", ["taxpayer_id", "unit_id"])
    op.create_table(
        "chain",
        _string("csid_id"),
        _string("taxpayer_id"),
        _string("unit_id"),
        _number("head_icv"),
        _string("head_hash"),
        _moment("head_at"),
        _moment("sealed_at", optional=True),
        sa.ForeignKeyConstraint(["csid_id"], ["csid.id"]),
        _unit(),
        sa.PrimaryKeyConstraint("csid_id"),
    )


def _inbox() -> None:
    op.create_table(
        "notice",
        _number("id"),
        _string("taxpayer_id"),
        _string("connection_id"),
        _string("topic"),
        _string("order_id"),
        _string("delivery_id"),
        _bytes("body"),
        _moment("received_at"),
        _string("state"),
        _moment("next_at", optional=True),
        _moment("lease_until", optional=True),
        _string("lease_by", optional=True),
        _number("attempts"),
        _moment("changed_at"),
        _text("reason"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("connection_id", "delivery_id"),
    )
    op.create_index("ix_notice_open", "notice", ["next_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_notice_taxpayer_id_state", "notice", ["taxpayer_id", "state"])


def _sales() -> None:
    op.create_table(
        "order_snapshot",
        _number("id"),
        _string("taxpayer_id"),
        _string("connection_id"),
        _string("order_id"),
        _string("version"),
        _string("digest"),
        _text("order_json"),
        _moment("received_at"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_order_snapshot_taxpayer_id_connection_id_order_id",
        "order_snapshot",
        ["taxpayer_id", "connection_id", "order_id"],
    )
    op.create_table(
        "sale",
        _number("id"),
        _string("taxpayer_id"),
        _string("connection_id"),
        _string("thing"),
        _string("kind"),
        _string("order_id"),
        _string("document_uuid"),
        sa.ForeignKeyConstraint(["taxpayer_id", "connection_id"], ["connection.taxpayer_id", "connection.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("taxpayer_id", "connection_id", "thing", "kind"),
    )
    op.create_index("ix_sale_taxpayer_id_connection_id_order_id", "sale", ["taxpayer_id", "connection_id", "order_id"])


def _documents() -> None:
    op.create_table(
        "document",
        _string("uuid"),
        _string("taxpayer_id"),
        _string("unit_id"),
        _string("chain_id"),
        _number("icv"),
        _string("pih"),
        _string("number"),
        _string("kind"),
        _string("profile"),
        _string("hash"),
        _moment("issued_at"),
        _moment("made_at"),
        _string("currency"),
        _money("total"),
        _money("vat"),
        _money("rounding"),
        _string("buyer_name"),
        _string("buyer_vat"),
        _number("sale_id"),
        _number("snapshot_id"),
        _string("replaces", optional=True),
        _string("corrects", optional=True),
        sa.ForeignKeyConstraint(["chain_id"], ["chain.csid_id"]),
        sa.ForeignKeyConstraint(["corrects"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["replaces"], ["document.uuid"]),
        sa.ForeignKeyConstraint(["sale_id"], ["sale.id"]),
        sa.ForeignKeyConstraint(["snapshot_id"], ["order_snapshot.id"]),
        _unit(),
        sa.PrimaryKeyConstraint("uuid"),
        sa.UniqueConstraint("chain_id", "icv"),
        sa.UniqueConstraint("replaces"),
    )
    op.create_index("ix_document_corrects", "document", ["corrects"])
    op.create_index("ix_document_sale_id", "document", ["sale_id"])
    op.create_index("ix_document_taxpayer_id_number", "document", ["taxpayer_id", "number"])
    op.create_index("ix_document_taxpayer_id_made_at_uuid", "document", ["taxpayer_id", "made_at", "uuid"])
    op.create_index(
        "uq_document_number",
        "document",
        ["taxpayer_id", "number"],
        unique=True,
        sqlite_where=sa.text("replaces IS NULL"),
        postgresql_where=sa.text("replaces IS NULL"),
    )


def _proofs() -> None:
    op.create_table(
        "stamp",
        _string("document_uuid"),
        _string("taxpayer_id"),
        _string("csid_id"),
        _bytes("signature"),
        _bytes("xml"),
        _text("qr"),
        _moment("signed_at"),
        sa.ForeignKeyConstraint(["csid_id"], ["csid.id"]),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("document_uuid"),
    )
    op.create_table(
        "clearance",
        _string("document_uuid"),
        _string("taxpayer_id"),
        _bytes("xml"),
        _text("qr"),
        _moment("at"),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("document_uuid"),
    )


def _sending() -> None:
    op.create_table(
        "idempotency_key",
        _string("taxpayer_id"),
        _string("key"),
        _string("request_digest"),
        _string("document_uuid"),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("taxpayer_id", "key"),
    )
    op.create_table(
        "submission",
        _string("document_uuid"),
        _string("taxpayer_id"),
        _string("unit_id"),
        _string("endpoint"),
        _string("status"),
        _string("held_for"),
        _moment("due_by"),
        _moment("next_at", optional=True),
        _moment("lease_until", optional=True),
        _string("lease_by", optional=True),
        _number("attempts"),
        _text("findings"),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _unit(),
        sa.PrimaryKeyConstraint("document_uuid"),
    )
    op.create_index("ix_submission_open", "submission", ["due_by"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("ix_submission_taxpayer_id_status", "submission", ["taxpayer_id", "status"])
    op.create_table(
        "attempt",
        _string("document_uuid"),
        _number("number"),
        _string("phase"),
        _string("taxpayer_id"),
        _moment("at"),
        _number("http_status", optional=True),
        _string("outcome", optional=True),
        _bytes("body", optional=True),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("document_uuid", "number", "phase"),
    )
    op.create_table(
        "link_back",
        _number("id"),
        _string("taxpayer_id"),
        _string("document_uuid"),
        _string("connection_id"),
        _string("state"),
        _moment("next_at", optional=True),
        _moment("lease_until", optional=True),
        _string("lease_by", optional=True),
        _number("attempts"),
        _moment("changed_at"),
        _text("error"),
        _text("receipt"),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        sa.ForeignKeyConstraint(["document_uuid"], ["document.uuid"]),
        _taxpayer(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("document_uuid", "connection_id"),
    )
    op.create_index("ix_link_back_open", "link_back", ["next_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
