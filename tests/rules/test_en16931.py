"""Quirks of the official conditions in the EN 16931 part. Every rule is broken once in test_violations."""

from collections.abc import Callable
from datetime import datetime

import pytest

from gateway.finding import RuleSet
from gateway.rules import check

WITH_SCHEMA = frozenset({RuleSet.XSD, RuleSet.EN16931})
RULES_ONLY = frozenset({RuleSet.EN16931})

I = "/ubl:Invoice"  # noqa: E741
ALLOWANCE, CHARGE = f"{I}/cac:AllowanceCharge[1]", f"{I}/cac:AllowanceCharge[2]"
TAX = f"{I}/cac:TaxTotal[2]"
STANDARD, ZERO, EXEMPT, OUT = (f"{TAX}/cac:TaxSubtotal[{n}]" for n in (1, 2, 3, 4))
TOTAL = f"{I}/cac:LegalMonetaryTotal"
LINE, ZERO_LINE, EXEMPT_LINE, OUT_LINE = (f"{I}/cac:InvoiceLine[{n}]" for n in (1, 2, 3, 4))
ITEM_CATEGORY = "cac:Item/cac:ClassifiedTaxCategory"
SELLER = f"{I}/cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity"


def test_the_base_document_is_valid(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(), now=now, sets=WITH_SCHEMA)
    assert report.valid
    assert not report.findings
    assert not report.stopped


def test_a_second_legal_name_of_the_seller_stops_the_set(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(("repeat", SELLER)), now=now, sets=WITH_SCHEMA)
    assert report.stopped == (RuleSet.EN16931,)
    assert report.valid


def test_findings_of_a_stopped_set_still_stand(edited: Callable[..., bytes], now: datetime) -> None:
    report = check(edited(("repeat", SELLER), ("text", f"{LINE}/cbc:ID", "")), now=now, sets=WITH_SCHEMA)
    assert report.stopped == (RuleSet.EN16931,)
    assert [finding.rule for finding in report.findings] == ["BR-KSA-F-06-C17", "BR-21"]


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
    finding = next(each for each in check(xml, now=now, sets=WITH_SCHEMA).findings if each.rule == "BR-CO-11")
    for sentence in finding.message:
        assert "9.99" in sentence
        assert "10.00" in sentence
