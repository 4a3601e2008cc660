"""Taking due rows for one worker: no row goes to two, and what a dead worker held comes free by itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, select, update

FREE: dict[str, Any] = {"lease_until": None, "lease_by": None}
"""What a row says when nobody holds it."""


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
    only: tuple[Any, ...] = (),
) -> list[Any]:
    """Lease up to `limit` rows whose time has come, in the order of `first`; the keys of those taken."""
    due = (
        select(key)
        .where(table.c.next_at <= now, table.c.lease_until.is_(None) | (table.c.lease_until <= now), *only)
        .order_by(first)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    keys = list(connection.execute(due).scalars())
    if keys:
        taken = update(table).where(key.in_(keys))
        connection.execute(taken.values(lease_until=lease_until, lease_by=worker))
    return keys
