"""The head journal: what is acknowledged is in it, and a ledger that is older than it makes no documents."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import Misconfigured, Unavailable
from gateway.ledger import Ledger, read_heads
from gateway.ledger.journal import Journal, head
from tests.ledger.books import NOW, UNIT, Desk, csid, sale

# Backups and the files of a home are those of an embedded ledger.
pytestmark = pytest.mark.only("sqlite")


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "elsewhere" / "heads.journal"


@pytest.fixture
def kept(ledger, file):
    """A desk whose ledger keeps a journal."""
    ledger.keep_journal(file)
    return Desk(ledger)


def read(file):
    return {chain: found.icv for chain, found in read_heads(file).items()}


def test_each_document_is_in_the_journal_before_it_is_answered(kept, file):
    for number in range(1, 4):
        issued = kept.issue(str(number)).issued
        assert read_heads(file)["csid-1"][1:3] == (number, issued.hash)
    assert file.stat().st_mode & 0o077 == 0


def test_a_repeat_writes_nothing(kept, file):
    kept.issue("1")
    before = file.read_bytes()
    assert not kept.issue("1").created
    assert file.read_bytes() == before


def test_a_journal_that_cannot_be_written_delays_the_answer_and_loses_nothing(kept, file, ledger):
    kept.issue("1")
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")
    with pytest.raises(Unavailable) as refused:
        kept.issue("2")
    assert "heads.journal" in refused.value.what
    assert refused.value.ar
    for again in (lambda: kept.issue("2"), lambda: kept.issue("3"), lambda: ledger.find_sale(sale("2"))):
        with pytest.raises(Unavailable):
            again()
    assert ledger.chain("tp", UNIT.id).head.icv == 3  # the document stays, and only that one was made
    file.parent.unlink()
    assert not kept.issue("2").created
    assert read(file) == {"csid-1": 2}


def test_a_death_between_commit_and_journal_is_caught_up_at_the_next_start(kept, file, ledger, url):
    kept.issue("1")
    ledger._journal = None
    kept.issue("2")
    with Ledger.open(url) as again:
        again.keep_journal(file)
        assert again.fenced() == ()
    assert read(file) == {"csid-1": 2}


def test_what_was_half_written_counts_for_nothing(kept, file):
    kept.issue("1")
    whole = file.read_bytes()
    kept.issue("2")
    file.write_bytes(file.read_bytes()[: len(whole) + 20])
    assert read(file) == {"csid-1": 1}
    kept.issue("3")
    assert read(file) == {"csid-1": 3}


def test_many_at_once_share_the_syncs(file, monkeypatch):
    syncs, sync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda each: (syncs.append(each), sync(each)))
    journal = Journal(file)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: journal.record(head("c", n, f"hash{n}", NOW)), range(1, 401)))
    assert read(file) == {"c": 400}
    assert len(syncs) <= 402
    assert len(file.read_bytes().splitlines()) == 400


def test_the_file_stays_small(file):
    journal = Journal(file, max_bytes=2000)
    for number in range(1, 201):
        journal.record(head("a" if number % 2 else "b", number, "hash", NOW))
    assert file.stat().st_size < 2200
    assert read(file) == {"a": 199, "b": 200}


def test_a_journal_that_cannot_be_read_is_said_so(file):
    file.mkdir(parents=True)
    with pytest.raises(Misconfigured, match="GATEWAY_JOURNAL"):
        read_heads(file)


@pytest.fixture
def old(kept, ledger, url, tmp_path, file):
    """The URL of a copy of the ledger that is two documents old, with the journal of the present."""
    kept.issue("1")
    with ledger._database.writing() as connection:
        copy = tmp_path / "old.db"
        shutil.copy(url.removeprefix("sqlite:///"), copy)
        wal = Path(f"{url.removeprefix('sqlite:///')}-wal")
        shutil.copy(wal, f"{copy}-wal")
        del connection
    for number in ("2", "3"):
        kept.issue(number)
    return f"sqlite:///{copy}"


def test_a_ledger_older_than_the_journal_makes_no_documents(old, file):
    for _ in range(2):  # however often it is opened
        with Ledger.open(old) as ledger:
            ledger.keep_journal(file)
            [fenced] = ledger.fenced()
            assert (fenced.chain, fenced.icv, fenced.journal.icv) == ("csid-1", 1, 3)
            with pytest.raises(Unavailable) as refused:
                Desk(ledger).issue("9")
            assert refused.value.ar
            assert Desk(ledger).issue("1").created is False  # what was made is answered
            assert ledger.reconcile() == (fenced,)


def test_onboarded_anew_the_unit_issues_in_another_chain_and_with_other_numbers(old, file, kept):
    with Ledger.open(old) as ledger:
        ledger.keep_journal(file)
        ledger.add_csid(csid(name="csid-2"), now=NOW)
        made = ledger.append(sale("9"), _maker(), actor="t", now=NOW).issued
        assert (made.icv, made.number) == (1, "RUH1-000004")
    assert read(file) == {"csid-1": 3, "csid-2": 1}


def _maker():
    from tests.ledger.books import maker

    return maker("anew")


def test_a_ledger_that_went_elsewhere_is_fenced_too(old, file):
    with Ledger.open(old) as ledger:  # without its journal it does not know
        Desk(ledger)
        for number in "789":
            ledger.append(sale(number), _other(number), actor="t", now=NOW)
        ledger.keep_journal(file)
        assert [each.chain for each in ledger.fenced()] == ["csid-1"]


def _other(number):
    from tests.ledger.books import maker

    return maker(f"other-{number}")


def test_a_restored_ledger_is_free_once_the_journal_agrees(kept, ledger, file):
    kept.issue("1")
    ledger.fence_all()
    with pytest.raises(Unavailable):
        kept.issue("2")
    assert ledger.reconcile() == ()
    assert kept.issue("2").created


def test_without_a_journal_nothing_can_agree(kept, ledger, file):
    kept.issue("1")
    ledger.fence_all()
    file.unlink()
    assert [(each.icv, each.journal) for each in ledger.reconcile()] == [(1, None)]
