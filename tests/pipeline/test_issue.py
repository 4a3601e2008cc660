"""One order, one document: what is refused consumes nothing, and the same sale never has two."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from lxml import etree

from gateway import rules, ubl
from gateway.chain import FIRST_PIH, Link, walk
from gateway.csid import read_certificate
from gateway.errors import BadInput, Conflict, DoesNotClose, NotCompliant, Unavailable, Unknown
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.order import read_order
from gateway.pipeline import issue as procedure
from gateway.pipeline import proof
from gateway.pipeline.connect import register
from gateway.pipeline.issue import Request
from gateway.pipeline.preview import judged
from gateway.rules import Report
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT, order

NAMELESS_SUMMARY = {"flags": ["summary"]}
"""What makes an order break a rule: a summary has to name its buyer."""
BROKEN = "BR-KSA-71"


def test_an_order_becomes_a_document_that_holds_by_itself(site):
    issued = site.issue(1, buyer=BUSINESS)
    xml = site.ledger.stamped_xml(OWNER, issued.uuid)
    certificate = read_certificate(site.ledger.current_csid(OWNER, UNIT.id).certificate.encode())
    report = rules.check(xml, now=site.clock(), certificate=certificate, pih=FIRST_PIH)
    assert (report.xsd, report.findings) == ((), ())
    content = ubl.read(xml)
    assert content.link == Link(1, FIRST_PIH)
    assert content.heading == ubl.Heading(issued.number, issued.uuid, issued.issued_at)
    assert (content.invoice.profile, content.invoice.seller) == (Profile.STANDARD, UNIT.seller)
    assert issued.issued_at == site.clock().replace(microsecond=0)
    assert (issued.status, issued.number, str(issued.total), str(issued.vat)) == (
        Status.ISSUED,
        "RUH1-000001",
        "115.00",
        "15.00",
    )


def test_the_chain_goes_from_document_to_document(site):
    issued = [site.issue(number) for number in range(1, 6)]
    assert [each.icv for each in issued] == [1, 2, 3, 4, 5]
    assert site.head() == Link(6, issued[-1].hash)
    chain = site.ledger.chain(OWNER, UNIT.id)
    assert list(walk(site.ledger.chain_links(OWNER, chain.id))) == []


def test_the_same_order_again_is_the_same_document(site):
    first = site.issue(1)
    paid_since = order(1, version="later", payments=[{"method": "cash", "amount": "115.00"}])
    again = procedure.issue(site.gateway, Request(OWNER, "tests", read_order(paid_since)))
    assert (again.created, again.issued) == (False, first)
    assert site.head().icv == 2


def test_an_order_that_changed_after_its_document_is_refused(site):
    first = site.issue(1)
    with pytest.raises(Conflict, match=first.number):
        site.issue(1, note="changed")
    assert site.head().icv == 2


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"declared": {"grand": "120.00"}}, DoesNotClose, "120.00"),
        ({"reductions": [{"amount": "116.00"}]}, BadInput, ""),
        ({"connection": "nobody"}, Unknown, "nobody"),
        ({"unit": "JED1"}, Unknown, "JED1"),
    ],
    ids=["total", "below zero", "connection", "unit"],
)
def test_what_is_refused_consumes_nothing(site, more, error, says):
    before = site.head()
    with pytest.raises(error) as refused:
        site.issue(1, **more)
    assert says in str(refused.value)
    assert refused.value.fix
    assert (site.head(), site.documents()) == (before, ())
    assert site.issue(2).number == "RUH1-000001"


def test_the_finished_bytes_are_judged_and_even_a_warning_stops_them(site, monkeypatch):
    judged = []

    def judge(root, **known):
        judged.append((etree.tostring(root), known["pih"]))
        return rules.judge(root, **known)

    monkeypatch.setattr(proof, "rules", SimpleNamespace(judge=judge))
    with pytest.raises(NotCompliant, match=BROKEN) as refused:
        site.issue(1, **NAMELESS_SUMMARY)
    assert [(each.rule, each.severity) for each in refused.value.findings] == [(BROKEN, Severity.WARNING)]
    assert (site.head(), site.documents()) == (Link(1, FIRST_PIH), ())
    assert b"<ds:SignatureValue>" in judged[0][0]
    assert judged[0][1] == FIRST_PIH
    assert site.issue(1).number == "RUH1-000001"


def test_a_breach_of_the_schema_would_stop_a_document(site, monkeypatch):
    nothing = Text("x", "x")
    finding = Finding("XSD_ZATCA_INVALID", Severity.ERROR, RuleSet.XSD, "/Invoice", "", nothing, nothing)
    monkeypatch.setattr(proof.rules, "judge", lambda *_, **__: Report("R3.4.8", xsd=(finding,)))
    with pytest.raises(NotCompliant, match="XSD_ZATCA_INVALID"):
        site.issue(1)
    assert site.head() == Link(1, FIRST_PIH)


def test_lateness_does_not_stop_a_document(site, monkeypatch):
    nothing = Text("x", "x")
    late = Finding("BR-KSA-98", Severity.WARNING, RuleSet.KSA, "/Invoice", "", nothing, nothing)
    monkeypatch.setattr(proof.rules, "judge", lambda *_, **__: Report("R3.4.8", findings=(late,)))
    issued = site.issue(1)
    assert (issued.icv, issued.allowed) == (1, ())


def test_a_document_that_says_something_else_than_was_meant_never_leaves(site, monkeypatch):
    render = ubl.render
    monkeypatch.setattr(
        procedure.ubl, "render", lambda invoice, *rest: render(replace(invoice, note="not meant"), *rest)
    )
    with pytest.raises(AssertionError, match="read back"):
        site.issue(1)
    assert site.head() == Link(1, FIRST_PIH)


def test_a_key_that_is_not_the_certificates_is_noticed_before_anything_is_stored(site, monkeypatch):
    other = site.gateway.stamper.create(f"{OWNER}/other")
    assert other
    sign = site.gateway.stamper.sign
    monkeypatch.setattr(site.gateway.stamper, "sign", lambda _, message: sign(f"{OWNER}/other", message))
    with pytest.raises((NotCompliant, AssertionError)):
        site.issue(1)
    assert site.head() == Link(1, FIRST_PIH)


def test_a_unit_that_is_not_onboarded_issues_nothing(site):
    register(site.gateway, replace(UNIT, id="JED1", number_prefix="JED1-"), actor="tests")
    with pytest.raises(Unavailable, match="JED1") as refused:
        site.issue(1, unit="JED1")
    assert "onboard" in refused.value.fix.lower()
    assert site.issue(1).icv == 1


def test_an_expired_certificate_issues_nothing(site):
    end = site.ledger.current_csid(OWNER, UNIT.id).not_after
    site.clock.move(end - site.clock() + timedelta(seconds=1))
    with pytest.raises(Unavailable, match="valid only"):
        site.issue(1)
    site.clock.move(timedelta(seconds=-2))
    assert site.issue(1).icv == 1


def test_an_order_may_name_its_unit_only_within_its_taxpayer(site):
    abroad = replace(UNIT, id="DMM1", taxpayer_id="310122393500003", number_prefix="DMM1-")
    register(site.gateway, abroad, actor="tests")
    with pytest.raises(Unknown, match="DMM1"):
        site.issue(1, unit="DMM1")
    with pytest.raises(Unknown, match=CONNECTION):
        procedure.issue(site.gateway, Request("310122393500003", "tests", read_order(order(1))))


def test_a_preview_shows_the_findings_and_consumes_nothing(site):
    sold = order(1, **NAMELESS_SUMMARY, lines=[order(1)["lines"][0] | {"name": "تي"}])
    invoice = procedure.invoice_of(read_order(sold), UNIT.seller)
    body, report = shown(site, invoice)
    assert ubl.read(body).invoice == invoice
    assert {finding.rule: finding.order_field for finding in report.findings} == {
        "BR-KSA-F-06-C19": "lines[0].name",
        BROKEN: "buyer.name",
    }
    assert (site.head(), site.documents()) == (Link(1, FIRST_PIH), ())


@pytest.mark.parametrize("buyer", [{}, BUSINESS], ids=["simplified", "standard"])
def test_a_preview_of_a_good_order_finds_nothing_though_it_has_no_stamp(site, buyer):
    _, report = shown(site, procedure.invoice_of(read_order(order(1, buyer=buyer)), UNIT.seller))
    assert (report.xsd, report.findings) == ((), ())


def shown(site, invoice):
    return judged(invoice, number="X-1", link=site.head(), now=site.clock())
