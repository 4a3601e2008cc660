"""Opening: a new folder, an old schema, somebody else's file, a busy or damaged one; and what SQLite is told."""

import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from gateway.chain import walk
from gateway.errors import Misconfigured, Unavailable
from gateway.ledger import Ledger, batch_hash, database
from gateway.ledger.postgresql import with_driver
from gateway.ledger.tables import METADATA
from tests.ledger.books import NOW, UNIT, Desk, furnish, maker, sale
from tests.ledger.raw import REFUSED, raw_connection

MIGRATIONS = Path(database.__file__).parent / "migrations"


def test_a_new_ledger_is_made_where_there_is_none(tmp_path):
    path = tmp_path / "new" / "folder" / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.taxpayers() == ()
        assert ledger.health() == "ok"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_written_is_there_after_opening_again(new_url):
    with Ledger.open(new_url) as ledger:
        furnish(ledger)
        issued = Desk(ledger).issue("46").issued
    with Ledger.open(new_url) as ledger:
        assert ledger.invoice("tp", issued.uuid) == issued


def test_many_can_open_a_new_ledger_at_once(new_url):
    opened = []
    threads = [threading.Thread(target=lambda: opened.append(Ledger.open(new_url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ledger.health() for ledger in opened] == ["ok"] * 4
    for ledger in opened:
        ledger.close()


class Crowded:
    """A connection that SQLite turns away from WAL a few times, as it does where several open a new file at once."""

    def __init__(self, times, code):
        self.times, self.code = times, code

    def execute(self, statement):
        if self.times:
            self.times -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error
        return self

    def fetchone(self):
        return ("wal",)


def test_a_new_file_that_others_open_too_is_waited_for():
    assert database._enter_wal(Crowded(3, sqlite3.SQLITE_BUSY)) == "wal"
    with pytest.raises(sqlite3.OperationalError):
        database._enter_wal(Crowded(1, sqlite3.SQLITE_READONLY))


def test_the_code_works_with_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


def test_the_migrations_make_the_tables_the_code_knows(ledger):
    with ledger._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": database.VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_every_table_but_the_marks_belongs_to_a_taxpayer():
    without = {table.name for table in METADATA.sorted_tables if "taxpayer_id" not in table.c}
    assert without == {"taxpayer", "mark", "breaker", "revocation_list"}


def as_it_was(url, old_url, version):
    """A ledger as an older gateway would have left it: its own schema, with the rows that are in this one."""
    engine = create_engine(with_driver(make_url(old_url)))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()
    now, old = raw_connection(url), raw_connection(old_url)
    with old.unguarded():
        for table in old.tables():
            if table in METADATA.tables:
                copy_rows(now, old, table)
    now.close()
    return old


FORMER = {
    ("chain", "csid_id"): "id",
    ("audit", "previous"): "COALESCE(LAG(hash) OVER (PARTITION BY taxpayer_id ORDER BY seq), '')",
}


def copy_rows(now, old, table):
    columns = old.columns(table)
    known = ", ".join(FORMER.get((table, each), each) for each in columns)
    old.execute(f"DELETE FROM {table}")  # noqa: S608
    for row in now.execute(f"SELECT {known} FROM {table}").fetchall():  # noqa: S608
        old.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", row)  # noqa: S608
    old.advance(table)


@pytest.mark.parametrize("version", ["r0001", "r0002", "r0003", "r0004", "r0005"])
def test_an_old_schema_is_brought_up_to_date(url, new_url, ledger, version):
    issued = Desk(ledger).issue("45").issued
    [sealed] = ledger.seal_audit(now=NOW)
    log = list(ledger.audit_log("tp"))
    ledger.close()
    old_url = new_url.replace("ledger.db", "old.db")
    raw = as_it_was(url, old_url, version)
    with Ledger.open(old_url) as again:
        assert again.invoice("tp", issued.uuid) == issued
        assert again.allowed_warnings("tp") == ()
        assert list(again.audit_log("tp")) == log
        [batch] = again.audit_batches("tp")
        assert (batch.number, batch.last_seq, batch.digest, batch.hash) == (
            1,
            len(log),
            sealed.digest,
            batch_hash(batch),
        )
        assert again.append(sale("46"), maker("uuid-46"), actor="test", now=NOW).issued.icv == 2
        assert [each.last_seq for each in again.seal_audit(now=NOW)] == [len(log) + 1]
        assert list(again.audit_breaks("tp")) == []
    assert raw.execute("SELECT version_num FROM ledger_version").fetchone() == (database.HEAD,)
    assert raw.execute("SELECT rule_book, allowed FROM document").fetchall() == [("R3.4.8", "[]")] * 2
    for attack in ("DELETE FROM document", "UPDATE document SET rule_book = 'R9'", "UPDATE document SET allowed = ''"):
        with pytest.raises(REFUSED):
            raw.execute(attack)
    raw.close()


def test_a_newer_schema_is_left_alone(url, ledger, raw_of):
    ledger.close()
    raw_of.execute("UPDATE ledger_version SET version_num = 'r9999'")
    with pytest.raises(Misconfigured, match="r9999, which is newer"):
        Ledger.open(url)


def test_somebody_elses_database_is_left_alone(new_url):
    raw = raw_connection(new_url)
    raw.execute("CREATE TABLE photos (id int)")
    raw.close()
    with pytest.raises(Misconfigured, match=r"something else.*photos"):
        Ledger.open(new_url)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(Misconfigured, match="not a ledger"):
        Ledger.open(f"sqlite:///{file}")
    assert file.read_text().startswith("Dear Sir")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql://x/y", "mysql"),
        ("nonsense", "cannot be read"),
        ("nosuch://x", "cannot be read"),
        ("sqlite:////dev/null/ledger.db", "cannot be opened"),
        ("sqlite:////proc/ledger.db", "cannot be opened"),
    ],
)
def test_a_place_that_cannot_hold_a_ledger_is_named(url, why):
    with pytest.raises(Misconfigured, match=why) as caught:
        Ledger.open(url)
    assert caught.value.fix


def test_the_password_of_a_database_is_in_no_message():
    for url in ("mysql://me:s3cret@host/db", "me:s3cret@host", "postgresql+nosuch://me:s3cret@host/db"):
        with pytest.raises(Misconfigured) as caught:
            Ledger.open(url)
        assert "s3cret" not in f"{caught.value!r} {caught.value}"


@pytest.mark.only("sqlite")
def test_a_busy_ledger_says_so_and_does_nothing(url, ledger, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Ledger.open(url) as impatient, ledger._database.writing():
        with pytest.raises(Unavailable, match="busy") as caught:
            Desk(impatient).issue("46")
        assert caught.value.ar
        with pytest.raises(Unavailable, match="busy"):
            Desk(ledger).issue("46")
        assert impatient.invoices("tp").items == ()
    assert Desk(ledger).issue("46").created


@pytest.mark.only("sqlite")
def test_a_full_disk_leaves_nothing_half_done(url, ledger):
    with ledger._database.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    connection = ledger._database._writer.raw_connection()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    connection.close()
    desk = Desk(ledger)
    with pytest.raises(Unavailable, match="full"):
        desk.issue("46", made={"xml": b"x" * 100_000})
    assert ledger.invoices("tp").items == ()
    connection = ledger._database._writer.raw_connection()
    connection.execute("PRAGMA max_page_count = 1000000")
    connection.close()
    assert desk.issue("46", made={"xml": b"x" * 100_000}).issued.icv == 1


@pytest.mark.only("sqlite")
def test_a_damaged_file_is_named_as_such(url, ledger):
    Desk(ledger).issue("46")
    ledger.close()
    path = Path(url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match="damaged"):
        Ledger.open(url).taxpayers()


@pytest.mark.only("sqlite")
def test_sqlite_is_told_to_lose_nothing(ledger):
    with ledger._database.writing() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_readers_cannot_write(ledger):
    with pytest.raises(Misconfigured, match=r"readonly|read-only"), ledger._database.reading() as connection:
        connection.exec_driver_sql("DELETE FROM mark")


CRASHING = """
import sys
from gateway.ledger import Ledger
from tests.ledger.books import NOW, Desk, sale, maker
ledger, name = Ledger.open(sys.argv[1]), sys.argv[2]
for n in range(100_000):
    issued = ledger.append(sale(f"{name}-{n}"), maker(f"{name}-{n}", size=9_000), actor="t", now=NOW).issued
    print(issued.uuid, issued.icv, issued.hash, flush=True)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.torture)])
def test_a_killed_process_leaves_an_unbroken_chain(ledger, url, kills):
    """Processes are killed at a random moment of issuing; whatever one had told of is there."""
    random = Random(7)
    told = []
    for run in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", CRASHING, url, str(run)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout
        told.append(process.stdout.readline().split())
        killer = threading.Timer(random.uniform(0, 0.06), process.kill)
        killer.start()
        told += [line.split() for line in process.stdout if line.endswith("\n")]
        assert process.wait() == -9
        killer.join()
        process.stdout.close()
    links = list(ledger.chain_links("tp", "csid-1"))
    assert list(walk(links)) == []
    assert len(links) >= len(told) >= kills
    for uuid, icv, document_hash in told:
        issued = ledger.invoice("tp", uuid)
        assert (issued.icv, issued.hash) == (int(icv), document_hash)
    assert ledger.chain("tp", UNIT.id).head.icv == len(links) + 1
    while ledger.seal_audit(now=NOW):
        pass
    due = ledger.claim_submissions(now=NOW, limit=10_000, lease_until=NOW + timedelta(1), worker="w")
    assert len(due) == len(links)
    assert list(ledger.audit_breaks("tp")) == []
