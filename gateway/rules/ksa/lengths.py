"""How long texts may be, in characters."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from gateway.rules.book import FIRST_RELEASE, WARNING, Context, Rule, rule
from gateway.rules.everywhere import Everywhere, everywhere
from gateway.rules.ksa.contexts import (
    BUYER_CONTACT,
    CODED,
    DOCUMENT_ALLOWANCE,
    DOCUMENT_CHARGE,
    EN16931_LINE,
    INVOICE,
    LINE_ALLOWANCE,
    LINE_CHARGE,
    SAUDI_BUYER,
    SELLER_ADDRESS,
    UNTAXED_BREAKDOWN,
    UNTAXED_LINE_CATEGORY,
)
from gateway.rules.parts import Line
from gateway.rules.view import Node, single

N = TypeVar("N", bound=Node)


def _length(
    rule_id: str,
    context: Context[N],
    term: str,
    text: Callable[[N], Node],
    limits: range,
    *,
    where: Callable[[Everywhere], bool] | None = None,
    since: str = FIRST_RELEASE,
) -> Rule:
    """Text that, where it is given, has a number of characters within the limits."""

    @rule(rule_id, context, term=term, place=text, since=since, severity=WARNING)
    def has_that_many_characters(node: N) -> bool:
        if where is not None and not where(everywhere(node)):
            return True
        found = text(node)
        return not found or len(found.text) in limits

    return has_that_many_characters


TO_127, TO_1000 = range(128), range(1001)
FROM_1_TO_127, FROM_1_TO_1000 = range(1, 128), range(1, 1001)


def _is_standard(whole: Everywhere) -> bool:
    return whole.is_standard


def _is_typed_simplified(whole: Everywhere) -> bool:
    return whole.is_typed_simplified


def _first(nodes: Iterable[Node]) -> Node:
    return next(iter(nodes), Node.absent())


C3 = _length("BR-KSA-F-06-C3", INVOICE, "BT-13", lambda invoice: invoice.order.id, TO_127)
C4 = _length("BR-KSA-F-06-C4", SELLER_ADDRESS, "BT-35", lambda address: address.street, FROM_1_TO_1000)
C5 = _length(
    "BR-KSA-F-06-C5", INVOICE, "BT-12", lambda each: single(Node, [it.id for it in each.contracts if it.id]), TO_127
)
C6 = _length("BR-KSA-F-06-C6", SELLER_ADDRESS, "BT-36", lambda address: address.additional_street, TO_127)
C7 = _length("BR-KSA-F-06-C7", SELLER_ADDRESS, "BT-37", lambda address: address.city, FROM_1_TO_127)
C9 = _length("BR-KSA-F-06-C9", SAUDI_BUYER, "KSA-3", lambda each: everywhere(each).seller_district, FROM_1_TO_127)
C11 = _length("BR-KSA-F-06-C11", SELLER_ADDRESS, "BT-51", lambda each: everywhere(each).buyer_additional_street, TO_127)
C12 = _length(
    "BR-KSA-F-06-C12", CODED, "BT-44", lambda each: everywhere(each).buyer_name, FROM_1_TO_1000, where=_is_standard
)
C14 = _length("BR-KSA-F-06-C14", CODED, "KSA-22", lambda each: everywhere(each).payment_note, FROM_1_TO_1000)
C15 = _length("BR-KSA-F-06-C15", CODED, "BT-84", lambda each: everywhere(each).account_id, TO_127)
C16 = _length("BR-KSA-F-06-C16", UNTAXED_BREAKDOWN, "BT-120", lambda each: each.reason, FROM_1_TO_1000)
C24 = _length(
    "BR-KSA-F-06-C24", CODED, "BT-50", lambda each: everywhere(each).buyer_street, TO_1000, where=_is_typed_simplified
)
C26 = _length("BR-KSA-F-06-C26", CODED, "BT-52", lambda each: everywhere(each).buyer_city, TO_127)
C29 = _length(
    "BR-KSA-F-06-C29", SAUDI_BUYER, "KSA-4", lambda each: everywhere(each).buyer_district, TO_127, where=_is_standard
)
C32 = _length(
    "BR-KSA-F-06-C32", CODED, "BT-44", lambda each: everywhere(each).buyer_name, TO_1000, where=_is_typed_simplified
)
C33 = _length("BR-KSA-F-06-C33", DOCUMENT_CHARGE, "BT-104", lambda charge: charge.reason, FROM_1_TO_1000)
C34 = _length("BR-KSA-F-06-C34", LINE_CHARGE, "BT-144", lambda charge: charge.reason, FROM_1_TO_1000)
C35 = _length("BR-KSA-F-06-C35", DOCUMENT_ALLOWANCE, "BT-97", lambda allowance: allowance.reason, FROM_1_TO_1000)
C36 = _length("BR-KSA-F-06-C36", LINE_ALLOWANCE, "BT-139", lambda allowance: allowance.reason, FROM_1_TO_1000)
C37 = _length(
    "BR-KSA-F-06-C37", BUYER_CONTACT, "BT-56", lambda each: everywhere(each).buyer_contact_name, TO_1000, since="R3.3.1"
)
C38 = _length(
    "BR-KSA-F-06-C38", BUYER_CONTACT, "KSA-35", lambda each: everywhere(each).buyer_contact_note, TO_1000,
    since="R3.3.1",
)  # fmt: skip
C39 = _length(
    "BR-KSA-F-06-C39", UNTAXED_LINE_CATEGORY, "BT-120", lambda each: each.reason, FROM_1_TO_1000, since="R3.3.5"
)


@rule("BR-KSA-F-06-C21", EN16931_LINE, term="BT-150", place=lambda line: line.price.base_quantity,
      value=lambda line: line.price.base_quantity.unit, severity=WARNING)  # fmt: skip
def unit_code_of_base_quantity_has_at_most_127_characters(line: Line) -> bool:
    return len(line.price.base_quantity.unit) <= 127


def _needed(rule_id: str, context: Context[N], term: str, text: Callable[[N], Node], limits: range | None) -> Rule:
    """Text of the buyer's address that a standard document must give."""

    @rule(rule_id, context, term=term, place=text, value=lambda _: "", severity=WARNING)
    def is_given_on_a_standard_document(node: N) -> bool:
        if not everywhere(node).is_standard:
            return True
        found = text(node)
        return found.filled and (limits is None or len(found.text) in limits)

    return is_given_on_a_standard_document


C23 = _needed("BR-KSA-F-06-C23", CODED, "BT-50", lambda each: everywhere(each).buyer_street, FROM_1_TO_1000)
C25 = _needed("BR-KSA-F-06-C25", CODED, "BT-52", lambda each: everywhere(each).buyer_city, None)
C28 = _needed("BR-KSA-F-06-C28", SAUDI_BUYER, "KSA-4", lambda each: everywhere(each).buyer_district, None)
