"""What every invoice line must carry."""

from gateway.rules.book import rule
from gateway.rules.en16931.contexts import ANY_LINE_OF_INVOICE, ITEM_PROPERTY, LINE, LINE_ALLOWANCE
from gateway.rules.view import AllowanceCharge, ItemProperty, Line


@rule("BR-KSA-F-06-C17", ANY_LINE_OF_INVOICE, term="BT-126", place=lambda line: line.id)
def line_id_has_1_to_6_characters(line: Line) -> bool:
    return not line.id or 1 <= len(line.id.text) <= 6


@rule("BR-22", LINE, term="BT-129", place=lambda line: line.quantity)
def quantity_is_given(line: Line) -> bool:
    # Only the very text '0' counts as none: '0.0' passes.
    return bool(line.quantity) and "0" not in line.quantity.texts


@rule("BR-24", LINE, term="BT-131")
def net_amount_is_given(line: Line) -> bool:
    return bool(line.net)


@rule("BR-26", LINE, term="BT-146", place=lambda line: line.price)
def net_price_is_given(line: Line) -> bool:
    return bool(line.price.amount)


@rule("BR-CO-04", LINE, term="BT-151", place=lambda line: line.item)
def vat_category_is_given(line: Line) -> bool:
    return any(category.is_vat and category.id for category in line.item.categories)


@rule("BR-41", LINE_ALLOWANCE, term="BT-136")
def line_allowance_has_an_amount(allowance: AllowanceCharge) -> bool:
    return bool(allowance.amount)


@rule("BR-54", ITEM_PROPERTY, term="BG-32")
def item_attribute_has_name_and_value(attribute: ItemProperty) -> bool:
    return bool(attribute.name and attribute.value)
