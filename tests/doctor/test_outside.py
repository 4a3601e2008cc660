"""The checkpoints outside the database: whoever has the whole database in hand is found out by them, and whoever has
the files too, unless the sealing key is theirs as well."""

import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from gateway.keys import CERTIFICATE, MasterKey, sealing_key
from gateway.ledger import CheckpointFiles, Ledger, back_up, put_back
from gateway.ledger.audit import chained
from gateway.ledger.sealing import AuditBatch, batch_hash
from gateway.pipeline.doctor import LAST
from gateway.pipeline.doctor.outside import Outside
from gateway.pipeline.gateway import open_gateway
from tests.doctor.patient import DOCUMENTS, Superuser, found, make_books
from tests.installation import OWNER

SEEDS, MANY = 40, 2_000


def codes(settings, **how):
    return [each.code for each in found(settings, **how)]


def outside(settings, **how):
    """What is found by the checkpoints alone."""
    with Ledger.open(settings.ledger_url) as ledger:
        files = CheckpointFiles(settings.checkpoints_folder)
        reader = Outside(ledger, files, **({"now": datetime.now(UTC), "goes_on": False} | how))
        return [(each.code, each.where) for each in reader.symptoms()]


@pytest.fixture
def hand(books):
    with closing(Superuser(books.home / "ledger.db")) as superuser:
        yield superuser


@pytest.fixture
def file(books):
    [only] = books.checkpoints_folder.glob("*.checkpoints")
    return only


def cut_off_the_end(hand):
    """All that happened since the last batch but one was sealed, with no trace in the database."""
    kept = "(SELECT last_seq FROM audit_batch ORDER BY number DESC LIMIT 1 OFFSET 1)"
    hand.db.execute(f"DELETE FROM audit WHERE seq > {kept}")  # noqa: S608
    hand.db.execute("DELETE FROM audit_batch WHERE number = (SELECT max(number) FROM audit_batch)")
    known = "(SELECT object FROM audit WHERE action = 'document.issued')"
    for table, column in (("document", "uuid"), ("sale", "document_uuid"), ("stamp", "document_uuid"),
                          ("submission", "document_uuid"), ("attempt", "document_uuid"),
                          ("clearance", "document_uuid")):  # fmt: skip
        hand.db.execute(f"DELETE FROM {table} WHERE {column} NOT IN {known}")  # noqa: S608
    head = hand.db.execute("SELECT icv, hash, made_at FROM document ORDER BY icv DESC LIMIT 1").fetchone()
    if head:
        hand.db.execute("UPDATE chain SET head_icv = ?, head_hash = ?, head_at = ?", head)


def rewrite(hand):
    """One entry changed, and every hash made anew as the gateway would."""
    names = "seq at taxpayer_id actor action object detail".split()
    digests, digest = {}, ""
    hand.db.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 3")
    for row in hand.db.execute(f"SELECT {', '.join(names)} FROM audit ORDER BY seq").fetchall():  # noqa: S608
        seq, at, owner, actor, action, target, detail = row
        digest = chained(
            seq=seq, at=at, taxpayer=owner, actor=actor, action=action, target=target, detail=json.loads(detail),
            previous=digest,
        )  # fmt: skip
        digests[seq] = digest
        hand.db.execute("UPDATE audit SET hash = ? WHERE seq = ?", (digest, seq))
    previous = ""
    columns = ", ".join(AuditBatch._fields)
    for row in hand.db.execute(f"SELECT {columns} FROM audit_batch ORDER BY number").fetchall():  # noqa: S608
        batch = AuditBatch(*row)._replace(previous=previous)
        batch = batch._replace(digest=digests[batch.last_seq])
        previous = batch_hash(batch)
        change = "UPDATE audit_batch SET digest = ?, previous = ?, hash = ? WHERE number = ?"
        hand.db.execute(change, (batch.digest, batch.previous, previous, batch.number))


def test_an_end_cut_off_with_its_batches_is_found_by_the_checkpoint_alone(books, hand):
    make_books(books, DOCUMENTS + 2, sent=False)
    cut_off_the_end(hand)
    (books.home / "heads.journal").unlink()
    assert set(codes(books)) == {"checkpoint.log", "checkpoint.chain"}


def test_it_is_found_too_once_the_log_went_on(books, hand):
    make_books(books, DOCUMENTS + 2, sent=False)
    cut_off_the_end(hand)
    (books.home / "heads.journal").unlink()
    make_books(books, DOCUMENTS + 1, sent=False)
    [(code, where)] = outside(books)
    assert (code, where["taxpayer"]) == ("checkpoint.log", OWNER)


@pytest.mark.parametrize("goes_on", [False, True])
def test_it_is_found_once_the_log_is_longer_than_it_was(books, hand, goes_on):
    """Only the newest checkpoint was compared with the log, and that one is of the log as it is now."""
    make_books(books, DOCUMENTS + 2, sent=False)
    outside(books)  # as every night
    cut_off_the_end(hand)
    (books.home / "heads.journal").unlink()
    make_books(books, DOCUMENTS + 9, sent=False)
    assert "checkpoint.log" in {code for code, _ in outside(books, goes_on=goes_on)}


def test_a_log_written_anew_with_all_its_hashes_is_found_by_the_checkpoint_alone(books, hand):
    rewrite(hand)
    assert codes(books) == ["checkpoint.log"]


