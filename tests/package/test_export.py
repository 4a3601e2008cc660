"""What is in a package, how it is made, and that it is made whole or not at all."""

import asyncio
import csv
import errno
import hashlib
import io
import json
import zipfile
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from gateway.errors import BadInput, Conflict, Unavailable, Unknown
from gateway.invoice.facts import RIYADH
from gateway.package import Writer
from gateway.pipeline import export as exporting
from gateway.pipeline.archive import archive_pdf, confirm_disposal, propose_disposal
from gateway.pipeline.export import export
from gateway.pipeline.export_facts import Scope
from gateway.pipeline.gateway import online
from gateway.pipeline.renew import renew
from gateway.simulator.ca import canned_request
from gateway.verifier import verify
from gateway.verifier.container import Zip
from tests.installation import OWNER, UNIT
from tests.package.books import drain, fill


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch):
    """So that a small package has several of each."""
    monkeypatch.setattr(exporting, "SEGMENT", 3)
    monkeypatch.setattr(exporting, "_AT_ONCE", 2)
    monkeypatch.setattr(exporting, "_ENTRIES", 4)


def files(package) -> dict[str, bytes]:
    opened = Zip(package)
    return {name: opened.read(name) for name in opened.entries}


def manifest(package) -> dict:
    return json.loads(files(package)["manifest.json"])


def links(package) -> list[dict]:
    found = files(package)
    names = sorted(name for name in found if name.startswith("chains/"))
    return [json.loads(line) for name in names for line in found[name].splitlines()]


def faults(package, **how) -> list[tuple[str, str]]:
    return [(each.code, each.part) for each in verify(package, **how).faults]


def test_a_package_is_an_ordinary_zip_and_sound(made, books):
    package = made()
    with zipfile.ZipFile(package) as zipped:
        assert zipped.testzip() is None
        assert len(set(zipped.namelist())) == len(zipped.namelist())
    report = verify(package)
    assert report.faults == []
    assert (report.counts["documents"], report.counts["links"], report.counts["chains"]) == (8, 8, 1)
    found = files(package)
    for uuid, said in ((each["uuid"], each) for each in links(package)):
        assert found[said["file"]["path"]] == books.ledger.xml(OWNER, uuid)
        bodies = [each.body for each in books.ledger.attempts(OWNER, uuid) if each.phase == "ended"]
        assert [found[each["path"]] for each in said["answers"]] == bodies
    rows = list(csv.DictReader(io.StringIO(found["index.csv"].decode("utf-8-sig"))))
    assert [row["File"] in found for row in rows] == [True] * 8
    page, overview = found["index/000001.html"].decode(), found["index.html"].decode()
    assert "مُبلّغ عنها / reported" in page
    assert "مبسطة / simplified" in page
    assert OWNER in overview
    assert 'href="README.txt"' in overview
    assert package.stat().st_mode & 0o077 == 0


def test_the_same_books_make_the_same_package_but_for_the_seal(books, tmp_path):
    moment = books.now()
    frozen = replace(books, now=lambda: moment)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    for path in (one, two):
        export(frozen, OWNER, Scope(statuses=("cleared",)), path, actor="tests")
    before, after = files(one), files(two)
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    # The first export is in the audit log that the second one has.
    (entries,) = (name for name in names if name.startswith("audit/entries/"))
    log = {entries, "audit/batches/0000000001.jsonl"}
    assert names == {*log, "audit/checkpoint", "files.jsonl", "manifest.json", "seal.xml"}


def test_books_without_a_document_make_a_package(gateway, tmp_path):
    export(gateway, OWNER, Scope(), tmp_path / "empty.zip", actor="tests")
    report = verify(tmp_path / "empty.zip")
    assert (report.faults, report.counts["documents"], report.counts["chains"]) == ([], 0, 1)


