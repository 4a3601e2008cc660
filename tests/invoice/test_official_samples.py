"""The 19 official samples, reproduced from orders of our own making: same sums, rates, kinds and codes.

What the samples say differently, and why, stands in `DIFFERENCES`; anything else that differs fails.
"""

from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from gateway import ubl
from gateway.invoice.facts import Invoice, Kind
from gateway.invoice.from_order import invoice_of
from gateway.invoice.notes import Original, credit_note, debit_note
from gateway.invoice.policy import Policy
from gateway.order import Addition, Order, Refund
from tests.ubl_documents import HEADING, LINK, SELLER

S15 = {"category": "S", "rate": "15"}
S5 = {"category": "S", "rate": "5"}
MEDICINE = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-35"}
EXPORT = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-32"}
LIFE = {"category": "E", "rate": "0", "reason_code": "VATEX-SA-29-7"}
FEES = {"category": "O", "rate": "0", "reason_code": "VATEX-SA-OOS", "reason": "Fee of an authority"}

BUSINESS = {
    "kind": "business", "name": "شركة المثال", "vat": "399999999800003",
    "address": {
        "street": "شارع العليا", "building": "7687", "district": "العليا", "city": "الرياض", "postal_code": "12214",
    },
}  # fmt: skip
ABROAD = {
    "kind": "business", "name": "Example Steel", "other_id": {"scheme": "OTH", "value": "USxxxxxxxx1"},
    "address": {"street": "Main Street", "city": "Dallas", "country": "US"},
}  # fmt: skip
"""Who buys: the numbers are the samples', the words our own."""