def test_a_ledger_put_back_from_a_backup_has_lost_entries_which_is_said_and_no_crime(books):
    backup = books.home / "old.backup"
    back_up(books.home / "ledger.db", backup)
    with open_gateway(books) as gateway:
        gateway.ledger.audit(taxpayer_id=OWNER, actor="a", action="b", target="c", detail={}, now=gateway.now())
    for left in books.home.glob("ledger.db*"):
        left.unlink()
    put_back(backup, books.home / "ledger.db")
    with open_gateway(books) as gateway:
        assert gateway.ledger.reconcile() == ()
    assert [(each.code, each.is_error) for each in found(books)] == [("checkpoint.restored", False)]
    with open_gateway(books) as gateway:
        gateway.ledger.audit(taxpayer_id=OWNER, actor="a", action="b", target="d", detail={}, now=gateway.now())
        gateway.ledger.audit(taxpayer_id=OWNER, actor="a", action="b", target="e", detail={}, now=gateway.now())
    # Sealed again, and further than before, it still does not have what it had.
    assert [(each.code, each.is_error) for each in found(books)] == [("checkpoint.restored", False)]


def test_what_was_sealed_and_has_no_checkpoint_is_told_of(books, file):
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    assert outside(books) == []  # perhaps it is just about to be written
    [(code, where)] = outside(books, now=datetime.now(UTC) + timedelta(hours=3))
    assert (code, where["taxpayer"]) == ("checkpoint.late", OWNER)


def test_files_that_are_gone_are_missed(books, file):
    assert codes(books) == []  # and a bookmark was set
    file.unlink()
    assert codes(books) == codes(books) == ["checkpoint.line"]
    with Ledger.open(books.ledger_url) as ledger:
        ledger.forget_checkpoints()
    assert codes(books) == []


def test_a_bookmark_spares_lines_that_were_sound(books, file):
    def lines():
        with Ledger.open(books.ledger_url) as ledger:
            files = CheckpointFiles(books.checkpoints_folder)
            reader = Outside(ledger, files, goes_on=True, now=datetime.now(UTC))
            assert list(reader.symptoms()) == []
            return reader.lines

    assert lines() == len(file.read_bytes().splitlines())
    assert lines() == 0
    make_books(books, DOCUMENTS + 1, sent=False)
    assert lines() == 1
    assert codes(books, since=LAST) == []


def test_lines_of_another_key_and_another_certificate_are_refused(books, file):
    other = MasterKey(bytes(range(32)))
    with Ledger.open(f"sqlite:///{books.home / 'other.db'}") as elsewhere:
        forger = sealing_key(other, elsewhere, now=lambda: datetime.now(UTC))
    files = CheckpointFiles(books.checkpoints_folder)
    with Ledger.open(books.ledger_url) as ledger:
        due = ledger.checkpoints_due()
    files.append(lambda: due, forger.sign, key=forger.fingerprint, certificate=forger.pem, now=datetime.now(UTC))
    assert [code for code, _ in outside(books)] == ["checkpoint.line"]
    (books.checkpoints_folder / "seal.pem").write_text(forger.pem)
    assert {code for code, _ in outside(books)} == {"checkpoint.line", "checkpoint.certificate"}
    with Ledger.open(books.ledger_url) as ledger:
        ledger.put_mark(CERTIFICATE, "no certificate")
    assert [code for code, _ in outside(books)] == ["checkpoint.certificate"]


# --- the files changed by hand ---------------------------------------------------------------------------------------


def _flip(lines, chance):
    at = chance.randrange(len(lines))
    place = chance.randrange(len(lines[at]))
    changed = bytes([lines[at][place] ^ 1 << chance.randrange(7)])
    return [*lines[:at], lines[at][:place] + changed + lines[at][place + 1 :], *lines[at + 1 :]]


def _delete(lines, chance):
    at = chance.randrange(len(lines) - 1)  # a last line that is gone is a shorter file
    return [*lines[:at], *lines[at + 1 :]]


def _insert(lines, chance):
    at = chance.randrange(len(lines) + 1)
    return [*lines[:at], chance.choice([chance.choice(lines), b"{} AAAA", b""]), *lines[at:]]


def _swap(lines, chance):
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return lines


def _truncate(lines, chance):
    return lines[: -chance.randint(1, len(lines))]


def overlooked(books, file, seeds):
    """Change the file once for each seed; what was not found."""
    with open_gateway(books) as gateway:
        for number in range(4):
            gateway.ledger.audit(
                taxpayer_id=OWNER, actor="a", action="b", target=f"{number}", detail={}, now=gateway.now()
            )
            gateway.ledger.seal_audit(now=gateway.now())
            key = gateway.sealing_key()
            CheckpointFiles(books.checkpoints_folder).append(
                gateway.ledger.checkpoints_due, key.sign, key=key.fingerprint, certificate=key.pem, now=gateway.now()
            )
    assert outside(books) == []
    sound = file.read_bytes()
    missed = []
    for seed in seeds:
        chance = random.Random(seed)
        deed = chance.choice([_flip, _delete, _insert, _swap, _truncate])
        changed = b"".join(line + b"\n" for line in deed(sound.splitlines(), chance))
        if changed == sound:
            continue
        file.write_bytes(changed)
        if not outside(books):
            missed.append(f"seed {seed}: {deed.__name__}")
    file.write_bytes(sound)
    return missed


def test_changes_of_the_files_are_found(books, file):
    assert overlooked(books, file, range(SEEDS)) == []


@pytest.mark.torture
def test_thousands_of_changes_of_the_files_are_found(books, file):
    assert overlooked(books, file, range(SEEDS, MANY)) == []
