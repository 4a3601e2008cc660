"""An order edited after its invoice: what is given back and what is charged beyond it."""

from decimal import Decimal

import pytest

from gateway.errors import Conflict
from gateway.invoice.edits import edited
from gateway.invoice.policy import Policy
from gateway.order import read_order
from tests.installation import BUSINESS, order


def sold(*lines, **more):
    base = order(1)["lines"][0]
    written = [
        base | {"id": name, "quantity": quantity, "unit_price": price, **rest} for name, quantity, price, rest in lines
    ]
    return read_order(order(1, lines=written, declared={}, **more))


def line(name, quantity, price, **rest):
    return name, quantity, price, rest


BEFORE = (line("a", "3", "10.00"), line("b", "1", "50.00"))


def told(before, after):
    """What goes back and what is added, in short."""
    refund, addition = edited(before, after, Policy())
    back = [(each.line, each.quantity, each.amount) for each in refund.lines] if refund else []
    beyond = [(each.id, each.quantity, each.unit_price) for each in addition.lines] if addition else []
    return back, beyond


@pytest.mark.parametrize(
    ("after", "back", "beyond"),
    [
        (BEFORE, [], []),
        ([line("a", "1", "10.00"), BEFORE[1]], [("a", 2, None)], []),
        ([BEFORE[1]], [("a", 3, None)], []),
        ([line("a", "5", "10.00"), BEFORE[1]], [], [("a", 2, Decimal("10.00"))]),
        ([line("a", "3", "9.00"), BEFORE[1]], [("a", None, Decimal("3.00"))], []),
        ([line("a", "3", "11.00"), BEFORE[1]], [], [("a", 1, Decimal("3.00"))]),
        ([BEFORE[0], line("c", "2", "20.00")], [("b", 1, None)], [("c", 2, Decimal("20.00"))]),
        ([line("a", "3", "10.00", tax={"category": "S", "rate": "5"}), BEFORE[1]], [("a", 3, None)],
         [("a", 3, Decimal("10.00"))]),
    ],
    ids=["nothing", "fewer", "gone", "more", "cheaper", "dearer", "exchanged", "another rate"],
)  # fmt: skip
def test_each_change_is_told_line_by_line(after, back, beyond):
    assert told(sold(*BEFORE), sold(*after)) == (back, beyond)


def test_prices_without_vat_give_back_the_vat_too():
    after = sold(line("a", "3", "9.00"), BEFORE[1], prices_include_tax=False)
    assert told(sold(*BEFORE, prices_include_tax=False), after) == ([("a", None, Decimal("3.45"))], [])


def test_a_coupon_that_came_later_lowers_each_line():
    after = sold(*BEFORE, reductions=[{"amount": "8.00", "origin": "coupon"}])
    assert told(sold(*BEFORE), after) == ([("a", None, Decimal("3.00")), ("b", None, Decimal("5.00"))], [])


def test_a_change_of_the_buyer_is_for_a_person():
    with pytest.raises(Conflict, match="in buyer") as refused:
        edited(sold(*BEFORE), sold(*BEFORE, buyer=BUSINESS), Policy())
    assert refused.value.fix
    assert refused.value.ar


def test_what_no_document_shows_may_change():
    before = sold(*BEFORE, buyer={"kind": "person", "name": "سعد"})
    after = sold(*BEFORE, buyer={"name": "سعد"}, ship_to={"city": "جدة"}, version="2", note="Ring twice")
    assert told(before, after) == ([], [])


def test_the_notes_of_one_edit_have_one_name():
    after = sold(BEFORE[0], line("c", "2", "20.00"))
    refund, addition = edited(sold(*BEFORE), after, Policy())
    assert refund.id == addition.id == edited(sold(*BEFORE), after, Policy()).refund.id


def test_what_a_vendor_sold_is_not_told():
    vendors = [line("v", quantity, "7.00", sold_by="registered_vendor") for quantity in ("1", "3")]
    assert told(sold(*BEFORE, vendors[0]), sold(*BEFORE, vendors[1])) == ([], [])
    assert told(sold(*BEFORE, vendors[0]), sold(*BEFORE)) == ([], [])
