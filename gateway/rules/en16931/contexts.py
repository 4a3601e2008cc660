"""Where the assertions of the EN 16931 part apply: their contexts with the official priorities.

Rules grouped by subject share them, since within a pattern one context shadows another.
"""

from collections.abc import Callable
from typing import Final

from gateway.finding import RuleSet
from gateway.rules.book import Context, Pattern
from gateway.rules.view import (
    AllowanceCharge,
    BillingReference,
    Invoice,
    ItemProperty,
    Line,
    MonetaryTotal,
    Node,
    Number,
    TaxCategory,
    TaxSubtotal,
    TaxTotal,
)

MODEL: Final = Pattern(RuleSet.EN16931)
CODES: Final = Pattern(RuleSet.EN16931)


def _of_category(code: str) -> Callable[[TaxCategory], bool]:
    return lambda category: category.vat_code == code


def _of_allowance(code: str) -> Callable[[TaxCategory], bool]:
    return lambda category: category.vat_code == code and category.up(AllowanceCharge).indicator.is_false


def _breakdown(priority: int, code: str) -> Context[TaxCategory]:
    path = "/*/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory"
    return MODEL.context(priority, TaxCategory, path, when=_of_category(code))


def _allowance(priority: int, code: str) -> Context[TaxCategory]:
    """Any allowance: of the document, of a line or of a price."""
    return MODEL.context(priority, TaxCategory, "cac:AllowanceCharge/cac:TaxCategory", when=_of_allowance(code))


def _item(priority: int, code: str) -> Context[TaxCategory]:
    path = "cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory"
    return MODEL.context(priority, TaxCategory, path, when=_of_category(code))


DOCUMENT_ALLOWANCE: Final = MODEL.context(
    31, AllowanceCharge, "/ubl:Invoice/cac:AllowanceCharge", when=lambda each: each.indicator.is_false
)
TOTALS: Final = MODEL.context(30, MonetaryTotal, "cac:LegalMonetaryTotal")
INVOICE: Final = MODEL.context(28, Invoice, "/ubl:Invoice")
ANY_LINE_OF_INVOICE: Final = INVOICE.each(lambda invoice: invoice.document.every(Line, "cac:InvoiceLine"))
LINE: Final = MODEL.context(27, Line, "cac:InvoiceLine")
LINE_ALLOWANCE: Final = MODEL.context(
    26, AllowanceCharge, "cac:InvoiceLine/cac:AllowanceCharge", when=lambda each: each.indicator.is_false
)
ITEM_PROPERTY: Final = MODEL.context(25, ItemProperty, "cac:AdditionalItemProperty")
BILLING_REFERENCE: Final = MODEL.context(23, BillingReference, "cac:BillingReference")
TAX_TOTAL: Final = MODEL.context(21, TaxTotal, "/ubl:Invoice/cac:TaxTotal")
TAX_SUBTOTAL: Final = MODEL.context(20, TaxSubtotal, "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal")

EXEMPT_BREAKDOWN: Final = _breakdown(19, "E")
EXEMPT_ALLOWANCE: Final = _allowance(18, "E")
EXEMPT_ITEM: Final = _item(17, "E")
OUT_OF_SCOPE_BREAKDOWN: Final = _breakdown(16, "O")
STANDARD_ALLOWANCE: Final = _allowance(12, "S")
ZERO_BREAKDOWN: Final = _breakdown(11, "Z")
ZERO_ALLOWANCE: Final = _allowance(10, "Z")
ZERO_ITEM: Final = _item(9, "Z")

TYPE_CODE: Final = CODES.context(6, Node, "cbc:InvoiceTypeCode")
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
CATEGORY_CODE: Final = CODES.context(
    0,
    Node,
    "/ubl:Invoice/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:AllowanceCharge/cac:TaxCategory/cbc:ID",
    "/ubl:Invoice/cac:InvoiceLine/cac:Item/cac:ClassifiedTaxCategory/cbc:ID",
)
