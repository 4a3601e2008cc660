"""Documents whose stamp follows their link, because whoever signs takes longer than a chain can wait.

Such a document has its number, its place and its hash for good; its signature is outside of the hash. What is to be
stamped is kept, leased to one worker at a time, and nothing of it is sent or shown before the stamp is there.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.errors import Conflict, Unknown
from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.database import Database
from gateway.ledger.documents import findings_of
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.rows import DueStamp
from gateway.ledger.sending import mind_hold, original_is_accepted

_MINE = t.STAMPING.c
_ONE: Final = select(t.STAMPING).where(_MINE.document_uuid == bindparam("uuid")).with_for_update()


class Stamping:
    """Stamps that are to follow."""

    _database: Database

    def claim_stampings(self, *, now: datetime, limit: int, lease_until: datetime, worker: str) -> tuple[DueStamp, ...]:
        """Documents to be stamped now, the oldest first, leased to `worker` until `lease_until`."""
        if not any_due(self._database, t.STAMPING, now):
            return ()
        with self._database.writing() as connection:
            uuids = lease(
                connection,
                t.STAMPING,
                _MINE.document_uuid,
                now=now,
                limit=limit,
                lease_until=lease_until,
                worker=worker,
                first=_MINE.next_at,
            )
            rows = connection.execute(_due_rows(uuids)).all() if uuids else ()
        return tuple(_due(row) for row in rows)

    def put_stamp(
        self, uuid: str, *, worker: str, signature: bytes, xml: bytes, qr: str, signed_at: datetime
    ) -> Status:
        """The document's stamp, and with it its way to the authority; where the document then stands.

        Conflict if the lease has gone to another worker, or the stamp is there already.
        """
        with self._database.writing() as connection:
            row = _held(connection, uuid, worker)
            values = {
                "document_uuid": uuid,
                "taxpayer_id": row.taxpayer_id,
                "csid_id": row.csid_id,
                "signature": signature,
                "xml": xml,
                "qr": qr,
                "signed_at": signed_at,
            }
            connection.execute(insert(t.STAMP), values)
            done = update(t.STAMPING).where(_MINE.document_uuid == uuid)
            connection.execute(done.values(next_at=None, error="", **FREE))
            return _let_go(connection, uuid, signed_at)

    def postpone_stamp(self, uuid: str, *, worker: str, next_at: datetime, error: str) -> None:
        """It could not be stamped, for this reason; nothing if another worker has it by now."""
        with self._database.writing() as connection:
            mine = update(t.STAMPING).where(_MINE.document_uuid == uuid, _MINE.lease_by == worker)
            values = {"next_at": next_at, "error": error, "attempts": _MINE.attempts + 1, **FREE}
            connection.execute(mine.values(**values))

    def unstamped(self, taxpayer_id: str) -> tuple[int, str]:
        """How many of the taxpayer's documents wait for their stamp, and what the last attempt at one said."""
        waiting = select(_MINE.error).where(_MINE.taxpayer_id == taxpayer_id, _MINE.next_at.is_not(None))
        with self._database.reading() as connection:
            errors = connection.execute(waiting).scalars().all()
        return len(errors), next((each for each in errors if each), "")


def _held(connection: Connection, uuid: str, worker: str) -> Row[Any]:
    row = connection.execute(_ONE, {"uuid": uuid}).first()
    if row is None:
        raise Unknown(f"Document {uuid} waits for no stamp.")
    if row.next_at is None or row.lease_by != worker:
        raise Conflict(f"Document {uuid} is stamped already, or by another worker.")
    return row


def _let_go(connection: Connection, uuid: str, now: datetime) -> Status:
    """On its way, unless it waits for its original or with its unit."""
    waits = not original_is_accepted(connection, uuid)
    held = {"status": Status.HELD.value, "held_for": "original", "next_at": None}
    free = {"status": Status.ISSUED.value, "held_for": "", "next_at": now}
    mine = t.SUBMISSION.c.document_uuid == uuid
    connection.execute(update(t.SUBMISSION).where(mine).values(**(held if waits else free)))
    mind_hold(connection, mine)
    return Status(connection.execute(select(t.SUBMISSION.c.status).where(mine)).scalar_one())


def _due_rows(uuids: list[str]) -> Any:
    document = t.DOCUMENT.c
    return (
        select(t.STAMPING, document.unit_id, document.number, document.hash, document.made_at, document.allowed)
        .join_from(t.STAMPING, t.DOCUMENT, document.uuid == _MINE.document_uuid)
        .where(_MINE.document_uuid.in_(uuids))
        .order_by(document.made_at, document.icv)
    )


def _due(row: Row[Any]) -> DueStamp:
    return DueStamp(
        uuid=row.document_uuid,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        csid_id=row.csid_id,
        number=row.number,
        hash=row.hash,
        body=row.body,
        made_at=row.made_at,
        allowed=findings_of(row.allowed),
        worker=row.lease_by,
        attempts=row.attempts,
    )
