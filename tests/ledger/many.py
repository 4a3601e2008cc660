"""Thousands of documents at once, past the guards and the chain: for what only counts and marks them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text, update

from gateway.invoice.facts import Profile
from gateway.issued import REPORTING_WINDOW
from gateway.ledger import Ledger, tables
from tests.ledger.books import NOW, UNIT, Desk


def add_many(ledger: Ledger, count: int, *, issued_at: datetime = NOW, every: timedelta = timedelta()) -> None:
    """Put `count` simplified documents beside one that is issued here, each `every` after the one before."""
    first = Desk(ledger).issue("many").issued
    with ledger._database.writing() as connection:
        for trigger in ("document_link", "document_anew", "submission_anew"):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        document = dict(connection.execute(tables.DOCUMENT.select()).mappings().first())
        submission = dict(connection.execute(tables.SUBMISSION.select()).mappings().first())
        rows = [_rows(document, submission, n, issued_at + n * every) for n in range(2, count + 1)]
        connection.execute(insert(tables.DOCUMENT), [row for row, _ in rows])
        connection.execute(insert(tables.SUBMISSION), [row for _, row in rows])
    assert (first.profile, UNIT.id) == (Profile.SIMPLIFIED, document["unit_id"])


def _rows(document: dict, submission: dict, n: int, at: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    key = f"many-{n:06d}"
    one = {**document, "uuid": key, "icv": n, "number": f"M-{n:06d}", "issued_at": at, "made_at": at}
    return one, {**submission, "document_uuid": key, "due_by": at + REPORTING_WINDOW, "next_at": at}


def warn(ledger: Ledger, uuid: str, rule: str, at: datetime, message: str = "be careful", owner: str = "tp") -> None:
    """Keep a warning of the authority about a document."""
    values = {"document_uuid": uuid, "rule": rule, "taxpayer_id": owner, "at": at, "message": message}
    with ledger._database.writing() as connection:
        connection.execute(insert(tables.WARNING), values)


def break_line(ledger: Ledger, scope: str, *, now: datetime, reason: str = "") -> None:
    """Open a breaker, or with no reason close it."""
    times = 1 if reason else 0
    known = {"scope": scope, "failures": 10 * times, "opened": times, "since": now, "changed_at": now, "reason": reason}
    here = tables.BREAKER.c.scope == scope
    with ledger._database.writing() as connection:
        if connection.execute(update(tables.BREAKER).where(here).values(**known)).rowcount == 0:
            empty = {column.name: None if column.nullable else "" for column in tables.BREAKER.c}
            connection.execute(insert(tables.BREAKER), empty | known)
