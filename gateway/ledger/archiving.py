"""What is in the archive: the files of each document and their digests, which stay; how long they are kept, and by
which two people they were deleted afterwards. The bytes themselves are not here.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from gateway.errors import Conflict, Unknown
from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.archive_tables import ARCHIVE_TASK, ARCHIVED, DISPOSAL, DISPOSED, LEGAL_HOLD
from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.leases import FREE, any_due, lease
from gateway.ledger.queries import no_document
from gateway.ledger.shop_tables import NOTICE

FINAL: Final = ("cleared", "document")
"""What the final XML of a document is called among its files."""
_BATCH: Final = 500
_TASK, _FILE, _HOLD, _PLAN, _GONE = ARCHIVE_TASK.c, ARCHIVED.c, LEGAL_HOLD.c, DISPOSAL.c, DISPOSED.c


class DueArchiving(NamedTuple):
    """A document with something to archive, leased; `attempts` is how often that was tried before."""

    uuid: str
    taxpayer_id: str
    attempts: int
    worker: str


class Archivable(NamedTuple):
    """What the archive's names are made of, and which of the document's files it has already."""

    vat: str
    number: str
    issued_at: datetime
    has: frozenset[str]


class ArchivedFile(NamedTuple):
    """A file of the archive; `disposed_at` is when its bytes were deleted."""

    uuid: str
    name: str
    taxpayer_id: str
    key: str
    sha256: str
    size: int
    at: datetime
    keep_until: datetime
    disposed_at: datetime | None = None


class Hold(NamedTuple):
    """What may not be deleted; `uuid` None is all of the taxpayer. With `until` it ends by itself."""

    id: str
    taxpayer_id: str
    uuid: str | None
    reason: str
    actor: str
    at: datetime
    until: datetime | None
    lifted_at: datetime | None
    lifted_by: str


class Plan(NamedTuple):
    """A disposal: who proposed it, and who confirmed it; empty while nobody has."""

    id: str
    taxpayer_id: str
    ended_before: datetime
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str
    confirmed_at: datetime | None


class ArchiveCounts(NamedTuple):
    """How a taxpayer's archive stands: files and bytes there, files deleted, documents that wait, and failed so far;
    `first_end` is when the time of a file that is there ends first."""

    files: int
    size: int
    disposed: int
    waiting: int
    failing: int
    error: str
    first_end: datetime | None


class Archiving:
    """The archive's index, its work, holds and disposals."""

    _database: Database

    def claim_archiving(
        self, *, now: datetime, limit: int, lease_until: datetime, worker: str
    ) -> tuple[DueArchiving, ...]:
        """Documents with something to archive, leased to `worker`."""
        key = _TASK.document_uuid
        if not any_due(self._database, ARCHIVE_TASK, now):
            return ()
        with self._database.writing() as connection:
            keys = lease(
                connection,
                ARCHIVE_TASK,
                key,
                now=now,
                limit=limit,
                lease_until=lease_until,
                worker=worker,
                first=_TASK.next_at,
            )
            rows = connection.execute(select(key, _TASK.taxpayer_id, _TASK.attempts).where(key.in_(keys))).all()
        return tuple(DueArchiving(*row, worker) for row in rows)

    def archivable(self, taxpayer_id: str, uuid: str) -> Archivable:
        """What the files of a document are named after; Unknown if the taxpayer has no such document."""
        document = t.DOCUMENT.c
        wanted = select(t.TAXPAYER.c.vat, document.number, document.issued_at).join(
            t.TAXPAYER, t.TAXPAYER.c.id == document.taxpayer_id
        )
        has = select(_FILE.name).where(_FILE.document_uuid == uuid)
        with self._database.reading() as connection:
            row = connection.execute(wanted.where(document.taxpayer_id == taxpayer_id, document.uuid == uuid)).first()
            names = frozenset(connection.execute(has).scalars())
        if row is None:
            raise no_document(uuid)
        return Archivable(*row, has=names)

    def add_archived(self, files: Sequence[ArchivedFile]) -> None:
        """Put files on record that are in the store now; those on record already stay as they are."""
        with self._database.writing() as connection:
            for each in files:
                here = (_FILE.document_uuid == each.uuid, _FILE.name == each.name)
                if connection.execute(select(1).where(*here)).first() is None:
                    values = each._asdict()
                    del values["disposed_at"]
                    values["document_uuid"] = values.pop("uuid")
                    connection.execute(insert(ARCHIVED), values)

    def end_archiving(self, uuid: str, *, worker: str, error: str = "", next_at: datetime | None = None) -> None:
        """The document's files are in the archive, or why not and when to try again. What became due meanwhile stays
        due, for its lease is gone."""
        mine = (_TASK.document_uuid == uuid, _TASK.lease_by == worker)
        values = {"error": error, "next_at": next_at, "attempts": _TASK.attempts + 1 if error else 0}
        with self._database.writing() as connection:
            connection.execute(update(ARCHIVE_TASK).where(*mine).values(**values, **FREE))

    def archived(self, taxpayer_id: str, uuids: Sequence[str]) -> dict[str, tuple[ArchivedFile, ...]]:
        """The files of these documents, by UUID, in the order of their names."""
        wanted = _files().where(_FILE.taxpayer_id == taxpayer_id, _FILE.document_uuid.in_(uuids))
        found: dict[str, list[ArchivedFile]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(wanted.order_by(_FILE.document_uuid, _FILE.name)):
                found.setdefault(row.document_uuid, []).append(ArchivedFile(*row))
        return {uuid: tuple(files) for uuid, files in found.items()}

    def every_archived(self) -> Iterator[list[ArchivedFile]]:
        """All files on record by their keys, some at a time."""
        after = ""
        while True:
            page = _files().where(_FILE.key > after).order_by(_FILE.key).limit(_BATCH)
            with self._database.reading() as connection:
                files = [ArchivedFile(*row) for row in connection.execute(page)]
            if files:
                yield files
            if len(files) < _BATCH:
                return
            after = files[-1].key

    def is_archived(self, key: str) -> bool:
        """Whether a file of this key is on record."""
        with self._database.reading() as connection:
            return connection.execute(select(1).where(_FILE.key == key)).first() is not None

    def unarchived(self, before: datetime) -> Iterator[tuple[str, str]]:
        """Taxpayer and UUID of documents with a final answer that have no file and wait for none."""
        has = select(1).where(_FILE.document_uuid == t.SUBMISSION.c.document_uuid, _FILE.name.in_(FINAL))
        waits = select(1).where(_TASK.document_uuid == t.SUBMISSION.c.document_uuid, _TASK.next_at.is_not(None))
        final = [each.value for each in Status if each.is_final]
        wanted = select(t.SUBMISSION.c.taxpayer_id, t.SUBMISSION.c.document_uuid).where(
            t.SUBMISSION.c.status.in_(final), ~has.exists(), ~waits.exists(), t.SUBMISSION.c.due_by < before
        )
        with self._database.reading() as connection:
            found = connection.execute(wanted.limit(_BATCH)).all()
        yield from ((row[0], row[1]) for row in found)

    def archive_counts(self, taxpayer_id: str) -> ArchiveCounts:
        """How the archive of a taxpayer stands."""
        gone = select(func.count()).select_from(DISPOSED).where(_GONE.taxpayer_id == taxpayer_id)
        sums = (func.count(), func.coalesce(func.sum(_FILE.size), 0), func.min(_FILE.keep_until))
        files = select(*sums).where(_FILE.taxpayer_id == taxpayer_id, ~_is_disposed())
        mine = (_TASK.taxpayer_id == taxpayer_id, _TASK.next_at.is_not(None))
        failing = select(func.count(), func.max(_TASK.error)).where(*mine, _TASK.error != "")
        with self._database.reading() as connection:
            count, size, end = connection.execute(files).one()
            waiting = connection.execute(select(func.count()).select_from(ARCHIVE_TASK).where(*mine)).scalar_one()
            failed, error = connection.execute(failing).one()
            disposed = connection.execute(gone).scalar_one()
            return ArchiveCounts(count, int(size), disposed, waiting, failed, error or "", end)

    # --- what may not be deleted --------------------------------------------------------------------------------------

    def add_hold(self, hold: Hold) -> None:
        """Keep files beyond their time from now on; Unknown if the taxpayer has no such document."""
        with self._database.writing() as connection:
            if hold.uuid is not None:
                mine = (t.DOCUMENT.c.taxpayer_id == hold.taxpayer_id, t.DOCUMENT.c.uuid == hold.uuid)
                if connection.execute(select(1).where(*mine)).first() is None:
                    raise no_document(hold.uuid)
            values = hold._asdict()
            values["document_uuid"] = values.pop("uuid")
            connection.execute(insert(LEGAL_HOLD), values)
            detail = {"reason": hold.reason, "document": hold.uuid, "until": hold.until and hold.until.isoformat()}
            self._note_archive(connection, hold.taxpayer_id, hold.actor, "archive.held", hold.id, hold.at, detail)

    def lift_hold(self, taxpayer_id: str, hold_id: str, *, actor: str, now: datetime) -> None:
        """End a hold; Unknown if there is none that stands, Conflict if it is a longer retention."""
        with self._database.writing() as connection:
            row = connection.execute(
                select(LEGAL_HOLD).where(_HOLD.id == hold_id, _HOLD.taxpayer_id == taxpayer_id)
            ).first()
            if row is None or row.lifted_at is not None:
                raise Unknown(
                    f"No hold {hold_id} stands.",
                    fix="`gateway archive holds` lists them.",
                    ar="لا يوجد حجز قائم بهذا المعرّف. يعرضها الأمر gateway archive holds.",
                )
            if row.until is not None:
                raise Conflict(
                    f"Hold {hold_id} is a longer retention.",
                    fix="It cannot be lifted; it ends by itself.",
                    ar="هذا تمديد لمدة الحفظ ولا يُرفع، بل ينتهي من تلقاء نفسه.",
                )
            lifted = update(LEGAL_HOLD).where(_HOLD.id == hold_id)
            connection.execute(lifted.values(lifted_at=now, lifted_by=actor))
            self._note_archive(connection, taxpayer_id, actor, "archive.lifted", hold_id, now, {})

    def holds(self, taxpayer_id: str) -> tuple[Hold, ...]:
        """All there ever were, oldest first."""
        wanted = select(LEGAL_HOLD).where(_HOLD.taxpayer_id == taxpayer_id).order_by(_HOLD.at, _HOLD.id)
        with self._database.reading() as connection:
            return tuple(_hold(row) for row in connection.execute(wanted))

    # --- deletion by two people ---------------------------------------------------------------------------------------

    def propose_disposal(self, plan: Plan) -> int:
        """Put a proposal to delete on record; how many files it is about now. Conflict if there are none."""
        with self._database.writing() as connection:
            count = int(connection.execute(_disposable(plan, plan.proposed_at, func.count())).scalar_one())
            if not count:
                raise Conflict(
                    "No file may be deleted: none has passed its time and is free of holds.",
                    fix="`gateway archive status` says when the first one will.",
                    ar="لا يوجد ملف انتهت مدة حفظه ويجوز حذفه.",
                )
            connection.execute(insert(DISPOSAL), plan._asdict())
            detail = {"reason": plan.reason, "files": count, "ended_before": plan.ended_before.isoformat()}
            by, at = plan.proposed_by, plan.proposed_at
            self._note_archive(connection, plan.taxpayer_id, by, "archive.disposal_proposed", plan.id, at, detail)
        return count

    def confirm_disposal(self, taxpayer_id: str, plan_id: str, *, actor: str, now: datetime) -> int:
        """Mark the files of a proposal as deleted, by another person than proposed it; how many. Their bytes may be
        deleted once this returns. Conflict if it is the same person or was confirmed before."""
        with self._database.writing() as connection:
            plan = _plan_of(connection, taxpayer_id, plan_id)
            if plan.confirmed_at is not None:
                raise Conflict(
                    f"Disposal {plan_id} was confirmed on {plan.confirmed_at:%Y-%m-%d}.",
                    fix="If its deletion was interrupted, `gateway archive purge resume` finishes it.",
                    ar="سبق تأكيد هذا الحذف. إن انقطع فأكمله بالأمر gateway archive purge resume.",
                )
            if plan.proposed_by == actor:
                raise Conflict(
                    "Who proposed to delete cannot confirm it.",
                    fix="Let another person do it, with a key of their own.",
                    ar="لا يجوز أن يؤكد الحذف من اقترحه. يلزم شخص آخر بمفتاح خاص به.",
                )
            confirmed = {"confirmed_by": actor, "confirmed_at": now}
            connection.execute(update(DISPOSAL).where(_PLAN.id == plan_id).values(**confirmed))
            gone = connection.execute(_disposable(plan, now, _FILE.document_uuid, _FILE.name)).all()
            common = {"taxpayer_id": taxpayer_id, "disposal_id": plan_id, "at": now}
            for uuid, name in gone:
                connection.execute(insert(DISPOSED), {"document_uuid": uuid, "name": name, **common})
            detail = {"files": len(gone), "proposed_by": plan.proposed_by}
            self._note_archive(connection, taxpayer_id, actor, "archive.disposed", plan_id, now, detail)
        return len(gone)

    def plans(self, taxpayer_id: str) -> tuple[Plan, ...]:
        """The disposals, oldest first."""
        wanted = select(DISPOSAL).where(_PLAN.taxpayer_id == taxpayer_id).order_by(_PLAN.proposed_at, _PLAN.id)
        with self._database.reading() as connection:
            return tuple(Plan(*row) for row in connection.execute(wanted))

    def disposed_files(self, taxpayer_id: str) -> Iterator[ArchivedFile]:
        """The files whose bytes are to be gone."""
        wanted = _files().where(_FILE.taxpayer_id == taxpayer_id, _GONE.at.is_not(None)).order_by(_FILE.key)
        with self._database.reading() as connection:
            rows = connection.execute(wanted).all()
        yield from (ArchivedFile(*row) for row in rows)

    # --- what is forgotten sooner -------------------------------------------------------------------------------------

    def forgettable(self, before: datetime, limit: int) -> tuple[tuple[int, str, bytes], ...]:
        """Id, taxpayer and body of notices that arrived before a moment and that nobody works on any more."""
        notice = NOTICE.c
        wanted = select(notice.id, notice.taxpayer_id, notice.body).where(
            notice.received_at < before, notice.state.in_(["done", "ignored"]), notice.body_digest == ""
        )
        with self._database.reading() as connection:
            return tuple((row[0], row[1], bytes(row[2])) for row in connection.execute(wanted.limit(limit)))

    def forget(self, notices: Sequence[tuple[int, str]], *, before: datetime, limit: int, now: datetime) -> int:
        """Let these notices keep but a digest of their bodies (id and hex SHA-256), and of up to `limit` orders that
        were received before a moment and whose documents are all final, their digest alone; how many rows."""
        with self._database.writing() as connection:
            for key, digest in notices:
                emptied = update(NOTICE).where(NOTICE.c.id == key, NOTICE.c.body_digest == "")
                connection.execute(emptied.values(body=b"", body_digest=digest, payload=None))
            owners = _owners_of_notices(connection, [key for key, _ in notices])
            for key, owner in connection.execute(_old_orders(before).limit(limit)).all():
                connection.execute(update(t.ORDER_SNAPSHOT).where(t.ORDER_SNAPSHOT.c.id == key).values(order_json=""))
                owners[owner] = owners.get(owner, 0) + 1
            for owner, count in sorted(owners.items()):
                detail = {"rows": count, "received_before": before.isoformat()}
                self._note_archive(connection, owner, SYSTEM, "payloads.forgotten", owner, now, detail)
        return sum(owners.values())

    def _note_archive(
        self, connection: Connection, owner: str, actor: str, action: str, target: str, now: datetime, detail: Any
    ) -> None:
        note(
            connection,
            taxpayer_id=owner,
            actor=actor,
            action=action,
            target=target,
            now=now,
            detail=detail,
        )


def ring_archive(connection: Connection, taxpayer_id: str, uuid: str, now: datetime) -> None:
    """Something of a document is to be archived, within the transaction that it came by. A lease on it ends, so that
    whoever was at work does not take this for done."""
    again = update(ARCHIVE_TASK).where(_TASK.document_uuid == uuid).values(next_at=now, **FREE)
    if connection.execute(again).rowcount == 0:
        values = {"document_uuid": uuid, "taxpayer_id": taxpayer_id, "next_at": now, "attempts": 0, "error": ""}
        connection.execute(insert(ARCHIVE_TASK), {**values, **FREE})


def _is_disposed() -> Any:
    return select(1).where(_GONE.document_uuid == _FILE.document_uuid, _GONE.name == _FILE.name).exists()


def _files() -> Select[Any]:
    same = and_(_GONE.document_uuid == _FILE.document_uuid, _GONE.name == _FILE.name)
    columns = (_FILE.document_uuid, _FILE.name, _FILE.taxpayer_id, _FILE.key, _FILE.sha256, _FILE.size, _FILE.at)
    return select(*columns, _FILE.keep_until, _GONE.at.label("disposed_at")).outerjoin(DISPOSED, same)


def _disposable(plan: Plan | Row[Any], now: datetime, *columns: Any) -> Select[Any]:
    """Files of a plan that may be deleted at a moment: past their time, not under a hold that stands, and there."""
    held = select(1).where(
        _HOLD.taxpayer_id == _FILE.taxpayer_id,
        _HOLD.lifted_at.is_(None),
        or_(_HOLD.document_uuid.is_(None), _HOLD.document_uuid == _FILE.document_uuid),
        or_(_HOLD.until.is_(None), _HOLD.until > now),
    )
    return (
        select(*columns)
        .select_from(ARCHIVED)
        .where(_FILE.taxpayer_id == plan.taxpayer_id, _FILE.keep_until <= plan.ended_before)
        .where(~held.exists(), ~_is_disposed())
    )


def _plan_of(connection: Connection, taxpayer_id: str, plan_id: str) -> Row[Any]:
    mine = (_PLAN.id == plan_id, _PLAN.taxpayer_id == taxpayer_id)
    row = connection.execute(select(DISPOSAL).where(*mine).with_for_update()).first()
    if row is None:
        raise Unknown(f"There is no disposal {plan_id}.", fix="`gateway archive purge list` lists them.")
    return row


def _owners_of_notices(connection: Connection, keys: Sequence[int]) -> dict[str, int]:
    notice = NOTICE.c
    counted = select(notice.taxpayer_id, func.count()).where(notice.id.in_(keys)).group_by(notice.taxpayer_id)
    return {row[0]: row[1] for row in connection.execute(counted)}


def _old_orders(before: datetime) -> Select[Any]:
    """Snapshots all of whose documents, if any, are final and not rejected: nothing is made of them any more."""
    snapshot, document = t.ORDER_SNAPSHOT.c, t.DOCUMENT.c
    done = (Status.CLEARED.value, Status.REPORTED.value, Status.REPLACED.value)
    awaited = (
        select(1)
        .join_from(t.DOCUMENT, t.SUBMISSION, t.SUBMISSION.c.document_uuid == document.uuid)
        .where(document.snapshot_id == snapshot.id, t.SUBMISSION.c.status.not_in(done))
    )
    return select(snapshot.id, snapshot.taxpayer_id).where(
        snapshot.received_at < before, snapshot.order_json != "", ~awaited.exists()
    )


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        row.id, row.taxpayer_id, row.document_uuid, row.reason, row.actor, row.at, row.until, row.lifted_at,
        row.lifted_by,
    )  # fmt: skip
