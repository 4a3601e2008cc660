"""The deduction of prepayments: lines that name the prepayment invoice and state what it had taxed."""

from decimal import Decimal
from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.ksa.contexts import (
    INVOICE,
    LINE_SUBTOTAL,
    LINE_WITH_PREPAYMENT,
    PREPAID_SUBTOTAL,
    PRIOR_DOCUMENT,
)
from gateway.rules.parts import Invoice, Line, PriorDocument, TaxSubtotal
from gateway.rules.view import Node
from gateway.rules.xpath import divide, in_cents, round_double, round_half_up

PREPAYMENT: Final = "386"
_ZERO: Final = in_cents(Decimal(0))


def _names_all(prior: PriorDocument) -> bool:
    return bool(prior.id and prior.issue_date and prior.issue_time and prior.type_code)


@rule("BR-KSA-73", LINE_WITH_PREPAYMENT, term="KSA-26", value=lambda _: "", severity=WARNING)
def deduction_names_the_prepayment(line: Line) -> bool:
    return bool(line.up(Invoice).prior_documents) and all(_names_all(prior) for prior in line.prior_documents)


@rule("BR-KSA-74", PRIOR_DOCUMENT, term="KSA-30", place=lambda prior: prior.type_code)
def deducted_document_is_a_prepayment(prior: PriorDocument) -> bool:
    return not prior.type_code or prior.type_code.normal == PREPAYMENT


@rule(
    "BR-KSA-75", PRIOR_DOCUMENT, term="KSA-31", place=lambda prior: prior.up(Line), value=lambda _: "", severity=WARNING
)
def deduction_states_what_was_taxed(prior: PriorDocument) -> bool:
    return prior.up(Line).states_what_was_taxed


@rule("BR-KSA-82", PRIOR_DOCUMENT, term="BT-131", place=lambda prior: prior.up(Line), value=lambda _: "")
def deduction_has_no_amount_of_its_own(prior: PriorDocument) -> bool:
    if prior.type_code and prior.type_code.text != PREPAYMENT:
        return True
    return prior.up(Line).charges_nothing


def _has_rate_zero(subtotal: TaxSubtotal, code: str) -> bool:
    return subtotal.category.vat_code != code or subtotal.category.percent.decimal == 0


def _rate(subtotal: TaxSubtotal) -> Node:
    return subtotal.category.percent or subtotal.category


@rule("BR-KSA-76", PREPAID_SUBTOTAL, term="KSA-34", place=_rate, severity=WARNING)
def zero_rated_prepayment_has_rate_zero(subtotal: TaxSubtotal) -> bool:
    return _has_rate_zero(subtotal, "Z")


@rule("BR-KSA-77", PREPAID_SUBTOTAL, term="KSA-34", place=_rate, severity=WARNING)
def exempt_prepayment_has_rate_zero(subtotal: TaxSubtotal) -> bool:
    return _has_rate_zero(subtotal, "E")


@rule("BR-KSA-78", PREPAID_SUBTOTAL, term="KSA-34", place=_rate, severity=WARNING)
def prepayment_out_of_scope_has_rate_zero(subtotal: TaxSubtotal) -> bool:
    return _has_rate_zero(subtotal, "O")


def _is_untaxed(subtotal: TaxSubtotal) -> bool:
    category = subtotal.category
    if category.code == "S":
        return False
    no_rate_needed = category.code == "O" and not category.percent
    return no_rate_needed or category.code in ("E", "Z") or not category.percent.normal


def _vat_at_rate(subtotal: TaxSubtotal) -> float:
    """Computed in doubles, with a hundredth of a cent for luck."""
    category = subtotal.category
    rate = float(category.percent.decimal) if category.is_vat else float("nan")
    return round_double(subtotal.taxable.double * rate / 100 * 100 + 0.01) / 100


def _untaxed_vat(subtotal: TaxSubtotal) -> str:
    product = subtotal.taxable.decimal * subtotal.category.percent.decimal
    return in_cents(round_half_up(divide(product, Decimal(100)), 2))


@rule(
    "BR-KSA-79", LINE_SUBTOTAL, term="KSA-32", place=lambda subtotal: subtotal.tax,
    expected=lambda subtotal: in_cents(_vat_at_rate(subtotal)), severity=WARNING,
)  # fmt: skip
def prepaid_vat_follows_from_the_rate(subtotal: TaxSubtotal) -> bool:
    vat = in_cents(subtotal.tax.double)
    if _is_untaxed(subtotal):
        return bool(subtotal.taxable) and vat == _ZERO and vat == _untaxed_vat(subtotal)
    if not subtotal.category.percent.normal:
        return False
    expected = _vat_at_rate(subtotal)
    return vat in (in_cents(expected), in_cents(expected - 0.01), in_cents(expected + 0.01))


def _total_prepaid(invoice: Invoice) -> float:
    """Taxable amounts and VAT of all deductions, in doubles."""
    return invoice.prepaid_taxable + invoice.prepaid_vat


@rule(
    "BR-KSA-80", INVOICE, term="BT-113", place=lambda invoice: invoice.total.prepaid,
    expected=lambda invoice: in_cents(_total_prepaid(invoice)), severity=WARNING,
)  # fmt: skip
def prepaid_amount_is_the_sum_of_the_deductions(invoice: Invoice) -> bool:
    prepaid = invoice.total.prepaid.decimal if invoice.total.prepaid else Decimal(0)
    subtotals = [subtotal for line in invoice.lines for subtotal in line.subtotals]
    if not subtotals:
        return in_cents(prepaid) == _ZERO
    if prepaid == 0 and any(each.taxable or each.tax for each in subtotals):
        return False
    both = invoice.prepaid_taxable > 0 and invoice.prepaid_vat > 0
    if (
        prepaid != 0
        and both
        and any(prior.type_code and prior.type_code.text != PREPAYMENT for prior in invoice.prior_documents)
    ):
        return False
    return in_cents(prepaid) == in_cents(_total_prepaid(invoice))
