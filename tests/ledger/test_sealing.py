"""The audit log as it is sealed: in batches, each taxpayer's by itself, whatever comes late and whoever is killed."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import Misconfigured
from gateway.ledger import MOST, SYSTEM, AuditEntry, Ledger, batch_hash
from gateway.ledger.audit import entry_hash, note
from tests.ledger.books import NOW, Desk
from tests.ledger.raw import raw_connection


def do(ledger, target, *, owner="tp", connection=None):
    facts = {"taxpayer_id": owner, "actor": "someone", "action": "did", "target": target, "now": NOW}
    if connection is None:
        ledger.audit(**facts, detail={"ن": [1]})
    else:
        note(connection, **facts)


def seal_all(ledger):
    made = []
    while batches := ledger.seal_audit(now=NOW):
        made += batches
    return made


def objects(ledger, owner="tp"):
    return [entry.object for entry in ledger.audit_log(owner) if entry.action == "did"]


def is_whole(ledger, owner="tp"):
    """Whether all of a log is sealed, and entries and batches hold."""
    entries, batches = list(ledger.audit_log(owner)), list(ledger.audit_batches(owner))
    hashes = {entry.seq: entry.hash for entry in entries}
    assert list(ledger.audit_breaks(owner)) == []
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [each.number for each in batches] == list(range(1, len(batches) + 1))
    assert [each.previous for each in batches] == ["", *(each.hash for each in batches[:-1])]
    assert all(batch_hash(each) == each.hash and hashes[each.last_seq] == each.digest for each in batches)
    return batches[-1].last_seq == len(entries)


def test_the_hash_of_an_entry_is_what_it_was_in_the_first_release():
    entry = AuditEntry(None, NOW, "310122393500003", SYSTEM, "unit.added", "RUH1", {"ن": [1], "a": "ب"}, None)
    first = entry_hash(entry, seq=1, previous="")
    assert first == "f268399252c97708a6b105aacaf6ddbd10fd7355e731d2a689d51ac29c238cd5"
    assert (
        entry_hash(entry, seq=2, previous=first) == "e858df7b9f08fcb1b1f8da5f49dce51557c8df9427b6903a2265d1a96cee8dae"
    )


def test_entries_wait_and_are_sealed_in_the_order_they_came(ledger):
    do(ledger, "a")
    do(ledger, "b")
    assert ledger.audit_waiting() == (6, NOW)
    assert [entry.seq for entry in ledger.audit_log("tp")] == [None] * 6
    assert list(ledger.audit_breaks("tp")) == []
    [batch] = ledger.seal_audit(now=NOW + timedelta(seconds=5))
    assert (batch.taxpayer_id, batch.number, batch.last_seq, batch.previous) == ("tp", 1, 6, "")
    assert batch.sealed_at == "2026-11-23T07:00:08.250000Z"
    assert ledger.audit_waiting() == (0, None)
    assert ledger.seal_audit(now=NOW) == ()
    do(ledger, "c")
    assert next(ledger.audit_log("tp", after=6)).object == "c"
    assert seal_all(ledger) == [ledger.last_audit_batch("tp")]
    assert objects(ledger) == ["a", "b", "c"]
    assert list(ledger.audit_batches("tp", after=1)) == [ledger.last_audit_batch("tp")]
    assert is_whole(ledger)


def test_each_taxpayer_has_a_log_that_proves_itself_alone(ledger, other):
    seal_all(ledger)
    for n in range(4):
        do(ledger, f"{n}", owner=("tp", "other")[n % 2])
    assert [each.taxpayer_id for each in ledger.seal_audit(now=NOW)] == ["other", "tp"]
    assert is_whole(ledger, "tp")
    assert is_whole(ledger, "other")
    assert (objects(ledger, "tp"), objects(ledger, "other")) == (["0", "2"], ["1", "3"])
    assert ledger.last_audit_batch("nobody") is None


def test_many_entries_make_several_batches(ledger):
    with ledger._database.writing() as connection:
        for n in range(MOST + 2):
            do(ledger, f"{n}", connection=connection)
    assert ledger.audit_waiting().entries == MOST
    made = seal_all(ledger)
    assert [each.last_seq for each in made] == [MOST, MOST + 6]
    assert len(list(ledger.audit_log("tp"))) == MOST + 6
    assert is_whole(ledger)


@pytest.mark.only("postgresql")
def test_an_entry_that_is_committed_late_is_sealed_in_a_later_batch(ledger):
    seal_all(ledger)
    with ledger._database.writing() as slow:
        do(ledger, "late", connection=slow)
        do(ledger, "early")
        assert [each.last_seq for each in ledger.seal_audit(now=NOW)] == [5]
        assert objects(ledger) == ["early"]
    assert [each.last_seq for each in ledger.seal_audit(now=NOW)] == [6]
    assert objects(ledger) == ["early", "late"]
    assert is_whole(ledger)


@pytest.mark.only("postgresql")
def test_an_entry_waits_for_nobody_and_nobody_for_it(ledger):
    """Who acts for a taxpayer does not wait for another who does, nor for the one that seals."""
    with ledger._database.writing() as first, ledger._database.writing() as second:
        assert ledger._database.has_turn(second, "sealing the audit log")
        do(ledger, "a", connection=first)
        do(ledger, "b")
        assert ledger.seal_audit(now=NOW) == ()
    assert seal_all(ledger)
    assert objects(ledger) == ["b", "a"] or objects(ledger) == ["a", "b"]
    assert is_whole(ledger)


@pytest.mark.only("postgresql")
def test_many_seal_and_many_write_at_the_same_time(url, ledger):
    def work(n):
        for turn in range(30):
            if n < 2:
                openings[n].seal_audit(now=NOW)
            else:
                do(openings[n], f"{n}-{turn}")

    with ExitStack() as stack:
        openings = [stack.enter_context(Ledger.open(url)) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    seal_all(ledger)
    assert sorted(objects(ledger)) == sorted(f"{n}-{turn}" for n in (2, 3) for turn in range(30))
    assert is_whole(ledger)


DYING = """
import os, signal, sys
from gateway.ledger import Ledger, sealing
from tests.ledger.books import NOW
from sqlalchemy import event
ledger = Ledger.open(sys.argv[1])
wanted = sys.argv[2]
@event.listens_for(ledger._database._writer, "before_cursor_execute")
def die(connection, cursor, statement, *rest):
    if wanted in statement:
        os.kill(os.getpid(), signal.SIGKILL)
