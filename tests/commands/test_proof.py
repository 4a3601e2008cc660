"""`gateway archive`, `gateway export` and `gateway verify`."""

import json
from datetime import timedelta

import pytest

from gateway.pipeline import gateway as rooms
from gateway.pipeline.api_keys import Role, add_key
from gateway.pipeline.archive import archive_now
from gateway.pipeline.gateway import open_gateway
from tests.commands.conftest import complaint, run
from tests.doctor.patient import make_books
from tests.installation import OWNER


@pytest.fixture
def books(installed):
    """Four documents, one of them answered and archived; settings are in the environment."""
    make_books(installed.settings, 4)
    return installed.settings


def uuids(settings):
    with open_gateway(settings) as gateway:
        return [each.uuid for each in gateway.ledger.invoices(OWNER).items]


@pytest.fixture
def keys(books, tmp_path):
    """Files with an accountant's, an admin's and an auditor's key."""
    with open_gateway(books) as gateway:
        for role in (Role.ACCOUNTANT, Role.ADMIN, Role.AUDITOR):
            (tmp_path / role.value).write_text(add_key(gateway, OWNER, role, "", actor="tests") + "\n")
    return tmp_path


def test_a_package_is_made_verified_and_found_out_when_changed(books, tmp_path):
    package = tmp_path / "package.zip"
    ended = run("export", package)
    assert ended.code == 0, ended
    assert "package.zip: 4; files: " in ended.out
    fingerprint = ended.out.splitlines()[2].strip()
    assert json.loads(run("seal", "certificate", "--json").out)["fingerprint"] == fingerprint
    ended = run("verify", package, "--fingerprint", fingerprint, "--jobs", 1)
    assert ended.code == 0, ended
    assert "the one you trust" in ended.out
    assert ended.out.endswith("Nothing is wrong.\n")
    complaint(run("export", package), "exists already")
    data = bytearray(package.read_bytes())
    data[5000] ^= 1
    package.write_bytes(data)
    ended = run("verify", package, "--json")
    (row,) = ended.rows
    assert (ended.code, row["sound"], [each["part"] for each in row["faults"]]) == (1, False, ["verify.py"])


def test_a_part_is_exported_and_says_so_for_programs(books, tmp_path):
    (row,) = run("export", tmp_path / "p.zip", "--status", "issued", "--unit", "RUH1", "--json").rows
    assert (row["documents"], row["resumed"]) == (2, False)
    assert run("verify", tmp_path / "p.zip").code == 0
    complaint(run("export", tmp_path / "q.zip", "--unit", "x"), "no unit x")


@pytest.mark.parametrize("wanted", [["--buyer", "Mistyped"], ["--to", "2020-01-01"], ["--status", "rejected"]], ids=str)
def test_what_was_never_issued_is_no_package(books, tmp_path, wanted):
    complaint(run("export", tmp_path / "p.zip", *wanted), "Nothing that was issued is of this kind")
    assert not list(tmp_path.glob("p.zip*"))


def test_the_certificate_that_is_trusted_may_be_a_file(books, tmp_path):
    run("export", tmp_path / "p.zip")
    pem = run("seal", "certificate").out.partition("-----BEGIN")
    (tmp_path / "seal.pem").write_text(pem[1] + pem[2])
    assert run("verify", tmp_path / "p.zip", "--certificate", tmp_path / "seal.pem").code == 0
    (tmp_path / "none.pem").write_text("no certificate")
    complaint(run("verify", tmp_path / "p.zip", "--certificate", tmp_path / "none.pem"), "is no certificate")
    ended = run("verify", tmp_path / "p.zip", "--fingerprint", "00" * 32)
    assert (ended.code, "WRONG seal.other" in ended.out) == (1, True)


