"""Salla: Admin API v2 with an OAuth token, webhooks proved by signature or by token.

Secrets: `access_token`, `webhook` (the app's webhook secret); to renew the first `refresh_token`, `client_id`,
`client_secret` and `expires_at`. `base_url` may stay empty.

Settings, all optional:
    webhook_strategy                 signature (default) or token, as chosen in the Partner Portal
    merchant                         the shop's merchant id; an app's secret is the same for all its shops
    vat_number_path, cr_number_path, company_name_path
                                     where an app or the shop keeps them in the order, such as customer.vat_number;
                                     without the first every buyer is a person
    status.<slug>                    what a status means (pending, paid, fulfilled, ...)
    tax.sku.<SKU>, tax.class.<class> and untaxed_reason_code, see gateway/stores/untaxed.py; products have no tax class

Prices are net and per unit. Totals close in one of two ways, and discounts are told once or twice; which of them holds
is found by arithmetic, and an order where none does is not guessed at.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.connection import Connection
from gateway.errors import Misconfigured
from gateway.exact_json import parse
from gateway.invoice.facts import SAR, ZERO, round_half_up
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, ship_to, somebody
from gateway.stores.raw import each, identity, mapping, moment, number, objects, text, unusable, zone_named
from gateway.stores.refusals import NO_RATE, Shape, foreign, not_an_order
from gateway.stores.salla_api import (
    ADDRESS,
    OURS,
    SECRETS,
    SWITCH,
    authorised,
    changed,
    ends_at,
    fetch,
    inspect,
    issues_itself,
    renew,
    renew_at,
    report,
    subscribe,
)
from gateway.stores.salla_sums import Sums, currency_of, find_reductions, money, read_sums
from gateway.stores.store import (
    MAX_GAP,
    Mapped,
    Notice,
    State,
    header,
    limited,
    not_authentic,
    secret,
    state_set,
)
from gateway.stores.untaxed import Supply, tax_of

__all__ = [
    "ADDRESS",
    "OURS",
    "SECRETS",
    "SUM",
    "SWITCH",
    "changed",
    "ends_at",
    "fetch",
    "inspect",
    "issues_itself",
    "map",
    "renew",
    "renew_at",
    "report",
    "state",
    "subscribe",
    "verify",
]

SUM: Final = "money"

_STATES: Final = {
    "payment_pending": State.PENDING,
    "completed": State.FULFILLED,
    "delivered": State.FULFILLED,
    "restoring": State.FULFILLED,
    "restored": State.REFUNDED,
    "canceled": State.CANCELLED,
}
_WORKED_ON: Final = frozenset({"in_progress", "delivering", "shipped"})
_LATER: Final = frozenset({"", "waiting", "cod"})
"""Payment methods that say the money is still to come; a bank transfer is believed once the shop works on the order."""

_MEANS: Final = {
    "bank": "bank",
    "cod": "cod",
    "stc_pay": "wallet",
    "mada": "card",
    "credit_card": "card",
    "apple_pay": "card",
    "google_pay": "card",
}

_UNTAXED_SETTINGS: Final = ("untaxed_reason_code", "tax.sku.", "tax.class.")
_SHAPES: Final = (
    Shape(
        frozenset({"invoice_number", "order_id"}), "an invoice or a credit note of Salla's", "فاتورة أو إشعار من سلة"
    ),
    Shape(
        frozenset({"type", "order_id", "sub_total"}), "an invoice or a credit note of Salla's", "فاتورة أو إشعار من سلة"
    ),
    Shape(frozenset({"customized", "status"}), "a change of status", "تغيير حالة طلب"),
    Shape(frozenset({"amounts", "currency"}), "one without them", "طلب بدونها"),
    Shape(frozenset({"reference_id", "total"}), "a row of an order list", "سطر من قائمة طلبات"),
)


# -- notices --------------------------------------------------------------------------------------------------


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a webhook says. Salla gives deliveries no id, so the body's own hash marks repeats."""
    limited(body)
    key = secret(connection, "webhook")
    strategy = connection.settings.get("webhook_strategy", "signature")
    if strategy == "signature":
        given, due = header(headers, "X-Salla-Signature"), hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    elif strategy == "token":
        given, due = header(headers, "Authorization"), key
    else:
        raise Misconfigured(
            f"Connection {connection.id}: webhook_strategy cannot be {strategy!r}.", fix="Use signature or token."
        )
    # The connection decides how a notice is proved; X-Salla-Security-Strategy is the sender's word.
    if not hmac.compare_digest(given.encode(), due.encode()):
        raise not_authentic(connection)
    return _notice(connection, body)


