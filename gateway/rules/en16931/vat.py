"""The VAT breakdown, and what its categories demand of rates and amounts."""

from decimal import Decimal

from gateway.rules.book import WARNING, Rule, rule
from gateway.rules.en16931.contexts import (
    DOCUMENT_ALLOWANCE,
    DOCUMENT_CHARGE,
    EXEMPT_ALLOWANCE,
    EXEMPT_BREAKDOWN,
    EXEMPT_ITEM,
    INVOICE,
    OUT_OF_SCOPE_BREAKDOWN,
    STANDARD_ALLOWANCE,
    STANDARD_BREAKDOWN,
    STANDARD_CHARGE,
    STANDARD_ITEM,
    TAX_SUBTOTAL,
    ZERO_ALLOWANCE,
    ZERO_BREAKDOWN,
    ZERO_ITEM,
)
from gateway.rules.everywhere import everywhere
from gateway.rules.parts import AllowanceCharge, Invoice, TaxCategory, TaxSubtotal, TaxTotal
from gateway.rules.view import Node
from gateway.rules.xpath import ZERO, round_double


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


@rule("BR-37", DOCUMENT_CHARGE, term="BT-102", severity=WARNING)
def document_charge_has_a_vat_category(charge: AllowanceCharge) -> bool:
    return any(category.id for category in charge.categories)


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


def _is_near(subtotal: TaxSubtotal) -> bool:
    """Within a hundredth for each line of the document."""
    expected = subtotal.vat_at_rate
    if expected.is_nan():
        return False
    tolerance = len(everywhere(subtotal).lines) * 0.01
    should_be = round_double(float(expected) * 100) / 100
    upper = round_double((should_be + tolerance) * 100) / 100
    lower = round_double((should_be - tolerance) * 100) / 100
    vat = subtotal.tax.double
    return lower <= vat <= upper or vat == should_be


def _used_or_not_broken_down(code: str, rule_id: str, term: str) -> Rule:
    @rule(rule_id, INVOICE, term=term, severity=WARNING)
    def category_in_use_is_broken_down(invoice: Invoice) -> bool:
        used = code in everywhere(invoice).vat_codes_used
        return not used or any(each.category.vat_code == code for each in invoice.subtotals)

    return category_in_use_is_broken_down


@rule(
    "BR-CO-17", TAX_SUBTOTAL, term="BT-117", place=lambda each: each.tax, expected=lambda each: each.vat_at_rate,
    severity=WARNING,
)  # fmt: skip
def vat_follows_from_the_rate(subtotal: TaxSubtotal) -> bool:
    return _is_near(subtotal)


def _invoice_of(category: TaxCategory) -> Invoice:
    return category.up(TaxSubtotal).up(TaxTotal).up(Invoice)


def _taxable_of_category(category: TaxCategory) -> Decimal:
    return _invoice_of(category).taxable_of.get(category.code, ZERO)


def _is_used(category: TaxCategory) -> bool:
    """By an allowance or charge of the document, or by one of its lines."""
    return category.vat_code in _invoice_of(category).vat_codes_used


def _taxable_adds_up(category: TaxCategory) -> bool:
    taxable = category.up(TaxSubtotal).taxable.decimal
    return _is_used(category) and taxable == _taxable_of_category(category)


def _taxable(category: TaxCategory) -> Node:
    return category.up(TaxSubtotal).taxable


BR_S_01 = _used_or_not_broken_down("S", "BR-S-01", "BG-23")
BR_Z_01 = _used_or_not_broken_down("Z", "BR-Z-01", "BG-23")
BR_E_01 = _used_or_not_broken_down("E", "BR-E-01", "BG-23")
BR_O_01 = _used_or_not_broken_down("O", "BR-O-01", "BG-23")


@rule("BR-S-05", STANDARD_ITEM, term="BT-152", place=_rate, severity=WARNING)
def standard_item_has_a_rate(category: TaxCategory) -> bool:
    return category.percent.exceeds(0)


@rule("BR-S-07", STANDARD_CHARGE, term="BT-103", place=_rate, severity=WARNING)
def standard_charge_has_a_rate(category: TaxCategory) -> bool:
    return category.percent.exceeds(0)


@rule(
    "BR-S-08", STANDARD_BREAKDOWN, term="BT-116", place=_taxable, expected=_taxable_of_category, severity=WARNING
)  # fmt: skip
def standard_rated_amounts_add_up(category: TaxCategory) -> bool:
    # Of this category alone there may be several rates, so all its groups are taken together.
    taxable = category.up(TaxSubtotal).up(TaxTotal).taxable_at_standard_rates
    return _is_used(category) and taxable == _taxable_of_category(category)


@rule(
    "BR-S-09", STANDARD_BREAKDOWN, term="BT-117", place=_vat,
    expected=lambda category: category.up(TaxSubtotal).vat_at_rate, severity=WARNING,
)  # fmt: skip
def standard_vat_follows_from_the_rate(category: TaxCategory) -> bool:
    return bool(category.percent.normal) and _is_near(category.up(TaxSubtotal))


@rule("BR-S-10", STANDARD_BREAKDOWN, term="BT-120", severity=WARNING)
def standard_rated_needs_no_exemption_reason(category: TaxCategory) -> bool:
    if not category.reasons and not category.reason_code:
        return True
    return not _invoice_of(category).breaks_down_standard_rates


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


@rule(
    "BR-Z-08", ZERO_BREAKDOWN, term="BT-116", place=_taxable, expected=_taxable_of_category, severity=WARNING
)  # fmt: skip
def zero_rated_amounts_add_up(category: TaxCategory) -> bool:
    return _taxable_adds_up(category)


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


@rule(
    "BR-E-08", EXEMPT_BREAKDOWN, term="BT-116", place=_taxable, expected=_taxable_of_category, severity=WARNING
)  # fmt: skip
def exempt_amounts_add_up(category: TaxCategory) -> bool:
    return _taxable_adds_up(category)


@rule("BR-E-09", EXEMPT_BREAKDOWN, term="BT-117", place=_vat)
def exempt_has_no_vat(category: TaxCategory) -> bool:
    return _has_no_vat(category)


@rule(
    "BR-O-08", OUT_OF_SCOPE_BREAKDOWN, term="BT-116", place=_taxable, expected=_taxable_of_category, severity=WARNING
)  # fmt: skip
def out_of_scope_amounts_add_up(category: TaxCategory) -> bool:
    return _taxable_adds_up(category)


@rule("BR-O-09", OUT_OF_SCOPE_BREAKDOWN, term="BT-117", place=_vat)
def out_of_scope_has_no_vat(category: TaxCategory) -> bool:
    return _has_no_vat(category)
