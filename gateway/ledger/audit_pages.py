"""The audit log as people read it: newest first, some entries at a time, narrowed to what they look for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

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


class AuditPage(NamedTuple):
    """Some entries, newest first; `next` is the cursor of what follows, None at the end."""

    items: tuple[AuditEntry, ...]
    next: int | None


class AuditPages:
    """Looking into the audit log."""

    _database: Database

    def audit_page(
        self, taxpayer_id: str, by: AuditFilter = AuditFilter(), *, before: int | None = None, limit: int = 50
    ) -> AuditPage:
        """Entries of a taxpayer in the order they came, newest first, at most MAX_PAGE at a time, sealed or not;
        `before` is the cursor that the page before gave."""
        size = max(1, min(limit, MAX_PAGE))
        wanted = select(AUDIT).where(AUDIT.c.taxpayer_id == taxpayer_id, *_conditions(by, before))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(AUDIT.c.id.desc()).limit(size + 1)).all()
        more = rows[size - 1].id if len(rows) > size else None
        return AuditPage(tuple(audit_entry(row) for row in rows[:size]), more)


def _conditions(by: AuditFilter, before: int | None) -> Iterator[ColumnElement[bool]]:
    for name in ("actor", "action", "object"):
        if wanted := getattr(by, name):
            yield AUDIT.c[name] == wanted
    if by.since:
        yield AUDIT.c.at >= by.since
    if by.until:
        yield AUDIT.c.at < by.until
    if before is not None:
        yield AUDIT.c.id < before
