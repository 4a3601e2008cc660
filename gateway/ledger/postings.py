"""Documents in the books of ERPs: what is to be posted there, how far it got, and what waits for a person.

Working on a row twice does no harm, for an ERP is asked what it has before it is told anything; so an outcome that
comes late, from a worker that lost its lease, only counts while the row is still due.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from gateway.errors import Unknown
from gateway.issued import Status
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.rows import NewPosting, PostingMode
from gateway.ledger.tables import DOCUMENT, SALE, SUBMISSION

_MINE: Final = POSTING.c


class PostingState(StrEnum):
    """How a document stands on its way into the books."""

    DUE = "due"
    DONE = "done"  # it stands there, and the status it has now was told
    HELD = "held"  # a person has to decide
    FAILED = "failed"  # given up
    IGNORED = "ignored"  # nothing is to be posted for it


FOR_A_PERSON: Final = (PostingState.HELD, PostingState.FAILED)


@dataclass(frozen=True, slots=True)
class DuePosting:
    """What is to be done about one document in one ERP; `attempts` is how often that was tried before, `entry_id` the
    ERP's own name for its record, empty until it is known."""

    id: int
    taxpayer_id: str
    connection_id: str
    uuid: str
    mode: PostingMode
    attempts: int
    entry_id: str
    told: str


@dataclass(frozen=True, slots=True)
class Posting(DuePosting):
    """A posting as it stands: what the ERP said of its entry, the status it was told last, and why it is not done, in
    English (`en`) and Arabic (`ar`)."""

    number: str
    state: PostingState
    changed_at: datetime
    next_at: datetime | None
    entry_number: str
    entry_state: str
    entry_total: Decimal | None
    entry_url: str
    reason: Mapping[str, str]
    receipt: str


