"""What a Magento order sold, with its parents and children, and the figures of an amount.

Every amount comes in the order's currency and, as `base_...`, in the shop's: the side in SAR is read. `price_incl_tax`
is never multiplied: it is rounded, and its rows are not.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.invoice.facts import SAR, ZERO, round_half_up
from gateway.stores.raw import mapping, number, objects, text
from gateway.stores.refusals import Problems, cut
from gateway.stores.sold import Sold, explaining, reduced
from gateway.stores.store import MAX_GAP
from gateway.stores.untaxed import Supply

_CREDITS = {"gift_card": "gift_cards_amount", "store_credit": "customer_balance_amount"}


class Figures(NamedTuple):
    """The side of the amounts that is read: the prefix of their names, and the currency they are in."""

    prefix: str
    currency: str

    def amount(self, entry: Mapping[str, Any], field: str, place: str) -> Decimal:
        """An amount of this side; the order's own is zero where it is left out or null."""
        value = entry.get(f"{self.prefix}{field}")
        return ZERO if value in (None, "") else number(value, f"{place}.{self.prefix}{field}")

    def after_discount(self, entry: Mapping[str, Any], place: str, *, of: str = "") -> Decimal:
        """What a row comes to without VAT: a discount on prices with VAT took VAT off too, which is given back."""
        total = self.amount(entry, f"{of}amount" if of else "row_total", place)
        off = abs(self.amount(entry, f"{of}discount_amount", place))
        return total - off + self.amount(entry, f"{of}discount_tax_compensation_amount", place)

    def paid(self, item: Mapping[str, Any], place: str) -> Decimal:
        """What the buyer paid for a row, with VAT."""
        return self.after_discount(item, place) + self.amount(item, "tax_amount", place)

    def shipping(self, entry: Mapping[str, Any], place: str) -> Decimal:
        """The same for shipping."""
        return self.after_discount(entry, place, of="shipping_") + self.amount(entry, "shipping_tax_amount", place)


def figures_of(body: Mapping[str, Any]) -> Figures:
    """The side in SAR; the order's own if neither is."""
    order, base = text(body.get("order_currency_code")), text(body.get("base_currency_code"))
    return Figures("base_", SAR) if order != SAR and base == SAR else Figures("", order)


def credit_in(body: Mapping[str, Any], figures: Figures) -> dict[str, Decimal]:
    """What gift cards and store credit paid, by the payment's method: it was taken off grand_total."""
    extended = mapping(body.get("extension_attributes"))
    return {
        method: abs(figures.amount(body, field, "order") or figures.amount(extended, field, "extension_attributes"))
        for method, field in _CREDITS.items()
    }


def sold_in(body: Mapping[str, Any], figures: Figures, problems: Problems, *, gross: bool) -> list[Sold]:
    """The items that were sold as such, then shipping that cost something."""
    found: list[Sold] = []
    taxes = {text(item.get("item_id")): item for item in objects(mapping(body.get("order")).get("items"))}
    for i, item in counted(objects(body.get("items")), figures):
        with problems.noted():
            ordered = taxes.get(text(item.get("order_item_id")), item)
            found += _item(item, ordered, figures, f"items[{i}]", gross=gross)
    with problems.noted():
        found += _shipping(body, figures, gross=gross)
    return found


def counted(items: list[Mapping[str, Any]], figures: Figures) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Each row once, with its place: a configurable product by its parent, a bundle by its priced children."""
    children: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        children.setdefault(text(item.get("parent_item_id")), []).append(item)
    inner = {id(child) for parent, under in children.items() if parent for child in under}
    by_children = {
        parent
        for parent, under in children.items()
        if parent and _is_sold_by_children(_named(items, parent), under, figures)
    }
    for i, item in enumerate(items):
        parent, own = text(item.get("parent_item_id")), text(item.get("item_id"))
        if (parent in by_children or id(item) not in inner) and own not in by_children and _is_row(item, figures):
            yield i, item


def _named(items: list[Mapping[str, Any]], item_id: str) -> Mapping[str, Any]:
    return next((item for item in items if text(item.get("item_id")) == item_id), {})


def _is_sold_by_children(parent: Mapping[str, Any], children: list[Mapping[str, Any]], figures: Figures) -> bool:
    """A bundle whose children are priced states its price twice; where there is no telling, an equal sum tells."""
    own = figures.amount(parent, "row_total", "items")
    inside = sum((figures.amount(child, "row_total", "items") for child in children), ZERO)
    kind = text(parent.get("product_type"))
    if kind == "bundle" or not parent:
        return bool(inside) or not parent
    return kind != "configurable" and bool(inside) and (not own or abs(own - inside) <= MAX_GAP)


def _is_row(item: Mapping[str, Any], figures: Figures) -> bool:
    """The rows of an invoice that are there for completeness have no total of their own."""
    return item.get(f"{figures.prefix}row_total") is not None


def _item(
    item: Mapping[str, Any], ordered: Mapping[str, Any], figures: Figures, place: str, *, gross: bool
) -> Iterable[Sold]:
    quantity = number(item.get("qty_ordered", item.get("qty")), f"{place}.qty_ordered")
    net, tax = figures.after_discount(item, place), figures.amount(item, "tax_amount", place)
    before = figures.amount(item, "row_total_incl_tax" if gross else "row_total", place)
    said = ordered.get("tax_percent")
    percent = number(said, f"{place}.tax_percent") if said is not None else None
    paid = round_half_up(net + tax if gross else net)
    before = max(round_half_up(before), paid)
    supply = Supply(f"{place}.tax_percent", text(item.get("name")), text(item.get("sku")))
    line = text(item.get("item_id")) or text(item.get("order_item_id"))
    if quantity > 0:
        # A percentage of zero beside VAT is a field that nobody filled.
        stated = percent if percent or not tax else None
        off = reduced(before, paid, "coupon", cut(ordered.get("coupon_code")))
        yield Sold(supply, line, quantity, before, paid, round_half_up(tax), stated, off)


def _shipping(body: Mapping[str, Any], figures: Figures, *, gross: bool) -> Iterable[Sold]:
    """No rate is told for shipping: the one that explains its VAT."""
    net = round_half_up(figures.after_discount(body, "order", of="shipping_"))
    tax = round_half_up(figures.amount(body, "shipping_tax_amount", "order"))
    paid = net + tax if gross else net
    if paid:
        before = figures.amount(body, "shipping_incl_tax" if gross else "shipping_amount", "order")
        before = max(round_half_up(before), paid)
        name = text(body.get("shipping_description")) or "الشحن"
        supply = Supply("shipping_tax_amount", name, kind="shipping")
        rate = explaining(tax, net)
        yield Sold(supply, "shipping", Decimal(1), before, paid, tax, rate, reduced(before, paid, "coupon"))
