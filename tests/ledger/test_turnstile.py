"""Processes that write to one embedded ledger take turns, and nobody is passed for long."""

import hashlib
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import Misconfigured, Unavailable
from gateway.ledger import Ledger, database
from gateway.ledger.turnstile import Turnstile
from tests.ledger.books import NOW, Desk, maker, sale

pytestmark = pytest.mark.only("sqlite")
SPAWNED = multiprocessing.get_context("fork")
WRITERS, TURNS = 8, 40


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ledger.db"
    path.touch(mode=0o600)
    return path


def soon():
    return time.monotonic() + 30


def take_turns(file, number, ready, log):
    """Write my number into the log each time that I am alone, with whatever it takes to be found out if I am not."""
    turnstile = Turnstile(file)
    ready.wait()
    for _ in range(TURNS):
        with turnstile.turn(until=soon()), log.open("r+b") as lines:
            size = os.fstat(lines.fileno()).st_size
            time.sleep(0.0005)
            lines.seek(size)  # whoever came in meanwhile is written over
            lines.write(b"%d\n" % number)


def test_one_is_in_at_a_time_and_nobody_is_passed_for_long(file, tmp_path):
    log, ready = tmp_path / "log", SPAWNED.Barrier(WRITERS)
    log.touch()
    writers = [SPAWNED.Process(target=take_turns, args=(file, n, ready, log)) for n in range(WRITERS)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    order = [int(line) for line in log.read_text().split()]
    assert Counter(order) == dict.fromkeys(range(WRITERS), TURNS)
    # SQLite's own way lets one process have hundreds of turns while another has none.
    for number in range(WRITERS):
        places = [place for place, each in enumerate(order) if each == number]
        assert max(later - one for one, later in itertools.pairwise(places)) < WRITERS * TURNS // 2


def test_the_turn_of_a_process_that_dies_is_free_at_once(file):
    def die_inside(entered):
        with Turnstile(file).turn(until=soon()):
            entered.set()
            signal.pause()

    entered = SPAWNED.Event()
    inside = SPAWNED.Process(target=die_inside, args=(entered,))
    inside.start()
    entered.wait()
    mine = Turnstile(file)
    with pytest.raises(Unavailable, match="busy"), mine.turn(until=time.monotonic() + 0.05):
        pass
    inside.kill()
    inside.join()
    with mine.turn(until=soon()):
        pass


def test_a_process_that_is_killed_in_the_queue_is_in_nobodys_way(file):
    def wait(queued):
        waiting = Turnstile(file)
        queued.set()
        with waiting.turn(until=soon()):
            signal.pause()

    mine, queued = Turnstile(file), SPAWNED.Event()
    with mine.turn(until=soon()):
        waiting = SPAWNED.Process(target=wait, args=(queued,))
        waiting.start()
        queued.wait()
        time.sleep(0.1)
        waiting.kill()
        waiting.join()
    with mine.turn(until=time.monotonic() + 1):
        pass


def test_who_gave_up_is_in_nobodys_way(file):
    first, second, third = (Turnstile(file) for _ in range(3))
    with first.turn(until=soon()), pytest.raises(Unavailable), second.turn(until=time.monotonic()):
        pass
    with third.turn(until=soon()):
        pass


def test_a_command_writes_while_serve_does(ledger, url):
    with Ledger.open(url) as command:
        assert Desk(ledger).issue("1").created
        assert command.append(sale("2"), maker("two"), actor="t", now=NOW).issued.icv == 2
        assert Desk(ledger).issue("2").issued.uuid == "two"


def test_whoever_waits_too_long_is_told_so_and_it_is_counted(ledger, url, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    with Ledger.open(url) as other, other._database.writing():
        with pytest.raises(Unavailable, match="busy"):
            Desk(ledger).issue("1")
        assert "busy" in ledger.health()
        assert ledger.refusals()["busy"] == 2
    assert ledger.health() == "ok"
    assert Desk(ledger).issue("1").created


def test_all_writing_and_checkpointing_is_inside(ledger, tmp_path):
    """Nobody sees the files change in a turn of theirs, though 4 MB of writing are checkpointed every few documents."""
    over, desk = threading.Event(), Desk(ledger)
    desk.issue("first")

    def write():
        for n in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            desk.issue(f"{n}", made={"xml": bytes(500_000)})

    # Never closed: a process that closes a file lets go of all the locks that SQLite has on it.
    files = [os.open(tmp_path / name, os.O_RDONLY) for name in ("ledger.db", "ledger.db-wal")]

    def content():
        return [hashlib.sha256(os.pread(each, 20_000_000, 0)).digest() for each in files]

    turnstile, seen = Turnstile(tmp_path / "ledger.db"), set()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while len(seen) < 20 and not writing.done():
            with turnstile.turn(until=soon()):
                before = content()
                time.sleep(0.005)
                assert content() == before
                seen.add(tuple(before))
        over.set()
    assert writing.result() is None


def test_the_files_belong_to_the_ledgers_owner(file):
    if os.geteuid() != 0:
        pytest.skip("only root can make files for others")
    os.chown(file, 4711, 4712)
    Turnstile(file).close()
    for name in ("queue", "turn"):
        found = file.with_name(f"ledger.db.{name}").stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (4711, 4712, 0o600)


def test_files_that_cannot_be_opened_are_named(tmp_path):
    with pytest.raises(Misconfigured, match="cannot be opened"):
        Turnstile(tmp_path / "no-such-folder" / "ledger.db")


def test_an_administrators_command_gives_no_file_away_by_a_link(file, tmp_path):
    other = tmp_path / "other"
    other.touch(mode=0o600)
    owner = other.stat().st_uid
    if os.geteuid() == 0:
        os.chown(file, 4711, 4712)
    file.with_name("ledger.db.queue").symlink_to(other)
    with pytest.raises(Misconfigured, match="cannot be opened"):
        Turnstile(file)
    file.with_name("ledger.db.queue").unlink()
    file.with_name("ledger.db.queue").hardlink_to(other)
    Turnstile(file).close()
    assert other.stat().st_uid == owner
