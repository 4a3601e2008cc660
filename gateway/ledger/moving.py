"""A whole ledger from one database to another, of either engine, proved row by row and link by link on arrival.

Nothing can be written to the source meanwhile, and afterwards it refuses to be opened: one ledger never goes on in two
places. Nothing stands in the target until all of it does.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import Connection, Integer, Table, text

from gateway.chain import walk
from gateway.errors import Conflict, GatewayError, Misconfigured
from gateway.ledger.database import MOVED, VERSION_TABLE, Database, checked
from gateway.ledger.ledger import Ledger
from gateway.ledger.postgresql import APPLICATION
from gateway.ledger.sealing import batch_fault, nothing_sealed
from gateway.ledger.tables import METADATA

_BATCH: Final = 500
_PLACED: Final = ("breaker",)
"""Tables with a row from the beginning, which the source's rows replace."""


class Moved(NamedTuple):
    """How much arrived: rows of each table, chains and audit logs that were walked, and documents in them."""

    rows: dict[str, int]
    chains: int
    links: int
    audit_entries: int


class _Tally:
    """Number and content of rows, whatever their order: engines sort text differently."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            self.count += 1
            self._sum += int.from_bytes(hashlib.sha256(repr(row).encode()).digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Tally) and (self.count, self._sum) == (other.count, other._sum)

    __hash__ = None  # type: ignore[assignment]


def move(source_url: str, target_url: str, *, tell: Callable[[str, int, int], None]) -> Moved:
    """Carry the ledger over; `tell` hears of a table's name, rows so far and rows in all.

    Conflict: the source is in use, the target is not empty. Misconfigured: one of them cannot be used, or what arrived
    is not what was sent, and then nothing stands in the target.
    """
    with closing(Database.open(source_url)) as source:
        _in_use_by_nobody_else(source)
        _different(source, target_url)
        with closing(Database.open(target_url)) as target, source.writing() as leaving:
            _still(source, leaving)
            with target.writing() as arriving:
                moved = _carry(source, leaving, target, arriving, tell)
            leaving.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = :moved"), {"moved": MOVED})  # noqa: S608
    return moved


def _carry(
    source: Database, leaving: Connection, target: Database, arriving: Connection, tell: Callable[[str, int, int], None]
) -> Moved:
    _empty(target, arriving)
    tallies = {}
    with _unguarded(target, arriving):
        for table in METADATA.sorted_tables:
            tallies[table.name] = _copy(table, leaving, arriving, tell)
        if not target.is_sqlite:
            _advance(arriving)
    for table in METADATA.sorted_tables:
        arrived = _Tally()
        for rows in _batches(table, arriving):
            arrived.add(rows)
        if arrived != tallies[table.name]:
            raise Misconfigured(f"Of {table.name} not all rows arrived as they were; nothing was moved.")
    return _proved(target, arriving, {name: tally.count for name, tally in tallies.items()})


def _in_use_by_nobody_else(source: Database) -> None:
    source.rest()
    if source.is_sqlite:
        alone = _sqlite_is_alone(str(source.url.database))
    else:
        with source.reading() as connection:
            others = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = :application AND pid <> pg_backend_pid()"
            )
            alone = connection.execute(text(others), {"application": APPLICATION}).scalar() == 0
        source.rest()
    if not alone:
        raise Conflict(
            f"The ledger {source.name} is in use.", fix="Stop `gateway serve` and every `gateway work` on it first."
        )


def _sqlite_is_alone(path: str) -> bool:
    """A file leaves WAL only where nobody else has it open."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        try:
            return bool(connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
        except sqlite3.OperationalError:
            return False


def _different(source: Database, target_url: str) -> None:
    if source.url.set(password=None) == checked(target_url).set(password=None):
        raise Conflict("Source and target are the same ledger.", fix="Name another target.")


def _still(source: Database, leaving: Connection) -> None:
    """Keep others from writing until all is over; SQLite's one writer is alone already."""
    if not source.is_sqlite:
        names = ", ".join(_quoted(table.name) for table in METADATA.sorted_tables)
        leaving.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _empty(target: Database, arriving: Connection) -> None:
    for table in METADATA.sorted_tables:
        if table.name not in _PLACED and _count(table, arriving):
            raise Conflict(
                f"The target {target.name} is not empty: {table.name} has rows.", fix="Name a new file or database."
            )
    for name in _PLACED:
        arriving.execute(text(f"DELETE FROM {_quoted(name)}"))  # noqa: S608


@contextmanager
def _unguarded(target: Database, arriving: Connection) -> Iterator[None]:
    """Rows come as they are, not as they came to be, so guards rest within this transaction; foreign keys hold."""
    rest, wake = _of_sqlite(arriving) if target.is_sqlite else _of_postgresql(arriving)
    for statement in rest:
        arriving.exec_driver_sql(statement)
    yield
    for statement in wake:
        arriving.exec_driver_sql(statement)


def _of_sqlite(arriving: Connection) -> tuple[list[str], list[str]]:
    triggers = arriving.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    drops = [f"DROP TRIGGER {_quoted(row.name)}" for row in triggers]
    return ["PRAGMA defer_foreign_keys = ON", *drops], [row.sql for row in triggers]


def _of_postgresql(arriving: Connection) -> tuple[list[str], list[str]]:
    """Documents refer to documents, in whatever order they come: those references are proved at the end."""
    within = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = confrelid AND"
    named = arriving.execute(text(f"{within} conrelid = 'document'::regclass")).scalars().all()
    alter = [f'ALTER TABLE "document" ALTER CONSTRAINT {_quoted(name)}' for name in named]
    tables = [_quoted(table.name) for table in METADATA.sorted_tables]
    rest = [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in tables]
    wake = [f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in tables]
    return (
        [*rest, *(f"{each} DEFERRABLE INITIALLY DEFERRED" for each in alter)],
        ["SET CONSTRAINTS ALL IMMEDIATE", *(f"{each} NOT DEFERRABLE" for each in alter), *wake],
    )


def _copy(table: Table, leaving: Connection, arriving: Connection, tell: Callable[[str, int, int], None]) -> _Tally:
    tally, total = _Tally(), _count(table, leaving)
    columns = [column.name for column in table.columns]
    values = ", ".join(f":{name}" for name in columns)
    into = text(f"INSERT INTO {_quoted(table.name)} ({_columns(table)}) VALUES ({values})")  # noqa: S608
    for rows in _batches(table, leaving):
        tally.add(rows)
        arriving.execute(into, [dict(zip(columns, row, strict=True)) for row in rows])
        tell(table.name, tally.count, total)
    if tally.count == 0:
        tell(table.name, 0, 0)
    return tally


def _batches(table: Table, connection: Connection) -> Iterator[list[tuple[Any, ...]]]:
    """All rows, values as they are stored."""
    wanted = text(f"SELECT {_columns(table)} FROM {_quoted(table.name)}")  # noqa: S608
    result = connection.execute(wanted, execution_options={"stream_results": True, "max_row_buffer": _BATCH})
    for rows in result.partitions(_BATCH):
        yield [tuple(row) for row in rows]


def _count(table: Table, connection: Connection) -> int:
    return int(connection.execute(text(f"SELECT count(*) FROM {_quoted(table.name)}")).scalar_one())  # noqa: S608


def _advance(arriving: Connection) -> None:
    """Numbers are drawn after those that arrived."""
    for table in METADATA.sorted_tables:
        if "id" in table.c and isinstance(table.c.id.type, Integer):
            name = _quoted(table.name)
            last = f"(SELECT coalesce(max(id), 0) + 1 FROM {name})"  # noqa: S608
            arriving.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {last}, false)"))