def test_it_is_on_record_who_made_which(made, books):
    package = made()
    last = list(books.ledger.audit_log(OWNER))[-1]
    assert (last.action, last.actor, last.detail["documents"]) == ("package.exported", "tests", 8)
    assert last.detail["manifest"] == hashlib.sha256(files(package)["manifest.json"]).hexdigest()


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "documents", "reason"),
    [
        (Scope(statuses=("cleared",)), 3, "status"),
        (Scope(statuses=("issued",)), 2, "status"),
        (Scope(buyer="شركة المثال"), 4, "buyer"),
        (Scope(buyer="310122393500003"), 4, "buyer"),
        (Scope(units=(UNIT.id,)), 8, ""),
    ],
    ids=str,
)
def test_what_is_left_out_still_proves_that_nothing_else_is(made, scope, documents, reason):
    package = made(scope=scope)
    assert faults(package) == []
    said = links(package)
    assert len(said) == 8
    assert sum(each["file"] is not None for each in said) == documents == manifest(package)["documents"]
    left = [each for each in said if each["file"] is None]
    assert {each["left_out"] for each in left} == ({reason} if reason else set())
    assert all("number" not in each and each["signature"] for each in left)
    assert not any(each["uuid"] in name for each in left for name in files(package))


def test_a_period_is_days_in_riyadh_for_documents_and_the_audit_log(made, books):
    days = [each.issued_at.astimezone(RIYADH).date() for each in books.ledger.invoices(OWNER).items]
    package = made(scope=Scope(since=min(days), until=max(days)))
    assert (faults(package), manifest(package)["documents"]) == ([], 8)


@pytest.mark.parametrize("scope", [Scope(until=date(2020, 1, 1)), Scope(buyer="Mistyped")], ids=str)
def test_where_nothing_was_issued_there_is_no_package(made, tmp_path, scope):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(Unknown, match="no package"):
        made(scope=scope)
    assert sorted(tmp_path.iterdir()) == before


def test_units_and_statuses_that_are_none(made):
    with pytest.raises(BadInput, match="no unit x"):
        made(scope=Scope(units=("x",)))
    with pytest.raises(BadInput, match="no status x"):
        made(scope=Scope(statuses=("x",)))


def test_a_pdf_goes_with_its_document(made, books):
    uuid = books.ledger.invoices(OWNER).items[-1].uuid
    archive_pdf(books, OWNER, uuid, b"%PDF-1.7 a picture")
    package = made()
    (said,) = [each for each in links(package) if each["uuid"] == uuid]
    assert files(package)[said["pdf"]["path"]] == b"%PDF-1.7 a picture"
    assert faults(package) == []


def test_what_two_people_deleted_leaves_its_digest_in_the_chain(books, tmp_path):
    days = timedelta(days=7 * 366)
    books.ledger.audit(
        taxpayer_id=OWNER, actor="a", action="looked", target="", detail={}, now=books.now() + days - timedelta(days=2)
    )
    later = replace(books, now=lambda: books.now() + days)
    plan, _ = propose_disposal(later, OWNER, reason="old", actor="key:a")
    later = replace(books, now=lambda: books.now() + days + timedelta(days=1))
    confirm_disposal(later, OWNER, plan.id, actor="key:b")
    export(later, OWNER, Scope(since=date(2020, 1, 1)), package := tmp_path / "package.zip", actor="tests")
    gone = [each for each in links(package) if each["left_out"] == "deleted"]
    assert len(gone) == 6
    assert all(len(each["deleted"]["sha256"]) == 64 for each in gone)
    assert faults(package) == []


@pytest.mark.parametrize("chain", ["new", "continue"])
def test_a_renewal_is_two_certificates_of_one_chain_or_of_two(books, chain, tmp_path):
    renewing = replace(books, settings=books.settings.model_copy(update={"chain_after_renewal": chain}))

    async def run():
        async with online(renewing) as lines:
            await renew(renewing, lines, OWNER, UNIT.id, "123456", tell=lambda step: None)

    asyncio.run(run())
    fill(renewing, 2, first=60)
    export(renewing, OWNER, Scope(), tmp_path / "p.zip", actor="tests")
    report = verify(tmp_path / "p.zip")
    assert report.faults == []
    assert (report.counts["documents"], report.counts["chains"]) == (10, 2 if chain == "new" else 1)
    assert len(manifest(tmp_path / "p.zip")["certificates"]) == 2


