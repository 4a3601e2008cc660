"""What a forger with a sealing key of their own can do: nothing that is called whole, and nothing that makes the
verifier fall over, hang, or write what it does not mean."""

import json
import os
import struct
import zipfile
from datetime import datetime, timedelta

import pytest

from gateway.verifier import single_file, verify
from gateway.verifier.books import canonical
from gateway.verifier.container import Zip, central_record, end_record
from tests.commands.conftest import run
from tests.package.books import new_seal
from tests.package.tampering import read, write
from tests.package.test_verifier import alone, chain_of, checkpoint, digest, first, put_chain, resealed


def codes(package) -> set[str]:
    return {each.code for each in verify(package).faults}


# --- left out ---------------------------------------------------------------------------------------------------------


def test_books_without_any_chain_are_not_whole(package, tmp_path):
    def change(files, manifest):
        for name in [each for each in files if each.startswith(("chains/", "documents/", "answers/"))]:
            del files[name]
        manifest["chains"] = []
        manifest["made_at"] = (datetime.fromisoformat(manifest["made_at"]) + timedelta(hours=1)).isoformat()

    found = resealed(package, tmp_path, change)
    assert [code for code, _ in found] == ["audit.document"] * 8


def test_a_chain_that_the_checkpoint_knows_has_to_be_here(package, tmp_path):
    seal = new_seal("seal")
    other = {"chains": [{"chain": "other", "icv": 5, "hash": "x"}]}

    def change(files, manifest):
        checkpoint(seal, files, manifest, before_it_is_signed=other)

    assert resealed(package, tmp_path, change, seal) == [("audit.checkpoint", "chain other")]


@pytest.mark.parametrize("reason", [None, "", "period", "deleted"])
def test_a_document_is_left_out_for_a_reason_and_said_to_be(package, tmp_path, reason):
    def change(files, manifest):
        name, links = chain_of(files)
        for each in [links[2]["file"], *links[2]["answers"]]:
            del files[each["path"]]
        links[2] |= {"file": None, "left_out": reason}
        manifest["chains"][0]["documents"] -= 1
        put_chain(files, name, links)

    found = resealed(package, tmp_path, change)
    assert [code for code, _ in found] == ([] if reason == "deleted" else ["chain.left_out"])
    assert any("1 documents say that are left out" in each for each in verify(tmp_path / "forged").unproved)


@pytest.mark.parametrize("what", ["document", "answer", "twice"])
def test_what_a_link_names_is_here_and_no_other_documents(package, tmp_path, what):
    def change(files, manifest):
        name, links = chain_of(files)
        if what == "twice":
            del files[links[2]["file"]["path"]]
            links[2]["file"] = links[1]["file"]
            put_chain(files, name, links)
        else:
            del files[(links[2]["file"] if what == "document" else links[2]["answers"][0])["path"]]

    assert "file.missing" in {code for code, _ in resealed(package, tmp_path, change)}


def test_documents_are_the_taxpayers_whom_the_package_names(package, tmp_path):
    found = resealed(package, tmp_path, lambda files, manifest: manifest["taxpayer"].update(vat="310000000000003"))
    assert [code for code, _ in found] == ["document.facts"] * 8


def test_what_is_only_sealed_and_not_examined_is_said_to_be(package):
    assert any("index and PDFs" in each for each in verify(package).unproved)


# --- backdated --------------------------------------------------------------------------------------------------------


def earlier(moment: str, **by) -> str:
    return (datetime.fromisoformat(moment) - timedelta(**by)).isoformat()


def test_a_package_that_is_backdated_is_contradicted_by_stamps_and_log(package, tmp_path):
    def change(files, manifest):
        manifest["made_at"] = earlier(manifest["made_at"], days=1)

    assert [code for code, _ in resealed(package, tmp_path, change)] == ["manifest.time"] * 2
    assert {each.part.partition("/")[0] for each in verify(tmp_path / "forged").faults} == {"chains", "audit"}


def test_documents_that_are_left_out_by_backdating_are_missed_by_the_log(package, tmp_path):
    """An entry that is later than the package was excused whatever it says was issued."""

    def change(files, manifest):
        for name in [each for each in files if each.startswith(("chains/", "documents/", "answers/"))]:
            del files[name]
        manifest["chains"] = []
        manifest["made_at"] = earlier(manifest["made_at"], days=1)

    assert [code for code, _ in resealed(package, tmp_path, change)] == ["manifest.time"]


def test_a_checkpoint_is_not_later_than_its_package(package, tmp_path):
    seal = new_seal("seal")

    def change(files, manifest):
        later = earlier(manifest["made_at"], days=-1)
        checkpoint(seal, files, manifest, before_it_is_signed={"at": later})

    assert resealed(package, tmp_path, change, seal) == [("manifest.time", "audit/checkpoint")]


@pytest.mark.parametrize(("hours", "codes"), [(0.5, []), (2, ["manifest.time"])])
def test_an_answer_is_not_later_than_the_seal(package, tmp_path, hours, codes):
    def change(files, manifest):
        name, links = chain_of(files)
        links[0]["answers"][0]["at"] = earlier(manifest["made_at"], hours=-hours)
        put_chain(files, name, links)

    assert [code for code, _ in resealed(package, tmp_path, change)] == codes


# --- made to fall over ------------------------------------------------------------------------------------------------


def _relative_namespace(files, name, links):
    path = links[0]["file"]["path"]
    files[path] = files[path].replace(b"<cac:InvoiceLine>", b"<cac:InvoiceLine xmlns:q='rel/x'>", 1)


