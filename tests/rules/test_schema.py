"""The schema stage: plain words, and the places where libxml2 has to be corrected."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.finding import RuleSet
from gateway.rules import schema
from gateway.rules.schema import CODE, MAX_FINDINGS
from gateway.xml import INVOICE, parse

I = "/ubl:Invoice"  # noqa: E741
ATTACHED = f"{I}/cac:AdditionalDocumentReference[2]/cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
PAYABLE = f"{I}/cac:LegalMonetaryTotal/cbc:PayableAmount"

BROKEN = {
    "unexpected": (("repeat", f"{I}/cbc:ProfileID"), f"{I}/cbc:ProfileID[2]", ["cbc:ProfileID", "cbc:ID"]),
    "missing": (("drop", PAYABLE), f"{I}/cac:LegalMonetaryTotal", ["cac:LegalMonetaryTotal", "cbc:PayableAmount"]),
    "number": (("text", PAYABLE, "1,000.00"), PAYABLE, ["cbc:PayableAmount", "1,000.00", "115.00"]),
    "empty": (("text", PAYABLE, " "), PAYABLE, ["cbc:PayableAmount"]),
    "date": (("text", f"{I}/cbc:IssueDate", "23.11.2026"), f"{I}/cbc:IssueDate", ["23.11.2026", "2026-11-23"]),
    "time": (("text", f"{I}/cbc:IssueTime", "25:00:00"), f"{I}/cbc:IssueTime", ["25:00:00", "14:30:00"]),
    "boolean": (
        ("text", f"{I}/cac:AllowanceCharge[1]/cbc:ChargeIndicator", "no"),
        f"{I}/cac:AllowanceCharge[1]/cbc:ChargeIndicator",
        ["false"],
    ),
    "attribute missing": (("unset", PAYABLE, "currencyID"), PAYABLE, ["cbc:PayableAmount", "currencyID"]),
    "attribute unexpected": (("set", f"{I}/cbc:IssueDate", "zone", "x"), f"{I}/cbc:IssueDate", ["zone"]),
    "attribute value": (("set", f"{I}/cbc:ID", "schemeURI", "::"), f"{I}/cbc:ID", ["schemeURI"]),
    "loose text": (
        ("text", f"{I}/cac:LegalMonetaryTotal", "x"),
        f"{I}/cac:LegalMonetaryTotal",
        ["cac:LegalMonetaryTotal"],
    ),
    "base64, alphabet": (("text", ATTACHED, "فاتورة"), ATTACHED, ["base64"]),
    "base64, length": (("text", ATTACHED, "AAAAA"), ATTACHED, ["base64"]),
    "base64, stray bits": (("text", ATTACHED, "AB=="), ATTACHED, ["base64"]),
    "base64, no-break space": (("text", ATTACHED, "AA\u00a0AA"), ATTACHED, ["base64"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_breach_is_told_in_plain_words(name: str, edited: Callable[..., bytes]) -> None:
    edit, path, words = BROKEN[name]
    (finding,) = schema.findings(parse(edited(edit)))
    assert (finding.rule, finding.set, finding.path) == (CODE, RuleSet.XSD, path)
    assert finding.is_error
    for sentence in finding.message:
        assert "urn:" not in sentence
        assert "{" not in sentence
        assert all(word in sentence for word in words if word != "base64" or sentence is finding.message.en)
    assert finding.fix.en
    assert finding.fix.ar


def test_the_line_is_named(edited: Callable[..., bytes]) -> None:
    xml = edited(("text", f"{I}/cbc:IssueDate", "x"))
    line = 1 + xml[: xml.index(b"<cbc:IssueDate>")].count(b"\n")
    (finding,) = schema.findings(parse(xml))
    assert all(str(line) in sentence for sentence in finding.message)


@pytest.mark.parametrize(
    "edit",
    [
        ("text", f"{I}/cbc:IssueDate", "\n 2026-11-20 "),
        ("text", f"{I}/cbc:IssueTime", " 09:30:00"),
        ("text", PAYABLE, " +199.25 "),
        ("text", PAYABLE, "0" * 400 + "1"),
        ("text", ATTACHED, " AAAA\n AA = = "),
        ("text", ATTACHED, " "),
        ("text", f"{I}/cac:AllowanceCharge[1]/cbc:ChargeIndicator", " 0 "),
    ],
)
def test_what_the_types_allow_passes(edit: tuple[str, ...], edited: Callable[..., bytes]) -> None:
    assert schema.findings(parse(edited(edit))) == ()


def test_padding_does_not_hide_another_breach(edited: Callable[..., bytes]) -> None:
    root = parse(edited(("text", f"{I}/cbc:IssueDate", " 2026-02-30 "), ("text", f"{I}/cbc:IssueTime", " 09:30:00 ")))
    assert [finding.path for finding in schema.findings(root)] == [f"{I}/cbc:IssueDate"]
    assert root.findtext("{*}IssueTime") == " 09:30:00 ", "the tree itself is left alone"


@pytest.mark.parametrize(
    "xml",
    [
        b"<html/>",
        b"<Invoice/>",
        b'<CreditNote xmlns="urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"/>',
        b'<cbc:ID xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"/>',
    ],
)
def test_another_kind_of_document_is_one_finding(xml: bytes) -> None:
    (finding,) = schema.findings(parse(xml))
    assert finding.rule == CODE
    assert finding.path.count("/") == 1


def test_foreign_prefixes_and_names_are_followed() -> None:
    xml = f'<q:Invoice xmlns:q="{INVOICE}"><q:Thing xmlns:q="urn:x"/></q:Invoice>'.encode()
    (finding,) = schema.findings(parse(xml))
    assert finding.path == "/ubl:Invoice/Thing"


def test_the_number_of_findings_is_limited(edited: Callable[..., bytes]) -> None:
    root = parse(
        edited(
            *[("repeat", f"{I}/cac:InvoiceLine[1]")] * 150, ("text", f"{I}/cac:InvoiceLine/cbc:InvoicedQuantity", "x")
        )
    )
    assert len(schema.findings(root)) == MAX_FINDINGS


def test_threads_do_not_see_one_anothers_errors(edited: Callable[..., bytes]) -> None:
    documents = [edited(), edited(("text", PAYABLE, "x")), edited(("text", f"{I}/cbc:IssueDate", "y"))] * 20
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda xml: [each.path for each in schema.findings(parse(xml))], documents))
    assert paths == [[], [PAYABLE], [f"{I}/cbc:IssueDate"]] * 20
