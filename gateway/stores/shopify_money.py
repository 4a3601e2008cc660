"""Which side of Shopify's money counts, and amounts read from it.

Every amount comes in the shop's currency and in the one shown to the buyer (presentment). The books are in SAR, so the
side in SAR is read; where neither is, nothing is converted.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.errors import UnusableOrder
from gateway.invoice.facts import SAR, ZERO
from gateway.stores.raw import mapping, number, text, unusable
from gateway.stores.refusals import NO_RATE, foreign


class Side(NamedTuple):
    """One side of each amount: its key in every `..._set`, and its currency."""

    key: str
    currency: str

    @property
    def is_shops(self) -> bool:
        """Whether the plain fields (those without `_set`) are of this side."""
        return self.key == "shop_money"


def side_of(order: Mapping[str, Any]) -> Side:
    """The side in SAR; the shop's own if neither is."""
    shop, shown = text(order.get("currency")), text(order.get("presentment_currency"))
    return Side("presentment_money", SAR) if shop != SAR and shown == SAR else Side("shop_money", shop)


def refusal_of(side: Side) -> UnusableOrder | None:
    """Why this side cannot be invoiced, if it cannot."""
    return None if side.currency == SAR else foreign(side.currency, NO_RATE)


def amount(entry: Mapping[str, Any], field: str, side: Side, place: str) -> Decimal:
    """The amount of a field; UnusableOrder if it is not told on this side."""
    money = mapping(mapping(entry.get(f"{field}_set")).get(side.key))
    if money:
        return _in_currency(money, side, f"{place}.{field}_set")
    plain = entry.get(field)
    if isinstance(plain, Mapping):
        return _in_currency(mapping(plain.get(side.key)) or plain, side, f"{place}.{field}")
    if side.is_shops or (text(entry.get("currency")) == side.currency and side.currency):
        return number(plain, f"{place}.{field}")
    raise unusable(
        f"{place}.{field}",
        f"the amount is not told in {side.currency}",
        fix="Give the order with its _set fields, which hold both currencies.",
        ar=f"المبلغ {place}.{field} غير مذكور بعملة {side.currency}.",
    )


def maybe(entry: Mapping[str, Any], field: str, side: Side, place: str) -> Decimal:
    """The same, zero where the order does not have it."""
    absent = entry.get(field) in (None, "") and not mapping(entry.get(f"{field}_set"))
    return ZERO if absent else amount(entry, field, side, place)


def _in_currency(money: Mapping[str, Any], side: Side, place: str) -> Decimal:
    currency = text(money.get("currency_code"))
    if currency and currency != side.currency:
        raise unusable(
            place,
            f"it is in {currency}, the order in {side.currency or 'no currency'}",
            fix="Look at the order's currencies in the shop.",
            ar=f"عملة المبلغ {place} هي {currency} وعملة الطلب {side.currency or 'غير مذكورة'}.",
        )
    return number(money.get("amount"), place)
