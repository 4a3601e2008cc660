"""The PDF, its looks and links from a shell."""

from gateway.looks import Looks
from gateway.pdf import render
from tests.commands.conftest import complaint, golden, run
from tests.installation import OWNER, UNIT
from tests.pdf.reading import opened
from tests.test_looks import png


def issued(written):
    (document,) = run("issue", written(), "--json").rows
    return document


def test_the_pdf_of_a_document(installed, written, tmp_path):
    document = issued(written)
    ended = run("pdf", document["number"], "-o", "a.pdf")
    assert ended.code == 0, ended
    assert (
        run("pdf", f"{document['order']['connection']}/{document['order']['id']}", "-o", "-").raw
        == (tmp_path / "a.pdf").read_bytes()
    )
    named = run("pdf", document["uuid"]).out.split(":")[0]
    assert named.startswith(f"{OWNER}_")
    assert (tmp_path / named).read_bytes() == (tmp_path / "a.pdf").read_bytes()
    complaint(run("pdf", "nobodys"), "There is no document nobodys")


def test_any_xml_can_be_printed(tmp_path):
    assert run("pdf", golden("summary"), "-o", "b.pdf").code == 0
    with opened((tmp_path / "b.pdf").read_bytes()) as document:
        assert document.Root.AF[0].EF.F.read_bytes() == golden("summary").read_bytes()
    (tmp_path / "no.xml").write_bytes(b"<a/>")
    complaint(run("pdf", "no.xml"), "not a UBL invoice")
    complaint(run("pdf", "missing.xml"), "cannot be read")


def test_looks_are_set_shown_and_taken_back(installed, written, tmp_path):
    document = issued(written)
    (tmp_path / "logo.png").write_bytes(png())
    ended = run("looks", "set", "--logo", "logo.png", "--colour", "#AA0000", "--footer", "شكرًا لكم")
    assert "colour  #aa0000" in ended.out
    printed = run("pdf", document["number"], "-o", "-").raw
    with opened(printed) as pages:
        assert printed != render(pages.Root.AF[0].EF.F.read_bytes())
    run("looks", "set", "--unit", UNIT.id, "--logo", "none", "--accent", "#00aa00")
    assert run("looks", "show", "--unit", UNIT.id).out.splitlines() == [
        "colour  #aa0000", "accent  #00aa00", "logo    none", "footer  شكرًا لكم",
    ]  # fmt: skip
    assert run("looks", "clear", "--unit", UNIT.id).code == 0
    assert "logo    yes" in run("looks", "show", "--unit", UNIT.id).out
    assert run("looks", "clear").code == 0
    assert f"colour  {Looks().colour}" in run("looks", "show").out
    assert run("pdf", document["number"], "-o", "-").raw == printed, "what was given out stays as it is"
    complaint(run("looks", "set", "--colour", "red"), "no colour")
    complaint(run("looks", "set", "--logo", "missing.png"), "cannot be read")
    (tmp_path / "flat.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="0" height="5"/>')
    complaint(run("looks", "set", "--logo", "flat.svg"), "cannot be drawn")
    complaint(run("looks", "set", "--unit", "nobodys", "--footer", "x"), "nobodys")


def test_links_are_made_and_taken_back(installed, written):
    document = issued(written)
    ended = run("links", "make", document["number"], "--file", "xml", "--days", "30")
    assert ended.out.startswith("http://127.0.0.1:8000/v1/shared/")
    assert "Works until" in ended.err
    (made,) = run("links", "make", document["uuid"], "--json").rows
    assert made["url"].endswith(f"/{document['uuid']}.pdf")
    complaint(run("links", "make", document["number"], "--days", "400"), "1 to 366 days")
    assert run("links", "revoke").code == 0
    assert f"/{OWNER}.2." in run("links", "make", document["number"]).out
