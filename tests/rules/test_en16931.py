"""Every rule of the EN 16931 part is broken once, in the smallest way, and reports the place where it was broken."""

from collections.abc import Callable
from datetime import datetime

import pytest

from gateway.finding import RuleSet, Severity
from gateway.rules import check
from gateway.rules.r3_4_8 import BOOK

WITH_SCHEMA = frozenset({RuleSet.XSD, RuleSet.EN16931})
RULES_ONLY = frozenset({RuleSet.EN16931})

# The 41 assertions that R3.4.8 grades as errors; BR-CO-12 stands for two under one id, so there are 40 ids.
ERRORS = """
    BR-03 BR-04 BR-05 BR-14 BR-15 BR-16 BR-22 BR-24 BR-26 BR-31 BR-32 BR-41 BR-45 BR-46 BR-47 BR-48 BR-54 BR-55
    BR-CL-01 BR-CL-03 BR-CL-04 BR-CL-05 BR-CL-18 BR-CO-04 BR-CO-11 BR-CO-12 BR-CO-14 BR-CO-15 BR-CO-18
    BR-E-05 BR-E-06 BR-E-07 BR-E-09 BR-KSA-F-06-C17 BR-O-09 BR-S-06 BR-Z-05 BR-Z-06 BR-Z-07 BR-Z-09
""".split()

I = "/ubl:Invoice"  # noqa: E741
ALLOWANCE, CHARGE = f"{I}/cac:AllowanceCharge[1]", f"{I}/cac:AllowanceCharge[2]"
TAX = f"{I}/cac:TaxTotal[2]"
STANDARD, ZERO, EXEMPT, OUT = (f"{TAX}/cac:TaxSubtotal[{n}]" for n in (1, 2, 3, 4))
TOTAL = f"{I}/cac:LegalMonetaryTotal"
LINE, ZERO_LINE, EXEMPT_LINE, OUT_LINE = (f"{I}/cac:InvoiceLine[{n}]" for n in (1, 2, 3, 4))
ITEM_CATEGORY = "cac:Item/cac:ClassifiedTaxCategory"
SELLER = f"{I}/cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity"


def move_vat_to(subtotal: str) -> tuple[tuple[str, ...], ...]:
    """One riyal of VAT wanders from the standard-rated group to another: the sums stay right."""
    return (("text", f"{STANDARD}/cbc:TaxAmount", "13.25"), ("text", f"{subtotal}/cbc:TaxAmount", "1.00"))


