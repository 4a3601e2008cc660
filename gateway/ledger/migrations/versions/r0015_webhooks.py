"""Outgoing webhooks and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "r0015"
down_revision = "r0014"

_OPEN = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("former_until", sa.String(27), nullable=True),
        sa.Column("off_at", sa.String(27), nullable=True),
        sa.Column("off_reason", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.String(27), nullable=True),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"], name="fk_webhook_taxpayer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_webhook"),
    )
    op.create_index("ix_webhook_taxpayer_id", "webhook", ["taxpayer_id"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("webhook_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(27), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_at", sa.String(27), nullable=True),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"], name="fk_delivery_taxpayer_id"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name="fk_delivery_webhook_id"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("webhook_id", "event_id", name="uq_delivery_webhook_id_event_id"),
    )
    op.create_index("ix_delivery_open", "delivery", ["next_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
