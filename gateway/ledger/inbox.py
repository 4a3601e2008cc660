"""What comes from the shops and what goes back: webhooks as they arrived, and reports still owed.

Working on a row twice does no harm, for a sale has one document; so an outcome that comes late, from a worker that
lost its lease, only counts while the row is still due.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, insert, select, update

from gateway.errors import Unknown
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.rows import DueLinkBack, DueNotice, LinkBack, LinkBackState, Notice, NoticeState
from gateway.ledger.shop_tables import LINK_BACK, NOTICE, POLL
from gateway.ledger.tables import CONNECTION

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
        nothing_in_it: Mapping[str, str] | None = None,
    ) -> bool:
        """Keep a webhook for work; False if this delivery was here before. Unknown if there is no such connection.

        `nothing_in_it` says, in English and Arabic, why there is nothing to do: then it is only kept.
        """
        assert delivery_id, "a delivery has an id, or the caller makes one of its body"
        ended = {"state": NoticeState.IGNORED.value, "next_at": None, "reason": nothing_in_it} if nothing_in_it else {}
        with self._database.writing() as transaction:
            _known(transaction, taxpayer_id, connection_id)
            same = (NOTICE.c.connection_id == connection_id, NOTICE.c.delivery_id == delivery_id)
            if transaction.execute(select(1).where(*same)).first():
                return False
            values = _new(taxpayer_id, connection_id, topic, order_id, delivery_id, body, now)
            transaction.execute(insert(NOTICE), values | ended)
        return True

    def claim_notices(self, *, now: datetime, limit: int, lease_until: datetime, worker: str) -> tuple[DueNotice, ...]:
        """Notices to work on, oldest first, leased to `worker`: never two of one order at a time, for of two looks at
        it the older one would undo what the newer one saw."""
        if not any_due(self._database, NOTICE, now):
            return ()
        with self._database.writing() as transaction:
            if not self._database.has_turn(transaction, "look for notices"):
                return ()
            rows = _claim(
                transaction, NOTICE, now=now, limit=limit, lease_until=lease_until, worker=worker, only=_alone(now)
            )
        return tuple(DueNotice(**_notice_values(row, attempts=row.attempts - 1)) for row in rows)

    def end_notice(
        self,
        notice_id: int,
        *,
        state: NoticeState,
        now: datetime,
        reason: Mapping[str, str] | None = None,
        next_at: datetime | None = None,
        looked_at: datetime | None = None,
        payload: bytes | None = None,
    ) -> None:
        """Say how the work went, and why in English (`en`) and Arabic (`ar`); DUE with `next_at` tries again.

        What waited for a person before about the same order is answered by this look at it, and waits no more; and so
        are the notices that came before `looked_at`, when the order was fetched.
        """
        assert (state is NoticeState.DUE) == (next_at is not None), "what is due has its time"
        values = {"state": state.value, "changed_at": now, "reason": reason or {}, "payload": payload}
        with self._database.writing() as transaction:
            ended = _end(transaction, NOTICE, notice_id, next_at=next_at, **values)
            if ended and state is not NoticeState.DUE:
                _supersede(transaction, notice_id, looked_at or now, now)
            if ended and state.value in _FOR_A_PERSON:
                self._note_waiting(transaction, notice_id, state, reason or {}, now)

    def _note_waiting(
        self, transaction: Connection, notice_id: int, state: NoticeState, reason: Mapping[str, str], now: datetime
    ) -> None:
        """Why an order waits for a person stands in the log too: the row forgets it when it is tried again."""
        wanted = select(NOTICE.c.taxpayer_id, NOTICE.c.connection_id, NOTICE.c.order_id)
        row = transaction.execute(wanted.where(NOTICE.c.id == notice_id)).one()
        note(
            transaction,
            taxpayer_id=row.taxpayer_id,
            actor=SYSTEM,
            action=f"notice.{state.value}",
            target=str(notice_id),
            now=now,
            detail={"connection": row.connection_id, "order": row.order_id, "reason": reason.get("en", "")},
        )

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
        mine = _waiting(taxpayer_id, notice_id)
        again = {"state": NoticeState.DUE.value, "next_at": now, "changed_at": now}
        with self._database.writing() as transaction:
            if not transaction.execute(update(NOTICE).where(*mine).values(**again)).rowcount:
                raise _none_waits(notice_id)
            note(
                transaction,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="notice.retried",
                target=str(notice_id),
                now=now,
            )

    def notices(self, taxpayer_id: str, connection_id: str, *, limit: int = 100) -> tuple[Notice, ...]:
        """What came from a shop or was found there, newest first, and what became of it."""
        mine = (NOTICE.c.taxpayer_id == taxpayer_id, NOTICE.c.connection_id == connection_id)
        with self._database.reading() as transaction:
            rows = transaction.execute(select(NOTICE).where(*mine).order_by(NOTICE.c.id.desc()).limit(limit)).all()
        return tuple(_notice(row) for row in rows)

    def waiting_notice(self, taxpayer_id: str, notice_id: int) -> Notice:
        """One that waits for a person; Unknown if the taxpayer has no such one."""
        with self._database.reading() as transaction:
            row = transaction.execute(select(NOTICE).where(*_waiting(taxpayer_id, notice_id))).first()
        if row is None:
            raise _none_waits(notice_id)
        return _notice(row)

    def dismiss_notice(
        self, taxpayer_id: str, notice_id: int, *, reason: str, now: datetime, actor: str = SYSTEM
    ) -> None:
        """A person decides that nothing is to be issued for it, and says why; Unknown if it does not wait for one."""
        mine = _waiting(taxpayer_id, notice_id)
        said = {"en": f"Set aside by {actor}: {reason}", "ar": f"استبعده {actor}: {reason}"}
        with self._database.writing() as transaction:
            ended = update(NOTICE).where(*mine).values(state=NoticeState.IGNORED.value, changed_at=now, reason=said)
            if not transaction.execute(ended).rowcount:
                raise _none_waits(notice_id)
            note(
                transaction,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="notice.dismissed",
                target=str(notice_id),
                now=now,
                detail={"reason": reason},
            )

    def take_up_again(self, taxpayer_id: str, connection_id: str, *, now: datetime) -> int:
        """What was given up about a connection is due again, for its credentials or settings are other ones now; how
        many rows. What waits in the quarantine stays there."""
        count = 0
        with self._database.writing() as transaction:
            for table, state in ((NOTICE, NoticeState.FAILED), (LINK_BACK, LinkBackState.FAILED)):
                mine = (table.c.taxpayer_id == taxpayer_id, table.c.connection_id == connection_id)
                failed = update(table).where(*mine, table.c.state == state.value)
                count += transaction.execute(
                    failed.values(state="due", next_at=now, attempts=0, changed_at=now)
                ).rowcount
            this = (POLL.c.taxpayer_id == taxpayer_id, POLL.c.connection_id == connection_id)
            transaction.execute(update(POLL).where(*this).values(next_at=now, attempts=0))
        return count

    def links_of_order(self, taxpayer_id: str, connection_id: str, uuids: Iterable[str]) -> tuple[LinkBack, ...]:
        """How the reports of these documents to their origin stand, oldest first."""
        mine = (LINK_BACK.c.taxpayer_id == taxpayer_id, LINK_BACK.c.connection_id == connection_id)
        wanted = select(LINK_BACK).where(*mine, LINK_BACK.c.document_uuid.in_(list(uuids))).order_by(LINK_BACK.c.id)
        with self._database.reading() as transaction:
            return tuple(_link_back(row) for row in transaction.execute(wanted).all())

    def leave_alone(self, connection_id: str, *, until: datetime) -> None:
        """Nothing of this connection is due before `until`: its shop or ERP asked to be left alone so long."""
        with self._database.writing() as transaction:
            for table in (NOTICE, LINK_BACK, POLL, POSTING):
                waits = (table.c.connection_id == connection_id, table.c.next_at < until, table.c.lease_until.is_(None))
                transaction.execute(update(table).where(*waits).values(next_at=until))

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


def _waiting(taxpayer_id: str, notice_id: int) -> tuple[ColumnElement[bool], ...]:
    """That it is this one, and waits for a person."""
    return NOTICE.c.id == notice_id, NOTICE.c.taxpayer_id == taxpayer_id, NOTICE.c.state.in_(_FOR_A_PERSON)


def _none_waits(notice_id: int) -> Unknown:
    return Unknown(
        f"There is no notice {notice_id} that waits for a person.",
        fix="`gateway quarantine` and GET /v1/quarantine list those that do.",
        ar=f"لا يوجد طلب بالرقم {notice_id} ينتظر قرارًا. تعرض قائمة الانتظار ما بقي منها.",
    )


def _known(transaction: Connection, taxpayer_id: str, connection_id: str) -> None:
    mine = (CONNECTION.c.id == connection_id, CONNECTION.c.taxpayer_id == taxpayer_id)
    if transaction.execute(select(1).where(*mine)).first() is None:
        raise Unknown(f"There is no connection {connection_id}.")


def _new(
    taxpayer_id: str, connection_id: str, topic: str, order_id: str, delivery_id: str, body: bytes, now: datetime
) -> dict[str, Any]:
    return {
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
        "body_digest": "",
        "payload": None,
        **FREE,
    }


def add_orders(
    transaction: Connection, taxpayer_id: str, connection_id: str, orders: Iterable[tuple[str, str]], now: datetime
) -> int:
    """Have these (order, delivery) pairs looked at, but for deliveries that were here before; how many are new."""
    wanted = {delivery: order for order, delivery in orders}
    same = (NOTICE.c.connection_id == connection_id, NOTICE.c.delivery_id.in_(wanted))
    known = set(transaction.execute(select(NOTICE.c.delivery_id).where(*same)).scalars())
    new = [
        _new(taxpayer_id, connection_id, "poll", order, delivery, b"", now)
        for delivery, order in wanted.items()
        if delivery not in known
    ]
    if new:
        transaction.execute(insert(NOTICE), new)
    return len(new)


def _alone(now: datetime) -> ColumnElement[bool]:
    """Whether nobody works on the same order and this is the first notice of it that is due."""
    other = NOTICE.alias()
    leased = other.c.lease_until > now
    earlier = (other.c.id < NOTICE.c.id) & (other.c.next_at <= now)
    same = (other.c.connection_id == NOTICE.c.connection_id, other.c.order_id == NOTICE.c.order_id)
    return ~select(1).where(*same, other.c.id != NOTICE.c.id, other.c.next_at.is_not(None), leased | earlier).exists()


def _claim(
    transaction: Connection,
    table: Table,
    *,
    now: datetime,
    limit: int,
    lease_until: datetime,
    worker: str,
    only: ColumnElement[bool] | None = None,
) -> list[Row[Any]]:
    """Due rows, leased and counted as tried."""
    key = table.c.id
    keys = lease(
        transaction, table, key, now=now, limit=limit, lease_until=lease_until, worker=worker, first=key, only=only
    )
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


def _supersede(transaction: Connection, notice_id: int, looked_at: datetime, now: datetime) -> None:
    this = select(NOTICE.c.connection_id, NOTICE.c.order_id).where(NOTICE.c.id == notice_id).subquery()
    same_order = select(1).where(NOTICE.c.connection_id == this.c.connection_id, NOTICE.c.order_id == this.c.order_id)
    came_before = (NOTICE.c.state == NoticeState.DUE.value) & (NOTICE.c.received_at < looked_at)
    answered = NOTICE.c.state.in_(_FOR_A_PERSON) | (came_before & NOTICE.c.lease_until.is_(None))
    others = (NOTICE.c.id != notice_id, answered, same_order.exists())
    ended = {"state": NoticeState.IGNORED.value, "next_at": None, "changed_at": now, "reason": _SUPERSEDED}
    transaction.execute(update(NOTICE).where(*others).values(**ended, payload=None))


def _notice(row: Row[Any]) -> Notice:
    values = _notice_values(row, attempts=row.attempts)
    return Notice(
        **values, state=NoticeState(row.state), changed_at=row.changed_at, reason=row.reason, payload=row.payload
    )


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
