"""Shopify: orders of the Admin API and of its webhooks, in the REST spelling or in that of GraphQL.

Secrets: `access_token` of an app of the shop, or `client_id` and `client_secret`, by which one is fetched every day;
`client_secret` signs the webhooks. `base_url` is https://NAME.myshopify.com.

Settings, all optional:
    vat_number_attribute, cr_number_attribute
                                     name of the order's additional detail (note_attributes) that holds them; without it
                                     the usual names are tried
    status.<financial status>        what a financial status means (draft, pending, paid, fulfilled, ...)
    tax.sku.<SKU>, tax.class.<class> and untaxed_reason_code, see gateway/stores/untaxed.py; the tax classes of products
                                     are taxable and not_taxable

The side of the money in SAR is read, whether it is the shop's or the one shown to the buyer. A line's VAT must be its
rate times its net: some checkouts put the VAT of the whole order on its first line. Test orders are refused.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.exact_json import parse
from gateway.invoice.facts import RIYADH, ZERO
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, ship_to, somebody
from gateway.stores.payments import means_of
from gateway.stores.raw import identity, mapping, moment, number, objects, text, unusable
from gateway.stores.refunds import Back, Returned, refunds_of
from gateway.stores.refusals import Problems, Shape, a_test, not_an_order
from gateway.stores.shopify_api import (
    ADDRESS,
    OURS,
    SECRETS,
    changed,
    ends_at,
    fetch,
    inspect,
    renew,
    renew_at,
    report,
    subscribe,
)
from gateway.stores.shopify_graphql import id_of, order_in, word
from gateway.stores.shopify_lines import agreements, sale_line, sold_in
from gateway.stores.shopify_money import Side, amount, maybe, refusal_of, side_of
from gateway.stores.sold import Sold, check_total, lines_of, total
from gateway.stores.store import Mapped, Notice, State, header, limited, not_authentic, secret, state_set

__all__ = [
    "ADDRESS",
    "OURS",
    "SECRETS",
    "changed",
    "ends_at",
    "fetch",
    "inspect",
    "map",
    "renew",
    "renew_at",
    "report",
    "state",
    "subscribe",
    "verify",
]

_STATES: Final = {
    "paid": State.PAID,
    "partially_refunded": State.REFUNDED_PART,
    "refunded": State.REFUNDED,
    "voided": State.CANCELLED,
}
_PAID: Final = frozenset({"paid", "partially_refunded", "refunded"})
_VAT_NAMES: Final = frozenset({"vat number", "vat", "vat id", "tax number", "tax id", "الرقم الضريبي"})
_CR_NAMES: Final = frozenset({"cr number", "cr", "commercial registration", "السجل التجاري", "رقم السجل التجاري"})
_SHAPES: Final = (
    Shape(frozenset({"draft_order"}), "a draft order", "مسودة طلب"),
    Shape(frozenset({"refund"}), "a refund", "استرجاع مبلغ"),
    Shape(frozenset({"refund_line_items"}), "a refund", "استرجاع مبلغ"),
    Shape(frozenset({"gateway", "kind"}), "a payment transaction", "عملية دفع"),
    Shape(frozenset({"transactions"}), "a list of payment transactions", "قائمة عمليات دفع"),
    Shape(frozenset({"agreements"}), "its sales agreements alone, without currency and names", "اتفاقيات البيع وحدها"),
    Shape(frozenset({"financial_status", "total_price"}), "one without its line items", "طلب دون بنوده"),
    Shape(frozenset({"abandoned_checkout_url"}), "a checkout that was not finished", "سلة غير مكتملة"),
)


# -- notices --------------------------------------------------------------------------------------------------


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a webhook says. One event may come under several topics and again; it is one by its event id."""
    limited(body)
    key = connection.secrets.get("webhook") or secret(connection, "client_secret")
    due = base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256))
    if not hmac.compare_digest(header(headers, "X-Shopify-Hmac-Sha256").encode(), due):
        raise not_authentic(connection)
    # An app's secret is the same for all its shops.
    shop = header(headers, "X-Shopify-Shop-Domain")
    if shop and connection.base_url and shop.lower() != httpx2.URL(connection.base_url).host.lower():
        raise not_authentic(connection)
    topic = header(headers, "X-Shopify-Topic")[:100]
    event = header(headers, "X-Shopify-Event-Id") or header(headers, "X-Shopify-Webhook-Id")
    return Notice(topic, _order_named_in(topic, body), event[:100])


def _order_named_in(topic: str, body: bytes) -> str | None:
    try:
        content = mapping(parse(body))
    except ValueError:
        return None
    if topic.startswith("orders/"):
        return identity(content.get("id"))
    return identity(content.get("order_id")) if topic.startswith(("refunds/", "order_transactions/")) else None


