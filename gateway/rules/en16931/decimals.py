"""Amounts have no more than two decimals. What counts are the characters after the point, not the value."""

from collections.abc import Callable
from typing import TypeVar

from gateway.rules.book import WARNING, Context, Rule, rule
from gateway.rules.en16931.contexts import (
    ACCOUNTING_VAT_TOTAL,
    DOCUMENT_ALLOWANCE,
    DOCUMENT_CHARGE,
    LINE,
    LINE_ALLOWANCE,
    LINE_CHARGE,
    TAX_SUBTOTAL,
    TOTALS,
    VAT_TOTAL,
)
from gateway.rules.view import Node, Number

N = TypeVar("N", bound=Node)


def _two_decimals(rule_id: str, context: Context[N], term: str, amount: Callable[[N], Number]) -> Rule:
    @rule(rule_id, context, term=term, place=amount, severity=WARNING)
    def has_at_most_two_decimals(node: N) -> bool:
        return amount(node).places <= 2

    return has_at_most_two_decimals


BR_DEC_01 = _two_decimals("BR-DEC-01", DOCUMENT_ALLOWANCE, "BT-92", lambda each: each.amount)
BR_DEC_02 = _two_decimals("BR-DEC-02", DOCUMENT_ALLOWANCE, "BT-93", lambda each: each.base)
BR_DEC_05 = _two_decimals("BR-DEC-05", DOCUMENT_CHARGE, "BT-99", lambda each: each.amount)
BR_DEC_06 = _two_decimals("BR-DEC-06", DOCUMENT_CHARGE, "BT-100", lambda each: each.base)
BR_DEC_09 = _two_decimals("BR-DEC-09", TOTALS, "BT-106", lambda total: total.lines)
BR_DEC_10 = _two_decimals("BR-DEC-10", TOTALS, "BT-107", lambda total: total.allowances)
BR_DEC_11 = _two_decimals("BR-DEC-11", TOTALS, "BT-108", lambda total: total.charges)
BR_DEC_12 = _two_decimals("BR-DEC-12", TOTALS, "BT-109", lambda total: total.tax_exclusive)
BR_DEC_14 = _two_decimals("BR-DEC-14", TOTALS, "BT-112", lambda total: total.tax_inclusive)
BR_DEC_16 = _two_decimals("BR-DEC-16", TOTALS, "BT-113", lambda total: total.prepaid)
BR_DEC_17 = _two_decimals("BR-DEC-17", TOTALS, "BT-114", lambda total: total.rounding)
BR_DEC_18 = _two_decimals("BR-DEC-18", TOTALS, "BT-115", lambda total: total.payable)
BR_DEC_19 = _two_decimals("BR-DEC-19", TAX_SUBTOTAL, "BT-116", lambda subtotal: subtotal.taxable)
BR_DEC_20 = _two_decimals("BR-DEC-20", TAX_SUBTOTAL, "BT-117", lambda subtotal: subtotal.tax)
BR_DEC_23 = _two_decimals("BR-DEC-23", LINE, "BT-131", lambda line: line.net)
BR_DEC_24 = _two_decimals("BR-DEC-24", LINE_ALLOWANCE, "BT-136", lambda each: each.amount)
BR_DEC_25 = _two_decimals("BR-DEC-25", LINE_ALLOWANCE, "BT-137", lambda each: each.base)
BR_DEC_27 = _two_decimals("BR-DEC-27", LINE_CHARGE, "BT-141", lambda each: each.amount)
BR_DEC_28 = _two_decimals("BR-DEC-28", LINE_CHARGE, "BT-142", lambda each: each.base)
BR_DEC_13 = _two_decimals("BR-DEC-13", VAT_TOTAL, "BT-110", lambda amount: amount)
BR_DEC_15 = _two_decimals("BR-DEC-15", ACCOUNTING_VAT_TOTAL, "BT-111", lambda amount: amount)
