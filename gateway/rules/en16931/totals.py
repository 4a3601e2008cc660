"""How the sums of the document follow from its parts."""

from decimal import Decimal
from math import isfinite

from gateway.rules.book import WARNING, rule
from gateway.rules.en16931.contexts import DOCUMENT_ALLOWANCE, DOCUMENT_CHARGE, INVOICE, TAX_TOTAL, TOTALS
from gateway.rules.everywhere import everywhere
from gateway.rules.parts import AllowanceCharge, Invoice, MonetaryTotal, TaxTotal
from gateway.rules.view import add_up
from gateway.rules.xpath import Abandoned, round_to_cents


def _sum_of_allowances(total: MonetaryTotal) -> Decimal:
    return total.up(Invoice).sum_of_allowances


def _sum_of_charges(total: MonetaryTotal) -> Decimal:
    return total.up(Invoice).sum_of_charges


def _sum_of_breakdown(total: TaxTotal) -> Decimal:
    return round_to_cents(add_up(each.tax for each in total.subtotals))


def _net_plus_vat(invoice: Invoice) -> Decimal:
    vat = add_up(each.tax for each in invoice.subtotals)
    return round_to_cents(invoice.total.tax_exclusive.decimal + vat)


def _sum_of_lines(total: MonetaryTotal) -> Decimal:
    return everywhere(total).net_of_lines


def _total_without_vat(total: MonetaryTotal) -> Decimal:
    """The net of the lines with the allowances and charges; the lines are summed as xs:double."""
    if not total.charges and not total.allowances:
        return total.lines.decimal
    lines = total.up(Invoice).net_in_doubles
    if not isfinite(lines):
        raise Abandoned("a sum that is no xs:decimal")
    charges = total.charges.decimal if total.charges else 0
    allowances = total.allowances.decimal if total.allowances else 0
    return round_to_cents(Decimal(lines) + charges - allowances)


def _amount_due(total: MonetaryTotal) -> Decimal:
    prepaid = total.prepaid.decimal if total.prepaid else 0
    rounding = total.rounding.decimal if total.rounding else 0
    return total.tax_inclusive.decimal - prepaid + rounding


@rule("BR-13", TOTALS, term="BT-109", severity=WARNING)
def total_without_vat_is_given(total: MonetaryTotal) -> bool:
    return bool(total.tax_exclusive)


@rule("BR-14", TOTALS, term="BT-112")
def total_with_vat_is_given(total: MonetaryTotal) -> bool:
    return bool(total.tax_inclusive)


@rule("BR-15", TOTALS, term="BT-115")
def amount_due_is_given(total: MonetaryTotal) -> bool:
    return bool(total.payable)


@rule("BR-CO-10", TOTALS, term="BT-106", place=lambda each: each.lines, expected=_sum_of_lines, severity=WARNING)
def lines_add_up(total: MonetaryTotal) -> bool:
    return total.lines.decimal == _sum_of_lines(total)


@rule(
    "BR-CO-13", TOTALS, term="BT-109", place=lambda each: each.tax_exclusive, expected=_total_without_vat,
    severity=WARNING,
)  # fmt: skip
def total_without_vat_follows_from_the_lines(total: MonetaryTotal) -> bool:
    if total.charges and not total.charges.normal:
        return False
    return total.tax_exclusive.decimal == _total_without_vat(total)


@rule("BR-CO-16", TOTALS, term="BT-115", place=lambda each: each.payable, expected=_amount_due, severity=WARNING)
def amount_due_is_what_is_not_yet_paid(total: MonetaryTotal) -> bool:
    # Both sides are rounded only where something was prepaid or rounded.
    gross, payable = total.tax_inclusive.decimal, total.payable.decimal
    if total.prepaid:
        gross = round_to_cents(gross - total.prepaid.decimal)
    if total.rounding:
        payable = round_to_cents(payable - total.rounding.decimal)
    return payable == gross


@rule("BR-31", DOCUMENT_ALLOWANCE, term="BT-92")
def document_allowance_has_an_amount(allowance: AllowanceCharge) -> bool:
    return bool(allowance.amount)


@rule("BR-36", DOCUMENT_CHARGE, term="BT-99", severity=WARNING)
def document_charge_has_an_amount(charge: AllowanceCharge) -> bool:
    return bool(charge.amount)


@rule("BR-CO-11", TOTALS, term="BT-107", place=lambda total: total.allowances, expected=_sum_of_allowances)
def allowances_add_up(total: MonetaryTotal) -> bool:
    neither = not total.allowances and not total.up(Invoice).allowances
    return neither or total.allowances.decimal == _sum_of_allowances(total)


@rule("BR-CO-12", TOTALS, term="BT-108", place=lambda total: total.charges, expected=_sum_of_charges)
def charges_add_up(total: MonetaryTotal) -> bool:
    if total.charges and not total.charges.normal:
        return False
    neither = not total.charges and not total.up(Invoice).charges
    return neither or total.charges.decimal == _sum_of_charges(total)


@rule("BR-CO-14", TAX_TOTAL, term="BT-110", place=lambda total: total.amount, expected=_sum_of_breakdown)
def vat_is_the_sum_of_its_breakdown(total: TaxTotal) -> bool:
    return not total.subtotals or total.amount.decimal == _sum_of_breakdown(total)


@rule("BR-CO-15", INVOICE, term="BT-112", place=lambda invoice: invoice.total.tax_inclusive, expected=_net_plus_vat)
def total_with_vat_is_net_plus_vat(invoice: Invoice) -> bool:
    # It also wants a VAT total in the document's currency, and counts the subtotals of every tax total.
    if not invoice.currency:
        return True
    has_vat_total = any(each.amount.currency == invoice.currency.text for each in invoice.tax_totals)
    return has_vat_total and invoice.total.tax_inclusive.decimal == _net_plus_vat(invoice)
