"""Documents in files: judged, hashed, read, stamped. Exit 0 is good, 1 a document that does not pass, 2 no document."""

import json
import stat
import subprocess
import sys
from importlib.resources import files

import pytest
from cryptography.x509 import load_pem_x509_csr

from gateway import qr
from gateway.stamp import invoice_hash, qr_text
from gateway.ubl import render
from tests.commands.conftest import CERTIFICATE, KEY, complaint, golden, run, run_process
from tests.stamp_documents import CERTS
from tests.ubl_documents import DOCUMENTS, HEADING, LINK

GOOD = golden("simplified invoice")
UNIT_JSON = (files("gateway.demo") / "unit.json").read_bytes()


@pytest.fixture
def bad(tmp_path):
    """A document whose sums do not hold, and so its hash."""
    xml = GOOD.read_bytes()
    total = xml[xml.index(b"<cbc:TaxInclusiveAmount") :].split(b">")[1].split(b"<")[0]
    file = tmp_path / "bad.xml"
    file.write_bytes(
        xml.replace(b'"SAR">' + total + b"</cbc:TaxInclusiveAmount>", b'"SAR">1.00</cbc:TaxInclusiveAmount>')
    )
    return file


@pytest.fixture
def shapeless(tmp_path):
    """A document that breaks the schema."""
    file = tmp_path / "shapeless.xml"
    file.write_bytes(GOOD.read_bytes().replace(b"<cbc:ProfileID>reporting:1.0</cbc:ProfileID>", b"<cbc:Wrong/>"))
    return file


# -- validate --------------------------------------------------------------------------------------------------


def test_good_documents():
    ended = run("validate", GOOD, golden("standard invoice"), "--cert", CERTIFICATE, "--as-of", "2026-11-23T12:00:00")
    assert ended.code == 0
    assert ended.out.startswith(f"valid  {GOOD}\nvalid  {golden('standard invoice')}\n")
    assert "2 documents: 2 valid, 0 invalid, 0 unreadable" in ended.out


def test_json_has_the_published_shape(bad, shapeless):
    ended = run("validate", "--json", "--as-of", "2026-11-23T12:00:00", GOOD, bad, shapeless)
    assert ended.code == 1
    good, broken, formless = ended.rows
    assert good == {
        "file": str(GOOD),
        "valid": True,
        "xsd": {"valid": True, "errors": []},
        "findings": [],
        "stopped": [],
        "rules": "R3.4.8",
    }
    for row in (broken, formless):
        assert list(row) == ["file", "valid", "xsd", "findings", "stopped", "rules"]
        assert row["valid"] is False
        for finding in row["findings"]:
            assert list(finding) == ["rule", "severity", "set", "path", "term", "message", "fix"]
            assert finding["severity"] in ("error", "warning")
            assert finding["set"] in ("XSD", "EN16931", "KSA", "QR", "SIGNATURE", "PIH")
            assert finding["path"].startswith("/")
            assert list(finding["message"]) == list(finding["fix"]) == ["en", "ar"]
    assert broken["xsd"] == {"valid": True, "errors": []}
    assert "BR-CO-15" in [finding["rule"] for finding in broken["findings"]]
    assert formless["xsd"]["valid"] is False
    assert formless["xsd"]["errors"]


def test_json_is_in_the_order_of_the_input(tmp_path):
    files = [golden(name) for name in ("summary", "export", "rounding")]
    assert [row["file"] for row in run("validate", "--json", *files).rows] == [str(file) for file in files]
    for name in "cab":
        (tmp_path / f"{name}.xml").write_bytes(GOOD.read_bytes())
    (tmp_path / "note.txt").write_text("not an invoice")
    assert [row["file"][-5:] for row in run("validate", "--json", tmp_path).rows] == ["a.xml", "b.xml", "c.xml"]


def test_a_broken_document_in_words(bad):
    ended = run("validate", bad)
    assert ended.code == 1
    assert f"invalid  {bad}" in ended.out
    assert "BR-CO-15" in ended.out
    assert "at /" in ended.out


def test_the_previous_hash_and_the_certificate_are_compared(bad):
    assert run("validate", GOOD, "--pih", LINK.pih).code == 0
    other = run("validate", "--json", GOOD, "--pih", "AAAA", "--as-of", "2026-11-23T12:00:00")
    assert (other.code, {finding["set"] for finding in other.rows[0]["findings"]}) == (1, {"PIH"})
    other = run("validate", "--json", GOOD, "--cert", CERTS / "ca.pem", "--as-of", "2026-11-23T12:00:00")
    assert (other.code, {finding["set"] for finding in other.rows[0]["findings"]}) == (1, {"SIGNATURE"})


def test_standard_input():
    ended = run("validate", "--json", "-", stdin=GOOD.read_bytes())
    assert (ended.code, ended.rows[0]["file"], ended.rows[0]["valid"]) == (0, "-", True)


@pytest.mark.parametrize(
    "content",
    [b"", b"not XML", b"<Invoice>", b'<!DOCTYPE Invoice [<!ENTITY a "b">]><Invoice>&a;</Invoice>', b"\x00\xff" * 50],
    ids=["empty", "text", "cut off", "DOCTYPE", "bytes"],
)
def test_what_is_no_document_is_exit_2_and_the_others_are_judged(tmp_path, content, bad):
    file = tmp_path / "no.xml"
    file.write_bytes(content)
    ended = run("validate", "--json", bad, file, GOOD)
    assert ended.code == 2
    first, second, third = ended.rows
    assert (first["valid"], second["valid"], third["valid"]) == (False, False, True)
    assert second["error"]["message"]
    plain = run("validate", file)
    assert plain.code == 2
    assert "unreadable" in plain.out
    assert "Traceback" not in plain.out + plain.err