# -- the state ------------------------------------------------------------------------------------------------


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the financial status; what was delivered before it is paid (cash on delivery) is fulfilled."""
    order = order_in(raw)
    status = word(order.get("financial_status"))
    found = state_set(connection, status)
    if found:
        return found
    if order.get("cancelled_at"):
        return State.CANCELLED
    if word(order.get("fulfillment_status")) == "fulfilled" and status in ("paid", "pending"):
        return State.FULFILLED
    return _STATES.get(status, State.PENDING)


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """The order; its lines are products, then shipping, then a tip, with the shop's own ids."""
    order = order_in(raw)
    if not (objects(order.get("line_items")) or (objects(order.get("agreements")) and text(order.get("currency")))):
        raise not_an_order(raw, _SHAPES)
    side, problems = side_of(order), Problems()
    gross = order.get("taxes_included") is True
    lines, sold = _lines(connection, order, side, problems)
    grand = amount(order, "total_price", side, "order")
    _refuse_duties(order, side)
    check_total(_number(order), sold, grand, side.currency, gross=gross)
    read = read_order(
        {
            "connection": connection.id,
            "id": id_of(order),
            "number": _number(order),
            "version": text(order.get("updated_at")),
            "placed_at": _moment(order.get("processed_at") or order.get("created_at"), "created_at"),
            "currency": side.currency,
            "prices_include_tax": gross,
            "buyer": _buyer(connection, order),
            "ship_to": ship_to(_address(order.get("shipping_address"))),
            "lines": lines,
            "payments": _payments(order, side, grand),
            "refunds": refunds_of(_backs(order, side, sold), sold, gross=gross),
            "declared": {"grand": grand, "tax": amount(order, "total_tax", side, "order")},
        }
    )
    return Mapped(read, state(connection, raw))


def _lines(
    connection: Connection, order: Mapping[str, Any], side: Side, problems: Problems
) -> tuple[list[dict[str, Any]], list[Sold]]:
    """The lines twice, as the order has them and in the shop's figures; refused with everything that is wrong."""
    with problems.noted():
        if order.get("test") is True:
            raise a_test("test")
    with problems.noted():
        refusal = refusal_of(side)
        if refusal:
            raise refusal
    sold, lines = sold_in(order, side, problems), []
    with problems.noted():
        lines = lines_of(connection.settings, sold, gross=order.get("taxes_included") is True)
    problems.refuse()
    return lines, sold


def _refuse_duties(order: Mapping[str, Any], side: Side) -> None:
    fields = ("original_total_duties", "original_total_additional_fees")
    duties = sum((maybe(order, field, side, "order") for field in fields), ZERO)
    if duties:
        raise unusable(
            "original_total_duties_set",
            f"{duties:.2f} {side.currency} of import duties or other fees were charged, and their VAT is not told",
            fix="Send such orders through the API.",
            ar=f"يتضمن الطلب رسوما جمركية أو إضافية بمبلغ {duties:.2f} ولا يذكر المتجر ضريبتها.",
        )


def _number(order: Mapping[str, Any]) -> str:
    return text(order.get("name")) or text(order.get("order_number")) or id_of(order)


def _moment(value: object, place: str) -> datetime:
    """An instant with its zone; Shopify always tells it."""
    try:
        found = datetime.fromisoformat(text(value))
        return found.astimezone(RIYADH) if found.tzinfo else moment(text(value), place, RIYADH)
    except (ValueError, OverflowError):
        return moment(text(value), place, RIYADH)


# -- people and payments --------------------------------------------------------------------------------------


def _buyer(connection: Connection, order: Mapping[str, Any]) -> dict[str, Any]:
    billing, purchasing = mapping(order.get("billing_address")), mapping(order.get("purchasing_entity"))
    name = _name(billing) or _name(mapping(order.get("customer")))
    company = mapping(order.get("company")) or mapping(purchasing.get("company"))
    registered = mapping(mapping(purchasing.get("location")).get("tax_settings")).get("tax_registration_id")
    vat = text(registered) or _attribute(connection, order, "vat_number_attribute", _VAT_NAMES)
    if not (vat or company):
        return somebody(name)
    return business(
        name=text(company.get("name")) or text(billing.get("company")) or name,
        vat=vat,
        cr=_attribute(connection, order, "cr_number_attribute", _CR_NAMES),
        address=_address(billing or order.get("shipping_address")),
    )


def _name(person: Mapping[str, Any]) -> str:
    parts = f"{text(person.get('first_name'))} {text(person.get('last_name'))}".strip()
    return text(person.get("name")) or parts


def _attribute(connection: Connection, order: Mapping[str, Any], setting: str, names: frozenset[str]) -> str:
    """The first value under the configured name, or under one of the usual ones."""
    wanted = connection.settings.get(setting)
    for each in objects(order.get("note_attributes")):
        name = text(each.get("name")) or text(each.get("key"))
        usual = name.lower().replace("_", " ").replace("-", " ") in names
        if (name == wanted if wanted else usual) and text(each.get("value")):
            return text(each["value"])
    return ""


def _address(value: object) -> dict[str, str]:
    address = mapping(value)
    return national_address(
        street=text(address.get("address1")),
        district=text(address.get("address2")),
        city=text(address.get("city")),
        postal_code=text(address.get("zip")),
        country=text(address.get("country_code")),
    )


