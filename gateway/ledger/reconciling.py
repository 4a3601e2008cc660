"""What reconciliation reads: documents with their postings, and orders that were heard of and have no invoice."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, exists, func, or_, select

from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.ledger.database import Database
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.rows import NoticeState
from gateway.ledger.shop_tables import NOTICE
from gateway.ledger.tables import DOCUMENT, SALE, SUBMISSION

BATCH: Final = 500
_WAITING: Final = (NoticeState.DUE, NoticeState.QUARANTINED, NoticeState.FAILED)
_D, _N, _P = DOCUMENT.c, NOTICE.c, POSTING.c


class BookedEntry(NamedTuple):
    """A posting as reconciliation looks at it."""

    connection_id: str
    state: str
    entry_state: str
    entry_number: str
    entry_total: Decimal | None
    reason: Mapping[str, str]


class BookedDocument(NamedTuple):
    """A document as reconciliation looks at it."""

    uuid: str
    number: str
    unit_id: str
    connection_id: str
    order_id: str
    kind: Kind
    status: Status
    total: Decimal
    currency: str
    entries: tuple[BookedEntry, ...]


class UnservedOrder(NamedTuple):
    """An order that was heard of, how its last notice stands, and why."""

    connection_id: str
    order_id: str
    state: NoticeState
    reason: Mapping[str, str]


class Reconciling:
    """Reading what is to agree."""

    _database: Database

    def booked(
        self, taxpayer_id: str, *, since: datetime, until: datetime, connection_id: str = ""
    ) -> Iterator[list[BookedDocument]]:
        """Documents issued from `since` to before `until`, in the order they were made, in batches each seen in a
        single state."""
        wanted = (
            select(*(_D[name] for name in "uuid number unit_id kind total currency made_at".split()))
            .add_columns(SALE.c.connection_id, SALE.c.order_id, SUBMISSION.c.status)
            .join(SALE, SALE.c.id == _D.sale_id)
            .join(SUBMISSION, SUBMISSION.c.document_uuid == _D.uuid)
            .where(_D.taxpayer_id == taxpayer_id, _D.issued_at >= since, _D.issued_at < until)
            .order_by(_D.made_at, _D.uuid)
            .limit(BATCH)
        )
        if connection_id:
            wanted = wanted.where(SALE.c.connection_id == connection_id)
        page = wanted
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(page).all()
                entries = _entries(connection, [row.uuid for row in rows])
            yield [_booked(row, entries.get(row.uuid, ())) for row in rows]
            if len(rows) < BATCH:
                return
            last = rows[-1]
            behind = or_(_D.made_at > last.made_at, and_(_D.made_at == last.made_at, _D.uuid > last.uuid))
            page = wanted.where(behind)

    def unserved_orders(
        self, taxpayer_id: str, *, since: datetime, until: datetime, connection_id: str = ""
    ) -> tuple[UnservedOrder, ...]:
        """Orders heard of from `since` to before `until` that wait for a person or were given up, and those still to be
        looked at that have no document."""
        heard = (_N.taxpayer_id == taxpayer_id, _N.order_id != "", _N.received_at >= since, _N.received_at < until)
        keys = select(_N.connection_id, _N.order_id).where(*heard).distinct().subquery()
        same = and_(_N.connection_id == keys.c.connection_id, _N.order_id == keys.c.order_id)
        last = select(func.max(_N.id)).join(keys, same).group_by(_N.connection_id, _N.order_id)
        of_order = (SALE.c.taxpayer_id == taxpayer_id, SALE.c.connection_id == _N.connection_id)
        served = exists().where(*of_order, SALE.c.order_id == _N.order_id)
        wanted = (
            select(_N.connection_id, _N.order_id, _N.state, _N.reason)
            .where(_N.id.in_(last), _N.state.in_([each.value for each in _WAITING]))
            .where(or_(_N.state != NoticeState.DUE.value, ~served))
            .order_by(_N.id)
        )
        if connection_id:
            wanted = wanted.where(_N.connection_id == connection_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        return tuple(UnservedOrder(row[0], row[1], NoticeState(row[2]), row[3] or {}) for row in rows)


def _entries(connection: Any, uuids: list[str]) -> dict[str, tuple[BookedEntry, ...]]:
    found: dict[str, tuple[BookedEntry, ...]] = {}
    columns = [_P[name] for name in BookedEntry._fields]
    wanted = select(_P.document_uuid, *columns).where(_P.document_uuid.in_(uuids)).order_by(_P.id)
    for row in connection.execute(wanted) if uuids else ():
        found[row[0]] = (*found.get(row[0], ()), BookedEntry(*row[1:]))
    return found


def _booked(row: Any, entries: tuple[BookedEntry, ...]) -> BookedDocument:
    return BookedDocument(
        uuid=row.uuid,
        number=row.number,
        unit_id=row.unit_id,
        connection_id=row.connection_id,
        order_id=row.order_id,
        kind=Kind(row.kind),
        status=Status(row.status),
        total=row.total,
        currency=row.currency,
        entries=entries,
    )
