"""How a Salla order's sums close: two ways for the totals, four places for the discounts, found by arithmetic.

Totals: sub_total + shipping + cash_on_delivery + tax, with the discounts still to be taken off or already taken off
sub_total. A discount may be told on the items, on the order, on both at once, or be inside the prices.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.invoice.facts import ZERO
from gateway.stores.raw import mapping, number, objects, text
from gateway.stores.store import MAX_GAP, check_closes, does_not_close


def money(value: object) -> Decimal:
    """An amount: {"amount": 5, "currency": "SAR"}, sometimes with another one inside; zero if it is not given."""
    while isinstance(value, Mapping):
        value = value.get("amount")
    return ZERO if value in (None, "") else number(value, "amount")


def currency_of(order: Mapping[str, Any]) -> str:
    """The currency of the order's amounts."""
    amounts = mapping(order.get("amounts"))
    return text(order.get("currency")) or text(mapping(amounts.get("total")).get("currency"))


class Sums(NamedTuple):
    """What the shop declares. `reduced` says whether its discounts are still to be taken off `goods`."""

    goods: Decimal
    shipping: Decimal
    on_delivery: Decimal
    tax: Decimal
    discount: Decimal
    shipping_discount: Decimal
    total: Decimal
    reduced: bool

    @property
    def goods_net(self) -> Decimal:
        """What the items come to after every discount on them, without VAT."""
        return self.goods - (self.discount - self.shipping_discount if self.reduced else ZERO)


def read_sums(order: Mapping[str, Any]) -> Sums:
    """The declared sums, closing in one of the two ways that occur; DoesNotClose if in neither."""
    amounts = mapping(order.get("amounts"))
    discounts = objects(amounts.get("discounts"))
    sums = Sums(
        goods=money(amounts.get("sub_total")),
        shipping=money(amounts.get("shipping_cost")),
        on_delivery=money(amounts.get("cash_on_delivery")),
        tax=money(mapping(amounts.get("tax")).get("amount")),
        discount=sum((money(discount.get("discount")) for discount in discounts), ZERO),
        shipping_discount=sum((money(discount.get("discounted_shipping")) for discount in discounts), ZERO),
        total=money(amounts.get("total")),
        reduced=True,
    )
    before = sums.goods + sums.shipping + sums.on_delivery + sums.tax
    if abs(before - sums.discount - sums.total) <= MAX_GAP:
        return sums
    if abs(before - sums.total) <= MAX_GAP:
        return sums._replace(reduced=False)
    nearest = min(before, before - sums.discount, key=lambda computed: abs(computed - sums.total))
    raise does_not_close(text(order.get("reference_id")), sums.total, nearest, currency_of(order))


def find_reductions(order: Mapping[str, Any], sums: Sums) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the items' own discounts count, and those of the whole order that do.

    A discount may be told on the items, on the order, on both at once or be inside the prices already: the reading
    that brings the items to the declared sum is the right one.
    """
    items = [(mapping(item.get("amounts")), money(item.get("quantity"))) for item in objects(order.get("items"))]
    listed = sum((money(amounts.get("price_without_tax")) * quantity for amounts, quantity in items), ZERO)
    on_items = sum((money(amounts.get("total_discount")) for amounts, _ in items), ZERO)
    coupons = [coupon for coupon in _coupons(order) if coupon["amount"]]
    on_order = sum((coupon["amount"] for coupon in coupons), ZERO)
    readings = {
        (False, False): listed,
        (True, False): listed - on_items,
        (False, True): listed - on_order,
        (True, True): listed - on_items - on_order,
    }
    best = min(readings, key=lambda reading: abs(readings[reading] - sums.goods_net))
    check_closes(text(order.get("reference_id")), sums.goods_net, readings[best], currency_of(order))
    return best[0], coupons if best[1] else []


def _coupons(order: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """The order's discounts without what they take off shipping, which belongs to the shipping line."""
    for discount in objects(mapping(order.get("amounts")).get("discounts")):
        yield {
            "amount": money(discount.get("discount")) - money(discount.get("discounted_shipping")),
            "origin": "coupon" if text(discount.get("code")) else "automatic",
            "code": text(discount.get("code")),
            "reason": text(discount.get("title")),
        }
