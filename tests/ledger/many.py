"""Thousands of documents at once, past the guards and the chain: for what only counts and marks them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from gateway.breaker import CLOSED
from gateway.invoice.facts import Profile
from gateway.issued import REPORTING_WINDOW
from gateway.ledger import Ledger, tables
from gateway.ledger.breakers import keep
from tests.ledger.books import NOW, UNIT, Desk


def add_many(ledger: Ledger, count: int, *, issued_at: datetime = NOW, every: timedelta = timedelta()) -> None:
    """Put `count` simplified documents beside one that is issued here, each `every` after the one before."""
    first = Desk(ledger).issue("many").issued
    with ledger._database.writing() as connection:
        for table, trigger in (("document", "link"), ("document", "anew"), ("submission", "anew")):
            on = "" if ledger._database.is_sqlite else f" ON {table}"
            connection.execute(text(f"DROP TRIGGER {table}_{trigger}{on}"))
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
    """Open a breaker for five minutes, or with no reason close it."""
    is_open = bool(reason)
    breaker = CLOSED.paused(now, lambda _: timedelta(minutes=5)) if is_open else CLOSED
    with ledger._database.writing() as connection:
        keep(connection, scope, breaker, now, reason=reason, since=now)
