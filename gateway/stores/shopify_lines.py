"""What a Shopify order sold: from its line items, or from its sales agreements where it has them.

Prices, discounts and shipping are with VAT where `taxes_included` says so. Discounts are only in discount_allocations
(`total_discount` stays zero), VAT is charged after them, and `current_*` is never read: it is what refunds left over.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.invoice.facts import ZERO
from gateway.stores.payments import is_collection
from gateway.stores.raw import mapping, number, objects, text, unusable
from gateway.stores.refusals import Problems, cut
from gateway.stores.shopify_graphql import id_of, word
from gateway.stores.shopify_money import Side, amount, maybe
from gateway.stores.sold import Sold, reduced
from gateway.stores.untaxed import Supply, class_of

_ORIGINS: Final = {"discount_code": "coupon", "automatic": "automatic", "script": "automatic", "manual": "order"}
_SALES: Final = {
    "product": "product", "gift_card": "gift_card_sale", "shipping": "shipping", "tip": "tip", "fee": "fee",
    "additional_fee": "fee",
}  # fmt: skip


def sold_in(order: Mapping[str, Any], side: Side, problems: Problems) -> list[Sold]:
    """The lines: products, then shipping that cost something, then a tip."""
    if _sales(order):
        return _by_agreements(order, side)
    found: list[Sold] = []
    for i, item in enumerate(objects(order.get("line_items"))):
        with problems.noted():
            found += _product(item, order, side, f"line_items[{i}]")
    for i, entry in enumerate(objects(order.get("shipping_lines"))):
        with problems.noted():
            found += _shipping(entry, order, side, f"shipping_lines[{i}]")
    with problems.noted():
        found += _tip(order, side)
    return found


def _product(item: Mapping[str, Any], order: Mapping[str, Any], side: Side, place: str) -> Iterable[Sold]:
    """What was removed before it was sold has no quantity left."""
    quantity = number(item.get("quantity"), f"{place}.quantity")
    if quantity > 0:
        before = amount(item, "price", side, place) * quantity
        yield _sold(_supply(item, order, place), item, order, side, quantity=quantity, before=before)


def _supply(item: Mapping[str, Any], order: Mapping[str, Any], place: str) -> Supply:
    name = text(item.get("name")) or text(item.get("title"))
    custom = not (item.get("product_id") or item.get("product"))
    kind = "gift_card_sale" if item.get("gift_card") is True else "product"
    if custom and is_collection(name):
        kind = "cod_fee"
    taxed = class_of(item.get("taxable")) if kind == "product" else ""
    return Supply(f"{place}.tax_lines", name, text(item.get("sku")), taxed, kind)


def _shipping(entry: Mapping[str, Any], order: Mapping[str, Any], side: Side, place: str) -> Iterable[Sold]:
    name = text(entry.get("title")) or "توصيل"
    supply = Supply(f"{place}.tax_lines", name, kind="cod_fee" if is_collection(name) else "shipping")
    before = amount(entry, "price", side, place)
    found = _sold(supply, entry, order, side, quantity=Decimal(1), before=before)
    if found.paid and entry.get("is_removed") is not True:
        yield found


def _tip(order: Mapping[str, Any], side: Side) -> Iterable[Sold]:
    tip = maybe(order, "total_tip_received", side, "order")
    if tip:
        supply = Supply("total_tip_received", "إكرامية", kind="tip")
        yield Sold(supply, "tip", Decimal(1), tip, tip, ZERO)


def _sold(
    supply: Supply,
    entry: Mapping[str, Any],
    order: Mapping[str, Any],
    side: Side,
    *,
    quantity: Decimal,
    before: Decimal,
) -> Sold:
    place = supply.place.rpartition(".")[0]
    reductions = tuple(_reductions(entry, order, side, place))
    off = sum((each["amount"] for each in reductions), ZERO)
    taxes = objects(entry.get("tax_lines"))
    return Sold(
        supply,
        id_of(entry) or supply.kind,
        quantity,
        before,
        before - off,
        sum((amount(tax, "price", side, supply.place) for tax in taxes), ZERO),
        _percent(taxes, supply.place),
        reductions,
    )


def _reductions(entry: Mapping[str, Any], order: Mapping[str, Any], side: Side, place: str) -> Iterable[dict[str, Any]]:
    applications = objects(order.get("discount_applications"))
    allocations = objects(entry.get("discount_allocations"))
    for i, allocation in enumerate(allocations):
        off = amount(allocation, "amount", side, f"{place}.discount_allocations[{i}]")
        if off:
            yield {"amount": off, **_because(allocation, applications)}
    if not allocations and entry.get("discounted_price") is not None:
        yield from reduced(
            amount(entry, "price", side, place), amount(entry, "discounted_price", side, place), "coupon"
        )


def _because(allocation: Mapping[str, Any], applications: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Where a discount comes from: by its place in the list (REST), or told along with it (GraphQL)."""
    index = allocation.get("discount_application_index")
    known = isinstance(index, int) and 0 <= index < len(applications)
    found = applications[index] if known and isinstance(index, int) else mapping(allocation.get("discount_application"))
    code = cut(found.get("code"))
    kind = word(found.get("type")) or word(found.get("__typename")).removesuffix("discountapplication")
    origin = "coupon" if code else _ORIGINS.get(kind, kind if kind == "automatic" else "order")
    return {"origin": origin, "code": code, "reason": cut(found.get("title") or found.get("description"), 1000)}


