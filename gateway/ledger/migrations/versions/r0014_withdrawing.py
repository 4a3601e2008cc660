"""A proposal to delete can be withdrawn, and is then never confirmed."""

import sqlalchemy as sa
from alembic import op

from gateway.ledger.migrations.guards import Guard, create, drop

revision = "r0014"
down_revision = "r0013"

_SAME = " AND ".join(
    f"NEW.{name} = OLD.{name}" for name in "id taxpayer_id ended_before reason proposed_by proposed_at".split()
)
_OPEN = f"{_SAME} AND OLD.confirmed_at IS NULL AND OLD.withdrawn_at IS NULL"
_GUARDS = (
    Guard(
        "disposal",
        "INSERT",
        "open",
        "a disposal begins unconfirmed",
        """NEW.confirmed_at IS NOT NULL OR NEW.confirmed_by <> ''
            OR NEW.withdrawn_at IS NOT NULL OR NEW.withdrawn_by <> ''""",
    ),
    Guard(
        "disposal",
        "UPDATE",
        "confirm",
        "a disposal is confirmed once, and not by who proposed it; or withdrawn",
        f"""NOT ({_OPEN} AND (
            (NEW.confirmed_at IS NOT NULL AND NEW.confirmed_by <> '' AND NEW.confirmed_by <> OLD.proposed_by
             AND NEW.withdrawn_at IS NULL AND NEW.withdrawn_by = '')
            OR (NEW.withdrawn_at IS NOT NULL AND NEW.withdrawn_by <> ''
                AND NEW.confirmed_at IS NULL AND NEW.confirmed_by = '')))""",
    ),
)


def upgrade() -> None:
    op.add_column("disposal", sa.Column("withdrawn_by", sa.String(), nullable=False, server_default=""))
    op.add_column("disposal", sa.Column("withdrawn_at", sa.String(27), nullable=True))
    for name in ("open", "confirm"):
        drop("disposal", name)
    create(_GUARDS)
