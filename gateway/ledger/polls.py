"""How far each shop was asked what changed, and whose turn it is to renew a connection's credentials.

What a poll named and how far it went are written in one transaction: after a crash the walk goes on where it
stopped, and a page that is read twice names the same deliveries again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from gateway.ledger.database import Database
from gateway.ledger.inbox import add_orders
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.rows import DuePoll, Polled
from gateway.ledger.shop_tables import POLL, RENEWAL


class Polls:
    """One row a shop, leased to one worker at a time."""

    _database: Database

    def begin_polling(self, taxpayer_id: str, connection_id: str, *, since: datetime, next_at: datetime) -> None:
        """Ask this shop from `next_at` on what changed since `since`; nothing happens if it is asked already."""
        values = {
            "connection_id": connection_id,
            "taxpayer_id": taxpayer_id,
            "since": since,
            "page": "",
            "newest": None,
            "told_at": None,
            "told": "",
            "next_at": next_at,
            "attempts": 0,
            "changed_at": next_at,
            "error": "",
            **FREE,
        }
        with self._database.writing() as transaction:
            if not transaction.execute(select(1).where(POLL.c.connection_id == connection_id)).first():
                transaction.execute(insert(POLL), values)

    def claim_polls(self, *, now: datetime, limit: int, lease_until: datetime, worker: str) -> tuple[DuePoll, ...]:
        """Shops to ask, leased to `worker`."""
        key = POLL.c.connection_id
        if not any_due(self._database, POLL, now):
            return ()
        with self._database.writing() as transaction:
            keys = lease(
                transaction,
                POLL,
                key,
                now=now,
                limit=limit,
                lease_until=lease_until,
                worker=worker,
                first=POLL.c.next_at,
            )
            rows = transaction.execute(select(POLL).where(key.in_(keys))).all() if keys else []
        return tuple(_due(row) for row in rows)

    def end_poll(self, due: DuePoll, polled: Polled, *, now: datetime) -> int:
        """Keep what a poll brought; how many orders of it are to be looked at. An error counts as a failed
        attempt, anything else as none."""
        values = {"since": polled.since, "page": polled.page, "newest": polled.newest, "next_at": polled.next_at}
        tried = due.attempts + 1 if polled.error else 0
        with self._database.writing() as transaction:
            named = polled.orders
            new = add_orders(transaction, due.taxpayer_id, due.connection_id, named, now) if named else 0
            ended = update(POLL).where(POLL.c.connection_id == due.connection_id)
            transaction.execute(ended.values(**values, attempts=tried, changed_at=now, error=polled.error, **FREE))
        return new

    def add_orders(self, taxpayer_id: str, connection_id: str, orders: Sequence[tuple[str, str]], now: datetime) -> int:
        """Have these (order, delivery) pairs looked at; how many are new."""
        with self._database.writing() as transaction:
            return add_orders(transaction, taxpayer_id, connection_id, orders, now)

    def note_told(self, connection_id: str, *, told: str, now: datetime) -> None:
        """What the shop's webhooks are, as they were just looked at."""
        with self._database.writing() as transaction:
            transaction.execute(
                update(POLL).where(POLL.c.connection_id == connection_id).values(told=told, told_at=now)
            )

    def polls(self, taxpayer_id: str) -> tuple[DuePoll, ...]:
        """How far each shop of a taxpayer was asked."""
        wanted = select(POLL).where(POLL.c.taxpayer_id == taxpayer_id).order_by(POLL.c.connection_id)
        with self._database.reading() as transaction:
            return tuple(_due(row) for row in transaction.execute(wanted).all())


class Renewals:
    """The turn to spend a refresh token."""

    _database: Database

    def take_turn(
        self, taxpayer_id: str, connection_id: str, *, digest: str, now: datetime, lease_until: datetime, worker: str
    ) -> bool:
        """Whether `worker` may spend the token of this digest now: False while somebody else has the turn."""
        values = {"taxpayer_id": taxpayer_id, "digest": digest, "begun_at": now}
        mine = {"lease_until": lease_until, "lease_by": worker}
        this = RENEWAL.c.connection_id == connection_id
        with self._database.writing() as transaction:
            row = transaction.execute(select(RENEWAL).where(this).with_for_update()).first()
            if row is None:
                transaction.execute(insert(RENEWAL), {"connection_id": connection_id, **values, **mine})
                return True
            if row.lease_until is not None and row.lease_until > now:
                return False
            transaction.execute(update(RENEWAL).where(this).values(**values, **mine))
        return True

    def end_turn(self, connection_id: str) -> None:
        """What was spent brought what it was spent for, and that is stored; or nothing was spent."""
        with self._database.writing() as transaction:
            transaction.execute(update(RENEWAL).where(RENEWAL.c.connection_id == connection_id).values(**FREE))

    def lost_turn(self, connection_id: str, *, digest: str, now: datetime) -> datetime | None:
        """When somebody began to spend the token of this digest who never told what came of it; None if nobody did."""
        lost = (RENEWAL.c.connection_id == connection_id, RENEWAL.c.digest == digest, RENEWAL.c.lease_until <= now)
        with self._database.reading() as transaction:
            found = transaction.execute(select(RENEWAL.c.begun_at).where(*lost)).first()
        return found.begun_at if found else None

    def lost_turns(self, taxpayer_id: str, *, now: datetime) -> Mapping[str, datetime]:
        """The taxpayer's connections whose credentials somebody began to renew without success, and since when."""
        lost = (RENEWAL.c.taxpayer_id == taxpayer_id, RENEWAL.c.lease_until <= now)
        with self._database.reading() as transaction:
            rows = transaction.execute(select(RENEWAL.c.connection_id, RENEWAL.c.begun_at).where(*lost)).all()
        return {row.connection_id: row.begun_at for row in rows}


def _due(row: Row[Any]) -> DuePoll:
    return DuePoll(**{field.name: getattr(row, field.name) for field in fields(DuePoll)})
