"""Triggers that refuse a change, written once for SQLite and PostgreSQL, for the migrations to create and to drop.

A guard is a condition under which an insert, update or delete is refused: plain SQL that both databases read alike.
"""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op


class Guard(NamedTuple):
    """Refuse `event` on `table` with `message` where `refused` holds; `name` is unique within the table."""

    table: str
    event: str
    name: str
    message: str
    refused: str


def standing(table: str, stands: str, *, changes: bool) -> list[Guard]:
    """The guards of rows that are never deleted, and unless they `changes`, never changed.

    `stands` tells that a new row is one that stands already. It is asked because in SQLite `INSERT OR REPLACE` deletes
    the old row without asking the triggers that guard deletions.
    """
    guards = [
        Guard(table, "INSERT", "anew", "this row stands already", stands),
        Guard(table, "DELETE", "delete", "rows are never deleted", "1 = 1"),
    ]
    if not changes:
        guards.append(Guard(table, "UPDATE", "change", "rows are never changed", "1 = 1"))
    return guards


def create(guards: Iterable[Guard]) -> None:
    """Put guards up; on PostgreSQL a table whose deletions are guarded cannot be truncated either."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for guard in guards:
        for statement in _sqlite(guard) if is_sqlite else _postgresql(guard):
            op.execute(sa.text(statement))


def drop(table: str, name: str) -> None:
    """Take a guard down, to change what it guards or to put up another."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(sa.text(f"DROP TRIGGER {table}_{name}"))
    else:
        op.execute(sa.text(f"DROP TRIGGER {table}_{name} ON {table}"))
        op.execute(sa.text(f"DROP FUNCTION {table}_{name}()"))


def _sqlite(guard: Guard) -> list[str]:
    return [
        f"CREATE TRIGGER {guard.table}_{guard.name} BEFORE {guard.event} ON {guard.table} BEGIN "
        f"SELECT RAISE(ABORT, '{guard.table}: {guard.message}') WHERE {guard.refused}; END"
    ]


def _postgresql(guard: Guard) -> list[str]:
    """A trigger needs a function there; tables get those of their own, named alike."""
    name = f"{guard.table}_{guard.name}"
    is_delete = guard.event == "DELETE"
    made = [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {guard.refused} THEN "
        f"RAISE EXCEPTION '{guard.table}: {guard.message}' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; RETURN {'OLD' if is_delete else 'NEW'}; END $$",
        f"CREATE TRIGGER {name} BEFORE {guard.event} ON {guard.table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
    if is_delete and guard.refused == "1 = 1":
        # The function that guards deletions refuses whatever happens, so it serves here too.
        made.append(
            f"CREATE TRIGGER {guard.table}_truncate BEFORE TRUNCATE ON {guard.table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )
    return made
