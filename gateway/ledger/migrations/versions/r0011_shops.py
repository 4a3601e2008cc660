"""How far each shop was asked what changed, whose turn it is to renew credentials, and what waits with its payload."""

import sqlalchemy as sa
from alembic import op

revision = "r0011"
down_revision = "r0010"


def upgrade() -> None:
    _notices()
    _polls()
    _renewals()


def _notices() -> None:
    op.add_column("notice", sa.Column("payload", sa.LargeBinary(), nullable=True))
    still_open = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_notice_order",
        "notice",
        ["connection_id", "order_id"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )


def _polls() -> None:
    op.create_table(
        "poll",
        sa.Column("connection_id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("newest", sa.String(27), nullable=True),
        sa.Column("told_at", sa.String(27), nullable=True),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("next_at", sa.String(27), nullable=True),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("connection_id"),
    )
    still_open = sa.text("next_at IS NOT NULL")
    op.create_index("ix_poll_open", "poll", ["next_at"], sqlite_where=still_open, postgresql_where=still_open)
    # Shops that were connected before are asked what they changed since then.
    op.execute(
        sa.text(
            "INSERT INTO poll (connection_id, taxpayer_id, since, page, told, next_at, attempts, changed_at, error)"
            " SELECT id, taxpayer_id, created_at, '', '', created_at, 0, created_at, '' FROM connection"
            " WHERE platform <> 'api'"
        )
    )


def _renewals() -> None:
    op.create_table(
        "renewal",
        sa.Column("connection_id", sa.String(), nullable=False),
        sa.Column("taxpayer_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("begun_at", sa.String(27), nullable=False),
        sa.Column("lease_until", sa.String(27), nullable=True),
        sa.Column("lease_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"]),
        sa.ForeignKeyConstraint(["taxpayer_id"], ["taxpayer.id"]),
        sa.PrimaryKeyConstraint("connection_id"),
    )