def test_a_file_that_is_missing(tmp_path):
    assert run("validate", "--json", tmp_path / "none.xml", GOOD).code == 2
    complaint(run("hash", tmp_path / "none.xml"), "none.xml cannot be read: No such file or directory.")
    (tmp_path / "folder").mkdir()
    complaint(run("validate", tmp_path / "folder"), "has no *.xml files")
    complaint(run("hash", tmp_path / "folder"), "cannot be read")


def test_a_file_that_is_too_large(tmp_path):
    file = tmp_path / "large.xml"
    with file.open("wb") as sparse:
        sparse.truncate(100_000_000)
    complaint(run("hash", file), "is larger than")


# -- hash, qr, stamp, csr --------------------------------------------------------------------------------------


def test_hashes_one_a_line():
    files = [GOOD, golden("export")]
    ended = run("hash", *files)
    assert ended.code == 0
    assert ended.out.splitlines() == [invoice_hash(file.read_bytes()) for file in files]
    assert run("hash", "-", stdin=GOOD.read_bytes()).out.strip() == invoice_hash(GOOD.read_bytes())


@pytest.mark.parametrize("source", ["file", "text", "standard input"])
def test_the_tags_of_a_qr(source, tmp_path):
    text = qr_text(GOOD.read_bytes())
    argument = {"file": GOOD, "text": text, "standard input": "-"}[source]
    stdin = text.encode() + b"\n" if source == "standard input" else b""
    picture = tmp_path / "qr.svg"
    ended = run("qr", argument, "--json", "--svg", picture, stdin=stdin)
    assert ended.code == 0
    assert ended.rows == [{str(tag.number): tag.shown for tag in qr.decode(text)}]
    assert picture.read_bytes() == qr.svg(text)
    shown = run("qr", argument, stdin=stdin).out
    assert len(shown.splitlines()) == 9
    assert "متجر القهوة | Coffee & Co" in shown


@pytest.mark.parametrize("source", ["rubbish", "AAAA", "x" * 5000, "none.xml"])
def test_what_is_no_qr(source):
    complaint(run("qr", source), "")


@pytest.mark.parametrize("name", ["simplified invoice", "export"])
def test_stamping_by_hand_gives_the_golden_bytes(tmp_path, name):
    plain, stamped = tmp_path / "in.xml", tmp_path / "out.xml"
    plain.write_bytes(render(DOCUMENTS[name], HEADING, LINK))
    arguments = ["--key", KEY, "--cert", CERTIFICATE, "--time", "2026-11-23T09:58:12", plain, "-o"]
    ended = run("stamp", *arguments, stamped)
    assert ended.code == 0
    assert stamped.read_bytes() == golden(name).read_bytes()
    assert invoice_hash(plain.read_bytes()) in ended.out
    assert run("stamp", *arguments, "-").raw == stamped.read_bytes()


def test_a_key_that_is_not_the_certificates(tmp_path):
    plain = tmp_path / "in.xml"
    plain.write_bytes(render(DOCUMENTS["export"], HEADING, LINK))
    ended = run("stamp", "--key", CERTS / "ca.key", "--cert", CERTIFICATE, plain, "-o", tmp_path / "out.xml")
    complaint(ended, "do not belong together")
    assert not (tmp_path / "out.xml").exists()
    swapped = run("stamp", "--key", CERTIFICATE, "--cert", KEY, plain, "-o", tmp_path / "out.xml")
    complaint(swapped, "")
    assert "PRIVATE" not in swapped.err


def test_a_certificate_request(tmp_path):
    unit = tmp_path / "unit.json"
    unit.write_bytes(UNIT_JSON)
    ended = run("csr", unit, "--key", tmp_path / "new.key")
    assert ended.code == 0
    request = load_pem_x509_csr(ended.raw)
    assert request.is_signature_valid
    assert stat.S_IMODE((tmp_path / "new.key").stat().st_mode) == 0o600
    again = run("csr", unit, "--key", tmp_path / "new.key", "-o", tmp_path / "csr.pem")
    assert again.code == 0
    assert load_pem_x509_csr((tmp_path / "csr.pem").read_bytes()).public_key() == request.public_key()


def test_a_unit_file_that_is_none(tmp_path):
    file = tmp_path / "unit.json"
    for content, says in [("{", "the file"), ('{"id": "X"}', "taxpayer"), (json.dumps({"id": "a b"}), "id")]:
        file.write_text(content)
        complaint(run("csr", file), says)
    assert list(tmp_path.glob("*.key*")) == []


# -- in processes of their own ---------------------------------------------------------------------------------


def test_exit_codes_and_streams_of_the_real_process(tmp_path, bad):
    doctype = tmp_path / "doctype.xml"
    doctype.write_bytes(b"<!DOCTYPE Invoice><Invoice/>")
    assert run_process("validate", "--json", "-", stdin=GOOD.read_bytes())[0::2] == (0, "")
    assert run_process("validate", bad).code == 1
    complaint(run_process("hash", doctype), "DOCTYPE")


def test_a_reader_that_goes_away_is_no_traceback():
    command = [
        sys.executable,
        "-m",
        "gateway",
        "validate",
        "--json",
        *[str(golden(name)) for name in ("summary", "export")] * 30,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read().decode()
        process.wait(60)
    assert "Traceback" not in error