def _proved(target: Database, arriving: Connection, rows: dict[str, int]) -> Moved:
    """Walk every chain and every audit log as they stand in the target now."""
    ledger = Ledger(cast(Database, _Within(arriving)))
    chains = links = entries = 0
    for taxpayer in ledger.taxpayers():
        for unit in ledger.units(taxpayer.id):
            for chain in ledger.chains(taxpayer.id, unit.id):
                walked = list(ledger.chain_links(taxpayer.id, chain.id))
                whole = len(walked) == chain.head.icv - 1 and (not walked or walked[-1].hash == chain.head.pih)
                if not whole or list(walk(walked)):
                    raise _broken(f"chain {chain.id} of unit {unit.id} is broken", target)
                chains, links = chains + 1, links + len(walked)
        if fault := _log_fault(ledger, taxpayer.id):
            raise _broken(f"the audit log of {taxpayer.id} does not hold: {fault}", target)
        entries += sum(1 for _ in ledger.audit_log(taxpayer.id))
    return Moved(rows, chains, links, entries)


def _log_fault(ledger: Ledger, taxpayer_id: str) -> str:
    """What is wrong of an audit log, its entries or its batches; empty if nothing is."""
    for found in ledger.audit_breaks(taxpayer_id):
        return found.why
    before = nothing_sealed(taxpayer_id)
    for batch, there in ledger.batches(taxpayer_id, 0):
        if fault := batch_fault(batch, there, before):
            return f"batch {batch.number} {fault}"
        before = batch
    return ""


def _broken(what: str, target: Database) -> GatewayError:
    return Misconfigured(f"Nothing was moved to {target.name}: {what}.", fix="Look into the source first.")


class _Within:
    """A database whose readers see what one transaction has done so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        yield self._connection


def _quoted(name: str) -> str:
    return f'"{name}"'


def _columns(table: Table) -> str:
    return ", ".join(_quoted(column.name) for column in table.columns)
