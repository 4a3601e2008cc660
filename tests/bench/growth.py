"""A ledger as it is after many documents, without making them: their rows are copied from one that was made."""

import sqlite3
from contextlib import closing
from typing import Any

from sqlalchemy import make_url

from tests.bench.installed import Installation

_XML_BYTES = 2_000
"""Of a copied document; the indexes grow as they would, the file somewhat less."""


def preload(made: Installation, count: int) -> None:
    """Add so many documents to the (only) chain. The guards, which look at each row, are put back afterwards."""
    path = (
        made.settings.home / "ledger.db"
        if not made.settings.database_url
        else make_url(made.settings.database_url).database
    )
    with closing(sqlite3.connect(str(path), isolation_level=None)) as ledger:
        guards = ledger.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        ledger.execute("BEGIN IMMEDIATE")
        for name, _ in guards:
            ledger.execute(f"DROP TRIGGER {name}")
        _copy(ledger, count)
        for _, sql in guards:
            ledger.execute(sql)
        ledger.execute("COMMIT")
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    made.settings.journal_file.unlink()  # it is caught up with when the ledger is opened


def _copy(ledger: sqlite3.Connection, count: int) -> None:
    chain, icv, document_hash = ledger.execute("SELECT id, head_icv, head_hash FROM chain").fetchone()
    snapshot = ledger.execute("SELECT MAX(id) FROM order_snapshot").fetchone()[0]
    sale = ledger.execute("SELECT MAX(id) FROM sale").fetchone()[0]
    like = ledger.execute("SELECT uuid, snapshot_id, sale_id FROM document ORDER BY icv DESC LIMIT 1").fetchone()
    uuid, hashed = "'copy-' || n", "printf('copy%040d', n)"
    many = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"  # noqa: S608

    def copy(table: str, where: str, **changes: str) -> None:
        columns = [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(changes.get(name, f"{table}.{name}") for name in columns)
        ledger.execute(f"{many} INSERT INTO {table} SELECT {values} FROM numbers, {table} WHERE {where}")  # noqa: S608

    copy("order_snapshot", f"id = {like[1]}", id=f"{snapshot} + n", order_id="'copy-' || n")
    copy(
        "sale",
        f"id = {like[2]}",
        id=f"{sale} + n",
        thing="'order:copy-' || n",
        order_id="'copy-' || n",
        document_uuid=uuid,
    )
    copy(
        "document", f"uuid = '{like[0]}'", uuid=uuid, icv=f"{icv} + n", hash=hashed, number="'COPY-' || n",
        pih=f"CASE n WHEN 1 THEN '{document_hash}' ELSE printf('copy%040d', n - 1) END",
        sale_id=f"{sale} + n", snapshot_id=f"{snapshot} + n",
    )  # fmt: skip
    copy("stamp", f"document_uuid = '{like[0]}'", document_uuid=uuid, xml=f"zeroblob({_XML_BYTES})")
    copy(
        "submission",
        f"document_uuid = '{like[0]}'",
        document_uuid=uuid,
        next_at="NULL",
        status="'reported'",
        held_for="''",
    )
    head: tuple[Any, ...] = (icv + count, f"copy{count:040d}", chain)
    ledger.execute("UPDATE chain SET head_icv = ?, head_hash = ? WHERE id = ?", head)
