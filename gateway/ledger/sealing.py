"""Sealing the audit log: entries that wait get their places, each taxpayer's by themselves, and a batch says how far it
goes now.

Every hash covers the one before, so what is sealed cannot be changed unseen, and one taxpayer's log proves itself
without any other's. One process seals at a time; if it dies its transaction is undone and the next one seals. Numbers
of rows become visible out of order where several write at once, so what is taken is what has no place yet, whatever
its number: an entry that is committed late is in a later batch.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, String, bindparam, insert, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import Misconfigured
from gateway.ledger.audit import chained
from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.database import Database
from gateway.ledger.tables import AUDIT, AUDIT_BATCH

MOST: Final = 500
"""Entries that are sealed at once: some 20 ms, in which SQLite lets nobody else write."""

LONG_UNSEALED: Final = timedelta(minutes=10)
"""An entry that waited for so long was forgotten."""

_PAGE: Final = 1000
_BATCH: Final = AUDIT_BATCH.c
_COLUMNS: Final = (
    *(_BATCH.taxpayer_id, _BATCH.number, _BATCH.last_seq, _BATCH.digest),
    type_coerce(_BATCH.sealed_at, String),
    *(_BATCH.previous, _BATCH.hash),
)
_LAST: Final = (
    select(*_COLUMNS)
    .where(AUDIT_BATCH.c.taxpayer_id == bindparam("taxpayer"))
    .order_by(AUDIT_BATCH.c.number.desc())
    .limit(1)
)
_IS_WAITING: Final = AUDIT.c.seq.is_(None)
_WAITING: Final = (
    select(
        *(AUDIT.c[name] for name in "id taxpayer_id actor action object".split()),
        *(type_coerce(AUDIT.c[name], String).label(name) for name in ("at", "detail")),
    )
    .where(_IS_WAITING)
    .order_by(AUDIT.c.taxpayer_id, AUDIT.c.id)
)
_SEAL: Final = (
    update(AUDIT).where(AUDIT.c.id == bindparam("entry")).values(seq=bindparam("place"), hash=bindparam("sealed_hash"))
)


class AuditBatch(NamedTuple):
    """Entries sealed together: those after the batch before, up to number `last_seq`, whose hash is `digest`.

    `hash` covers all the rest; `previous` is that of the batch before, empty in the first. `sealed_at` is the text that
    is stored (UTC).
    """

    taxpayer_id: str
    number: int
    last_seq: int
    digest: str
    sealed_at: str
    previous: str
    hash: str


class Waiting(NamedTuple):
    """Entries that are not sealed yet: how many (counted up to `MOST`), and since when."""

    entries: int
    since: datetime | None


class Sealing:
    """Sealing the audit log, and what was sealed."""

    _database: Database

    def audit_waiting(self) -> Waiting:
        """What there is to seal, of all taxpayers."""
        with self._database.reading() as connection:
            some = [row.at for row in connection.execute(_WAITING.limit(MOST))]
        return Waiting(len(some), _moment(min(some)) if some else None)

    def seal_audit(self, *, now: datetime) -> tuple[AuditBatch, ...]:
        """Seal up to `MOST` entries; a batch for each taxpayer that had some. Nothing is done while another seals.

        Misconfigured: the log was changed past its guards, so that nothing fits to its end.
        """
        try:
            return self._seal_some(now)
        except IntegrityError:
            raise Misconfigured(
                "The audit log does not end where its last batch does: it was changed past its guards.",
                fix="Keep the ledger as it is for whoever looks into it, and run `gateway doctor`.",
            ) from None

    def _seal_some(self, now: datetime) -> tuple[AuditBatch, ...]:
        with self._database.writing() as connection:
            if not self._database.has_turn(connection, "sealing the audit log"):
                return ()
            rows = connection.execute(_WAITING.limit(MOST)).all()
            by_owner = groupby(rows, key=lambda row: str(row.taxpayer_id))
            return tuple(_seal(connection, owner, list(entries), now) for owner, entries in by_owner)

    def audit_batches(self, taxpayer_id: str, *, after: int = 0) -> Iterator[AuditBatch]:
        """What was sealed, batch by batch, those after number `after`."""
        while True:
            page = select(*_COLUMNS).where(_BATCH.taxpayer_id == taxpayer_id, _BATCH.number > after)
            with self._database.reading() as connection:
                rows = connection.execute(page.order_by(_BATCH.number).limit(_PAGE)).all()
            yield from (AuditBatch(*row) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def audit_batch(self, taxpayer_id: str, number: int) -> AuditBatch | None:
        """One batch; None if nothing was sealed by this number."""
        wanted = select(*_COLUMNS).where(_BATCH.taxpayer_id == taxpayer_id, _BATCH.number == number)
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        return AuditBatch(*row) if row else None

    def last_audit_batch(self, taxpayer_id: str) -> AuditBatch | None:
        """How far a taxpayer's log is sealed; None if nothing of it is."""
        with self._database.reading() as connection:
            return last_batch(connection, taxpayer_id)