def _percent(taxes: list[Mapping[str, Any]], place: str) -> Decimal | None:
    """The rate of a line in percent; None if the shop names none."""
    rates = {number(tax.get("rate"), f"{place}.rate") for tax in taxes if tax.get("rate") is not None}
    rates = rates if len(rates) < 2 else rates - {Decimal(0)}
    if len(rates) > 1:
        raise unusable(
            place,
            "more than one VAT rate was charged",
            fix="Leave one tax rate per product.",
            ar="احتسبت أكثر من نسبة ضريبة على بند واحد. اترك نسبة واحدة لكل منتج.",
        )
    return rates.pop() * 100 if rates else None


# -- sales agreements -----------------------------------------------------------------------------------------


def _sales(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The sales by which the order came about and was edited, before anything was returned."""
    return [sale for agreement in agreements(order, "order", "order_edit") for sale in objects(agreement.get("sales"))]


def agreements(order: Mapping[str, Any], *reasons: str) -> list[Mapping[str, Any]]:
    """The order's agreements for these reasons."""
    return [each for each in objects(order.get("agreements")) if word(each.get("reason")) in reasons]


def _by_agreements(order: Mapping[str, Any], side: Side) -> list[Sold]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for sale in _sales(order):
        found.setdefault(sale_line(sale), []).append(sale)
    items = {id_of(item): item for item in objects(order.get("line_items"))}
    lines = (_agreed(line, sales, items.get(line, {}), side, order) for line, sales in found.items())
    return [line for line in lines if line.quantity > 0 and (line.paid or line.supply.kind == "product")]


def sale_line(sale: Mapping[str, Any]) -> str:
    """The order's line that a sale is about."""
    return id_of(sale.get("line_item")) or id_of(sale.get("shipping_line")) or word(sale.get("line_type"))


def _agreed(
    line: str, sales: list[Mapping[str, Any]], item: Mapping[str, Any], side: Side, order: Mapping[str, Any]
) -> Sold:
    """A line as agreed: a sale's total is with VAT and after discounts."""
    gross, place = order.get("taxes_included") is True, f"agreements.sales[{line}]"
    whole, tax = _summed(sales, "total_amount", side, place), _summed(sales, "total_tax_amount", side, place)
    off = _summed(sales, f"total_discount_amount_{'after' if gross else 'before'}_taxes", side, place)
    kind = _SALES.get(word(sales[0].get("line_type")), "")
    quantity = (
        sum((number(sale.get("quantity", 1), place) for sale in sales), ZERO) if kind == "product" else Decimal(1)
    )
    paid = whole if gross else whole - tax
    named = item or mapping(sales[0].get("line_item"))
    name = text(named.get("name")) or text(named.get("title")) or ("" if kind == "product" else kind)
    if not (kind and name):
        raise _unnamed(place)
    supply = Supply(place, name, text(named.get("sku")), kind=kind)
    percent = _percent(objects(item.get("tax_lines")), place)
    return Sold(supply, line, quantity, paid + off, paid, tax, percent, reduced(paid + off, paid, "order"))


def _summed(sales: list[Mapping[str, Any]], field: str, side: Side, place: str) -> Decimal:
    return sum((maybe(sale, field, side, place) for sale in sales), ZERO)


def _unnamed(place: str) -> Exception:
    return unusable(
        place,
        "the agreement does not say what was sold",
        fix="Ask for the line items along with the agreements.",
        ar="لا تذكر الاتفاقية اسم البند المبيع. اطلب بنود الطلب مع الاتفاقيات.",
    )
