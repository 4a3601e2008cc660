"""Documents on their way to the authority: who sends which, what was sent, and what came back.

An attempt is on record before the network is touched, so that a crash leaves a trace. Nothing here decides when to
try again: the next moment is an argument.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from gateway.errors import Conflict
from gateway.finding import Finding
from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.archiving import ring_archive
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.breakers import AUTHORITY, News, give_up_probe, heed, lock_lines, unit_scope
from gateway.ledger.choosing import choose, unit_is_free
from gateway.ledger.database import Database
from gateway.ledger.documents import findings_json
from gateway.ledger.leases import FREE, any_due
from gateway.ledger.postings import ring_postings
from gateway.ledger.queries import no_document
from gateway.ledger.rows import UNLIMITED, Cleared, Due, Endpoint, Limits, LinkBackState, Turn
from gateway.ledger.shop_tables import LINK_BACK
from gateway.verdict import Outcome

BEGUN: Final = "begun"
ENDED: Final = "ended"
_ONE: Final = select(t.SUBMISSION).where(t.SUBMISSION.c.document_uuid == bindparam("uuid")).with_for_update()
_MINE = t.SUBMISSION.c


class Sending:
    """Submissions and their attempts."""

    _database: Database

    def claim_submissions(
        self,
        *,
        now: datetime,
        limit: int,
        lease_until: datetime,
        worker: str,
        limits: Limits = UNLIMITED,
    ) -> tuple[Due, ...]:
        """Documents to send now, the most urgent first, leased to `worker` until `lease_until`.

        Documents of isolated units are left alone, and those whose line is broken, but for one that probes it. No more
        than `limits` are under way at the same time, whichever workers have them.
        """
        if not any_due(self._database, t.SUBMISSION, now):
            return ()
        with self._database.writing() as connection:
            lines = lock_lines(connection, now)
            if AUTHORITY in lines and lines[AUTHORITY].is_open(now):
                return ()
            uuids = choose(connection, lines, now=now, limit=limit, lease_until=lease_until, limits=limits)
            if not uuids:
                return ()
            leased = update(t.SUBMISSION).where(_MINE.document_uuid.in_(uuids))
            connection.execute(leased.values(lease_until=lease_until, lease_by=worker))
            rows = connection.execute(_due_rows(uuids)).all()
        return tuple(_due(row) for row in rows)

    def begin_attempt(self, uuid: str, *, worker: str, now: datetime, wire: Mapping[str, Any] | None = None) -> int:
        """Put on record that the document is about to be sent, and `wire`, how; the attempt's number, from 1.

        Conflict if the lease is over or has gone to another worker: then it must not be sent.
        """
        with self._database.writing() as connection:
            row = _submission(connection, uuid)
            if row.lease_by != worker or row.next_at is None or row.lease_until < now:
                raise Conflict(f"Document {uuid} is no longer leased to {worker}.", fix="Claim it again.")
            number = int(row.attempts) + 1
            _set(connection, uuid, status=Status.SENDING.value, attempts=number)
            _record(connection, row, number, BEGUN, now, wire=wire)
        return number

    def give_back(self, uuid: str, *, worker: str, next_at: datetime, now: datetime) -> None:
        """What could not even be sent waits until `next_at`. A line that it was to probe is tried with another."""
        with self._database.writing() as connection:
            row = _submission(connection, uuid)
            if row.lease_by == worker and row.next_at is not None:
                _set(connection, uuid, next_at=next_at, **FREE)
                give_up_probe(connection, uuid, unit_scope(row.taxpayer_id, row.unit_id), now)

    def end_attempt(
        self,
        uuid: str,
        attempt: int,
        *,
        http_status: int,
        outcome: Outcome,
        body: bytes,
        status: Status,
        now: datetime,
        next_at: datetime | None = None,
        findings: Sequence[Finding] = (),
        cleared: Cleared | None = None,
        endpoint: Endpoint | None = None,
        wire: Mapping[str, Any] | None = None,
        news: News | None = None,
    ) -> tuple[Turn, ...]:
        """Put the answer on record and the document where it now stands; the lease ends. The lines that it opens or
        closes by its `news`.

        `next_at` is when to send again (None: not at all), `endpoint` where, if elsewhere than before. HELD waits for
        `release_unit`. An answer that comes after the lease was lost is kept, but only a final one still decides the
        status, and a final status stays.
        """
        assert status.is_final == (next_at is None), "a document is sent again until its status is final"
        with self._database.writing() as connection:
            row = _submission(connection, uuid)
            answer: dict[str, Any] = {"http_status": http_status, "outcome": outcome.value, "body": body, "wire": wire}
            _record(connection, row, attempt, ENDED, now, **answer)
            unit = unit_scope(row.taxpayer_id, row.unit_id)
            turns = heed(connection, uuid, unit, news, now) if news else ()
            if cleared is not None:
                _keep_cleared(connection, row, cleared, now)
            if status.is_final or Status(row.status).is_final:
                ring_archive(connection, row.taxpayer_id, uuid, now)
            if Status(row.status).is_final or (row.attempts != attempt and not status.is_final):
                return turns
            changes: dict[str, Any] = {"status": status.value, "next_at": next_at, "findings": findings_json(findings)}
            changes["held_for"] = "unit" if status is Status.HELD else ""
            changes["endpoint"] = endpoint or row.endpoint
            _set(connection, uuid, **changes, **FREE)
            mind_hold(connection, _MINE.document_uuid == uuid)
            if status.is_final or status is Status.HELD:
                _note_status(connection, row, attempt, status, now)
            if status.is_final:
                _ring_link_back(connection, uuid, now)
                ring_postings(connection, uuid, now)
            if status.is_accepted:
                _keep_warnings(connection, row, findings, now)
                _release_notes(connection, uuid, now)
        return turns

    def hold_certificate(self, csid_id: str, *, now: datetime) -> int:
        """Stop sending what an older certificate stamped, until `release_unit`; how many documents wait."""
        stamped = select(t.STAMP.c.document_uuid).where(t.STAMP.c.csid_id == csid_id)
        mine = (_MINE.document_uuid.in_(stamped), _MINE.next_at.is_not(None))
        owner = select(t.CSID.c.taxpayer_id).where(t.CSID.c.id == csid_id)
        with self._database.writing() as connection:
            held = update(t.SUBMISSION).where(*mine, _MINE.status == Status.ISSUED.value)
            connection.execute(held.values(status=Status.HELD.value))
            waiting = update(t.SUBMISSION).where(*mine).values(held_for="csid", next_at=None)
            count = connection.execute(waiting).rowcount
            if count:
                note(
                    connection,
                    taxpayer_id=connection.execute(owner).scalar_one(),
                    actor=SYSTEM,
                    action="csid.held",
                    target=csid_id,
                    now=now,
                    detail={"documents": count},
                )
        return count


def _due_rows(uuids: list[str]) -> Any:
    submission, document, stamp = t.SUBMISSION.c, t.DOCUMENT.c, t.STAMP.c
    return (
        select(
            submission.document_uuid,
            submission.taxpayer_id,
            submission.unit_id,
            submission.endpoint,
            submission.status,
            submission.attempts,
            submission.lease_by,
            document.profile,
            document.number,
            document.hash,
            document.issued_at,
            stamp.csid_id,
            stamp.xml,
        )
        .join_from(t.SUBMISSION, t.DOCUMENT, document.uuid == submission.document_uuid)
        .join(t.STAMP, stamp.document_uuid == submission.document_uuid)
        .where(submission.document_uuid.in_(uuids))
        .order_by(submission.due_by)
    )


def _due(row: Row[Any]) -> Due:
    return Due(
        uuid=row.document_uuid,
        taxpayer_id=row.taxpayer_id,
        unit_id=row.unit_id,
        csid_id=row.csid_id,
        endpoint=row.endpoint,
        status=Status(row.status),
        attempts=row.attempts,
        worker=row.lease_by,
        profile=Profile(row.profile),
        number=row.number,
        hash=row.hash,
        xml=row.xml,
        issued_at=row.issued_at,
    )


def _submission(connection: Connection, uuid: str) -> Row[Any]:
    row = connection.execute(_ONE, {"uuid": uuid}).first()
    if row is None:
        raise no_document(uuid)
    return row


def _set(connection: Connection, uuid: str, **values: Any) -> None:
    connection.execute(update(t.SUBMISSION).where(t.SUBMISSION.c.document_uuid == uuid).values(**values))


def _record(
    connection: Connection,
    submission: Row[Any],
    number: int,
    phase: str,
    now: datetime,
    *,
    http_status: int | None = None,
    outcome: str | None = None,
    body: bytes | None = None,
    wire: Mapping[str, Any] | None = None,
) -> None:
    values = {
        "document_uuid": submission.document_uuid,
        "number": number,
        "phase": phase,
        "taxpayer_id": submission.taxpayer_id,
        "at": now,
        "http_status": http_status,
        "outcome": outcome,
        "body": body,
        "wire": dict(wire or {}),
    }
    connection.execute(insert(t.ATTEMPT), values)


def _keep_warnings(connection: Connection, submission: Row[Any], findings: Sequence[Finding], now: datetime) -> None:
    """Once a rule: what is a warning today may be a rejection tomorrow, so they are counted."""
    values = {
        "document_uuid": submission.document_uuid,
        "taxpayer_id": submission.taxpayer_id,
        "at": now,
    }
    by_rule = {finding.rule: finding.message.en for finding in reversed(findings)}
    for rule, message in by_rule.items():
        connection.execute(insert(t.WARNING), {**values, "rule": rule, "message": message})


def _keep_cleared(connection: Connection, submission: Row[Any], cleared: Cleared, now: datetime) -> None:
    """The first cleared document is kept: a later answer to the same bytes says nothing new."""
    uuid = submission.document_uuid
    if connection.execute(select(1).where(t.CLEARANCE.c.document_uuid == uuid)).first() is None:
        values = {"document_uuid": uuid, "taxpayer_id": submission.taxpayer_id, **cleared._asdict(), "at": now}
        connection.execute(insert(t.CLEARANCE), values)


def _note_status(connection: Connection, submission: Row[Any], attempt: int, status: Status, now: datetime) -> None:
    note(
        connection,
        taxpayer_id=submission.taxpayer_id,
        actor=SYSTEM,
        action=f"document.{status.value}",
        target=submission.document_uuid,
        now=now,
        detail={"attempt": attempt},
    )


def _ring_link_back(connection: Connection, uuid: str, now: datetime) -> None:
    mine = (LINK_BACK.c.document_uuid == uuid, LINK_BACK.c.state == LinkBackState.DUE.value)
    connection.execute(update(LINK_BACK).where(*mine).values(next_at=now))


def _release_notes(connection: Connection, uuid: str, now: datetime) -> None:
    """Let notes go that waited for this sale's invoice, whichever of its documents they name."""
    sale = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == uuid).scalar_subquery()
    of_sale = select(t.DOCUMENT.c.uuid).where(t.DOCUMENT.c.sale_id == sale)
    notes = _MINE.document_uuid.in_(select(t.DOCUMENT.c.uuid).where(t.DOCUMENT.c.corrects.in_(of_sale)))
    freed = update(t.SUBMISSION).where(notes, _MINE.held_for == "original")
    if connection.execute(freed.values(status=Status.ISSUED.value, held_for="", next_at=now)).rowcount:
        mind_hold(connection, notes)


def original_is_accepted(connection: Connection, uuid: str) -> bool:
    """Whether the original that a note corrects, or what replaced it, is accepted; true of what corrects nothing."""
    corrected = select(t.DOCUMENT.c.corrects).where(t.DOCUMENT.c.uuid == uuid).scalar_subquery()
    sale = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == corrected).scalar_subquery()
    # Locked whatever they say: an acceptance on its way is awaited, or waits and then finds the note.
    found = connection.execute(
        select(t.SUBMISSION.c.status)
        .join(t.DOCUMENT, t.DOCUMENT.c.uuid == t.SUBMISSION.c.document_uuid)
        .where(t.DOCUMENT.c.sale_id == sale)
        .with_for_update(read=True, of=t.SUBMISSION)
    )
    statuses = [Status(each) for each in found.scalars()]
    return not statuses or any(each.is_accepted for each in statuses)


def mind_hold(connection: Connection, which: Any) -> None:
    """What is to be sent now waits with its unit, if that was held meanwhile."""
    waits = update(t.SUBMISSION).where(which, _MINE.status == Status.ISSUED.value, ~unit_is_free())
    connection.execute(waits.values(status=Status.HELD.value, held_for="unit"))