class Postings:
    """What stands, or is to stand, in the books of ERPs; each row leased to one worker at a time."""

    _database: Database

    def claim_postings(
        self, *, now: datetime, limit: int, lease_until: datetime, worker: str
    ) -> tuple[DuePosting, ...]:
        """Postings to work on, oldest document first, leased to `worker`."""
        if not any_due(self._database, POSTING, now):
            return ()
        with self._database.writing() as connection:
            keys = lease(
                connection,
                POSTING,
                _MINE.id,
                now=now,
                limit=limit,
                lease_until=lease_until,
                worker=worker,
                first=_MINE.id,
            )
            if not keys:
                return ()
            these = _MINE.id.in_(keys)
            connection.execute(update(POSTING).where(these).values(attempts=_MINE.attempts + 1))
            rows = connection.execute(select(POSTING).where(these).order_by(_MINE.id)).all()
        return tuple(DuePosting(**_due_values(row, attempts=row.attempts - 1)) for row in rows)

    def note_entry(self, posting_id: int, *, entry_id: str, number: str, state: str, total: Decimal, url: str) -> None:
        """What the ERP has of the document, told as soon as it is known."""
        values = {"entry_id": entry_id, "entry_number": number, "entry_state": state, "entry_total": total}
        with self._database.writing() as connection:
            connection.execute(update(POSTING).where(_MINE.id == posting_id).values(**values, entry_url=url))

    def end_posting(
        self,
        posting_id: int,
        *,
        state: PostingState,
        now: datetime,
        reason: Mapping[str, str] | None = None,
        next_at: datetime | None = None,
        told: str | None = None,
        receipt: str | None = None,
    ) -> None:
        """Say how the work went, and why; DUE with `next_at` tries again. What has become final since it was `told`
        is due again at once."""
        assert (state is PostingState.DUE) == (next_at is not None), "what is tried again says when"
        with self._database.writing() as connection:
            still_due = (_MINE.id == posting_id, _MINE.state == PostingState.DUE.value)
            row = connection.execute(select(POSTING).where(*still_due).with_for_update()).first()
            if row is None:
                return
            values: dict[str, Any] = {"state": state.value, "next_at": next_at, "reason": dict(reason or {})}
            values |= {"told": told} if told is not None else {}
            values |= {"receipt": receipt} if receipt is not None else {}
            if state is PostingState.DONE and _has_news(connection, row.document_uuid, told or row.told):
                values |= {"state": PostingState.DUE.value, "next_at": now, "attempts": 0}
            connection.execute(update(POSTING).where(*still_due).values(**values, changed_at=now, **FREE))
            if state in FOR_A_PERSON:
                _noted(connection, row, SYSTEM, f"posting.{state.value}", now, reason=(reason or {}).get("en", ""))

    def retry_posting(self, taxpayer_id: str, posting_id: int, *, now: datetime, actor: str = SYSTEM) -> None:
        """Have a posting that waits for a person worked on again; Unknown if the taxpayer has no such one."""
        again = {"state": PostingState.DUE.value, "next_at": now, "attempts": 0, "changed_at": now}
        self._decide(taxpayer_id, posting_id, again, "posting.retried", actor=actor, now=now)

    def dismiss_posting(
        self, taxpayer_id: str, posting_id: int, *, reason: str, now: datetime, actor: str = SYSTEM
    ) -> None:
        """A person decides that the gateway posts nothing for it, and says why; Unknown if it does not wait."""
        said = {"en": f"Set aside by {actor}: {reason}", "ar": f"استبعده {actor}: {reason}"}
        ended = {"state": PostingState.IGNORED.value, "next_at": None, "changed_at": now, "reason": said}
        self._decide(taxpayer_id, posting_id, ended, "posting.dismissed", actor=actor, now=now, reason=reason)

    def _decide(
        self,
        taxpayer_id: str,
        posting_id: int,
        values: Mapping[str, Any],
        action: str,
        *,
        actor: str,
        now: datetime,
        **detail: str,
    ) -> None:
        waits = (_MINE.id == posting_id, _MINE.taxpayer_id == taxpayer_id, _MINE.state.in_(FOR_A_PERSON))
        with self._database.writing() as connection:
            row = connection.execute(select(POSTING).where(*waits).with_for_update()).first()
            if row is None:
                raise _none_waits(posting_id)
            connection.execute(update(POSTING).where(*waits).values(**values, **FREE))
            _noted(connection, row, actor, action, now, **detail)

    def retry_postings(self, taxpayer_id: str, connection_id: str, *, now: datetime) -> int:
        """What was given up about a connection is due again, for its credentials or settings are other ones now; how
        many. What waits for a decision stays where it is."""
        mine = (_MINE.taxpayer_id == taxpayer_id, _MINE.connection_id == connection_id)
        failed = update(POSTING).where(*mine, _MINE.state == PostingState.FAILED.value)
        again = {"state": PostingState.DUE.value, "next_at": now, "attempts": 0, "changed_at": now}
        with self._database.writing() as connection:
            return connection.execute(failed.values(**again)).rowcount

    def postings_of(self, taxpayer_id: str, uuid: str) -> tuple[Posting, ...]:
        """How a document stands in the books of its ERPs."""
        return self._found(_MINE.taxpayer_id == taxpayer_id, _MINE.document_uuid == uuid)

    def posting_at(self, taxpayer_id: str, uuid: str, connection_id: str) -> Posting | None:
        """How a document stands in the books of one ERP; None if it is none of its."""
        mine = (_MINE.taxpayer_id == taxpayer_id, _MINE.document_uuid == uuid)
        found = self._found(*mine, _MINE.connection_id == connection_id)
        return found[0] if found else None

    def postings(
        self,
        taxpayer_id: str,
        *,
        connection_id: str = "",
        states: Iterable[PostingState] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[Posting, ...]:
        """A taxpayer's postings, newest first: of one connection, in these states, those before id `before`."""
        wanted = [_MINE.taxpayer_id == taxpayer_id]
        wanted += [_MINE.connection_id == connection_id] if connection_id else []
        wanted += [_MINE.state.in_([each.value for each in states])] if states else []
        wanted += [_MINE.id < before] if before is not None else []
        return self._found(*wanted, newest_first=True, limit=limit)

    def posting_counts(self, taxpayer_id: str) -> dict[tuple[str, PostingState], int]:
        """How many of each ERP's postings stand how."""
        wanted = select(_MINE.connection_id, _MINE.state, func.count()).where(_MINE.taxpayer_id == taxpayer_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.group_by(_MINE.connection_id, _MINE.state)).all()
        return {(row[0], PostingState(row[1])): row[2] for row in rows}

    def current_of(self, taxpayer_id: str, uuid: str) -> str:
        """The document that stands for the same sale now: this one, or what has replaced it."""
        this = (DOCUMENT.c.taxpayer_id == taxpayer_id, DOCUMENT.c.uuid == uuid)
        wanted = select(SALE.c.document_uuid).join_from(SALE, DOCUMENT, DOCUMENT.c.sale_id == SALE.c.id).where(*this)
        with self._database.reading() as connection:
            return str(connection.execute(wanted).scalar_one_or_none() or uuid)

    def _found(
        self, *wanted: ColumnElement[bool], newest_first: bool = False, limit: int | None = None
    ) -> tuple[Posting, ...]:
        rows = select(POSTING, DOCUMENT.c.number).join_from(POSTING, DOCUMENT, DOCUMENT.c.uuid == _MINE.document_uuid)
        order = _MINE.id.desc() if newest_first else _MINE.id
        with self._database.reading() as connection:
            found = connection.execute(rows.where(*wanted).order_by(order).limit(limit)).all()
        return tuple(_posting(row) for row in found)


def posting_values(
    planned: NewPosting, *, taxpayer_id: str, uuid: str, now: datetime, next_at: datetime | None
) -> dict[str, Any]:
    """A new document's row."""
    return {
        "taxpayer_id": taxpayer_id,
        "document_uuid": uuid,
        "connection_id": planned.connection_id,
        "mode": planned.mode.value,
        "state": PostingState.DUE.value,
        "next_at": next_at,
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "changed_at": now,
        "entry_id": "",
        "entry_number": "",
        "entry_state": "",
        "entry_total": None,
        "entry_url": "",
        "told": "",
        "reason": {},
        "receipt": "",
    }


def ring_postings(connection: Connection, uuid: str, now: datetime, *, replaced: bool = False) -> None:
    """A document's status is another one: its ERPs are to be told. What waits for a person goes on waiting, unless the
    document was `replaced`, for then there is nothing to decide any more."""
    states = (PostingState.DUE, PostingState.DONE, *(FOR_A_PERSON if replaced else ()))
    mine = (_MINE.document_uuid == uuid, _MINE.state.in_([each.value for each in states]))
    rung = {"state": PostingState.DUE.value, "next_at": now, "attempts": 0, "changed_at": now}
    connection.execute(update(POSTING).where(*mine).values(**rung))


def _has_news(connection: Connection, uuid: str, told: str) -> bool:
    wanted = select(SUBMISSION.c.status).where(SUBMISSION.c.document_uuid == uuid)
    status = Status(connection.execute(wanted).scalar_one())
    return status.is_final and status.value != told


def _noted(connection: Connection, row: Row[Any], actor: str, action: str, now: datetime, **detail: str) -> None:
    note(
        connection,
        taxpayer_id=row.taxpayer_id,
        actor=actor,
        action=action,
        target=row.document_uuid,
        now=now,
        detail={"connection": row.connection_id, "posting": row.id, **detail},
    )


def _none_waits(posting_id: int) -> Unknown:
    return Unknown(
        f"There is no posting {posting_id} that waits for a person.",
        fix="`gateway erps postings --failed` and GET /v1/postings?state=held list those that do.",
        ar=f"لا يوجد قيد بالرقم {posting_id} ينتظر قرارًا. تعرض قائمة القيود ما بقي منها.",
    )


def _due_values(row: Row[Any], *, attempts: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "taxpayer_id": row.taxpayer_id,
        "connection_id": row.connection_id,
        "uuid": row.document_uuid,
        "mode": PostingMode(row.mode),
        "attempts": attempts,
        "entry_id": row.entry_id,
        "told": row.told,
    }


def _posting(row: Row[Any]) -> Posting:
    return Posting(
        **_due_values(row, attempts=row.attempts),
        number=row.number,
        state=PostingState(row.state),
        changed_at=row.changed_at,
        next_at=row.next_at,
        entry_number=row.entry_number,
        entry_state=row.entry_state,
        entry_total=row.entry_total,
        entry_url=row.entry_url,
        reason=row.reason,
        receipt=row.receipt,
    )
