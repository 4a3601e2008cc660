"""Events: what an ERP wants to hear of, told by the audit log, whose entries come in the same transaction.

An event is an entry that has its place in its taxpayer's log. Places are given when entries are sealed, by one process
at a time and without a gap, so whoever reads on after a place misses nothing that is committed late.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, func, select

from gateway.errors import BadInput
from gateway.ledger.database import Database
from gateway.ledger.tables import AUDIT, AUDIT_BATCH, DOCUMENT, SALE

TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "document.issued": "document.issued",
        "document.cleared": "document.cleared",
        "document.reported": "document.reported",
        "document.rejected": "document.rejected",
        "document.held": "document.held",
        "notice.quarantined": "order.quarantined",
        "notice.failed": "order.given_up",
        "unit.held": "unit.held",
        "unit.released": "unit.released",
        "deadline.alarm": "deadline.alarm",
        "doctor.found": "doctor.found",
    }
)
"""Types of events by the audit log's actions."""
MAX_EVENTS: Final = 200
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `seq` is its place, `id` unique in every installation. `number`, `connection` and `order` are the
    document's, empty where it is about none."""

    seq: int
    id: str
    type: str
    at: datetime
    object: str
    detail: Mapping[str, Any]
    number: str
    connection: str
    order: str


class Events:
    """Reading on after an event."""

    _database: Database

    def events(
        self, taxpayer_id: str, *, after: int = 0, limit: int = 100, types: Collection[str] = ()
    ) -> tuple[tuple[Event, ...], int]:
        """At most `limit` events after place `after`, oldest first, of these types or all; and where to read on.

        BadInput: no such type.
        """
        with self._database.reading() as connection:
            return read_events(connection, taxpayer_id, after, min(limit, MAX_EVENTS), types)

    def last_event(self, taxpayer_id: str) -> int:
        """The last place there is now, 0 if none was given."""
        with self._database.reading() as connection:
            return last_place(connection, taxpayer_id)


def read_events(
    connection: Connection, taxpayer_id: str, after: int, limit: int, types: Collection[str]
) -> tuple[tuple[Event, ...], int]:
    """See Events.events."""
    actions = actions_of(types)
    # Asked first: a place that is given between the two looks is read the next time.
    last = last_place(connection, taxpayer_id)
    told = AUDIT.c
    wanted = (
        select(
            *(told.seq, told.hash, told.action, told.at, told.object, told.detail),
            *(DOCUMENT.c.number, SALE.c.connection_id, SALE.c.order_id),
        )
        .select_from(AUDIT)
        .outerjoin(DOCUMENT, (DOCUMENT.c.uuid == told.object) & (DOCUMENT.c.taxpayer_id == told.taxpayer_id))
        .outerjoin(SALE, SALE.c.id == DOCUMENT.c.sale_id)
        .where(told.taxpayer_id == taxpayer_id, told.seq > after, told.seq <= last, told.action.in_(actions))
        .order_by(told.seq)
        .limit(limit)
    )
    found = tuple(_event(row) for row in connection.execute(wanted))
    return found, found[-1].seq if len(found) == limit else max(last, after)


def last_place(connection: Connection, taxpayer_id: str) -> int:
    """The last place that was given in a taxpayer's log."""
    last = select(func.max(AUDIT_BATCH.c.last_seq)).where(AUDIT_BATCH.c.taxpayer_id == taxpayer_id)
    return int(connection.execute(last).scalar() or 0)


def actions_of(types: Collection[str]) -> list[str]:
    """The audit log's actions of these types, or of all; BadInput if there is no such type."""
    if unknown := sorted(set(types) - set(TYPES.values())):
        raise BadInput(f"There are no events of type {unknown[0]!r}.", fix=f"Use some of {', '.join(TYPES.values())}.")
    return [action for action, type_ in TYPES.items() if not types or type_ in types]


def _event(row: Any) -> Event:
    return Event(
        seq=row.seq,
        id=f"evt_{row.hash[:_ID_DIGITS]}",
        type=TYPES[row.action],
        at=row.at,
        object=row.object,
        detail=row.detail,
        number=row.number or "",
        connection=row.connection_id or "",
        order=row.order_id or "",
    )