def _notice(connection: Connection, body: bytes) -> Notice:
    mark = hashlib.sha256(body).hexdigest()
    try:
        content = mapping(parse(body))
    except ValueError:
        return Notice("", None, mark)
    merchant = connection.settings.get("merchant")
    if merchant and text(content.get("merchant")) != merchant:
        raise not_authentic(connection)
    topic, data = text(content.get("event"))[:100], mapping(content.get("data"))
    if topic == "app.store.authorize" and merchant:
        return Notice(topic, None, mark, authorised(connection, data))
    return Notice(topic, _order_named_in(topic, data), mark)


def _order_named_in(topic: str, data: Mapping[str, Any]) -> str | None:
    """`order.status.updated` is about the change of status, with the order inside; an invoice names its order."""
    if topic.startswith("order."):
        return identity(mapping(data.get("order")).get("id")) or identity(data.get("id"))
    return identity(data.get("order_id")) if topic.startswith("invoice.") else None


# -- the state ------------------------------------------------------------------------------------------------


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the status's slug (names are the merchant's own) and, before delivery, from how the buyer pays."""
    order = _order_in(raw)
    slug = text(mapping(order.get("status")).get("slug"))
    if order.get("draft") is True:
        return State.DRAFT
    found = state_set(connection, slug) or _STATES.get(slug) or (State.PAID if _is_paid(order) else State.PENDING)
    refunded = _refunded(order)
    if found in (State.PAID, State.FULFILLED) and refunded:
        total = money(mapping(order.get("amounts")).get("total"))
        return State.REFUNDED if refunded >= total else State.REFUNDED_PART
    return found


def _refunded(order: Mapping[str, Any]) -> Decimal:
    """All that was given back so far; Salla tells one sum, not what for."""
    return money(mapping(mapping(order.get("payment_actions")).get("refund_action")).get("refund_amount"))


def _is_paid(order: Mapping[str, Any]) -> bool:
    method, slug = text(order.get("payment_method")), text(mapping(order.get("status")).get("slug"))
    if method in _LATER or order.get("is_pending_payment") is True:
        return False
    return method != "bank" or slug in _WORKED_ON


# -- mapping --------------------------------------------------------------------------------------------------


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """The order, from the API's answer, from what is inside it, or from a webhook's body."""
    order = _order_in(mapping(raw))
    if not (objects(order.get("items")) and mapping(order.get("amounts"))):
        raise not_an_order(mapping(mapping(raw).get("data")) or raw, _SHAPES)
    currency = _currency(order)
    _check_registered(connection, order)
    sums = read_sums(order)
    goods, whole = find_reductions(order, sums)
    read = read_order(
        {
            "connection": connection.id,
            "id": text(order.get("id")),
            "number": text(order.get("reference_id")) or text(order.get("id")),
            "version": text(mapping(order.get("updated_at")).get("date")),
            "placed_at": _moment(order.get("date"), "date"),
            **currency,
            "prices_include_tax": False,
            "buyer": _buyer(connection, order),
            "ship_to": ship_to(_address(order)),
            "lines": [*_items(connection, order, reduced=goods), *_charges(connection, order, sums)],
            "reductions": whole,
            "payments": _payments(connection, order, sums.total),
            "refunds": _refunds(order, sums.total),
            "declared": {"grand": sums.total, "tax": sums.tax},
        }
    )
    return Mapped(read, state(connection, order))


def _order_in(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The order in whichever shape it came: itself, in the API's envelope, in an event, in a change of status."""
    data = mapping(raw.get("data")) if "data" in raw else raw
    return mapping(data.get("order")) or data


def _moment(value: object, place: str) -> Any:
    stamp = mapping(value)
    return moment(stamp.get("date"), place, zone_named(text(stamp.get("timezone")), place))


def _currency(order: Mapping[str, Any]) -> dict[str, Any]:
    """The order's currency, and its rate where it is not SAR: Salla tells what one unit of the base currency costs."""
    currency, exchange = currency_of(order), mapping(order.get("exchange_rate"))
    if currency == SAR:
        return {"currency": SAR}
    if (text(exchange.get("base_currency")), text(exchange.get("exchange_currency"))) != (SAR, currency):
        raise foreign(currency, NO_RATE)
    rate = number(exchange.get("rate"), "exchange_rate.rate")
    if rate <= 0:
        raise foreign(currency, NO_RATE)
    return {"currency": currency, "fx": {"rate": each(1 / rate, Decimal(1))}}


def _check_registered(connection: Connection, order: Mapping[str, Any]) -> None:
    """A shop without VAT sends 0.00; that is no zero rate but, most often, a seller who may not issue tax invoices."""
    percent = number(mapping(mapping(order.get("amounts")).get("tax")).get("percent"), "amounts.tax.percent")
    if not percent and not any(key.startswith(_UNTAXED_SETTINGS) for key in connection.settings):
        raise unusable(
            "amounts.tax.percent",
            "the shop charged no VAT at all; its seller may not be registered for VAT",
            fix="Switch VAT on in Salla. If all it sells is exempt or zero-rated, set untaxed_reason_code of the"
            " connection to the VATEX-SA code that applies, or map products with tax.sku.",
            ar="المتجر لم يحتسب ضريبة على الطلب؛ قد لا يكون البائع مسجلا في ضريبة القيمة المضافة. فعّل الضريبة في سلة،"
            " أو حدد رمز سبب الإعفاء في إعدادات الربط (untaxed_reason_code أو tax.sku).",
        )


