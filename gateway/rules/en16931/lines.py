"""What every invoice line must carry."""

import re
from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.en16931.contexts import ITEM_PROPERTY, LINE, LINE_ALLOWANCE, LINE_CHARGE
from gateway.rules.parts import AllowanceCharge, ItemProperty, Line

_DIGITS: Final = re.compile(r"\d+")


@rule("BR-21", LINE, term="BT-126", place=lambda line: line.id, severity=WARNING)
def line_is_named(line: Line) -> bool:
    return line.id.filled


@rule("BR-22", LINE, term="BT-129", place=lambda line: line.quantity)
def quantity_is_given(line: Line) -> bool:
    # Only the very text '0' counts as none: '0.0' passes.
    return bool(line.quantity) and "0" not in line.quantity.texts


@rule("BR-24", LINE, term="BT-131")
def net_amount_is_given(line: Line) -> bool:
    return bool(line.net)


@rule("BR-25", LINE, term="BT-153", place=lambda line: line.item.name or line.item, severity=WARNING)
def item_is_named(line: Line) -> bool:
    return line.item.name.filled


@rule("BR-KSA-F-C-01", LINE, term="BT-153", place=lambda line: line.item.name, since="R3.4.1", severity=WARNING)
def item_name_is_more_than_digits(line: Line) -> bool:
    # Of the four patterns in the official condition the last, digits only, says what the others say.
    return not _DIGITS.fullmatch(line.item.name.text)


@rule("BR-26", LINE, term="BT-146", place=lambda line: line.price)
def net_price_is_given(line: Line) -> bool:
    return bool(line.price.amount)


@rule("BR-CO-04", LINE, term="BT-151", place=lambda line: line.item)
def vat_category_is_given(line: Line) -> bool:
    return any(category.is_vat and category.id for category in line.item.categories)


@rule("BR-41", LINE_ALLOWANCE, term="BT-136")
def line_allowance_has_an_amount(allowance: AllowanceCharge) -> bool:
    return bool(allowance.amount)


@rule("BR-43", LINE_CHARGE, term="BT-141", severity=WARNING)
def line_charge_has_an_amount(charge: AllowanceCharge) -> bool:
    return bool(charge.amount)


@rule("BR-54", ITEM_PROPERTY, term="BG-32")
def item_attribute_has_name_and_value(attribute: ItemProperty) -> bool:
    return bool(attribute.name and attribute.value)
