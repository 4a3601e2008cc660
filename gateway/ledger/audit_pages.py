"""The audit log as people read it: newest first, some entries at a time, narrowed to what they look for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select

from gateway.ledger.audit import audit_entry
from gateway.ledger.database import Database
from gateway.ledger.rows import AuditEntry
from gateway.ledger.tables import AUDIT

MAX_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries a page shows; what is left empty does not narrow it. `since` and `until` bound their moment, the
    latter not included."""

    actor: str = ""
    action: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditPages:
    """Looking into the audit log."""

    _database: Database

    def audit_page(
        self, taxpayer_id: str, by: AuditFilter = AuditFilter(), *, before: int | None = None, limit: int = 50
    ) -> tuple[AuditEntry, ...]:
        """Entries of a taxpayer, newest first, at most MAX_PAGE at a time; those before number `before`."""
        size = max(1, min(limit, MAX_PAGE))
        wanted = select(AUDIT).where(AUDIT.c.taxpayer_id == taxpayer_id, *_conditions(by, before))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(AUDIT.c.seq.desc()).limit(size)).all()
        return tuple(audit_entry(row) for row in rows)


def _conditions(by: AuditFilter, before: int | None) -> Iterator[ColumnElement[bool]]:
    for name in ("actor", "action", "object"):
        if wanted := getattr(by, name):
            yield AUDIT.c[name] == wanted
    if by.since:
        yield AUDIT.c.at >= by.since
    if by.until:
        yield AUDIT.c.at < by.until
    if before is not None:
        yield AUDIT.c.seq < before