def test_certificates_are_held_against_the_authoritys_own(books, authority, made, tmp_path):
    """Where it is known; another one, which issued nothing, is found out."""
    one = authority.state.ca.certificate
    other = authority.state.ca.issue(canned_request("x"), books.now())
    for name, issuer, codes in (("own", one, set()), ("other", other, {"certificate.issuer"})):
        (tmp_path / f"{name}.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
        setting = books.settings.model_copy(update={"authority_ca": tmp_path / f"{name}.pem"})
        export(replace(books, settings=setting), OWNER, Scope(), tmp_path / f"{name}.zip", actor="tests")
        report = verify(tmp_path / f"{name}.zip")
        assert {each.code for each in report.faults} == codes
        assert len(report.faults) == 2 * len(codes)  # the unit's, and that of the stamps on cleared documents
        assert any("lead to the authority's" in each for each in report.proved) == (not codes)


def test_a_skipped_number_is_told(made, books):
    with books.ledger._database.writing() as connection:
        connection.execute(text("UPDATE unit SET next_number = next_number + 3"))
    fill(books, 1, first=50)
    drain(books)
    package = made()
    (gap,) = manifest(package)["number_gaps"]
    assert (gap["missing"], gap["before"]) == (3, links(package)[-1]["number"])
    assert faults(package) == []


# --- interruptions ----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process were gone: nothing of ours runs after it."""


def interrupted(monkeypatch, made, writes: int, error: BaseException) -> bool:
    """Export until so many files were written, then fail at the next; False if it came to its end before."""
    count = 0
    real = Writer._note

    def note(self, *args, **more):
        nonlocal count
        count += 1
        if count > writes:
            raise error
        real(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_note", note)
        try:
            made()
        except (Killed, Unavailable):
            return True
    return False


def test_an_interrupted_export_goes_on_wherever_it_was(made, books, monkeypatch, tmp_path):
    moment = books.now()
    monkeypatch.setattr(type(books.ledger), "audit", lambda *_, **__: None)  # it would be in the next package
    monkeypatch.setattr(exporting, "_heads", lambda *_, real=exporting._heads: {**real(*_), "made_at": str(moment)})
    whole = files(made("whole.zip"))
    step = times = 0
    while interrupted(monkeypatch, made, step, Killed()):
        step, times = step + 2, times + 1
    assert times > 5
    package = tmp_path / "package.zip"
    assert faults(package) == []
    assert {**files(package), "seal.xml": b""} == {**whole, "seal.xml": b""}
    assert sorted(each.name for each in tmp_path.glob("package*")) == ["package.zip"]


def test_a_full_disk_stops_it_cleanly_and_it_goes_on(made, monkeypatch, tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    assert interrupted(monkeypatch, made, 7, full)
    assert not (tmp_path / "package.zip").exists()
    package = made()
    assert faults(package) == []
    assert sorted(each.name for each in tmp_path.glob("package*")) == ["package.zip"]


def test_two_packages_do_not_share_a_name(made, monkeypatch, tmp_path):
    interrupted(monkeypatch, made, 7, Killed())
    with pytest.raises(Conflict, match="Another package was begun"):
        made(scope=Scope(statuses=("cleared",)))
    assert manifest(made(scope=Scope(statuses=("cleared",)), anew=True))["documents"] == 3
    with pytest.raises(Conflict, match="exists already"):
        made()


def test_one_process_writes_a_package(tmp_path):
    with Writer(tmp_path / "p.zip", {"what": 1}), pytest.raises(Conflict, match="by another process"):
        Writer(tmp_path / "p.zip", {"what": 1})
