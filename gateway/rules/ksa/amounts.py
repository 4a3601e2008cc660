"""Amounts: their form, and how they follow from one another."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from math import floor
from typing import Final, TypeVar

from gateway.rules.book import WARNING, Rule, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import (
    ANY_ALLOWANCE,
    ANY_LINE,
    BASE_AMOUNT,
    BASE_QUANTITY,
    CHARGE_INDICATOR,
    CODED,
    EN16931_LINE,
    LINE_TAX,
    MULTIPLIER,
    PREPAID_SUBTOTAL,
    PRICE_ALLOWANCE,
    PRICE_BASE,
    REDUCTION_WITH_BASE,
    UNSIGNED_NUMBER,
)
from gateway.rules.parts import AllowanceCharge, Indicator, Line, Price, TaxSubtotal, TaxTotal, TypeCode
from gateway.rules.view import Node, Number, add_up, single, tag_of
from gateway.rules.xpath import CENT, compare_untyped, divide, in_cents, round_double, round_half_up

N = TypeVar("N", bound=Node)

_TRIFLE: Final = Decimal("0.00000000001")
_TAXABLE: Final = tag_of("cbc:TaxableAmount")


# -- form -----------------------------------------------------------------------------------------------------


@rule("BR-KSA-F-02", CHARGE_INDICATOR, term="BG-20")
def indicator_is_true_or_false(indicator: Indicator) -> bool:
    return indicator.is_true or indicator.is_false


@rule("BR-KSA-F-04", UNSIGNED_NUMBER, term="BT-131")
def number_is_not_negative(number: Number) -> bool:
    # Whole digits are compared as such, others as doubles: '-0' passes, '-0.00' does not.
    text = number.text
    if "-" not in text or compare_untyped(text, 0) >= 0:
        return True
    return number.element is not None and number.element.tag == _TAXABLE and _is_out_of_scope(number)


def _is_out_of_scope(taxable: Number) -> bool:
    """Of the breakdown's taxable amounts that of category O may be negative; on lines none may."""
    of_document = taxable.stands_in("cac:TaxSubtotal", "cac:TaxTotal", "ubl:Invoice")
    return of_document and taxable.up(TaxSubtotal).category.code == "O"


@rule("BR-KSA-DEC-01", ANY_ALLOWANCE, term="BT-94", place=lambda allowance: allowance.multiplier)
def share_is_a_percentage_with_two_decimals(allowance: AllowanceCharge) -> bool:
    share = allowance.multiplier
    return not share.filled or (0 <= share.decimal <= 100 and share.places <= 2)


def _two_decimals(rule_id: str, term: str, amount: Callable[[Line], Number]) -> Rule:
    @rule(rule_id, ANY_LINE, term=term, place=amount, severity=WARNING)
    def has_at_most_two_decimals(line: Line) -> bool:
        return amount(line).places <= 2

    return has_at_most_two_decimals


def _line_vat(line: Line) -> Number:
    return single(Number, [total.amount for total in line.tax_totals if total.amount])


def _line_gross(line: Line) -> Number:
    return single(Number, [total.rounding for total in line.tax_totals if total.rounding])


BR_KSA_DEC_03 = _two_decimals("BR-KSA-DEC-03", "KSA-11", _line_vat)
BR_KSA_DEC_04 = _two_decimals("BR-KSA-DEC-04", "KSA-12", _line_gross)


@rule("BR-KSA-DEC-06", PREPAID_SUBTOTAL, term="KSA-31", value=lambda _: "", severity=WARNING)
def prepaid_amounts_have_two_decimals(subtotal: TaxSubtotal) -> bool:
    return subtotal.taxable.places <= 2 and subtotal.tax.places <= 2


# -- lines ----------------------------------------------------------------------------------------------------


def _each_line_states(rule_id: str, term: str, silent: Callable[[TypeCode], Node]) -> Rule:
    @rule(rule_id, CODED, term=term, place=silent, value=lambda _: "")
    def each_line_of_a_standard_document_states_it(code: TypeCode) -> bool:
        return not everywhere(code).is_standard or not silent(code)

    return each_line_of_a_standard_document_states_it