def line(name: str, price: str, quantity: str = "1", tax: dict[str, str] = S15, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": f"Item {name}", "quantity": quantity, "unit_price": price, "tax": tax, **more}


def order(*lines: dict[str, Any], **more: Any) -> Order:
    standing = {
        "connection": "erp", "id": "1", "placed_at": "2022-09-05T12:21:28+03:00", "prices_include_tax": False,
        "payments": [{"method": "cash"}],
    }  # fmt: skip
    return Order.model_validate({**standing, "lines": list(lines), **more})


def advance(tax: dict[str, str] = S15) -> dict[str, Any]:
    return {
        "number": "46531", "uuid": "a79760f7-2f48-4da9-85a5-40459a147c80", "issued_at": "2022-08-15T12:28:17+03:00",
        "parts": [{"taxable": "1000", "tax": tax}],
    }  # fmt: skip


def laptop(tax_of_the_advance: dict[str, str] = S15, **more: Any) -> Order:
    off = [{"amount": "100.00", "origin": "order"}]
    prepayments = [advance(tax_of_the_advance)]
    return order(line("1", "2000.00"), buyer=BUSINESS, reductions=off, prepayments=prepayments, **more)


SIMPLIFIED = "simplified-invoice--"
STANDARD = "standard-invoice--"
ORDERS = {
    f"{SIMPLIFIED}nominal-signed--R3.4.8-Nominal_supply_invoice": order(line("1", "300.00"), flags=["nominal"]),
    f"{SIMPLIFIED}signed--R3.4.8-Simplified_Invoice": order(line("1", "3.00", "33"), line("2", "34.00", "3")),
    f"{SIMPLIFIED}vat-S+Z-signed--R3.4.8-Simplified_Tax_Invoice_with_Zero_Rated_Item": order(
        line("1", "50.00", tax=MEDICINE), line("2", "25.00"), prices_include_tax=True
    ),
    f"{STANDARD}doc-charge-signed--R3.4.8-Standard_Invoice_with_Document_Level_Charge": order(
        line("1", "2000.00"), buyer=BUSINESS,
        charges=[{"amount": "60.00", "code": "LF", "reason": "Stamp duty", "tax": S15}],
    ),
    f"{STANDARD}export-fx-USD-vat-Z-signed--R3.4.8-Export_invoice": order(
        line("1", "15000.00", tax=EXPORT), buyer=ABROAD, ship_to=ABROAD["address"], currency="USD",
        fx={"rate": "3.75", "shown": False}, payments=[{"method": "credit"}],
    ),
    f"{STANDARD}fx-USD-prepaid-doc-allowance-signed--R3.4.8-Advance_Payment_adjustments_with_foreign_currency_invoice":
        laptop(currency="USD", fx={"rate": "3.75", "shown": False}),
    f"{STANDARD}prepaid-doc-allowance-signed--R3.4.8-Advance_Payment_adjustments": laptop(),
    f"{STANDARD}prepaid-doc-allowance-signed--R3.4.8-Advance_Payment_adjustments_with_rate_change_scenarios":
        laptop(S5),
    f"{STANDARD}rounding-signed--R3.4.8-Standard_Invoice_with_Payable_Rounding_Adjustment": order(
        line("1", "869.57"), buyer=BUSINESS, declared={"grand": "1000.00"}
    ),
    f"{STANDARD}self-billed-doc-allowance-signed--R3.4.8-Self_billing_invoice": order(
        line("1", "25.00", "10"), buyer=BUSINESS, reductions=[{"amount": "50.00"}], flags=["self_billed"]
    ),
    f"{STANDARD}signed--R3.4.8-Standard_Invoice": order(
        line("1", "2.00", "2"), buyer=BUSINESS, supply_date="2022-09-07"
    ),
    f"{STANDARD}summary-signed--R3.4.8-Summary_Invoice": order(
        line("1", "5000.00"), line("2", "800.00", "2"), line("3", "600.00"), buyer=BUSINESS, flags=["summary"],
        supply_date="2022-08-01", supply_end="2022-08-31",
    ),
    f"{STANDARD}third-party-doc-allowance-signed--R3.4.8-Third_party_billing": order(
        line("1", "150.00"), buyer=BUSINESS, reductions=[{"amount": "20.00"}], flags=["third_party"]
    ),
    f"{STANDARD}vat-E+S-signed--R3.4.8-Exempt_Tax_Invoice": order(
        line("1", "2000.00"), line("2", "1000.00", tax=LIFE), buyer=BUSINESS, supply_date="2022-09-01",
        supply_end="2023-08-31",
    ),
    f"{STANDARD}vat-O+S-signed--R3.4.8-Out_of_Scope_Standard_Tax_Invoice": order(
        line("1", "500.00", tax=FEES), line("2", "50.00"), buyer=BUSINESS, prices_include_tax=True
    ),
}  # fmt: skip
PENCILS = {
    "simplified": order(line("1", "2.00", "14")),
    "standard": order(line("1", "2.00", "14"), buyer=BUSINESS),
}
REFUND = Refund.model_validate({"id": "R-1", "lines": [{"line": "1", "quantity": "2"}]})
ADDITION = Addition.model_validate({"id": "A-1", "lines": [line("1", "2.00", "12")]})

NOT_SAID = "the sample leaves the day of supply out; we always state it"
PIECES = "the sample's unit code PCS is not of Recommendation 20; ours is PCE"
NO_ALLOWANCE = "the sample states an allowance of nothing; we state none"
DIFFERENCES = {
    f"{SIMPLIFIED}nominal-signed--R3.4.8-Nominal_supply_invoice": {"KSA-5": NOT_SAID},
    f"{SIMPLIFIED}signed--R3.4.8-Simplified_Invoice": {"KSA-5": NOT_SAID, "allowances": NO_ALLOWANCE},
    f"{SIMPLIFIED}vat-S+Z-signed--R3.4.8-Simplified_Tax_Invoice_with_Zero_Rated_Item": {"KSA-5": NOT_SAID},
    f"{STANDARD}rounding-signed--R3.4.8-Standard_Invoice_with_Payable_Rounding_Adjustment": {"units": PIECES},
    f"{STANDARD}signed--R3.4.8-Standard_Invoice": {"allowances": NO_ALLOWANCE},
    **{
        f"{profile}-{kind}--signed--R3.4.8-{profile.capitalize()}_{kind.capitalize()}_Note": {
            "allowances": NO_ALLOWANCE
        }
        for profile in ("simplified", "standard")
        for kind in ("credit", "debit")
    },
}
"""By sample, what of it differs from ours, and why."""


def note(profile: str, kind: str) -> Invoice:
    """A note on an invoice for pencils of that profile."""
    sold = PENCILS[profile]
    original = Original("SME00002", invoice_of(sold, SELLER), {"1": "1"})
    if kind == "credit":
        return credit_note(original, [], REFUND, policy=Policy())[0]
    return debit_note(original, sold, ADDITION, policy=Policy())


def ours(name: str) -> Invoice:
    """Our document for the sale of a sample, written and read as it would be issued."""
    profile, kind = name.partition("--")[0].split("-")
    drawn = note(profile, kind) if kind != "invoice" else invoice_of(ORDERS[name], SELLER)
    return ubl.read(ubl.render(drawn, HEADING, LINK)).invoice


def facts(invoice: Invoice) -> dict[str, Any]:
    """What has to be the same; numbers compare by value."""
    return {
        "kind": invoice.kind,
        "KSA-2": invoice.transaction_code,
        "currency": invoice.currency,
        "KSA-5": invoice.supply_date,
        "KSA-24": invoice.supply_end,
        "BT-81": invoice.payment_means,
        "BT-25": invoice.references,
        "buyer": invoice.buyer and (invoice.buyer.vat, invoice.buyer.id, invoice.buyer.address.country),
        "quantities and prices": [(each.quantity, each.price, each.base_quantity) for each in invoice.lines],
        "units": [each.unit for each in invoice.lines],
        "BT-131, KSA-11, KSA-12": [(each.net, each.vat, each.total) for each in invoice.lines],
        "categories": [(each.tax.category, each.tax.rate, each.tax.reason_code) for each in invoice.lines],
        "allowances": [(each.amount, each.tax.category, each.tax.rate) for each in invoice.allowances],
        "charges": [(each.amount, each.code, each.tax.category, each.tax.rate) for each in invoice.charges],
        "deductions": [
            (each.number, each.uuid, each.issued_at, each.tax.category, each.tax.rate, each.taxable, each.vat)
            for each in invoice.deductions
        ],
        "BG-23": [(each.tax.category, each.tax.rate, each.taxable, each.vat) for each in invoice.vat_groups],
        "BT-111": invoice.vat_sar,
        **stated(invoice),
    }


def stated(invoice: Invoice) -> dict[str, Decimal]:
    """The document's totals."""
    return {
        "BT-106": invoice.lines_total,
        "BT-107": invoice.allowances_total,
        "BT-108": invoice.charges_total,
        "BT-109": invoice.without_vat,
        "BT-110": invoice.vat,
        "BT-112": invoice.with_vat,
        "BT-113": invoice.prepaid,
        "BT-114": invoice.rounding,
        "BT-115": invoice.payable,
    }


NAMES = [*ORDERS, *(name for name in DIFFERENCES if name not in ORDERS)]


def test_every_sample_has_its_order(shared):
    found = {path.stem for path in (shared / "conformance" / "samples").glob("*.xml")}
    assert found == set(NAMES)
    assert len(NAMES) == 19


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_reproduced(name, shared):
    sample = (shared / "conformance" / "samples" / f"{name}.xml").read_bytes()
    theirs, made = facts(ubl.read(sample).invoice), facts(ours(name))
    assert {term for term in theirs if theirs[term] != made[term]} == DIFFERENCES.get(name, {}).keys()


TOTALS = {
    "BT-106": "LineExtensionAmount",
    "BT-107": "AllowanceTotalAmount",
    "BT-108": "ChargeTotalAmount",
    "BT-109": "TaxExclusiveAmount",
    "BT-112": "TaxInclusiveAmount",
    "BT-113": "PrepaidAmount",
    "BT-114": "PayableRoundingAmount",
    "BT-115": "PayableAmount",
}
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"


@pytest.mark.parametrize("name", NAMES)
def test_its_totals_are_those_that_are_printed_in_it(name, shared):
    """Read from the XML itself, without our reader."""
    root = etree.parse(shared / "conformance" / "samples" / f"{name}.xml").getroot()
    totals = root.find("{*}LegalMonetaryTotal")
    ours_of = stated(ours(name))
    printed = {term: Decimal(totals.findtext(f"{CBC}{tag}", "0")) for term, tag in TOTALS.items()}
    assert {term: ours_of[term] for term in printed} == printed


def test_notes_are_of_their_kinds():
    assert ours("standard-credit--signed--R3.4.8-Standard_Credit_Note").kind is Kind.CREDIT_NOTE
    assert ours("simplified-debit--signed--R3.4.8-Simplified_Debit_Note").kind is Kind.DEBIT_NOTE
