"""What comes from the shops and what goes back: webhooks as they arrived, and reports still owed.

Working on a row twice does no harm, for a sale has one document; so an outcome that comes late, from a worker that
lost its lease, only counts while the row is still due.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select, update

from gateway.errors import Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.rows import DueLinkBack, DueNotice, LinkBack, LinkBackState, Notice, NoticeState
from gateway.ledger.tables import CONNECTION, LINK_BACK, NOTICE

_FOR_A_PERSON = (NoticeState.QUARANTINED.value, NoticeState.FAILED.value)


_SUPERSEDED = {"en": "The order was looked at again later.", "ar": "جرت معالجة الطلب من جديد لاحقاً."}


class Inbox:
    """Notices (webhooks) and links back, each leased to one worker at a time."""

    _database: Database

    def add_notice(
        self,
        taxpayer_id: str,
        connection_id: str,
        *,
        topic: str,
        order_id: str,
        delivery_id: str,
        body: bytes,
        now: datetime,
    ) -> bool:
        """Keep a webhook for work; False if this delivery was here before. Unknown if there is no such connection."""
        assert delivery_id, "a delivery has an id, or the caller makes one of its body"
        with self._database.writing() as transaction:
            _known(transaction, taxpayer_id, connection_id)
            same = (NOTICE.c.connection_id == connection_id, NOTICE.c.delivery_id == delivery_id)
            if transaction.execute(select(1).where(*same)).first():
                return False
            values = {
                "taxpayer_id": taxpayer_id,
                "connection_id": connection_id,
                "topic": topic,
                "order_id": order_id,
                "delivery_id": delivery_id,
                "body": body,
                "received_at": now,
                "state": NoticeState.DUE.value,
                "next_at": now,
                "attempts": 0,
                "changed_at": now,
                "reason": {},
                **FREE,
            }
            transaction.execute(insert(NOTICE), values)
        return True

    def claim_notices(self, *, now: datetime, limit: int, lease_until: datetime, worker: str) -> tuple[DueNotice, ...]:
        """Notices to work on, oldest first, leased to `worker`."""
        if not any_due(self._database, NOTICE, now):
            return ()
        with self._database.writing() as transaction:
            rows = _claim(transaction, NOTICE, now=now, limit=limit, lease_until=lease_until, worker=worker)
        return tuple(DueNotice(**_notice_values(row, attempts=row.attempts - 1)) for row in rows)

    def end_notice(
        self,
        notice_id: int,
        *,
        state: NoticeState,
        now: datetime,
        reason: Mapping[str, str] | None = None,
        next_at: datetime | None = None,
    ) -> None:
        """Say how the work went, and why in English (`en`) and Arabic (`ar`); DUE with `next_at` tries again.

        What waited for a person before about the same order is answered by this look at it, and waits no more.
        """
        assert (state is NoticeState.DUE) == (next_at is not None), "what is due has its time"
        with self._database.writing() as transaction:
            ended = _end(
                transaction, NOTICE, notice_id, state=state.value, next_at=next_at, changed_at=now, reason=reason or {}
            )
            if ended and state is not NoticeState.DUE:
                _supersede(transaction, notice_id, now)

    def quarantine(self, taxpayer_id: str, *, before: int | None = None, limit: int = 100) -> tuple[Notice, ...]:
        """What a person has to look at, newest first: quarantined and given-up notices, those before id `before`."""
        wanted = select(NOTICE).where(NOTICE.c.taxpayer_id == taxpayer_id, NOTICE.c.state.in_(_FOR_A_PERSON))
        if before is not None:
            wanted = wanted.where(NOTICE.c.id < before)
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted.order_by(NOTICE.c.id.desc()).limit(limit)).all()
        return tuple(_notice(row) for row in rows)

    def retry_notice(self, taxpayer_id: str, notice_id: int, *, now: datetime, actor: str = SYSTEM) -> None:
        """Have a quarantined or given-up notice worked on again; Unknown if the taxpayer has no such one."""
        mine = (NOTICE.c.id == notice_id, NOTICE.c.taxpayer_id == taxpayer_id, NOTICE.c.state.in_(_FOR_A_PERSON))
        again = {"state": NoticeState.DUE.value, "next_at": now, "changed_at": now}
        with self._database.writing() as transaction:
            if not transaction.execute(update(NOTICE).where(*mine).values(**again)).rowcount:
                raise Unknown(f"There is no notice {notice_id} that waits for a person.")
            note(
                self._database,
                transaction,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="notice.retried",
                target=str(notice_id),
                now=now,
            )

    def claim_link_backs(
        self, *, now: datetime, limit: int, lease_until: datetime, worker: str
    ) -> tuple[DueLinkBack, ...]:
        """Reports to make, oldest document first, leased to `worker`."""
        if not any_due(self._database, LINK_BACK, now):
            return ()
        with self._database.writing() as transaction:
            rows = _claim(transaction, LINK_BACK, now=now, limit=limit, lease_until=lease_until, worker=worker)
        return tuple(DueLinkBack(**_link_back_values(row, attempts=row.attempts - 1)) for row in rows)

    def end_link_back(
        self, link_back_id: int, *, now: datetime, error: str = "", receipt: str = "", next_at: datetime | None = None
    ) -> None:
        """Say how it went: without `error` it is done, with `next_at` it is tried again, else it is given up."""
        assert error or next_at is None, "what went well is not tried again"
        failed = LinkBackState.DUE if next_at else LinkBackState.FAILED
        state = (failed if error else LinkBackState.DONE).value
        with self._database.writing() as transaction:
            _end(
                transaction,
                LINK_BACK,
                link_back_id,
                state=state,
                next_at=next_at,
                changed_at=now,
                error=error,
                receipt=receipt,
            )

    def link_backs(self, taxpayer_id: str, uuid: str) -> tuple[LinkBack, ...]:
        """How the reports of a document to its origin stand."""
        mine = (LINK_BACK.c.taxpayer_id == taxpayer_id, LINK_BACK.c.document_uuid == uuid)
        with self._database.reading() as transaction:
            rows = transaction.execute(select(LINK_BACK).where(*mine).order_by(LINK_BACK.c.id)).all()
        return tuple(_link_back(row) for row in rows)


def _known(transaction: Connection, taxpayer_id: str, connection_id: str) -> None:
    mine = (CONNECTION.c.id == connection_id, CONNECTION.c.taxpayer_id == taxpayer_id)
    if transaction.execute(select(1).where(*mine)).first() is None:
        raise Unknown(f"There is no connection {connection_id}.")


def _claim(
    transaction: Connection, table: Table, *, now: datetime, limit: int, lease_until: datetime, worker: str
) -> list[Row[Any]]:
    """Due rows, leased and counted as tried."""
    key = table.c.id
    keys = lease(transaction, table, key, now=now, limit=limit, lease_until=lease_until, worker=worker, first=key)
    if not keys:
        return []
    mine = key.in_(keys)
    transaction.execute(update(table).where(mine).values(attempts=table.c.attempts + 1))
    return list(transaction.execute(select(table).where(mine).order_by(key)).all())


def _end(transaction: Connection, table: Table, key: int, **values: Any) -> bool:
    """Whether it was still due, and so has ended now."""
    still_due = (table.c.id == key, table.c.state == "due")
    return bool(transaction.execute(update(table).where(*still_due).values(**values, **FREE)).rowcount)


def _notice_values(row: Row[Any], *, attempts: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "taxpayer_id": row.taxpayer_id,
        "connection_id": row.connection_id,
        "topic": row.topic,
        "order_id": row.order_id,
        "delivery_id": row.delivery_id,
        "body": row.body,
        "received_at": row.received_at,
        "attempts": attempts,
    }


def _supersede(transaction: Connection, notice_id: int, now: datetime) -> None:
    this = select(NOTICE.c.connection_id, NOTICE.c.order_id).where(NOTICE.c.id == notice_id).subquery()
    same_order = select(1).where(NOTICE.c.connection_id == this.c.connection_id, NOTICE.c.order_id == this.c.order_id)
    others = (NOTICE.c.id != notice_id, NOTICE.c.state.in_(_FOR_A_PERSON), same_order.exists())
    transaction.execute(
        update(NOTICE).where(*others).values(state=NoticeState.IGNORED.value, changed_at=now, reason=_SUPERSEDED)
    )


def _notice(row: Row[Any]) -> Notice:
    values = _notice_values(row, attempts=row.attempts)
    return Notice(**values, state=NoticeState(row.state), changed_at=row.changed_at, reason=row.reason)


def _link_back_values(row: Row[Any], *, attempts: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "taxpayer_id": row.taxpayer_id,
        "connection_id": row.connection_id,
        "uuid": row.document_uuid,
        "attempts": attempts,
    }


def _link_back(row: Row[Any]) -> LinkBack:
    return LinkBack(
        **_link_back_values(row, attempts=row.attempts),
        state=LinkBackState(row.state),
        changed_at=row.changed_at,
        error=row.error,
        receipt=row.receipt,
    )
