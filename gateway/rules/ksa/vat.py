"""VAT categories, their rates, and the reasons for which no VAT is charged."""

from collections.abc import Mapping
from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.ksa.contexts import (
    CATEGORY_CODE,
    OUT_OF_SCOPE_ALLOWANCE,
    OUT_OF_SCOPE_CHARGE,
    OUT_OF_SCOPE_ITEM,
    RATE,
    STANDARD_CATEGORY,
    UNTAXED_CATEGORY,
    UNTAXED_LINE_CATEGORY,
)
from gateway.rules.parts import TaxCategory
from gateway.rules.view import Node, Number
from gateway.rules.xpath import code_list

EXEMPTIONS: Final = {
    "Z": code_list(
        "VATEX-SA-32 VATEX-SA-33 VATEX-SA-34-1 VATEX-SA-34-2 VATEX-SA-34-3 VATEX-SA-34-4 VATEX-SA-34-5 VATEX-SA-35 "
        "VATEX-SA-36 VATEX-SA-EDU VATEX-SA-HEA VATEX-SA-MLTRY VATEX-SA-DIPLOMAT VATEX-SA-DUTYFREE "
        "VATEX-SA-ROYALDECREE VATEX-SA-32(bis)"
    ),
    "E": code_list("VATEX-SA-29 VATEX-SA-29-7 VATEX-SA-30"),
    "O": code_list("VATEX-SA-OOS"),
}
"""BR-KSA-CL-04: the codes of reasons by category."""

_SINCE_THEN: Final = frozenset({"VATEX-SA-ROYALDECREE", "VATEX-SA-32(bis)"})
EXEMPTIONS_OF_PREPAYMENTS: Final = {code: reasons - _SINCE_THEN for code, reasons in EXEMPTIONS.items()}
"""BR-KSA-CL-07: the same list, which did not follow when two codes were added."""


def _has_rate_but_zero(category: TaxCategory) -> bool:
    return category.percent.exceeds(0) or category.percent.is_below(0)


def _reason_code(category: TaxCategory) -> Node:
    return category.reason_code


@rule("BR-KSA-18", CATEGORY_CODE, term="BT-118")
def category_is_of_the_kingdom(code: Node) -> bool:
    # Searched for in the list: empty text is found in it too.
    return code.text in " S Z E O "


@rule("BR-KSA-11", OUT_OF_SCOPE_ITEM, term="BT-152", place=lambda category: category.percent)
def out_of_scope_item_has_no_rate(category: TaxCategory) -> bool:
    return not _has_rate_but_zero(category)


@rule("BR-KSA-12", OUT_OF_SCOPE_ALLOWANCE, term="BT-96", place=lambda category: category.percent, severity=WARNING)
def out_of_scope_allowance_has_no_rate(category: TaxCategory) -> bool:
    return not _has_rate_but_zero(category)


@rule("BR-KSA-13", OUT_OF_SCOPE_CHARGE, term="BT-103", place=lambda category: category.percent, severity=WARNING)
def out_of_scope_charge_has_no_rate(category: TaxCategory) -> bool:
    return not _has_rate_but_zero(category)


@rule("BR-KSA-84", STANDARD_CATEGORY, term="BT-119", place=lambda category: category.percent, since="R3.3.1")
def standard_rate_is_15_or_5(category: TaxCategory) -> bool:
    # 15 is compared after floor(), so that 15.5 passes; 5 is not.
    rate = category.percent
    return not rate or 15 <= rate.decimal < 16 or rate.equals(5)


@rule("BR-KSA-DEC-02", RATE, term="BT-119")
def rate_is_a_percentage_with_two_decimals(rate: Number) -> bool:
    return not rate.normal or (0 <= rate.decimal <= 100 and rate.places <= 2)


def _is_listed(category: TaxCategory, exemptions: Mapping[str, frozenset[str]]) -> bool:
    code = category.reason_code.normal
    return not code or code in exemptions.get(category.code, frozenset())


def _states_code(category: TaxCategory, category_code: str) -> bool:
    return category.code != category_code or bool(category.reason_code.normal)


@rule("BR-KSA-CL-04", UNTAXED_CATEGORY, term="BT-121", place=_reason_code, severity=WARNING)
def exemption_is_listed(category: TaxCategory) -> bool:
    return _is_listed(category, EXEMPTIONS)


@rule("BR-KSA-23", UNTAXED_CATEGORY, term="BT-121", place=_reason_code, severity=WARNING)
def exempt_supply_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "E")


@rule("BR-KSA-24", UNTAXED_CATEGORY, term="BT-121", place=_reason_code, severity=WARNING)
def supply_out_of_scope_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "O")


@rule("BR-KSA-69", UNTAXED_CATEGORY, term="BT-121", place=_reason_code, severity=WARNING)
def zero_rated_supply_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "Z")


@rule("BR-KSA-83", UNTAXED_CATEGORY, term="BT-120", value=lambda _: "", severity=WARNING)
def exemption_has_words(category: TaxCategory) -> bool:
    return not category.reason_code or bool(category.reason.normal)


@rule("BR-KSA-CL-07", UNTAXED_LINE_CATEGORY, term="BT-121", place=_reason_code, since="R3.3.5", severity=WARNING)
def exemption_of_prepayment_is_listed(category: TaxCategory) -> bool:
    return _is_listed(category, EXEMPTIONS_OF_PREPAYMENTS)


@rule("BR-KSA-93", UNTAXED_LINE_CATEGORY, term="BT-121", place=_reason_code, since="R3.3.5", severity=WARNING)
def zero_rated_prepayment_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "Z")


@rule("BR-KSA-94", UNTAXED_LINE_CATEGORY, term="BT-121", place=_reason_code, since="R3.3.5", severity=WARNING)
def exempt_prepayment_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "E")


@rule("BR-KSA-95", UNTAXED_LINE_CATEGORY, term="BT-121", place=_reason_code, since="R3.3.5", severity=WARNING)
def prepayment_out_of_scope_states_its_code(category: TaxCategory) -> bool:
    return _states_code(category, "O")


@rule("BR-KSA-96", UNTAXED_LINE_CATEGORY, term="BT-120", value=lambda _: "", since="R3.3.5", severity=WARNING)
def exemption_of_prepayment_has_words(category: TaxCategory) -> bool:
    return not category.reason_code or bool(category.reason.normal)
