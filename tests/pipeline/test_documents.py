"""What an ERP writes itself goes the way of any other document: once, linked, stamped, sent, and kept as it came."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from lxml import etree

from gateway import rules, ubl
from gateway.chain import FIRST_PIH, Link, walk
from gateway.connection import Connection
from gateway.csid import read_certificate
from gateway.errors import BadInput, Conflict, NotCompliant, Unavailable, UnreadableXml, UnusableOrder
from gateway.invoice.period import read_period
from gateway.issued import Status
from gateway.order import read_addition, read_refund
from gateway.pdf import render
from gateway.pipeline.connect import add_connection
from gateway.pipeline.doctor.examination import Examination
from gateway.pipeline.documents import Handed, hand_in, judge
from gateway.pipeline.notes import NoteRequest, credit, debit
from gateway.pipeline.vat_report import Question, vat_report
from gateway.simulator import Fault
from tests.doctor.patient import HARMLESS
from tests.erp_documents import erp_document
from tests.installation import CONNECTION, OWNER, UNIT
from tests.pipeline.test_submit import REFUSAL
from tests.slow_signer import FarStamper, signer

UUID = "7b1fa2ea-5d0a-4d0c-9d57-3f1b0a4f1a11"


def handed(body, **more):
    return Handed(OWNER, "tests", CONNECTION, body, **more)


def hand(site, number="B-1", **more):
    options = {name: more.pop(name) for name in ("replaces", "idempotency_key") if name in more}
    return hand_in(site.gateway, handed(erp_document(number, site.clock(), **more), **options))


def texts(root):
    """Tags and texts of a document, without what the gateway adds."""
    return [
        (each.tag, (each.text or "").strip(), dict(each.attrib))
        for each in root.iter(etree.Element)
        if not any(
            "UBLExtensions" in str(up.tag) or up.tag.endswith("}Signature") for up in (each, *each.iterancestors())
        )
    ]


def test_what_the_erp_wrote_is_stamped_as_it_is_and_holds_by_itself(site):
    body = erp_document("B-1", site.clock(), business=True)
    issued = hand_in(site.gateway, handed(body)).issued
    xml = site.ledger.stamped_xml(OWNER, issued.uuid)
    certificate = read_certificate(site.ledger.current_csid(OWNER, UNIT.id).certificate.encode())
    report = rules.check(xml, now=site.clock(), certificate=certificate, pih=FIRST_PIH)
    assert (report.xsd, report.findings) == ((), ())
    content = ubl.read(xml)
    assert content.link == Link(1, FIRST_PIH)
    assert (content.heading.number, issued.number, content.heading.uuid) == ("B-1", "B-1", issued.uuid)
    assert (issued.total, issued.vat) == (Decimal("115.00"), Decimal("15.00"))
    ours = texts(etree.fromstring(xml))
    assert [each for each in texts(etree.fromstring(body)) if each not in ours] == []
    snapshot = json.loads(site.ledger.snapshot(OWNER, issued.uuid).order_json)
    assert base64.b64decode(snapshot["document"]) == body


def test_it_is_reported_or_cleared_and_keeps_the_chain(site):
    made = [site.issue(1), hand(site).issued, hand(site, "B-2", business=True).issued, site.issue(2)]
    site.work()
    assert [site.now(each).status.value for each in made] == ["reported", "reported", "cleared", "reported"]
    chain = site.ledger.chain(OWNER, UNIT.id)
    assert list(walk(site.ledger.chain_links(OWNER, chain.id))) == []


def test_the_same_again_is_the_same_and_another_under_its_number_is_refused(site):
    first = hand(site)
    body = erp_document("B-1", site.clock())
    again = hand_in(site.gateway, handed(body.replace(b"<b:ID>B-1", b"<!-- sent twice --><b:ID >B-1")))
    assert (first.created, again.created, again.issued.uuid) == (True, False, first.issued.uuid)
    site.clock.move(timedelta(days=3))  # long after it could be issued anew
    assert hand_in(site.gateway, handed(body)).issued.uuid == first.issued.uuid
    head = site.head()
    with pytest.raises(Conflict):
        hand(site)  # the moment is another one
    with pytest.raises(Conflict):
        hand_in(site.gateway, handed(body, idempotency_key="k")) and hand(site, "B-2", idempotency_key="k")
    assert site.head() == head


def test_the_uuid_is_the_erps_if_it_gives_one_and_nobody_elses(site):
    given = f"\n  <b:UUID>{UUID}</b:UUID>"
    assert hand(site, uuid=given).issued.uuid == UUID
    with pytest.raises(Conflict, match="used before"):
        hand(site, "B-2", uuid=given)
    with pytest.raises(UnusableOrder, match="KSA-1"):
        hand(site, "B-3", uuid="\n  <b:UUID>7</b:UUID>")


PLACEHOLDERS = """
  <c:AdditionalDocumentReference><b:ID>ICV</b:ID><b:UUID>900</b:UUID></c:AdditionalDocumentReference>
  <c:AdditionalDocumentReference><b:ID>QR</b:ID></c:AdditionalDocumentReference>
  <c:Signature><b:ID>x</b:ID></c:Signature>"""


def test_placeholders_for_what_is_the_gateways_are_not_taken_over(site):
    xml = site.ledger.stamped_xml(OWNER, hand(site, references=PLACEHOLDERS).issued.uuid)
    assert xml.count(b">ICV<") == xml.count(b">QR<") == xml.count(b">PIH<") == 1
    assert b">900<" not in xml


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"vat": "310122393500003"}, UnusableOrder, "The seller"),
        ({"tax": "15.01", "gross": "115.01"}, BadInput, "."),
        ({"gross": "115.10"}, NotCompliant, "BR-"),
        ({"number": ""}, UnusableOrder, "BT-1"),
        ({"number": "x" * 128}, UnusableOrder, "BT-1"),
        ({"code": "0100000"}, NotCompliant, "BR-KSA-"),
        ({"ago": timedelta(hours=25)}, UnusableOrder, "24 hours"),
        ({"ago": timedelta(hours=-1)}, BadInput, "."),
        ({"ago": timedelta(seconds=-30)}, Unavailable, "seconds"),
        ({"kind": "999"}, BadInput, "."),
    ],
)
def test_what_is_refused_has_consumed_nothing(site, more, error, says):
    head, number = site.head(), more.pop("number", "B-1")
    site.clock.move(timedelta(hours=12) - (site.clock() - site.clock().replace(hour=0, minute=0, second=0)))
    with pytest.raises(error, match=says) as refused:
        hand(site, number, **more)
    assert refused.value.ar or isinstance(refused.value, UnreadableXml)
    assert (site.head(), site.documents()) == (head, ())
    assert hand(site).created


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.replace(b"<u:Invoice", b'<!DOCTYPE u [<!ENTITY e "x">]>\n<u:Invoice', 1),
        lambda body: body[:-20],
        lambda body: b"<order/>",
        lambda body: body.replace(b"30 days net", b"x" * 2_100_000),
    ],
)
def test_what_may_not_be_read_is_not_read(site, spoil):
    with pytest.raises((UnreadableXml, UnusableOrder)):
        hand_in(site.gateway, handed(spoil(erp_document("B-1", site.clock()))))
    assert site.documents() == ()


def test_a_stamped_document_is_nobodys_to_stamp_again(site):
    xml = site.ledger.stamped_xml(OWNER, hand(site).issued.uuid)
    with pytest.raises(UnusableOrder, match="stamped already"):
        hand_in(site.gateway, handed(xml))


@pytest.mark.parametrize(
    "part",
    [
        "<c:BillingReference><c:AdditionalDocumentReference><b:ID>QR</b:ID></c:AdditionalDocumentReference>"
        "</c:BillingReference>",
        "<c:Signature><b:ID>x</b:ID></c:Signature>",
    ],
)
def test_no_part_of_a_stamp_hides_where_no_stamp_is(site, part):
    hidden = erp_document("B-1", site.clock()).replace(b"<c:Delivery>", f"<c:Delivery>{part}".encode())
    with pytest.raises(UnusableOrder, match="part of a stamp"):
        hand_in(site.gateway, handed(hidden))
    assert site.documents() == ()


def test_a_dry_run_says_what_would_be_and_keeps_nothing(site):
    head = site.head()
    good = judge(site.gateway, handed(erp_document("B-1", site.clock())))
    bad = judge(site.gateway, handed(erp_document("B-1", site.clock(), code="0200001", business=True)))
    assert (good.findings, good.as_json()["totals"]["payable"]) == ((), "115.00")
    assert bad.findings
    assert (site.head(), site.documents()) == (head, ())


def test_a_rejected_one_is_replaced_under_its_number_and_moment(site):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    rejected = hand(site).issued
    site.work()
    assert site.now(rejected).status is Status.REJECTED
    site.clock.move(timedelta(days=2))
    with pytest.raises(UnusableOrder, match="keeps that moment"):
        hand(site, seller="Another Coffee", replaces=rejected.uuid)
    mended = hand(site, seller="Another Coffee", ago=timedelta(days=2), replaces=rejected.uuid).issued
    site.work()
    assert (mended.number, mended.replaces, site.now(rejected).status) == ("B-1", rejected.uuid, Status.REPLACED)
    assert site.now(mended).status is Status.REPORTED


def test_notes_of_both_sorts_and_never_more_than_is_left(site):
    invoice = hand(site, business=True).issued
    request = NoteRequest(OWNER, "tests", invoice.uuid)
    refund = {"id": "r1", "lines": [{"line": "10", "quantity": "1"}], "reason": {"code": "return"}}
    half = credit(site.gateway, request, read_refund(refund)).issued
    assert half.total == Decimal("57.50")
    line = {"id": "1", "name": "حليب", "quantity": "1", "unit_price": "10.00", "tax": {"category": "S", "rate": "15"}}
    added = debit(site.gateway, request, read_addition({"id": "a1", "lines": [line], "reason": {"code": "correction"}}))
    assert added.issued.total == Decimal("11.50")
    with pytest.raises(Conflict, match=r"57\.50 is left"):
        hand(site, "B-C1", business=True, corrects="B-1")
    note = hand(site, "B-C2", business=True, corrects="B-1", net="50.00", tax="7.50", gross="57.50", price="25.00")
    assert (note.issued.corrects, note.issued.order_id, note.issued.status) == (invoice.uuid, "B-1", Status.HELD)
    with pytest.raises(Conflict, match="handed in"):
        credit(site.gateway, request, read_refund({**refund, "id": "r2"}))
    site.work()
    assert site.now(note.issued).status is Status.CLEARED


def test_a_credit_note_comes_over_its_originals_connection(site):
    hand(site, "B-1", business=True)
    add_connection(site.gateway, Connection("erp-2", OWNER, UNIT.id, "api"), actor="tests")
    note = erp_document("B-C1", site.clock(), business=True, corrects="B-1")
    with pytest.raises(Conflict, match="over connection"):
        hand_in(site.gateway, replace(handed(note), connection_id="erp-2"))
    assert len(site.documents()) == 1


def test_a_note_on_an_orders_document_goes_its_own_way(site):
    site.issue(1)
    with pytest.raises(Conflict, match="cannot correct RUH1-000001"):
        hand(site, "B-C1", corrects="RUH1-000001")
    assert hand(site, "B-C1", corrects="OLD-7").issued.corrects is None  # from before the gateway


def test_pdf_vat_report_and_examination_take_it_as_any_other(site):
    issued = hand(site, business=True).issued
    hand(site, "B-2")
    site.work()
    assert render(site.ledger.xml(OWNER, issued.uuid)).startswith(b"%PDF")
    today = site.clock().date()
    period = read_period(f"{today - timedelta(days=1)}..{today + timedelta(days=1)}")
    report = vat_report(site.ledger, Question(OWNER, period), now=site.clock(), prove=True)
    assert report.agrees
    assert {key.box.value: str(sums.amount) for key, sums in report.tally.boxes.items()} == {"standard": "200.00"}
    examination = Examination(site.ledger, site.gateway.settings, now=site.clock)
    assert [each for each in examination.symptoms() if each.code not in HARMLESS] == []
    assert examination.documents == 2


def test_a_signer_that_is_slow_stamps_what_the_erp_wrote(site, installation, tmp_path):
    site.gateway = replace(site.gateway, stamper=FarStamper(site.gateway.stamper, tmp_path / "signer"))
    made = hand(site).issued
    assert made.status is Status.UNSTAMPED
    with signer(installation.settings, tmp_path / "signer", seconds=0.0):
        site.work()
    assert site.now(made).status is Status.REPORTED
    assert b"30 days net" in site.ledger.stamped_xml(OWNER, made.uuid)
