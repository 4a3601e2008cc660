"""What a WooCommerce order sold, and what of it was given back.

Every amount comes net with two decimals beside its VAT, even where shown prices include VAT. A fee below zero is how
plugins take money off: a line of its own, for it has a VAT of its own.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from gateway.invoice.facts import ZERO
from gateway.stores.payments import is_collection
from gateway.stores.raw import mapping, moment, number, objects, text, unusable
from gateway.stores.refunds import Back, Returned
from gateway.stores.refusals import Problems, cut
from gateway.stores.sold import Sold, reduced
from gateway.stores.untaxed import Supply

_GROUPS: Final = ("line_items", "shipping_lines", "fee_lines")


def sold_in(raw: Mapping[str, Any], problems: Problems, *, gross: bool) -> list[Sold]:
    """The lines with the shop's own ids: products, then shipping, then fees; shipping and fees of nothing are none."""
    rates: dict[str, Decimal] = {}
    with problems.noted():
        rates = _rates(raw)
    problems.refuse()
    found: list[Sold] = []
    for group in _GROUPS:
        for i, entry in enumerate(objects(raw.get(group))):
            with problems.noted():
                found += _sold(group, entry, raw, rates, f"{group}[{i}]", gross=gross)
    return found


def _rates(raw: Mapping[str, Any]) -> dict[str, Decimal]:
    """The percentage of each tax rate that the order uses, by the rate's id."""
    rates: dict[str, Decimal] = {}
    for i, tax in enumerate(objects(raw.get("tax_lines"))):
        place = f"tax_lines[{i}].rate_percent"
        if tax.get("rate_percent") is None:
            raise unusable(
                place,
                "the rate is missing",
                fix="Update WooCommerce to 4.0 or newer.",
                ar="لا يذكر المتجر نسبة الضريبة. حدّث ووكومرس إلى الإصدار 4.0 أو أحدث.",
            )
        rates[text(tax.get("rate_id"))] = number(tax["rate_percent"], place)
    return rates


def _sold(
    group: str,
    entry: Mapping[str, Any],
    raw: Mapping[str, Any],
    rates: Mapping[str, Decimal],
    place: str,
    *,
    gross: bool,
) -> Iterable[Sold]:
    is_product = group == "line_items"
    quantity = _quantity(entry, place) if is_product else Decimal(1)
    paid = _amount(entry, "total", place, gross=gross)
    # A price raised by hand leaves the subtotal below the total; then there is nothing to reduce.
    before = max(_amount(entry, "subtotal", place, gross=gross), paid) if is_product else paid
    if is_product or paid:
        codes = cut(", ".join(text(coupon.get("code")) for coupon in objects(raw.get("coupon_lines"))))
        tax = number(entry.get("total_tax"), f"{place}.total_tax")
        off = reduced(before, paid, "coupon" if codes else "item", codes)
        supply, percent = _supply(group, entry, raw, place), _percent(entry, rates, place)
        yield Sold(supply, text(entry.get("id")), quantity, before, paid, tax, percent, off)


def _quantity(item: Mapping[str, Any], place: str) -> Decimal:
    quantity = number(item.get("quantity"), f"{place}.quantity")
    if quantity <= 0:
        raise unusable(
            f"{place}.quantity",
            f"it is {quantity:f}",
            fix="Remove the line from the order in the shop.",
            ar=f"كمية البند «{text(item.get('name'))}» هي {quantity:f}. احذف البند من الطلب في المتجر.",
        )
    return quantity


def _amount(entry: Mapping[str, Any], field: str, place: str, *, gross: bool) -> Decimal:
    net = number(entry.get(field), f"{place}.{field}")
    return net + number(entry.get(f"{field}_tax"), f"{place}.{field}_tax") if gross else net


def _supply(group: str, entry: Mapping[str, Any], raw: Mapping[str, Any], place: str) -> Supply:
    name = text(entry.get("method_title") or entry.get("name"))
    kind = {"line_items": "product", "shipping_lines": "shipping"}.get(group, "fee")
    if kind == "product":
        name = text(entry.get("name"))
    elif kind == "fee" and text(raw.get("payment_method")) == "cod" and is_collection(name):
        kind = "cod_fee"
    name = name or ("" if kind == "product" else "توصيل")
    return Supply(f"{place}.taxes", name, text(entry.get("sku")), text(entry.get("tax_class")), kind)


def _percent(entry: Mapping[str, Any], rates: Mapping[str, Decimal], place: str) -> Decimal | None:
    """The rate of an entry; None if it names none. A rate that charged nothing counts only where no other did."""
    applied = {
        text(tax.get("id")): number(tax["total"], f"{place}.taxes.total")
        for tax in objects(entry.get("taxes"))
        if tax.get("total") not in ("", None)
    }
    charged = [rate for rate, amount in applied.items() if amount] or [rate for rate in applied if rate in rates]
    if any(rate not in rates for rate in charged):
        raise unusable(
            f"{place}.taxes",
            "its rate is not among the tax_lines",
            fix="Recalculate the order in the shop.",
            ar="نسبة ضريبة البند ليست ضمن نسب الطلب. أعد احتساب الطلب في المتجر.",
        )
    found = {rates[rate] for rate in charged}
    if len(found) > 1:
        raise unusable(
            f"{place}.taxes",
            "more than one VAT rate was charged",
            fix="Leave one tax rate per product.",
            ar="احتسبت أكثر من نسبة ضريبة على بند واحد. اترك نسبة واحدة لكل منتج.",
        )
    return found.pop() if found else None


# -- refunds --------------------------------------------------------------------------------------------------


def backs(raw: Mapping[str, Any]) -> Iterable[Back]:
    """What was given back: refunds as `fetch` puts them in, or as the order itself lists them, sums without lines."""
    for i, refund in enumerate(objects(raw.get("refunds"))):
        place = f"refunds[{i}]"
        money = abs(number(refund.get("amount", refund.get("total")), f"{place}.amount"))
        said = refund.get("date_created_gmt")
        at = moment(said, f"{place}.date_created_gmt", UTC) if said else None
        yield Back(text(refund.get("id")), at, money, text(refund.get("reason")), tuple(_returned(refund, place)))


def _returned(refund: Mapping[str, Any], place: str) -> Iterable[Returned]:
    """The lines of a refund: they are below zero and name the order's line in their meta_data."""
    for group in _GROUPS:
        for i, entry in enumerate(objects(refund.get(group))):
            here = f"{place}.{group}[{i}]"
            quantity = number(entry.get("quantity", 0), f"{here}.quantity") if group == "line_items" else ZERO
            yield Returned(_line_of(entry), abs(quantity), -_amount(entry, "total", here, gross=True))


def _line_of(entry: Mapping[str, Any]) -> str:
    metas = (mapping(meta) for meta in objects(entry.get("meta_data")))
    return next((text(meta.get("value")) for meta in metas if meta.get("key") == "_refunded_item_id"), "")
