"""What the doctor says of sound books and of others, and where it begins."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.finding import Severity
from gateway.ledger import Ledger
from gateway.pipeline.doctor import CODES, LAST, Examination, read_bookmark, symptom
from gateway.pipeline.doctor.examination import _is_sound
from tests.doctor.patient import DOCUMENTS, Superuser, found, make_books


class Anything(dict):
    def __missing__(self, key):
        return "?"


@pytest.fixture
def hand(books):
    opened = Superuser(books.home / "ledger.db")
    yield opened
    opened.close()


def codes(settings, **how):
    return {each.code for each in found(settings, **how)}


def test_sound_books_are_sound_with_one_process_or_two(books):
    assert found(books) == found(books, jobs=2) == []


MILD = {
    "chain.fenced",
    "lease.overdue",
    "sqlite.version",
    "audit.unsealed",
    "archive.extra",
    "archive.undeleted",
    "checkpoint.restored",
    "checkpoint.late",
}


def test_every_symptom_says_in_two_languages_what_is_wrong_and_what_to_do():
    for code in CODES:
        values = Anything(what="w", last=1, head=2, icv=3, made_at="m", found="f", kept="k", at="a", start="s", end="e")
        more = {"status": "s", "counted": 1, "begun": 2, "seq": 4, "taken": 5, "worth": 6, "file": "f", "version": "v"}
        more |= {"there": 7, "number": 8, "count": 9, "here": 0}
        made = symptom(code, {"icv": 3}, **values, **more)
        assert all((*made.message, *made.fix))
        assert made.as_json()["where"] == {"icv": 3}
        assert (made.severity is Severity.WARNING) == (code in MILD)


def test_a_bookmark_spares_what_was_sound(books, hand):
    found = _examined(books, since=LAST)
    assert found.documents == DOCUMENTS  # nothing was looked at before
    assert _examined(books, since=LAST).documents == 0
    make_books(books, DOCUMENTS + 2, sent=False)
    assert _examined(books, since=LAST).documents == 2
    hand.db.execute("UPDATE document SET total = '1.00' WHERE icv = 3")
    assert codes(books, since=LAST) == set()  # it lies before the bookmark
    assert codes(books) == {"document.facts"}


@pytest.mark.parametrize("letter", ["x", "t", " "])
def test_a_moment_that_is_spelled_otherwise_is_found_though_python_reads_it(books, hand, letter):
    hand.db.execute(
        "UPDATE stamp SET signed_at = replace(signed_at, 'T', ?) WHERE document_uuid = (SELECT uuid FROM document WHERE"
        " icv = 3)",
        [letter],
    )
    assert "document.window" in codes(books)


def _examined(settings, **how):
    with Ledger.open(settings.ledger_url) as ledger:
        found = Examination(ledger, settings, **how)
        assert [each.code for each in found.symptoms() if each.is_error] == []
        return found


def test_a_bookmark_never_passes_what_is_wrong(books, hand):
    hand.db.execute("UPDATE document SET total = '1.00' WHERE icv = 3")
    assert codes(books, since=LAST) == codes(books, since=LAST) == {"document.facts"}
    with Ledger.open(books.ledger_url) as ledger:
        assert all(read_bookmark(ledger, each.id) is None for each in ledger.every_chain())


def test_a_bookmark_whose_document_changed_is_said_to_be_lost(books, hand):
    assert codes(books) == set()
    hand.db.execute("UPDATE document SET hash = 'x' WHERE icv = ?", (DOCUMENTS,))
    assert {"bookmark.lost", "document.hash"} <= codes(books, since=LAST)


def test_a_moment_to_begin_from(books):
    now = datetime.now(UTC)
    assert _examined(books, since=now - timedelta(days=1)).documents == DOCUMENTS
    assert _examined(books, since=now + timedelta(days=1)).documents == 0


def test_what_contradicts_the_answers_and_leases_left_behind(books, hand):
    hand.db.execute("UPDATE submission SET status = 'reported' WHERE status = 'issued'")
    assert codes(books) == {"status.unproved"}
    hand.db.execute("UPDATE submission SET status = 'issued' WHERE attempts = 0")
    hand.db.execute("UPDATE submission SET lease_until = '2020-01-01T00:00:00.000000Z' WHERE next_at IS NOT NULL")
    assert codes(books) == {"lease.overdue"}
    hand.db.execute("UPDATE submission SET lease_until = NULL")
    hand.db.execute("UPDATE submission SET status = 'unknown' WHERE status = 'reported'")
    assert codes(books) == {"status.ignored"}


def test_an_entry_that_nobody_sealed_is_told_of_after_a_while(books, hand):
    row = "SELECT NULL, taxpayer_id, at, actor, action, object, detail, NULL, NULL FROM audit WHERE seq = 1"
    hand.db.execute(f"INSERT INTO audit {row}")
    assert codes(books) == set()
    hand.db.execute("UPDATE audit SET at = '2026-01-01T00:00:00.000000Z' WHERE seq IS NULL")
    assert codes(books) == {"audit.unsealed"}


def test_the_log_rewritten_without_its_batches_is_found(books, hand):
    hand.db.execute("DELETE FROM audit_batch WHERE number = (SELECT max(number) FROM audit_batch)")
    gone, by_checkpoint = found(books)
    assert (gone.code, gone.where["batch"]) == ("audit.batch", len(hand.rows("audit_batch")) + 1)
    assert by_checkpoint.code == "checkpoint.log"


def test_a_certificate_changed_on_record(books, hand):
    hand.db.execute("UPDATE csid SET not_after = '2020-01-01T00:00:00.000000Z' WHERE stage = 'production'")
    assert codes(books) == {"document.certificate"}


def test_more_taken_of_a_prepayment_than_it_is(books, hand):
    first, second = (row[0] for row in hand.db.execute("SELECT uuid FROM document ORDER BY icv LIMIT 2"))
    put = "INSERT INTO deduction SELECT ?, ?, taxpayer_id, ? FROM document WHERE uuid = ?"
    hand.db.execute(put, (second, first, '[{"taxable":"100.00","vat":"15.00"}]', first))
    assert codes(books) == set()
    hand.db.execute("""UPDATE deduction SET parts = '[{"taxable":"100.01","vat":"15.00"}]'""")
    assert codes(books) == {"deduction.beyond"}


def test_files_that_others_may_read(books):
    (books.home / "ledger.db").chmod(0o644)
    assert found(books)[0].where == {"file": str(books.home / "ledger.db")}


@pytest.mark.parametrize(
    ("version", "is_sound"),
    [("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.53.0", True), ("3.50.7", True), ("3.50.6", False)],
)
def test_which_sqlite_is_mended(version, is_sound):
    assert _is_sound(tuple(map(int, version.split(".")))) is is_sound