# -- lines ----------------------------------------------------------------------------------------------------


def _items(connection: Connection, order: Mapping[str, Any], *, reduced: bool) -> Iterable[dict[str, Any]]:
    """Options are priced inside the item already."""
    for i, item in enumerate(objects(order["items"])):
        place = f"items[{i}]"
        amounts = mapping(item.get("amounts"))
        discount = money(amounts.get("total_discount"))
        supply = Supply(f"{place}.amounts.tax.percent", text(item.get("name")), text(item.get("sku")))
        yield {
            "id": text(item.get("id")),
            "name": supply.name,
            "sku": supply.sku,
            "quantity": number(item.get("quantity"), f"{place}.quantity"),
            "unit_price": money(amounts.get("price_without_tax")),
            "reductions": [{"amount": discount, "origin": "item"}] if reduced and discount else [],
            "tax": _tax(connection, amounts, supply),
        }


def _charges(connection: Connection, order: Mapping[str, Any], sums: Sums) -> Iterable[dict[str, Any]]:
    """Shipping and collection on delivery, net, at the order's rate."""
    amounts = mapping(order.get("amounts"))
    off = sums.shipping_discount if sums.reduced else ZERO
    for kind, name, amount in (
        ("shipping", "الشحن", sums.shipping),
        ("cod_fee", "رسوم الدفع عند الاستلام", sums.on_delivery),
    ):
        if amount:
            yield {
                "id": kind,
                "kind": kind,
                "name": name,
                "quantity": Decimal(1),
                "unit_price": amount,
                "reductions": [{"amount": off, "origin": "coupon"}] if off and kind == "shipping" else [],
                "tax": _tax(connection, amounts, Supply("amounts.tax.percent", name, kind=kind)),
            }


def _tax(connection: Connection, amounts: Mapping[str, Any], supply: Supply) -> dict[str, Any]:
    percent = number(mapping(amounts.get("tax")).get("percent"), supply.place)
    return tax_of(connection.settings, supply, percent)


# -- people and payments --------------------------------------------------------------------------------------


def _buyer(connection: Connection, order: Mapping[str, Any]) -> dict[str, Any]:
    customer = mapping(order.get("customer"))
    parts = (text(customer.get("first_name")), text(customer.get("last_name")))
    name = text(customer.get("full_name")) or " ".join(part for part in parts if part)
    vat = _at(order, connection.settings.get("vat_number_path"))
    if not vat:
        return somebody(name)
    address = _address(order)
    return business(
        name=_at(order, connection.settings.get("company_name_path")) or name,
        vat=vat,
        cr=_at(order, connection.settings.get("cr_number_path")),
        address=address | {"city": address["city"] or text(customer.get("city"))},
    )


def _address(order: Mapping[str, Any]) -> dict[str, str]:
    address = mapping(mapping(order.get("shipping")).get("address"))
    return national_address(
        street=text(address.get("street_number")),
        district=text(address.get("block")),
        city=text(address.get("city")),
        postal_code=text(address.get("postal_code")),
        country=text(address.get("country_code")),
    )


def _at(order: Mapping[str, Any], path: str | None) -> str:
    """The text at a dotted path within the order; empty without a path or where nothing is there."""
    if not path:
        return ""
    found: Any = order
    for step in path.split("."):
        found = mapping(found).get(step)
    return text(found)


def _payments(connection: Connection, order: Mapping[str, Any], total: Decimal) -> list[dict[str, Any]]:
    method = text(order.get("payment_method"))
    if method in ("", "waiting", "free"):
        return []
    paid = state(connection, order) in (State.PAID, State.FULFILLED, State.REFUNDED_PART, State.REFUNDED)
    return [{"method": _MEANS.get(method, "other"), "amount": total, "state": "paid" if paid else "pending"}]


def _refunds(order: Mapping[str, Any], total: Decimal) -> list[dict[str, Any]]:
    """Salla tells one growing sum, so a part of the total is always the same refund; what of it is new, those know who
    credited it. When all is given back, that is what the part has left."""
    refunded = round_half_up(_refunded(order))
    if not refunded:
        return []
    if refunded >= total - MAX_GAP:
        return [{"id": "everything", "reason": {"code": "cancellation"}, "everything": True}]
    return [{"id": SUM, "reason": {"code": "change_of_price"}, "money": refunded}]
