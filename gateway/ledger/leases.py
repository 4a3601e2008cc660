"""Taking due rows for one worker: no row goes to two, and what a dead worker held comes free by itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, select, true, update

from gateway.ledger.archive_tables import ARCHIVE_TASK
from gateway.ledger.columns import iso
from gateway.ledger.database import Database
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.shop_tables import LINK_BACK, NOTICE, POLL
from gateway.ledger.tables import STAMPING, SUBMISSION
from gateway.ledger.webhook_tables import DELIVERY

FREE: dict[str, Any] = {"lease_until": None, "lease_by": None}
"""What a row says when nobody holds it."""


class Leases:
    """What a worker may do about all it holds."""

    _database: Database

    def release_leases(self, worker: str) -> int:
        """Free all that `worker` holds, for when it starts anew and is at work on nothing; how many rows."""
        with self._database.writing() as connection:
            freed = [
                connection.execute(update(table).where(table.c.lease_by == worker).values(**FREE)).rowcount
                for table in (SUBMISSION, STAMPING, NOTICE, LINK_BACK, POLL, POSTING, ARCHIVE_TASK, DELIVERY)
            ]
        return sum(freed)


def any_due(database: Database, table: Table, now: datetime) -> bool:
    """Whether there is a row to lease at all: a look, so that those who often ask for nothing write nothing."""
    sql = f"SELECT 1 FROM {table.name} WHERE next_at <= ? AND (lease_until IS NULL OR lease_until <= ?) LIMIT 1"  # noqa: S608
    return bool(database.look(sql, (iso(now), iso(now))))


def lease(
    connection: Connection,
    table: Table,
    key: Column[Any],
    *,
    now: datetime,
    limit: int,
    lease_until: datetime,
    worker: str,
    first: Column[Any],
    only: ColumnElement[bool] | None = None,
) -> list[Any]:
    """Lease up to `limit` rows whose time has come, in the order of `first`; the keys of those taken. `only` says which
    of them may be taken at all."""
    due = (
        select(key)
        .where(table.c.next_at <= now, table.c.lease_until.is_(None) | (table.c.lease_until <= now))
        .where(true() if only is None else only)
        .order_by(first)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = list(connection.execute(due).scalars())
    if keys:
        taken = update(table).where(key.in_(keys))
        connection.execute(taken.values(lease_until=lease_until, lease_by=worker))
    return keys