def _payments(order: Mapping[str, Any], side: Side, grand: Decimal) -> list[dict[str, Any]]:
    """By the transactions where the order has them, else by the gateways' names. A gift card comes last, for the first
    one names the means on the document."""
    found = [
        {"method": means_of(text(each.get("gateway"))), "amount": _moved(each, side), "state": "paid"}
        for each in _transactions(order, "sale", "capture")
    ]
    if not found:
        given = order.get("payment_gateway_names")
        names = [text(name) for name in given if text(name)] if isinstance(given, list) else []
        paid = word(order.get("financial_status")) in _PAID
        whole = {"amount": grand} if len(names) == 1 else {}
        found = [{"method": means_of(name), "state": "paid" if paid else "pending", **whole} for name in names]
    return sorted(found, key=lambda payment: payment["method"] == "gift_card")


def _transactions(holder: Mapping[str, Any], *kinds: str) -> list[Mapping[str, Any]]:
    return [
        each
        for each in objects(holder.get("transactions"))
        if word(each.get("kind")) in kinds and word(each.get("status")) == "success"
    ]


def _moved(transaction: Mapping[str, Any], side: Side) -> Decimal:
    """The money of a transaction, which may name its own currency."""
    currency = text(transaction.get("currency")) or side.currency
    told = mapping(transaction.get("amount_set")) or isinstance(transaction.get("amount"), Mapping)
    if currency != side.currency and not told:
        raise unusable(
            "transactions.amount",
            f"the money was moved in {currency}, the order is in {side.currency}",
            fix="Give the transaction with its amount_set, which holds both currencies.",
            ar=f"عملة الدفعة {currency} وعملة الطلب {side.currency}.",
        )
    return amount({**transaction, "currency": currency}, "amount", side, "transactions")


# -- refunds --------------------------------------------------------------------------------------------------


def _backs(order: Mapping[str, Any], side: Side, sold: list[Sold]) -> Iterable[Back]:
    """What was given back: the refunds, or the agreements on them. Without money moved it is no refund."""
    refunds = objects(order.get("refunds"))
    if not refunds:
        yield from (_agreed(each, side) for each in agreements(order, "refund", "return"))
    for i, refund in enumerate(refunds):
        place = f"refunds[{i}]"
        money = sum((_moved(each, side) for each in _transactions(refund, "refund")), ZERO)
        if "transactions" not in refund:
            money = maybe(refund, "total_refunded", side, place)
        at = _moment(refund.get("processed_at") or refund.get("created_at"), f"{place}.created_at")
        lines = tuple(_returned(refund, order, side, place, sold)) if money else ()
        yield Back(id_of(refund), at, money, text(refund.get("note")), lines)


def _returned(
    refund: Mapping[str, Any], order: Mapping[str, Any], side: Side, place: str, sold: list[Sold]
) -> Iterable[Returned]:
    gross = order.get("taxes_included") is True
    for each in objects(refund.get("refund_line_items")):
        line = id_of(each.get("line_item_id")) or id_of(each.get("line_item"))
        stated = each.get("subtotal") is not None or mapping(each.get("subtotal_set"))
        money = amount(each, "subtotal", side, place) if stated else None
        if money is not None and not gross:
            money += maybe(each, "total_tax", side, place)
        yield Returned(line, number(each.get("quantity") or 0, f"{place}.refund_line_items.quantity"), money)
    yield from _shipping_back(refund, side, place, sold, gross=gross)


def _shipping_back(
    refund: Mapping[str, Any], side: Side, place: str, sold: list[Sold], *, gross: bool
) -> Iterable[Returned]:
    """Shipping by its own lines; on older orders as adjustments without a line, which one shipping line explains."""
    told = objects(refund.get("refund_shipping_lines"))
    for each in told:
        money = amount(each, "subtotal_amount", side, place)
        tax = ZERO if gross else maybe(each, "total_tax_amount", side, place)
        yield Returned(id_of(each.get("shipping_line")), ZERO, money + tax)
    adjusted = [
        each for each in objects(refund.get("order_adjustments")) if word(each.get("kind")) == "shipping_refund"
    ]
    shipping = [one for one in sold if one.supply.kind == "shipping"]
    if told or not adjusted:
        return
    money = abs(sum((amount(each, "amount", side, place) for each in adjusted), ZERO))
    tax = abs(sum((maybe(each, "tax_amount", side, place) for each in adjusted), ZERO))
    whole = total(shipping, gross=gross)
    yield Returned(shipping[0].id if len(shipping) == 1 else "", ZERO, money if money == whole else money + tax)


def _agreed(agreement: Mapping[str, Any], side: Side) -> Back:
    sales = objects(agreement.get("sales"))
    lines = tuple(
        Returned(
            sale_line(sale),
            abs(number(sale.get("quantity") or 0, "sales.quantity")),
            -amount(sale, "total_amount", side, "sales"),
        )
        for sale in sales
    )
    money = sum((line.amount for line in lines if line.amount), ZERO)
    return Back(id_of(agreement), _moment(agreement.get("happened_at"), "agreements.happened_at"), money, "", lines)