def batch_hash(batch: AuditBatch) -> str:
    """SHA-256 (hex) over the batch's canonical JSON, all but the hash itself."""
    content = {
        "taxpayer": batch.taxpayer_id,
        "number": batch.number,
        "last_seq": batch.last_seq,
        "digest": batch.digest,
        "sealed_at": batch.sealed_at,
        "previous": batch.previous,
    }
    return hashlib.sha256(canonical_json(content).encode(errors="replace")).hexdigest()


def nothing_sealed(taxpayer_id: str) -> AuditBatch:
    """What stands before the first batch."""
    return AuditBatch(taxpayer_id, 0, 0, "", "", "", "")


def batch_fault(batch: AuditBatch, there: str | None, before: AuditBatch) -> str:
    """What is wrong with a batch, empty if nothing is; `there` is the hash of the entry it ends at."""
    if batch.number != before.number + 1:
        return f"follows number {before.number}"
    if batch.previous != before.hash:
        return "does not carry the hash of the one before"
    if batch.hash != batch_hash(batch):
        return "was changed, its hash does not fit"
    if not before.last_seq < batch.last_seq or batch.digest != there:
        return f"does not end at entry {batch.last_seq} as it stands"
    return ""


def last_batch(connection: Connection, taxpayer_id: str) -> AuditBatch | None:
    row = connection.execute(_LAST, {"taxpayer": taxpayer_id}).first()
    return AuditBatch(*row) if row else None


def _seal(connection: Connection, owner: str, entries: Sequence[Row[Any]], now: datetime) -> AuditBatch:
    last = last_batch(connection, owner) or nothing_sealed(owner)
    seq, digest, places = last.last_seq, last.digest, []
    for entry in entries:
        seq, digest = seq + 1, _chained(entry, seq + 1, digest)
        places.append({"entry": entry.id, "place": seq, "sealed_hash": digest})
    connection.execute(_SEAL, places)
    batch = AuditBatch(owner, last.number + 1, seq, digest, iso(now), last.hash, "")
    batch = batch._replace(hash=batch_hash(batch))
    connection.execute(insert(AUDIT_BATCH), batch._asdict() | {"sealed_at": now})
    return batch


def _chained(entry: Row[Any], seq: int, previous: str) -> str:
    return chained(
        seq=seq,
        at=entry.at,
        taxpayer=entry.taxpayer_id,
        actor=entry.actor,
        action=entry.action,
        target=entry.object,
        detail=_detail(entry.detail),
        previous=previous,
    )


def _moment(text: str) -> datetime:
    """A stored moment; one that was changed by hand is none, and long ago."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _detail(text: str) -> Any:
    """What an entry says; a text that was changed by hand is sealed as it stands, for others wait behind it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
