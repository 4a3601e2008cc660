"""The preview says where each halala went."""

import re

from gateway.invoice.from_order import draw_up
from gateway.invoice.halalas import explained
from gateway.order import read_order
from tests.installation import order
from tests.ubl_documents import SELLER


def said(**more):
    read = read_order(order(1, **more))
    return [each.en for each in explained(read, draw_up(read, SELLER))]


def priced(*prices, **more):
    line = order(1)["lines"][0]
    lines = [line | {"id": str(number), "quantity": "1", "unit_price": price} for number, price in enumerate(prices, 1)]
    return said(lines=lines, **({"declared": {}} | more))


def test_a_group_that_closes_is_shown_with_its_sums():
    assert priced("115.00") == ["S 15 %: 115.00 was charged with VAT; taxable amount and VAT 100.00 + 15.00 = 115.00."]


def test_the_halala_that_cannot_be_reached_is_followed_to_the_rounding():
    group, rounding = priced("1300.00")
    assert group == (
        "S 15 %: 1300.00 was charged with VAT; taxable amount and VAT 1130.43 + 169.56 = 1299.99;"
        " 0.01 no taxable amount reaches."
    )
    assert rounding == "Rounding (BT-114) 0.01: the document comes to 1299.99, what was charged to 1300.00."


def test_a_line_that_bears_a_halala_is_named():
    _, *lines = priced(*["0.99"] * 7)
    assert lines
    assert all(
        re.fullmatch(r"Line \d: 0\.8[5-7] instead of 0\.86, so that its VAT group closes\.", each) for each in lines
    )


def test_prices_without_vat_and_the_shops_own_rounding():
    steps = priced("0.99", "0.99", "0.99", prices_include_tax=False, declared={"grand": "3.42"})
    assert steps[0] == "S 15 %: taxable amount and VAT 2.97 + 0.45 = 3.42."
    steps = priced("0.99", "0.99", "0.99", prices_include_tax=False, declared={"grand": "3.43"})
    assert steps[-1].endswith("the document comes to 3.42, the shop's total to 3.43.")