ledger.seal_audit(now=NOW)
"""


@pytest.mark.parametrize("moment", ["UPDATE audit", "INSERT INTO audit_batch"])
def test_a_sealer_that_is_killed_is_taken_over(url, ledger, moment):
    do(ledger, "a")
    dying = [sys.executable, "-c", DYING, url, moment]
    assert subprocess.run(dying, cwd=Path(__file__).parents[2]).returncode == -9
    patience = time.monotonic() + 8  # a server takes a moment to see that its client is gone
    while not (made := seal_all(ledger)):
        assert time.monotonic() < patience, "nobody takes over"
    assert [each.last_seq for each in made] == [5]
    assert is_whole(ledger)


def test_a_waiting_entry_that_was_damaged_keeps_no_other_from_its_seal(ledger, url):
    do(ledger, "a")
    raw = raw_connection(url)
    with raw.unguarded():
        raw.execute("UPDATE audit SET detail = 'no json', at = 'no moment' WHERE object = 'a'")
    raw.close()
    with ledger._database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit WHERE seq IS NULL")).scalar() == 5
    assert seal_all(ledger)[0].last_seq == 5
    assert ledger.audit_waiting().entries == 0


def test_a_log_whose_end_was_cut_off_is_sealed_no_further(ledger, url):
    seal_all(ledger)
    raw = raw_connection(url)
    with raw.unguarded():
        raw.execute("DELETE FROM audit WHERE seq = 4")
    raw.close()
    do(ledger, "a")
    with pytest.raises(Misconfigured, match="changed past its guards"):
        ledger.seal_audit(now=NOW)
    assert ledger.audit_waiting().entries == 1


def test_what_is_issued_waits_too(ledger):
    seal_all(ledger)
    desk = Desk(ledger)
    issued = desk.issue("1").issued
    assert [(each.seq, each.object) for each in ledger.audit_log("tp")][-1] == (None, issued.uuid)
    seal_all(ledger)
    assert is_whole(ledger)
    entry = list(ledger.audit_log("tp"))[-1]
    assert entry.hash == entry_hash(replace(entry), seq=5, previous=list(ledger.audit_log("tp"))[-2].hash)
