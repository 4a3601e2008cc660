"""A real PostgreSQL for tests: the one at GATEWAY_TEST_POSTGRES, else one at 127.0.0.1:5432, else one started here.

Each run works in databases of its own, which are dropped after it.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, Column, Integer, make_url

from gateway.ledger import Ledger
from gateway.ledger.tables import METADATA

_NO_COLUMN: Column[Any] = Column("none")
LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"
_numbers = itertools.count(1)


class OwnServer:
    """A server of this test's own in a temporary folder, which may be killed, filled and started again."""

    def __init__(self, *, options: tuple[str, ...] = (), disk: Path | None = None) -> None:
        self.bin = binaries()
        if self.bin is None:
            pytest.skip("no PostgreSQL: GATEWAY_TEST_POSTGRES is not set and no server is installed here")
        self.user = _unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-pg-", dir=disk))
        self._options = options
        self.port = free_port()
        self.url = make_url(f"postgresql://postgres@127.0.0.1:{self.port}/postgres")
        if self.user:
            shutil.chown(self.folder, self.user)
        settings = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self._run("initdb", "-D", "data", *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it accepts."""
        assert self.bin
        listen = ("-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder))
        self._process = subprocess.Popen(
            [self.bin / "postgres", "-D", "data", *listen, *self._options],
            cwd=self.folder,
            user=self.user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        patience = time.monotonic() + 30
        while not accepts(self.url):
            assert time.monotonic() < patience, "the server does not start"
            time.sleep(0.05)

    def freeze(self) -> None:
        """Stop every process of the server where it is, as a disk that hangs does."""
        self._to_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._to_all(signal.SIGCONT)

    def _to_all(self, what: signal.Signals) -> None:
        """Backends are in sessions of their own."""
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for pid in (self._process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, what)

    def is_running(self) -> bool:
        """Whether the server is there; one that could not recover is not."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to every process of the server, as when the machine loses its power."""
        assert self._process
        self._to_all(signal.SIGSTOP)  # first, so that none of them sees another die and begins to tidy up
        self._to_all(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        assert self.bin
        command = [str(self.bin / program), *arguments]
        subprocess.run(command, cwd=self.folder, user=self.user, check=True, capture_output=True)


def binaries() -> Path | None:
    """The folder with the server's programs, of the newest release installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda each: int(each.parts[-3]))
    if found:
        return found[-1].parent
    known = shutil.which("postgres")
    return Path(known).parent if known else None


def _unprivileged() -> str | None:
    """Who the server runs as: root may not run it."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("no PostgreSQL: root cannot run a server, and there is no other account here")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(url: URL) -> bool:
    """Whether a server takes connections there, from one who may create databases."""
    try:
        with connected(url) as connection:
            row = connection.execute(
                "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(row and row[0])


def connected(url: URL) -> psycopg.Connection:
    """A connection past the ledger's own, with every statement a transaction."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=5)


@contextlib.contextmanager
def server() -> Iterator[URL]:
    """A server that functional tests may share; skips the test where none can be had."""
    given = os.environ.get("GATEWAY_TEST_POSTGRES")
    url = make_url(given or LOCAL)
    if given or accepts(url):
        yield url
        return
    own = OwnServer()
    try:
        yield own.url
    finally:
        own.stop()


class Databases:
    """Databases of one run on a server: new ones and copies, dropped in the end."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._admin = connected(url)
        self._made: set[str] = set()

    def create(self, template: str = "template0") -> str:
        """The URL of a new database: empty, or a copy of one that nobody is connected to."""
        name = f"gateway_test_{os.getpid()}_{next(_numbers)}"
        self._do("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'", name, template)
        self._made.add(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop one, whoever is connected to it."""
        name = name_of(url)
        self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._made.discard(name)

    def close(self) -> None:
        for name in sorted(self._made):
            self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        self._admin.close()

    def _do(self, statement: str, *names: str) -> None:
        wanted = sql.SQL(statement).format(*map(sql.Identifier, names))
        try:
            self._admin.execute(wanted)
        except psycopg.OperationalError:  # the server was away meanwhile
            self._admin = connected(self._url)
            self._admin.execute(wanted)


def name_of(url: str) -> str:
    """The database that a URL names."""
    return str(make_url(url).database)


class Bench:
    """One database with a furnished ledger, which is laid anew for every test: far quicker than a copy."""

    def __init__(self, databases: Databases, furnish: Callable[[Ledger], None]) -> None:
        self._databases = databases
        self._template = databases.create()
        with Ledger.open(self._template) as ledger:
            furnish(ledger)
        self._make()

    def laid_anew(self) -> str:
        """Its URL, the rows as they were; a database whose tables or guards were changed is replaced."""
        if self._shape() != self._as_made:
            self._databases.drop(self.url)
            self._admin.close()
            self._make()
        self._admin.execute(self._lay)
        return self.url

    def _make(self) -> None:
        self.url = self._databases.create(name_of(self._template))
        self._admin = connected(make_url(self.url))
        self._admin.execute("CREATE SCHEMA kept")
        names = [table.name for table in METADATA.sorted_tables]
        for name in names:
            self._admin.execute(f'CREATE TABLE kept."{name}" AS TABLE public."{name}"')
        self._as_made = self._shape()
        self._lay = "\n".join(
            ("DO $$ BEGIN SET LOCAL session_replication_role = replica;", *map(_lay, names), "END $$")
        )

    def _shape(self) -> Any:
        return self._admin.execute(
            "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), (SELECT count(*) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace), (SELECT version_num FROM public.ledger_version)"
        ).fetchone()


def _lay(table: str) -> str:
    next_one = f'(SELECT coalesce(max(id), 0) + 1 FROM kept."{table}")'  # noqa: S608
    sequence = (
        f"PERFORM setval('public.{table}_id_seq', {next_one}, false);"
        if isinstance(METADATA.tables[table].c.get("id", _NO_COLUMN).type, Integer)
        else ""
    )
    return f'DELETE FROM public."{table}"; INSERT INTO public."{table}" SELECT * FROM kept."{table}"; {sequence}'  # noqa: S608
