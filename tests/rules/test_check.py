"""The stages together: their order, the shape of the answer, and that nothing unexpected comes out."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.errors import UnreadableXml
from gateway.finding import RuleSet
from gateway.rules import Report, check
from gateway.xml import NAMESPACES, parse

SETS = frozenset({RuleSet.XSD, RuleSet.EN16931})
I = "/ubl:Invoice"  # noqa: E741
AWKWARD = st.sampled_from(
    ["", " ", "0", "-0", "-0.00", "1e3", "NaN", "é", "S", "VAT", "true", "9" * 400, "\u00a0", "(", "2026-13-01"]
)


def test_a_document_that_breaks_the_schema_is_judged_no_further(edited: Callable[..., bytes], now: datetime) -> None:
    xml = edited(("text", f"{I}/cbc:IssueDate", "x"), ("drop", f"{I}/cbc:InvoiceTypeCode"))
    report = check(xml, now=now, sets=SETS)
    assert report.xsd
    assert not report.findings
    assert not report.valid


def test_only_the_sets_asked_for_speak(edited: Callable[..., bytes], now: datetime) -> None:
    xml = edited(("drop", f"{I}/cbc:InvoiceTypeCode"))
    assert check(xml, now=now, sets=frozenset({RuleSet.XSD})) == Report("R3.4.8")
    assert check(xml, now=now, sets=frozenset()) == Report("R3.4.8")
    assert not check(xml, now=now, sets=frozenset({RuleSet.EN16931})).valid


def test_warnings_leave_a_document_valid(edited: Callable[..., bytes], now: datetime) -> None:
    seller = f"{I}/cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName"
    report = check(edited(("text", seller, "")), now=now, sets=SETS)
    assert report.findings
    assert report.valid


def test_a_rule_is_listed_once_a_place(edited: Callable[..., bytes], now: datetime) -> None:
    xml = edited(("text", f"{I}/cac:InvoiceLine/cbc:ID", "1234567"))
    report = check(xml, now=now, sets=SETS)
    assert [(finding.rule, finding.path) for finding in report.findings] == [
        ("BR-KSA-F-06-C17", f"{I}/cac:InvoiceLine[{n}]/cbc:ID") for n in (1, 2, 3, 4)
    ]


def test_the_json_has_the_published_shape(edited: Callable[..., bytes], now: datetime) -> None:
    broken = check(edited(("text", f"{I}/cbc:TaxCurrencyCode", "SR")), now=now, sets=SETS).as_json("a.xml")
    assert json.loads(json.dumps(broken)) == broken
    assert list(broken) == ["file", "valid", "xsd", "findings", "stopped", "rules"]
    assert broken["file"] == "a.xml"
    assert broken["valid"] is False
    assert broken["xsd"] == {"valid": True, "errors": []}
    finding = next(each for each in _findings(broken) if each["rule"] == "BR-CL-05")
    assert list(finding) == ["rule", "severity", "set", "path", "term", "message", "fix"]
    assert finding["rule"] == "BR-CL-05"
    assert finding["severity"] == "error"
    assert finding["set"] == "EN16931"
    assert finding["term"] == "BT-6"
    assert list(finding["message"]) == list(finding["fix"]) == ["en", "ar"]


def test_the_json_of_a_breach_of_the_schema(edited: Callable[..., bytes], now: datetime) -> None:
    broken = check(edited(("drop", f"{I}/cbc:IssueDate")), now=now, sets=SETS).as_json("b.xml")
    (finding,) = _findings(broken)
    assert finding["set"] == "XSD"
    assert finding["rule"] == "XSD_ZATCA_INVALID"
    assert broken["xsd"] == {"valid": False, "errors": [finding["message"]["en"]]}


@pytest.mark.parametrize(
    "xml", [b"", b"<a>", b"\xff\xfe", b"<!DOCTYPE a><a/>", b"<a>&nbsp;</a>", b"<a/>" + b" " * 2_000_001]
)
def test_what_cannot_be_read_is_an_exception(xml: bytes, now: datetime) -> None:
    with pytest.raises(UnreadableXml):
        check(xml, now=now, sets=SETS)


def test_a_moment_without_a_zone_is_our_own_mistake(edited: Callable[..., bytes], now: datetime) -> None:
    with pytest.raises(AssertionError):
        check(edited(), now=now.replace(tzinfo=None), sets=SETS)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutated_documents_never_raise(data: st.DataObject, edited: Callable[..., bytes], now: datetime) -> None:
    root = parse(edited())
    for _ in range(data.draw(st.integers(1, 4))):
        _mutate(root, data)
    xml = bytes(etree.tostring(root))
    for sets in (SETS, frozenset({RuleSet.EN16931})):
        report = check(xml, now=now, sets=sets)
        assert report == check(xml, now=now, sets=sets)
        for finding in (*report.xsd, *report.findings):
            assert root.xpath(finding.path, namespaces=NAMESPACES) or finding.set is RuleSet.XSD


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_unreadable_or_judged(
    data: st.DataObject, edited: Callable[..., bytes], now: datetime
) -> None:
    xml = bytearray(edited())
    for _ in range(data.draw(st.integers(1, 5))):
        xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(0, 255))
    try:
        report = check(bytes(xml), now=now, sets=SETS)
    except UnreadableXml:
        return
    assert isinstance(report, Report)


def _mutate(root: Any, data: st.DataObject) -> None:
    elements = list(root.iter("*"))[1:]
    if not elements:
        return
    element = data.draw(st.sampled_from(elements))
    match data.draw(st.sampled_from(["drop", "text", "repeat", "attribute", "comment", "move"])):
        case "drop":
            element.getparent().remove(element)
        case "text":
            element.text = data.draw(AWKWARD)
        case "repeat":
            element.addnext(etree.fromstring(etree.tostring(element, with_tail=False)))
        case "attribute":
            element.set(data.draw(st.sampled_from(["currencyID", "name", "x"])), data.draw(AWKWARD))
        case "comment":
            element.insert(0, etree.Comment("c"))
        case _:
            root.append(element)


def _findings(report: dict[str, object]) -> list[dict[str, Any]]:
    findings = report["findings"]
    assert isinstance(findings, list)
    return findings
