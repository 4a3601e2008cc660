"""How long texts may be, in characters."""

from collections.abc import Callable
from typing import TypeVar

from gateway.rules.book import WARNING, Context, Rule, rule
from gateway.rules.en16931.contexts import ANY_LINE_OF_INVOICE, INVOICE, LINE
from gateway.rules.parts import Address, Invoice, Line
from gateway.rules.view import Node, single

N = TypeVar("N", bound=Node)


def _at_most_127(rule_id: str, context: Context[N], term: str, text: Callable[[N], Node]) -> Rule:
    @rule(rule_id, context, term=term, place=text, severity=WARNING)
    def has_at_most_127_characters(node: N) -> bool:
        return len(text(node).text) <= 127

    return has_at_most_127_characters


def _seller_address(invoice: Invoice) -> Address:
    return invoice.seller.party.address


def _buyer_address(invoice: Invoice) -> Address:
    return invoice.buyer.party.address


BR_KSA_F_06_C1 = _at_most_127("BR-KSA-F-06-C1", INVOICE, "BT-1", lambda invoice: invoice.id)
BR_KSA_F_06_C8 = _at_most_127("BR-KSA-F-06-C8", INVOICE, "BT-39", lambda each: _seller_address(each).subentity)
BR_KSA_F_06_C27 = _at_most_127("BR-KSA-F-06-C27", INVOICE, "BT-54", lambda each: _buyer_address(each).subentity)
BR_KSA_F_06_C30 = _at_most_127("BR-KSA-F-06-C30", ANY_LINE_OF_INVOICE, "BT-156", lambda line: line.item.buyers_id.id)
BR_KSA_F_06_C31 = _at_most_127("BR-KSA-F-06-C31", ANY_LINE_OF_INVOICE, "BT-155", lambda line: line.item.sellers_id.id)
BR_KSA_F_06_C20 = _at_most_127("BR-KSA-F-06-C20", ANY_LINE_OF_INVOICE, "BT-157", lambda line: line.item.standard_id.id)


def _long_note(invoice: Invoice) -> Node:
    notes = (note for note in invoice.notes if any(len(text) > 1000 for text in note.texts))
    return next(notes, Node.absent())


@rule("BR-KSA-F-06-C2", INVOICE, term="BT-22", place=_long_note, severity=WARNING)
def notes_have_at_most_1000_characters(invoice: Invoice) -> bool:
    return not _long_note(invoice)


def _seller_name(invoice: Invoice) -> Node:
    return single(Node, invoice.seller.party.names)


@rule("BR-KSA-F-06-C10", INVOICE, term="BT-27", place=_seller_name, severity=WARNING)
def seller_name_has_1_to_1000_characters(invoice: Invoice) -> bool:
    # Its string-length() takes one name only, so a second legal entity of the seller stops the whole set.
    name = _seller_name(invoice)
    return not name or 1 <= len(name.text) <= 1000


@rule("BR-KSA-F-06-C17", ANY_LINE_OF_INVOICE, term="BT-126", place=lambda line: line.id)
def line_id_has_1_to_6_characters(line: Line) -> bool:
    return not line.id or 1 <= len(line.id.text) <= 6


@rule(
    "BR-KSA-F-06-C18",
    LINE,
    term="BT-130",
    place=lambda line: line.quantity,
    value=lambda line: line.quantity.unit,
    severity=WARNING,
)
def unit_code_has_at_most_127_characters(line: Line) -> bool:
    return len(line.quantity.unit) <= 127


@rule("BR-KSA-F-06-C19", LINE, term="BT-153", place=lambda line: line.item.name, severity=WARNING)
def item_name_has_3_to_1000_characters(line: Line) -> bool:
    return not line.item.name or 3 <= len(line.item.name.text) <= 1000
