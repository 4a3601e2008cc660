"""The VAT breakdown, and what its categories demand of rates and amounts."""

from gateway.rules.book import rule
from gateway.rules.en16931.contexts import (
    DOCUMENT_ALLOWANCE,
    EXEMPT_ALLOWANCE,
    EXEMPT_BREAKDOWN,
    EXEMPT_ITEM,
    INVOICE,
    OUT_OF_SCOPE_BREAKDOWN,
    STANDARD_ALLOWANCE,
    TAX_SUBTOTAL,
    ZERO_ALLOWANCE,
    ZERO_BREAKDOWN,
    ZERO_ITEM,
)
from gateway.rules.view import AllowanceCharge, Invoice, Node, TaxCategory, TaxSubtotal


def _rate(category: TaxCategory) -> Node:
    return category.percent


def _vat(category: TaxCategory) -> Node:
    return category.up(TaxSubtotal).tax


def _has_rate_zero(category: TaxCategory) -> bool:
    return category.percent.decimal == 0


def _has_no_vat(category: TaxCategory) -> bool:
    return category.up(TaxSubtotal).tax.decimal == 0


def _first_charged(invoice: Invoice, code: str) -> TaxCategory:
    """The first category of that code on a charge of the document."""
    categories = (category for charge in invoice.charges for category in charge.categories)
    return next((category for category in categories if category.vat_code == code), TaxCategory.absent())


def _some_rate_is_zero(invoice: Invoice) -> bool:
    """Of any allowance or charge: the official condition does not ask whose rate it finds."""
    return any(category.percent.equals(0) for each in invoice.allowances_charges for category in each.categories)


@rule("BR-CO-18", INVOICE, term="BG-23")
def vat_breakdown_is_given(invoice: Invoice) -> bool:
    return bool(invoice.subtotals)


@rule("BR-32", DOCUMENT_ALLOWANCE, term="BT-95")
def document_allowance_has_a_vat_category(allowance: AllowanceCharge) -> bool:
    return any(category.is_vat and category.id.filled for category in allowance.categories)


@rule("BR-45", TAX_SUBTOTAL, term="BT-116")
def taxable_amount_is_given(subtotal: TaxSubtotal) -> bool:
    return bool(subtotal.taxable)


@rule("BR-46", TAX_SUBTOTAL, term="BT-117")
def tax_amount_is_given(subtotal: TaxSubtotal) -> bool:
    return bool(subtotal.tax)


@rule("BR-47", TAX_SUBTOTAL, term="BT-118", place=lambda subtotal: subtotal.category)
def category_code_is_given(subtotal: TaxSubtotal) -> bool:
    return bool(subtotal.category.is_vat and subtotal.category.id)


@rule("BR-48", TAX_SUBTOTAL, term="BT-119", place=lambda subtotal: subtotal.category)
def rate_is_given(subtotal: TaxSubtotal) -> bool:
    category = subtotal.category
    return category.is_vat and (bool(category.percent) or category.vat_code == "O")


@rule("BR-S-06", STANDARD_ALLOWANCE, term="BT-96", place=_rate)
def standard_allowance_has_a_rate(category: TaxCategory) -> bool:
    return category.percent.exceeds(0)


@rule("BR-Z-05", ZERO_ITEM, term="BT-152", place=_rate)
def zero_rated_item_has_rate_zero(category: TaxCategory) -> bool:
    return _has_rate_zero(category)


@rule("BR-Z-06", ZERO_ALLOWANCE, term="BT-96", place=_rate)
def zero_rated_allowance_has_rate_zero(category: TaxCategory) -> bool:
    return _has_rate_zero(category)


@rule("BR-Z-07", INVOICE, term="BT-103", place=lambda invoice: _rate(_first_charged(invoice, "Z")))
def zero_rated_charge_has_rate_zero(invoice: Invoice) -> bool:
    return not _first_charged(invoice, "Z") or _some_rate_is_zero(invoice)


@rule("BR-Z-09", ZERO_BREAKDOWN, term="BT-117", place=_vat)
def zero_rated_has_no_vat(category: TaxCategory) -> bool:
    return _has_no_vat(category)


@rule("BR-E-05", EXEMPT_ITEM, term="BT-152", place=_rate)
def exempt_item_has_rate_zero(category: TaxCategory) -> bool:
    return _has_rate_zero(category)


@rule("BR-E-06", EXEMPT_ALLOWANCE, term="BT-96", place=_rate)
def exempt_allowance_has_rate_zero(category: TaxCategory) -> bool:
    return _has_rate_zero(category)


@rule("BR-E-07", INVOICE, term="BT-103", place=lambda invoice: _rate(_first_charged(invoice, "E")))
def exempt_charge_has_rate_zero(invoice: Invoice) -> bool:
    return not _first_charged(invoice, "E") or _some_rate_is_zero(invoice)


@rule("BR-E-09", EXEMPT_BREAKDOWN, term="BT-117", place=_vat)
def exempt_has_no_vat(category: TaxCategory) -> bool:
    return _has_no_vat(category)


@rule("BR-O-09", OUT_OF_SCOPE_BREAKDOWN, term="BT-117", place=_vat)
def out_of_scope_has_no_vat(category: TaxCategory) -> bool:
    return _has_no_vat(category)
