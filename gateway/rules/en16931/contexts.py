"""Where the assertions of the EN 16931 part apply: their contexts with the official priorities.

Rules grouped by subject share them, since within a pattern one context shadows another.
"""

from collections.abc import Callable
from typing import Final

from gateway.finding import RuleSet
from gateway.rules.book import Context, Pattern
from gateway.rules.everywhere import everywhere
from gateway.rules.parts import (
    Address,
    AllowanceCharge,
    BillingReference,
    DocumentReference,
    Invoice,
    ItemProperty,
    Line,
    MonetaryTotal,
    PaymentMeans,
    TaxCategory,
    TaxSubtotal,
    TaxTotal,
    TypeCode,
)
from gateway.rules.view import Node, Number

MODEL: Final = Pattern(RuleSet.EN16931)
CODES: Final = Pattern(RuleSet.EN16931)
VAT_IN_DOCUMENT_CURRENCY: Final = Pattern(RuleSet.EN16931)
VAT_IN_TAX_CURRENCY: Final = Pattern(RuleSet.EN16931)


def _of_category(code: str) -> Callable[[TaxCategory], bool]:
    return lambda category: category.vat_code == code


def _of_allowance(code: str) -> Callable[[TaxCategory], bool]:
    return lambda category: category.vat_code == code and category.up(AllowanceCharge).indicator.is_false


def _of_charge(code: str) -> Callable[[TaxCategory], bool]:
    return lambda category: category.vat_code == code and category.up(AllowanceCharge).indicator.is_true


def _breakdown(priority: int, code: str) -> Context[TaxCategory]:
    path = "/*/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory"
    return MODEL.context(priority, TaxCategory, path, when=_of_category(code))


def _allowance(priority: int, when: Callable[[TaxCategory], bool]) -> Context[TaxCategory]:
    """Any allowance or charge: of the document, of a line or of a price."""
    return MODEL.context(priority, TaxCategory, "cac:AllowanceCharge/cac:TaxCategory", when=when)


def _item(priority: int, code: str) -> Context[TaxCategory]:
    path = "cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory"
    return MODEL.context(priority, TaxCategory, path, when=_of_category(code))


def _is_allowance(each: AllowanceCharge) -> bool:
    return each.indicator.is_false


def _is_charge(each: AllowanceCharge) -> bool:
    return each.indicator.is_true


_VAT_TOTAL: Final = "ubl:Invoice/cac:TaxTotal/cbc:TaxAmount"

REFERENCE: Final = MODEL.context(32, DocumentReference, "cac:AdditionalDocumentReference")
DOCUMENT_ALLOWANCE: Final = MODEL.context(31, AllowanceCharge, "/ubl:Invoice/cac:AllowanceCharge", when=_is_allowance)
DOCUMENT_CHARGE: Final = MODEL.context(31, AllowanceCharge, "/ubl:Invoice/cac:AllowanceCharge", when=_is_charge)
LINE_CHARGE: Final = MODEL.context(31, AllowanceCharge, "cac:InvoiceLine/cac:AllowanceCharge", when=_is_charge)
TOTALS: Final = MODEL.context(30, MonetaryTotal, "cac:LegalMonetaryTotal")
# R3.4.8 never judges a line's allowance (BR-41, BR-DEC-24, BR-DEC-25), as its recorded verdicts show: the priority
# between the totals and the document, 29, belongs to a template without an assertion.
LINE_ALLOWANCE_SHADOW: Final = MODEL.context(29, Node, "cac:InvoiceLine/cac:AllowanceCharge")
INVOICE: Final = MODEL.context(28, Invoice, "/ubl:Invoice")
ANY_LINE_OF_INVOICE: Final = INVOICE.each(lambda invoice: everywhere(invoice).lines)
LINE: Final = MODEL.context(27, Line, "cac:InvoiceLine")
LINE_ALLOWANCE: Final = MODEL.context(26, AllowanceCharge, "cac:InvoiceLine/cac:AllowanceCharge", when=_is_allowance)
ITEM_PROPERTY: Final = MODEL.context(25, ItemProperty, "cac:AdditionalItemProperty")
PAYMENT_MEANS: Final = MODEL.context(24, PaymentMeans, "cac:PaymentMeans")
BILLING_REFERENCE: Final = MODEL.context(23, BillingReference, "cac:BillingReference")
SELLER_ADDRESS: Final = MODEL.context(22, Address, "cac:AccountingSupplierParty/cac:Party/cac:PostalAddress")
TAX_TOTAL: Final = MODEL.context(21, TaxTotal, "/ubl:Invoice/cac:TaxTotal")
TAX_SUBTOTAL: Final = MODEL.context(20, TaxSubtotal, "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal")

EXEMPT_BREAKDOWN: Final = _breakdown(19, "E")
EXEMPT_ALLOWANCE: Final = _allowance(18, _of_allowance("E"))
EXEMPT_ITEM: Final = _item(17, "E")
OUT_OF_SCOPE_BREAKDOWN: Final = _breakdown(16, "O")
STANDARD_BREAKDOWN: Final = _breakdown(13, "S")
STANDARD_ALLOWANCE: Final = _allowance(12, _of_allowance("S"))
STANDARD_CHARGE: Final = _allowance(12, _of_charge("S"))
STANDARD_ITEM: Final = _item(12, "S")
ZERO_BREAKDOWN: Final = _breakdown(11, "Z")
ZERO_ALLOWANCE: Final = _allowance(10, _of_allowance("Z"))
ZERO_ITEM: Final = _item(9, "Z")

VAT_TOTAL: Final = VAT_IN_DOCUMENT_CURRENCY.context(
    8, Number, _VAT_TOTAL, when=lambda amount: amount.currency in everywhere(amount).document_currencies
)
ACCOUNTING_VAT_TOTAL: Final = VAT_IN_TAX_CURRENCY.context(
    7, Number, _VAT_TOTAL, when=lambda amount: amount.currency in everywhere(amount).tax_currencies
)

TYPE_CODE: Final = CODES.context(6, TypeCode, "cbc:InvoiceTypeCode")
AMOUNT: Final = CODES.context(
    5,
    Number,
    "cbc:Amount",
    "cbc:BaseAmount",
    "cbc:PriceAmount",
    "cbc:TaxAmount",
    "cbc:TaxableAmount",
    "cbc:LineExtensionAmount",
    "cbc:TaxExclusiveAmount",
    "cbc:TaxInclusiveAmount",
    "cbc:AllowanceTotalAmount",
    "cbc:ChargeTotalAmount",
    "cbc:PrepaidAmount",
    "cbc:PayableRoundingAmount",
    "cbc:PayableAmount",
)
DOCUMENT_CURRENCY: Final = CODES.context(4, Node, "cbc:DocumentCurrencyCode")
TAX_CURRENCY: Final = CODES.context(3, Node, "cbc:TaxCurrencyCode")
COUNTRY_CODE: Final = CODES.context(2, Node, "cac:Country/cbc:IdentificationCode")
PAYMENT_CODE: Final = CODES.context(1, Node, "cac:PaymentMeans/cbc:PaymentMeansCode")
CATEGORY_CODE: Final = CODES.context(
    0,
    Node,
    "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:AllowanceCharge/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory/cbc:ID",
)
