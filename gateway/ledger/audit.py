"""The audit log: who did what, one unbroken sequence a taxpayer, each entry carrying the hash of the one before.

Cutting off its end leaves no trace in the log itself: a copy of the last hash kept elsewhere shows it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, select

from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.database import Database
from gateway.ledger.rows import AuditBreak, AuditEntry
from gateway.ledger.tables import AUDIT

SYSTEM: Final = "gateway"
"""The actor of what nobody in particular did."""

_BATCH: Final = 1000
_LAST: Final = (
    select(AUDIT.c.seq, AUDIT.c.hash)
    .where(AUDIT.c.taxpayer_id == bindparam("taxpayer"))
    .order_by(AUDIT.c.seq.desc())
    .limit(1)
)
_NEW: Final = insert(AUDIT)


class Auditing:
    """Writing and walking the audit log."""

    _database: Database

    def audit(
        self,
        *,
        taxpayer_id: str,
        actor: str,
        action: str,
        target: str,
        detail: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Note that `actor` did `action` to `target`; `detail` is JSON and never holds a secret."""
        with self._database.writing() as connection:
            note(
                self._database,
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action=action,
                target=target,
                now=now,
                detail=detail,
            )

    def audit_log(self, taxpayer_id: str, *, after: int = 0) -> Iterator[AuditEntry]:
        """The entries in order, those after number `after`."""
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    select(AUDIT)
                    .where(AUDIT.c.taxpayer_id == taxpayer_id, AUDIT.c.seq > after)
                    .order_by(AUDIT.c.seq)
                    .limit(_BATCH)
                ).all()
            for row in rows:
                yield _entry(row)
            if len(rows) < _BATCH:
                return
            after = rows[-1].seq

    def audit_breaks(self, taxpayer_id: str) -> Iterator[AuditBreak]:
        """Every place where the log does not hold; nothing if it does."""
        due, previous = 1, ""
        for entry in self.audit_log(taxpayer_id):
            if entry.seq != due:
                yield AuditBreak(due, f"entry {due} was due, {entry.seq} stands there")
            elif entry.previous != previous:
                yield AuditBreak(entry.seq, f"entry {entry.seq} does not carry the hash of the one before")
            if entry.hash != entry_hash(entry):
                yield AuditBreak(entry.seq, f"entry {entry.seq} was changed: its hash does not fit")
            due, previous = entry.seq + 1, entry.hash


def note(
    database: Database,
    connection: Connection,
    *,
    taxpayer_id: str,
    actor: str,
    action: str,
    target: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry within the transaction of what it is about."""
    note_all(database, connection, [Event(taxpayer_id, actor, action, target, now, detail or {})])


class Event(NamedTuple):
    """What an entry says, but for its place in the log."""

    taxpayer_id: str
    actor: str
    action: str
    object: str
    at: datetime
    detail: Mapping[str, Any]


def note_all(database: Database, connection: Connection, events: Sequence[Event]) -> None:
    """Add entries in this order, of one transaction; those of several taxpayers are locked in one order by all."""
    for taxpayer in sorted({each.taxpayer_id for each in events}):
        database.lock_taxpayer(connection, taxpayer)
        last = connection.execute(_LAST, {"taxpayer": taxpayer}).first()
        seq, previous = (last.seq, last.hash) if last else (0, "")
        rows = []
        for event in (each for each in events if each.taxpayer_id == taxpayer):
            seq, at = seq + 1, event.at.astimezone(UTC)
            entry = AuditEntry(seq, at, taxpayer, event.actor, event.action, event.object, event.detail, previous, "")
            row = {**event._asdict(), "at": at, "seq": seq, "previous": previous, "hash": entry_hash(entry)}
            rows.append(row)
            previous = row["hash"]
        connection.execute(_NEW, rows)


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256 (hex) over the entry's canonical JSON, all but the hash itself."""
    content = {
        "seq": entry.seq,
        "at": iso(entry.at),
        "taxpayer": entry.taxpayer_id,
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "detail": dict(entry.detail),
        "previous": entry.previous,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        at=row.at,
        taxpayer_id=row.taxpayer_id,
        actor=row.actor,
        action=row.action,
        object=row.object,
        detail=row.detail,
        previous=row.previous,
        hash=row.hash,
    )