BR_KSA_52 = _each_line_states("BR-KSA-52", "KSA-11", lambda code: everywhere(code).line_without_vat)
BR_KSA_53 = _each_line_states("BR-KSA-53", "KSA-12", lambda code: everywhere(code).line_without_gross)


def _net_plus_vat(total: TaxTotal) -> float:
    return round_double((total.amount.double + total.up(Line).net.double) * 100) / 100


@rule(
    "BR-KSA-51", LINE_TAX, term="KSA-12", place=lambda total: total.rounding, expected=_net_plus_vat, severity=WARNING
)
def line_total_is_net_plus_vat(total: TaxTotal) -> bool:
    stated, expected = total.rounding.double, _net_plus_vat(total)
    return stated == expected or in_cents(stated) == in_cents(expected)


def _net_of_line(line: Line) -> Decimal:
    """Quantity times price, cut to a tenth of a cent, with charges and allowances, in cents."""
    price = line.price.amount.decimal
    if line.price.base_quantity:
        price = divide(price, line.price.base_quantity.decimal)
    gross = (line.quantity.decimal * price).scaleb(3).to_integral_value(ROUND_FLOOR).scaleb(-1) + _TRIFLE
    net = gross.scaleb(-2)
    if line.allowances_charges:
        net += add_up(each.amount for each in line.charges) - add_up(each.amount for each in line.allowances)
    return round_half_up(net, 2)


@rule(
    "BR-KSA-EN16931-11",
    EN16931_LINE,
    term="BT-131",
    place=lambda each: each.net,
    expected=_net_of_line,
    severity=WARNING,
)
def net_follows_from_quantity_and_price(line: Line) -> bool:
    net, expected = line.net.decimal, _net_of_line(line)
    return net == expected or net in (expected + CENT, expected - CENT)


# -- prices ---------------------------------------------------------------------------------------------------


@rule("BR-KSA-EN16931-06", PRICE_ALLOWANCE, term="BT-147", place=lambda each: each.indicator)
def price_has_no_charge(reduction: AllowanceCharge) -> bool:
    return not reduction.indicator.is_true


def _net_price(base: Number) -> Decimal:
    return base.decimal - base.up(AllowanceCharge).amount.decimal


@rule(
    "BR-KSA-EN16931-07", PRICE_BASE, term="BT-146",
    place=lambda base: base.up(AllowanceCharge).up(Price).amount, expected=_net_price,
)  # fmt: skip
def net_price_is_gross_less_discount(base: Number) -> bool:
    return base.up(AllowanceCharge).up(Price).amount.decimal == _net_price(base)


@rule("BR-KSA-EN16931-12", BASE_QUANTITY, term="BT-149")
def base_quantity_is_positive(quantity: Number) -> bool:
    return not quantity.filled or quantity.double > 0


# -- allowances and charges -----------------------------------------------------------------------------------


def _share_of_base(each: AllowanceCharge) -> float:
    product = each.base.double * each.multiplier.double / 100 * 100 + 0.5
    return floor(product) / 100 if product == product and abs(product) != float("inf") else product


@rule(
    "BR-KSA-EN16931-03", REDUCTION_WITH_BASE, term="BT-92", place=lambda each: each.amount, expected=_share_of_base,
    severity=WARNING,
)  # fmt: skip
def amount_is_its_share_of_the_base(each: AllowanceCharge) -> bool:
    if not each.amount.filled or not each.base.filled:
        return True
    return in_cents(each.amount.double) == in_cents(_share_of_base(each))


@rule("BR-KSA-EN16931-04", MULTIPLIER, term="BT-93", place=lambda each: each.up(AllowanceCharge), severity=WARNING)
def share_has_a_base(share: Number) -> bool:
    return bool(share.up(AllowanceCharge).base)


@rule("BR-KSA-EN16931-05", BASE_AMOUNT, term="BT-94", place=lambda each: each.up(AllowanceCharge), severity=WARNING)
def base_has_a_share(base: Number) -> bool:
    return bool(base.up(AllowanceCharge).multiplier)
