"""The file or server behind the ledger: opening, migrating, transactions, and what its errors mean.

The one place that tells SQLite from PostgreSQL. It knows no table but the one that names the schema's version.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from gateway.errors import Misconfigured
from gateway.ledger import postgresql
from gateway.ledger.faults import WHY, OutOfReach, busy, explanation
from gateway.ledger.turnstile import Turnstile

HEAD: Final = "r0015"
"""The schema this code works with: the newest file in migrations/versions."""

BUSY_SECONDS: Final = 10.0
"""How long a transaction waits for its turn to write."""

READERS: Final = 8
"""Connections that read at the same time."""

WRITERS: Final = 4
"""Connections that write at the same time on PostgreSQL, where only those wait for one another that have to."""

VERSION_TABLE: Final = "ledger_version"
MOVED: Final = "moved"
"""The version of a ledger that went on elsewhere; no gateway works with it."""

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class Database:
    """One ledger's connections: those that write (in SQLite a single one, in turn), and several that only read."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.name = url.database or "?"
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.refusals = dict.fromkeys(WHY, 0)
        """How often this process found its ledger out of reach, by why."""
        self.trouble: OutOfReach | None = None
        """What kept it from writing the last time that it could not."""
        self._turns = threading.Semaphore(1 if self.is_sqlite else WRITERS)
        self._turnstile = Turnstile(Path(self.name)) if self.is_sqlite else None
        self._writer = _engine(url, writes=True)
        self._reader = _engine(url, writes=False)
        self._driver: Any = self._writer.dialect.dbapi
        self._looks = threading.BoundedSemaphore(READERS)
        self._lookers: deque[Any] = deque()

    @classmethod
    def open(cls, url: str) -> "Database":
        """Connect, create what is missing, migrate; Misconfigured or Unavailable says why it cannot be."""
        parsed = checked(url)
        if parsed.get_backend_name() == "sqlite":
            _prepare_file(Path(str(parsed.database)))
        database = cls(parsed)
        try:
            database._migrate()
        except BaseException:
            database.close()
            raise
        return database

    def rest(self) -> None:
        """Close the connections that nobody uses; they come back when they are needed."""
        self._let_lookers_go()
        self._reader.dispose()
        self._writer.dispose()

    def close(self) -> None:
        """Let go of all connections; a transaction still running is rolled back."""
        self.rest()
        if self._turnstile and self._turns.acquire(timeout=BUSY_SECONDS):  # a turn is not ended under who has it
            self._turnstile.close()
            self._turns.release()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that writes: it commits at the end of the block, an exception undoes all of it."""
        with self._noted(writes=True), self._turn(), self._explained(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees a single state of the ledger and cannot change it."""
        with self._noted(writes=False), self._explained(), self._reader.begin() as connection:
            yield connection

    def look(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of one statement that only reads, hand-written with `?` for its values: for what every order asks.
        It takes a tenth of the time that `reading` does."""
        if not self._looks.acquire(timeout=BUSY_SECONDS):
            raise busy(self.name)
        try:
            with self._noted(writes=False), self._explained():
                return self._looked(self.spelled(sql), values)
        finally:
            self._looks.release()

    def spelled(self, sql: str) -> str:
        """A statement with `?` for its values as the driver wants it."""
        return sql if self.is_sqlite else sql.replace("?", "%s")

    def within(self, connection: Connection) -> Callable[[str, Sequence[Any]], list[Any]]:
        """The same as `look` in a transaction."""
        cursor = connection.connection.cursor()

        def look(sql: str, values: Sequence[Any]) -> list[Any]:
            cursor.execute(self.spelled(sql), values)
            return list(cursor.fetchall())

        return look

    @contextmanager
    def sending(self, connection: Connection) -> Iterator[Callable[[str, Sequence[Any]], None]]:
        """Writes in a transaction: one such statement for many rows. PostgreSQL's answers are awaited at the end of
        the block, all together."""
        cursor: Any = connection.connection.cursor()

        def send(sql: str, rows: Sequence[Any]) -> None:
            cursor.executemany(self.spelled(sql), rows)

        driver: Any = connection.connection.driver_connection
        with nullcontext() if self.is_sqlite else driver.pipeline():
            yield send

    def _looked(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """From a connection that is kept; one that was lost meanwhile is made anew, once."""
        kept = bool(self._lookers)
        connection = self._lookers.pop() if kept else self._looker()
        try:
            found = connection.execute(sql, values).fetchall()
        except self._driver.Error as error:
            connection.close()
            if kept and isinstance(error, self._driver.OperationalError):
                self._let_lookers_go()
                return self._looked(sql, values)
            raise
        self._lookers.append(connection)
        return list(found)

    def _looker(self) -> Any:
        """A driver's own connection, each of whose statements is a transaction."""
        pooled = self._reader.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        if not self.is_sqlite:
            connection.read_only = True
            connection.autocommit = True
        return connection

    def _let_lookers_go(self) -> None:
        while self._lookers:
            self._lookers.pop().close()

    def lock_taxpayer(self, connection: Connection, taxpayer: str) -> None:
        """Let others wait who lock this taxpayer too; in SQLite the one writer is alone already."""
        if not self.is_sqlite:
            # Not FOR UPDATE: rows that refer to the taxpayer, inserted meanwhile by others, must not wait for this.
            connection.execute(text("SELECT 1 FROM taxpayer WHERE id = :id FOR NO KEY UPDATE"), {"id": taxpayer})

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Among the threads of this process, and of an embedded ledger among all processes."""
        until = time.monotonic() + BUSY_SECONDS
        if not self._turns.acquire(timeout=BUSY_SECONDS):
            raise busy(self.name)
        try:
            with self._turnstile.turn(until=until) if self._turnstile else nullcontext():
                yield
        finally:
            self._turns.release()

    @contextmanager
    def _noted(self, *, writes: bool) -> Iterator[None]:
        """What keeps this process from its ledger is there for health and metrics to tell."""
        try:
            yield
        except OutOfReach as error:
            self.refusals[error.why] += 1
            if writes:
                self.trouble = error
            raise

    def has_turn(self, connection: Connection, what: str) -> bool:
        """Whether nobody else does `what` until this transaction ends; in SQLite the one writer is alone already."""
        return self.is_sqlite or postgresql.has_turn(connection, what)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the database in the project's own words; broken constraints stay what they are."""
        driver = self._driver
        try:
            yield
        except IntegrityError:
            raise
        except NoConnectionFree:
            raise busy(self.name) from None
        except DBAPIError as error:
            raise explanation(error, self.name) from None
        except driver.IntegrityError as error:  # of a statement that went past SQLAlchemy
            raise IntegrityError(None, None, error) from None
        except driver.Error as error:
            kind = DataError if isinstance(error, driver.DataError) else DBAPIError
            raise explanation(kind(None, None, error), self.name) from None

    def _migrate(self) -> None:
        with self.reading() as connection:
            if not self.is_sqlite:
                postgresql.check(connection, self.name)
            if _version(connection, self.name) == HEAD:
                return
        with self.writing() as connection:
            if not self.is_sqlite:  # SQLite has let only one in by now
                postgresql.lock_schema(connection)
            version = _version(connection, self.name)
            if version != HEAD:
                _upgrade(connection, version, self.name)


def checked(url: str) -> URL:
    """What a ledger's URL names; Misconfigured if no ledger can be kept there."""
    try:
        parsed = postgresql.with_driver(make_url(url))
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        raise Misconfigured(
            "The database URL cannot be read.",
            fix="Write it like sqlite:////var/lib/gateway/ledger.db or postgresql://user:password@host/gateway.",
        ) from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise Misconfigured(f"A ledger cannot be kept in {backend}.", fix="Use a sqlite:/// or a postgresql:// URL.")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise Misconfigured("A ledger in memory would be lost.", fix="Name a file: sqlite:////path/ledger.db.")
    return parsed


def _prepare_file(path: Path) -> None:
    """The folder and an empty file, readable by nobody else: documents name people."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # Not opened where it is there: closing it would end the locks that SQLite has on it for this process.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Misconfigured(
            f"The ledger {path} cannot be opened: {error.strerror}.",
            fix="Let GATEWAY_HOME or GATEWAY_DATABASE_URL name a folder this user may write to.",
        ) from None


def _engine(url: URL, *, writes: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, 1 if writes else READERS, writes=writes)
    return postgresql.engine(url, WRITERS if writes else READERS, writes=writes, patience=BUSY_SECONDS)


def _enter_wal(connection: sqlite3.Connection) -> str:
    """The journal's mode, WAL if the file system has it. Of several who enter it at once in a new file SQLite turns all
    but one away, without waiting as it does elsewhere."""
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
        time.sleep(0.01)


def _sqlite_engine(url: URL, size: int, *, writes: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        # The driver's own opening of transactions is late and never IMMEDIATE, so it is switched off (None).
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        mode = _enter_wal(connection)
        if mode != "wal":
            raise Misconfigured(
                f"The ledger's file system does not support WAL (it offers {mode}).", fix="Use a local disk."
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        if not writes:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _version(connection: Connection, name: str) -> str | None:
    """The schema's version, None where there is no schema yet; Misconfigured if this is somebody else's database."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
        return None if found is None else str(found)
    if tables:
        raise Misconfigured(
            f"{name} is a database of something else (it has a table {tables[0]!r}).",
            fix="Let GATEWAY_DATABASE_URL name a new file or an empty database.",
        )
    return None


def _upgrade(connection: Connection, version: str | None, name: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    if version == MOVED:
        raise Misconfigured(
            f"The ledger {name} was moved to another database, where it goes on.",
            fix="Let GATEWAY_DATABASE_URL name that one.",
        )
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise Misconfigured(
            f"The ledger {name} has schema {version}, which is newer than this gateway ({HEAD}).",
            fix="Start the newer gateway again, or restore a backup made with this one.",
        )
    command.upgrade(config, "head")
