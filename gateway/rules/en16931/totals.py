"""How the sums of the document follow from its parts."""

from decimal import Decimal

from gateway.rules.book import rule
from gateway.rules.en16931.contexts import DOCUMENT_ALLOWANCE, INVOICE, TAX_TOTAL, TOTALS
from gateway.rules.view import AllowanceCharge, Invoice, MonetaryTotal, TaxTotal, add_up
from gateway.rules.xpath import round_to_cents


def _sum_of_allowances(total: MonetaryTotal) -> Decimal:
    return round_to_cents(add_up(each.amount for each in total.up(Invoice).allowances))


def _sum_of_charges(total: MonetaryTotal) -> Decimal:
    return round_to_cents(add_up(each.amount for each in total.up(Invoice).charges))


def _sum_of_breakdown(total: TaxTotal) -> Decimal:
    return round_to_cents(add_up(each.tax for each in total.subtotals))


def _net_plus_vat(invoice: Invoice) -> Decimal:
    vat = add_up(each.tax for each in invoice.subtotals)
    return round_to_cents(invoice.total.tax_exclusive.decimal + vat)


@rule("BR-14", TOTALS, term="BT-112")
def total_with_vat_is_given(total: MonetaryTotal) -> bool:
    return bool(total.tax_inclusive)


@rule("BR-15", TOTALS, term="BT-115")
def amount_due_is_given(total: MonetaryTotal) -> bool:
    return bool(total.payable)


@rule("BR-31", DOCUMENT_ALLOWANCE, term="BT-92")
def document_allowance_has_an_amount(allowance: AllowanceCharge) -> bool:
    return bool(allowance.amount)


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