def test_how_the_archive_stands(books):
    (row,) = run("archive", "status", "--json").rows
    assert (row["files"], row["waiting"], row["disposed"], row["retention_years"]) == (4, 0, 0, 6)
    assert str(books.home / "archive") in run("archive", "status").out
    uuid = uuids(books)[-1]
    ended = run("archive", "files", uuid, "--json")
    assert [(each["name"], each["state"]) for each in ended.rows] == [("answer-1", "whole"), ("document", "whole")]
    (books.home / "archive" / ended.rows[1]["key"]).unlink()
    assert run("archive", "files", uuid).code == 1
    assert "is not there" in run("archive", "files", uuid, "--json").rows[1]["state"]
    assert "anew: 1." in run("archive", "again", uuid).out
    assert run("archive", "files", uuid).code == 0


def test_holds_are_placed_and_lifted(books):
    uuid = uuids(books)[-1]
    assert "all files" in run("archive", "hold", "--reason", "the authority asks").out
    assert "is kept until 20" in run("archive", "keep", uuid, "--years", 11).out
    first, second = run("archive", "holds", "--json").rows
    assert (first["uuid"], second["uuid"], first["reason"]) == (None, uuid, "the authority asks")
    assert run("archive", "lift", first["id"]).code == 0
    complaint(run("archive", "lift", second["id"]), "ends by itself")
    assert "lifted" in run("archive", "holds").out


def test_deleting_takes_two_people_and_time(books, keys, monkeypatch):
    complaint(run("archive", "purge", "propose", "--as", keys / "auditor", "--reason", "r"), "may not delete files")
    complaint(run("archive", "purge", "propose", "--as", keys / "admin", "--reason", "r"), "No file may be deleted")
    days, now = timedelta(days=7 * 366), rooms._now

    def wait(by):
        clock = {"now": lambda: now() + by, "new_id": rooms._uuid}
        monkeypatch.setattr(rooms.open_gateway.__wrapped__, "__kwdefaults__", clock)

    wait(days)
    complaint(run("archive", "purge", "propose", "--as", keys / "admin", "--reason", "r"), "nothing was recorded")
    run("archive", "lift", run("archive", "hold", "--reason", "to be recorded").out.split()[1])
    wait(days + timedelta(days=2))
    wrong = run("archive", "purge", "propose", "--as", keys / "admin", "--reason", "too early")
    assert "withdraw" in complaint(
        run("archive", "purge", "confirm", wrong.out.split()[1].strip(":"), "--as", keys / "accountant"), "a day after"
    )
    complaint(run("archive", "purge", "withdraw", wrong.out.split()[1].strip(":"), "--as", keys / "auditor"), "may not")
    withdrawn = run("archive", "purge", "withdraw", wrong.out.split()[1].strip(":"), "--as", keys / "accountant")
    assert "is withdrawn" in withdrawn.out
    ended = run("archive", "purge", "propose", "--as", keys / "admin", "--reason", "its time is over")
    assert "files to delete: 4" in ended.out
    first, plan = run("archive", "purge", "list", "--json").rows
    assert (first["withdrawn_by"][:4], plan["withdrawn_by"]) == ("key:", "")
    assert run("archive", "status", "--json").rows[0]["proposed"] == 1
    wait(days + timedelta(days=3))
    complaint(run("archive", "purge", "confirm", plan["id"], "--as", keys / "admin"), "cannot confirm")
    assert "Files deleted: 4" in run("archive", "purge", "confirm", plan["id"], "--as", keys / "accountant").out
    assert run("archive", "purge", "resume").code == 0
    assert "key:" in run("archive", "purge", "list").out
    assert run("archive", "status", "--json").rows[0]["disposed"] == 4
    assert list((books.home / "archive").rglob("*.xml")) == []


def test_the_doctor_looks_at_the_archive(books):
    with open_gateway(books) as gateway:
        archive_now(gateway, OWNER, uuids(books)[-1])
    next((books.home / "archive").rglob("*.xml")).unlink()
    ended = run("doctor", "--json")
    assert ended.code == 1
    assert [each["code"] for each in ended.rows if each.get("severity") == "error"] == ["archive.missing"]
