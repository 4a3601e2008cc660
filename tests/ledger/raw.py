"""Plain SQL on either engine, past the ledger and with no pragma or session setting of ours."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

from tests.postgres import connected

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""How a database says that a guard or a constraint is in the way."""


class Raw:
    """One connection, each statement a transaction; `?` stands for a value."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self.is_sqlite = is_sqlite

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        if self.is_sqlite:
            return self._connection.execute(statement, values)
        return self._connection.execute(statement.replace("?", "%s") if values else statement, values or None)

    def columns(self, table: str) -> list[str]:
        return [each[0] for each in self.execute(f"SELECT * FROM {table} LIMIT 0").description]  # noqa: S608

    @property
    def insert_over(self) -> str:
        """The insert that takes the place of rows in its way, where there is one."""
        return "INSERT OR REPLACE" if self.is_sqlite else "INSERT"

    def drop_trigger(self, table: str, name: str) -> None:
        self.execute(f"DROP TRIGGER {table}_{name}" + ("" if self.is_sqlite else f" ON {table}"))

    def tables(self) -> list[str]:
        if self.is_sqlite:
            return [each[0] for each in self.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [each[0] for each in self.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """No guard and no foreign key holds within this block: a superuser's power."""
        if not self.is_sqlite:
            self.execute("SET session_replication_role = replica")
            yield
            self.execute("SET session_replication_role = origin")
            return
        triggers = self.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            self.execute(f"DROP TRIGGER {name}")
        yield
        for _, statement in triggers:
            self.execute(statement)

    def advance(self, table: str) -> None:
        """Let numbers be drawn after those that were put in by hand; SQLite does so by itself."""
        if not self.is_sqlite and (table, "id") in self._numbered():
            self.execute(f"SELECT setval('{table}_id_seq', (SELECT coalesce(max(id), 1) FROM {table}))")  # noqa: S608

    def _numbered(self) -> list[tuple[str, str]]:
        wanted = "SELECT table_name, column_name FROM information_schema.columns WHERE column_default LIKE 'nextval%'"
        return list(self.execute(wanted))

    def close(self) -> None:
        self._connection.close()


def raw_connection(url: str) -> Raw:
    """Open one."""
    if url.startswith("sqlite"):
        return Raw(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None), is_sqlite=True)
    return Raw(connected(make_url(url)), is_sqlite=False)
