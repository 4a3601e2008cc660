"""The audit log: who did what, plain rows that come with what they are about, in the same transaction.

A row gets its place in its taxpayer's log, and a hash that covers all before it, a moment later, when it is sealed: see
sealing.py. Until then it is `waiting`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select

from gateway.ledger.columns import canonical_json, iso
from gateway.ledger.database import Database
from gateway.ledger.rows import AuditBreak, AuditEntry
from gateway.ledger.tables import AUDIT

SYSTEM: Final = "gateway"
"""The actor of what nobody in particular did."""

_PAGE: Final = 1000
_NEW: Final = insert(AUDIT).inline()


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
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action=action,
                target=target,
                now=now,
                detail=detail,
            )

    def audit_log(self, taxpayer_id: str, *, after: int = 0) -> Iterator[AuditEntry]:
        """The sealed entries in order, those after number `after`; then those that wait, as they came."""
        mine = select(AUDIT).where(AUDIT.c.taxpayer_id == taxpayer_id)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(_sealed(mine, after)).all()
                is_last = len(rows) < _PAGE
                waiting = connection.execute(_waiting(mine)).all() if is_last else ()
            for row in (*rows, *waiting):
                yield audit_entry(row)
            if is_last:
                return
            after = rows[-1].seq

    def audit_breaks(self, taxpayer_id: str) -> Iterator[AuditBreak]:
        """Every place where the sealed entries do not hold; nothing if they do."""
        due, previous = 1, ""
        for entry in self.audit_log(taxpayer_id):
            if entry.seq is None or entry.hash is None:
                return
            if entry.seq != due:
                yield AuditBreak(due, f"entry {due} was due, {entry.seq} stands there")
            if entry.hash != entry_hash(entry, seq=entry.seq, previous=previous):
                yield AuditBreak(entry.seq, f"entry {entry.seq} or one before it was changed: its hash does not fit")
            due, previous = entry.seq + 1, entry.hash


def _sealed(mine: Select[Any], after: int) -> Select[Any]:
    return mine.where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(_PAGE)


def _waiting(mine: Select[Any]) -> Select[Any]:
    return mine.where(AUDIT.c.seq.is_(None)).order_by(AUDIT.c.id)


def note(
    connection: Connection,
    *,
    taxpayer_id: str,
    actor: str,
    action: str,
    target: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry within the transaction of what it is about. It reads nothing and waits for nobody."""
    values = note_values(
        taxpayer_id=taxpayer_id, actor=actor, action=action, target=target, now=now, detail=detail or {}
    )
    connection.execute(_NEW, values)


def note_values(
    *, taxpayer_id: str, actor: str, action: str, target: str, now: datetime, detail: Mapping[str, Any]
) -> dict[str, Any]:
    """A new entry as a row of the table `audit`, for whoever adds many at once."""
    return {
        "taxpayer_id": taxpayer_id,
        "at": now.astimezone(UTC),
        "actor": actor,
        "action": action,
        "object": target,
        "detail": detail,
        "seq": None,
        "hash": None,
    }


def entry_hash(entry: AuditEntry, *, seq: int, previous: str) -> str:
    """The hash (SHA-256, hex) of the log up to this entry as its number `seq`; `previous` is that of the one before."""
    return chained(
        seq=seq,
        at=iso(entry.at),
        taxpayer=entry.taxpayer_id,
        actor=entry.actor,
        action=entry.action,
        target=entry.object,
        detail=dict(entry.detail),
        previous=previous,
    )


def chained(
    *, seq: int, at: str, taxpayer: str, actor: str, action: str, target: str, detail: Any, previous: str
) -> str:
    """The same of an entry's stored texts: SHA-256 over canonical JSON. Published in docs/reference/audit-log.md."""
    content = {
        "seq": seq,
        "at": at,
        "taxpayer": taxpayer,
        "actor": actor,
        "action": action,
        "object": target,
        "detail": detail,
        "previous": previous,
    }
    return hashlib.sha256(canonical_json(content).encode(errors="replace")).hexdigest()


def audit_entry(row: Row[Any]) -> AuditEntry:
    """An entry from its row."""
    return AuditEntry(
        seq=row.seq,
        at=row.at,
        taxpayer_id=row.taxpayer_id,
        actor=row.actor,
        action=row.action,
        object=row.object,
        detail=row.detail,
        hash=row.hash,
    )