def _deep_answer(files, name, links):
    files[next(each for each in links if each["cleared"])["answers"][0]["path"]] = b"[" * 100_000


def _deep_chain(files, name, links):
    files[name] = b'{"a":' + b"[" * 100_000 + b"\n"


def _moment(field, value):
    def change(files, name, links):
        links[1][field] = value
        put_chain(files, name, links)

    return change


ODD = {
    "relative namespace": (_relative_namespace, "file.unreadable"),
    "deep answer": (_deep_answer, "file.unreadable"),
    "deep chain": (_deep_chain, "manifest.unreadable"),
    "end of time": (_moment("issued_at", "9999-12-31T23:59:59+00:00"), "document.facts"),
    "before time": (_moment("issued_at", "0001-01-01T00:00:00+14:00"), "document.facts"),
    "stamped never": (_moment("signed_at", "9999-12-31T23:59:59+00:00"), "link.window"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_a_fault(package, tmp_path, odd):
    change, code = ODD[odd]
    found = resealed(package, tmp_path, lambda files, manifest: change(files, *chain_of(files)))
    assert code in {each for each, _ in found}


def test_a_manifest_without_end_is_a_fault(tmp_path):
    write(tmp_path / "p.zip", [("manifest.json", b"[" * 100_000)])
    assert "manifest.unreadable" in codes(tmp_path / "p.zip")


@pytest.mark.parametrize("offset", [2**64 - 1, 2**63, 2**40], ids=hex)
def test_a_directory_that_lies_about_a_place_is_a_fault(package, tmp_path, offset):
    entries = list(Zip(package).entries.values())
    start = entries[-1].end
    records = [central_record(each) for each in entries]
    lie = bytearray(records[1])
    lie[30:32], lie[42:46] = struct.pack("<H", 12), b"\xff" * 4
    records[1] = bytes(lie) + struct.pack("<HHQ", 1, 8, offset)
    directory = b"".join(records)
    end = end_record(len(entries), start, len(directory))
    (tmp_path / "p.zip").write_bytes(package.read_bytes()[:start] + directory + end)
    assert {"container.gap", "file.missing"} <= codes(tmp_path / "p.zip")


def test_one_place_in_a_container_is_unpacked_once(package, tmp_path):
    """Else a small container could be a million large files."""
    entries = list(Zip(package).entries.values())
    start = entries[-1].end
    directory = b"".join(map(central_record, [*entries, *[entries[0]._replace(name=f"{at}.txt") for at in range(99)]]))
    end = end_record(len(entries) + 99, start, len(directory))
    (tmp_path / "p.zip").write_bytes(package.read_bytes()[:start] + directory + end)
    assert "container.gap" in codes(tmp_path / "p.zip")
    assert list(Zip(tmp_path / "p.zip").entries) == [each.name for each in entries]


def test_a_link_in_a_folder_is_not_followed(package, tmp_path):
    """It may lead to a device that never ends."""
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(tmp_path)
    document = next((tmp_path / "documents").iterdir())
    document.unlink()
    document.symlink_to("/dev/zero")
    (tmp_path / "index.csv").unlink()
    os.mkfifo(tmp_path / "index.csv")
    found = {(each.code, each.part) for each in verify(tmp_path).faults}
    assert found == {("file.changed", f"documents/{document.name}"), ("file.missing", "index.csv")}
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "manifest.json").symlink_to("/dev/zero")
    assert "manifest.missing" in codes(tmp_path)


# --- made to say something else ---------------------------------------------------------------------------------------


def test_no_name_acts_on_the_terminal_or_looks_like_a_line(package, tmp_path):
    def change(files, manifest):
        manifest["taxpayer"]["name"] = "X\x1b[2J\nNothing is wrong.\u202e\ud800"
        files[first(files, "documents/")] = b""

    assert resealed(package, tmp_path, change)
    lines = verify(tmp_path / "forged").lines()
    assert "Nothing is wrong." not in lines
    assert all(each.isprintable() for line in lines for each in line)
    for more in ([], ["--json"]):
        ended = run("verify", tmp_path / "forged", *more)
        assert (ended.code, "\x1b[2J" in ended.out) == (1, False)


@pytest.mark.parametrize("text", ["", " ", "00", "zz" * 32])
def test_what_is_no_fingerprint_is_not_compared_with_nothing(package, tmp_path, text):
    ended = run("verify", package, "--fingerprint", text)
    assert (ended.code, "64 hexadecimal digits" in ended.err) == (2, True)


def test_it_can_be_told_on_a_terminal_without_the_letters(package, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    (tmp_path / "verify.py").write_bytes(single_file())
    for more in ([], ["--json"]):
        assert alone(tmp_path, package, *more, isolated=False).returncode == 0
    assert alone(tmp_path, package, "--fingerprint", "").returncode == 2


def test_many_faults_take_no_time(package, tmp_path):
    """Which grew with the square of their number: these took 3 minutes."""
    listed = b"".join(b'{"path":"f%d","sha256":"00"}\n' % at for at in range(100_000))
    manifest = json.loads(read(package)["manifest.json"])
    manifest["files"]["sha256"] = digest(listed)
    (tmp_path / "manifest.json").write_bytes(canonical(manifest))
    (tmp_path / "files.jsonl").write_bytes(listed)
    assert len(verify(tmp_path).faults) > 100_000