# id: edits, the place reported, and which other rules cannot but break along with it
VIOLATIONS: dict[str, tuple[tuple[tuple[str, ...], ...], str, set[str]]] = {
    "BR-04": ((("drop", f"{I}/cbc:InvoiceTypeCode"),), I, set()),
    "BR-05": ((("drop", f"{I}/cbc:DocumentCurrencyCode"),), I, set()),
    "BR-14": ((("drop", f"{TOTAL}/cbc:TaxInclusiveAmount"),), TOTAL, {"BR-CO-15"}),
    "BR-22": ((("text", f"{LINE}/cbc:InvoicedQuantity", "0"),), f"{LINE}/cbc:InvoicedQuantity", set()),
    "BR-26": ((("drop", f"{OUT_LINE}/cac:Price"),), OUT_LINE, set()),
    "BR-32": ((("drop", f"{ALLOWANCE}/cac:TaxCategory"),), ALLOWANCE, set()),
    "BR-45": ((("drop", f"{OUT}/cbc:TaxableAmount"),), OUT, set()),
    "BR-47": ((("drop", f"{STANDARD}/cac:TaxCategory/cbc:ID"),), f"{STANDARD}/cac:TaxCategory", set()),
    "BR-48": ((("drop", f"{STANDARD}/cac:TaxCategory/cbc:Percent"),), f"{STANDARD}/cac:TaxCategory", set()),
    "BR-54": (
        (("drop", f"{LINE}/cac:Item/cac:AdditionalItemProperty/cbc:Value"),),
        f"{LINE}/cac:Item/cac:AdditionalItemProperty",
        set(),
    ),
    "BR-55": (
        (("text", f"{I}/cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID", ""),),
        f"{I}/cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
        set(),
    ),
    "BR-CL-01": ((("text", f"{I}/cbc:InvoiceTypeCode", "999"),), f"{I}/cbc:InvoiceTypeCode", set()),
    "BR-CL-03": (
        (("set", f"{LINE}/cac:Price/cbc:PriceAmount", "currencyID", "sar"),),
        f"{LINE}/cac:Price/cbc:PriceAmount",
        set(),
    ),
    "BR-CL-04": ((("text", f"{I}/cbc:DocumentCurrencyCode", "SR"),), f"{I}/cbc:DocumentCurrencyCode", {"BR-CO-15"}),
    "BR-CL-05": ((("text", f"{I}/cbc:TaxCurrencyCode", "SR"),), f"{I}/cbc:TaxCurrencyCode", set()),
    "BR-CL-18": ((("text", f"{LINE}/{ITEM_CATEGORY}/cbc:ID", "X"),), f"{LINE}/{ITEM_CATEGORY}/cbc:ID", set()),
    "BR-CO-04": ((("text", f"{LINE}/{ITEM_CATEGORY}/cac:TaxScheme/cbc:ID", "GST"),), f"{LINE}/cac:Item", set()),
    "BR-CO-11": ((("text", f"{TOTAL}/cbc:AllowanceTotalAmount", "9.99"),), f"{TOTAL}/cbc:AllowanceTotalAmount", set()),
    "BR-CO-12": ((("text", f"{TOTAL}/cbc:ChargeTotalAmount", "4.99"),), f"{TOTAL}/cbc:ChargeTotalAmount", set()),
    "BR-CO-14": ((("text", f"{TAX}/cbc:TaxAmount", "14.26"),), f"{TAX}/cbc:TaxAmount", set()),
    "BR-CO-15": ((("text", f"{TOTAL}/cbc:TaxInclusiveAmount", "199.26"),), f"{TOTAL}/cbc:TaxInclusiveAmount", set()),
    "BR-CO-18": (
        (("drop", f"{TAX}/cac:TaxSubtotal"), ("text", f"{TOTAL}/cbc:TaxInclusiveAmount", "185.00")),
        I,
        set(),
    ),
    "BR-E-05": (
        (("text", f"{EXEMPT_LINE}/{ITEM_CATEGORY}/cbc:Percent", "5"),),
        f"{EXEMPT_LINE}/{ITEM_CATEGORY}/cbc:Percent",
        set(),
    ),
    "BR-E-06": (
        (("text", f"{ALLOWANCE}/cac:TaxCategory/cbc:ID", "E"),),
        f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent",
        set(),
    ),
    "BR-E-07": ((("text", f"{CHARGE}/cac:TaxCategory/cbc:ID", "E"),), f"{CHARGE}/cac:TaxCategory/cbc:Percent", set()),
    "BR-E-09": (move_vat_to(EXEMPT), f"{EXEMPT}/cbc:TaxAmount", set()),
    "BR-KSA-F-06-C10": ((("text", f"{SELLER}/cbc:RegistrationName", ""),), f"{SELLER}/cbc:RegistrationName", set()),
    "BR-KSA-F-06-C17": ((("text", f"{LINE}/cbc:ID", "1234567"),), f"{LINE}/cbc:ID", set()),
    "BR-O-09": (move_vat_to(OUT), f"{OUT}/cbc:TaxAmount", set()),
    "BR-S-06": (
        (("text", f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent", "0.00"),),
        f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent",
        set(),
    ),
    "BR-Z-05": (
        (("text", f"{ZERO_LINE}/{ITEM_CATEGORY}/cbc:Percent", "5"),),
        f"{ZERO_LINE}/{ITEM_CATEGORY}/cbc:Percent",
        set(),
    ),
    "BR-Z-06": (
        (("text", f"{ALLOWANCE}/cac:TaxCategory/cbc:ID", "Z"),),
        f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent",
        set(),
    ),
    "BR-Z-07": ((("text", f"{CHARGE}/cac:TaxCategory/cbc:ID", "Z"),), f"{CHARGE}/cac:TaxCategory/cbc:Percent", set()),
    "BR-Z-09": (move_vat_to(ZERO), f"{ZERO}/cbc:TaxAmount", set()),
}

# id: edits, place, companions, and why no document that keeps the schema can break the rule
UNREACHABLE: dict[str, tuple[tuple[tuple[str, ...], ...], str, set[str], str]] = {
    "BR-03": ((("drop", f"{I}/cbc:IssueDate"),), I, set(), "the schema wants an issue date, and a date is never empty"),
    "BR-15": ((("drop", f"{TOTAL}/cbc:PayableAmount"),), TOTAL, set(), "the schema wants an amount due"),
    "BR-16": ((("drop", f"{I}/cac:InvoiceLine"),), I, set(), "the schema wants at least one line"),
    "BR-24": ((("drop", f"{LINE}/cbc:LineExtensionAmount"),), LINE, set(), "the schema wants a net amount on a line"),
    "BR-31": ((("drop", f"{ALLOWANCE}/cbc:Amount"),), ALLOWANCE, {"BR-CO-11"}, "the schema wants its amount"),
    "BR-41": ((("drop", f"{LINE}/cac:AllowanceCharge/cbc:Amount"),), f"{LINE}/cac:AllowanceCharge", set(), "as BR-31"),
    "BR-46": ((("drop", f"{OUT}/cbc:TaxAmount"),), OUT, {"BR-O-09"}, "the schema wants the VAT of a group"),
}


def test_the_base_document_is_valid(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(), now=now, sets=WITH_SCHEMA)
    assert report.valid
    assert not report.findings
    assert not report.stopped


def test_the_book_holds_every_error_of_the_official_list() -> None:
    assert {rule.id for rule in BOOK.rules if rule.severity is Severity.ERROR} == set(ERRORS)
    assert len(ERRORS) == 40


def test_every_rule_is_broken_below_or_said_to_be_unreachable() -> None:
    assert {rule.id for rule in BOOK.rules} == VIOLATIONS.keys() | UNREACHABLE.keys()
    assert not VIOLATIONS.keys() & UNREACHABLE.keys()


@pytest.mark.parametrize("rule_id", VIOLATIONS)
def test_a_violation_is_found_where_it_is(rule_id: str, edited: Callable[..., bytes], now: datetime) -> None:
    edits, place, companions = VIOLATIONS[rule_id]
    report = check(edited(*edits), now=now, sets=WITH_SCHEMA)
    assert not report.xsd
    assert not report.stopped
    assert {finding.rule for finding in report.findings} == {rule_id} | companions
    assert [finding.path for finding in report.findings if finding.rule == rule_id] == [place]


@pytest.mark.parametrize("rule_id", UNREACHABLE)
def test_an_unreachable_rule_is_kept_from_breaking_by_the_schema(
    rule_id: str, edited: Callable[..., bytes], now: datetime
) -> None:
    edits, place, companions, reason = UNREACHABLE[rule_id]
    xml = edited(*edits)
    assert reason
    assert check(xml, now=now, sets=WITH_SCHEMA).xsd
    report = check(xml, now=now, sets=RULES_ONLY)
    assert {finding.rule for finding in report.findings} == {rule_id} | companions
    assert [finding.path for finding in report.findings if finding.rule == rule_id] == [place]


def test_a_second_legal_name_of_the_seller_stops_the_set(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(("repeat", SELLER)), now=now, sets=WITH_SCHEMA)
    assert report.stopped == (RuleSet.EN16931,)
    assert report.valid


def test_findings_of_a_stopped_set_still_stand(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(("repeat", SELLER), ("text", f"{LINE}/cbc:ID", "")), now=now, sets=WITH_SCHEMA)
    assert report.stopped == (RuleSet.EN16931,)
    assert [finding.rule for finding in report.findings] == ["BR-KSA-F-06-C17"]


@pytest.mark.parametrize(
    ("rule_id", "edits", "holds"),
    [
        ("BR-22", (("text", f"{LINE}/cbc:InvoicedQuantity", "0.0"),), True),
        ("BR-04", (("text", f"{I}/cbc:InvoiceTypeCode", " "),), True),
        ("BR-CO-04", (("text", f"{LINE}/{ITEM_CATEGORY}/cac:TaxScheme/cbc:ID", " vat\n"),), True),
        ("BR-CO-04", (("text", f"{LINE}/{ITEM_CATEGORY}/cac:TaxScheme/cbc:ID", "VAT\u00a0"),), False),
        ("BR-S-06", (("text", f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent", "-15"),), False),
        # any zero rate excuses every charge
        (
            "BR-Z-07",
            (
                ("text", f"{CHARGE}/cac:TaxCategory/cbc:ID", "Z"),
                ("text", f"{ALLOWANCE}/cac:TaxCategory/cbc:Percent", "0"),
            ),
            True,
        ),
        (
            "BR-Z-07",
            (
                ("text", f"{CHARGE}/cac:TaxCategory/cbc:ID", "Z"),
                ("text", f"{CHARGE}/cac:TaxCategory/cbc:Percent", "-0.00"),
            ),
            False,
        ),
        ("BR-CO-11", (("text", f"{ALLOWANCE}/cbc:Amount", "9.995"),), True),
        ("BR-CO-11", (("text", f"{ALLOWANCE}/cbc:Amount", "9.994"),), False),
        ("BR-CO-12", (("text", f"{TOTAL}/cbc:ChargeTotalAmount", "+5"),), True),
        ("BR-CL-03", (("set", f"{LINE}/cbc:LineExtensionAmount", "currencyID", ""),), True),
        ("BR-CL-04", (("text", f"{I}/cbc:DocumentCurrencyCode", " SAR "),), True),
        ("BR-CL-18", (("text", f"{OUT_LINE}/{ITEM_CATEGORY}/cbc:ID", "AE"),), True),
        ("BR-CL-18", (("text", f"{OUT_LINE}/{ITEM_CATEGORY}/cbc:ID", ""),), False),
        ("BR-KSA-F-06-C17", (("text", f"{LINE}/cbc:ID", "١٢٣٤٥٦"),), True),
    ],
)
def test_quirks_of_the_official_conditions(
    rule_id: str, edits: tuple[tuple[str, ...], ...], holds: bool, edited: Callable[..., bytes], now: datetime
) -> None:
    report = check(edited(*edits), now=now, sets=WITH_SCHEMA)
    assert not report.xsd
    assert (rule_id not in {finding.rule for finding in report.findings}) is holds


def test_bare_contexts_match_anywhere_and_absolute_ones_do_not(edited: Callable[..., bytes], now: datetime) -> None:
    stray = (
        "<cac:Attachment><cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator>"
        '<cbc:Amount currencyID="zz">1</cbc:Amount><cac:TaxCategory><cbc:ID>E</cbc:ID><cbc:Percent>5</cbc:Percent>'
        "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory></cac:AllowanceCharge></cac:Attachment>"
    )
    report = check(edited(("after", f"{I}/cbc:ID", stray)), now=now, sets=RULES_ONLY)
    assert {finding.rule for finding in report.findings} == {"BR-E-06", "BR-CL-03"}


def test_sentences_name_the_value_and_what_it_should_be(edited: Callable[..., bytes], now: datetime) -> None:
    xml = edited(("text", f"{TOTAL}/cbc:AllowanceTotalAmount", "9.99"))
    (finding,) = check(xml, now=now, sets=WITH_SCHEMA).findings
    for sentence in finding.message:
        assert "9.99" in sentence
        assert "10.00" in sentence
