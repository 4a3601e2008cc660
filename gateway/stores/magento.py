"""Magento and Adobe Commerce: orders of the REST API (`/V1/orders/{id}`), and its invoices where it bills in parts.

Secrets: `access_token` of an integration, `webhook` where an extension sends notices. `base_url` is the shop's address.

Settings, all optional:
    issue_per                        order (default) or invoice, where the shop bills in parts
    store                            code of the store view whose orders these are; all of them if left out
    prices_include_tax               yes or no (default): whether the shop's catalogue prices are with VAT
    status.<status>                  what one of the shop's own statuses means (draft, pending, paid, fulfilled, ...)
    tax.sku.<SKU>, tax.class.<class> and untaxed_reason_code, see gateway/stores/untaxed.py; an order names no tax class
                                     of its products

What was fetched along with an order is put into it: its credit memos under `creditmemos`; an invoice is mapped with its
order under `order`. `row_total` is net and before discounts; where these were taken off prices with VAT,
discount_tax_compensation_amount gives back the VAT in them. Gift cards and store credit lower grand_total but are
payments. Times are UTC. Amounts in SAR are read, be they the order's or the shop's (`base_...`).
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from gateway.connection import Connection
from gateway.errors import Misconfigured
from gateway.exact_json import parse
from gateway.invoice.facts import SAR, ZERO, round_half_up
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, ship_to, somebody
from gateway.stores.magento_api import (
    ADDRESS,
    SECRETS,
    SWITCH,
    by_invoice,
    changed,
    fetch,
    inspect,
    issues_itself,
    report,
)
from gateway.stores.magento_lines import Figures, credit_in, figures_of, sold_in
from gateway.stores.payments import means_of
from gateway.stores.raw import identity, mapping, moment, number, objects, text, unusable
from gateway.stores.refunds import Back, Returned, refunds_of
from gateway.stores.refusals import NO_RATE, Problems, Shape, foreign, not_an_order
from gateway.stores.sold import Sold, check_total, lines_of
from gateway.stores.store import Mapped, Notice, State, header, limited, not_authentic, state_set

__all__ = [
    "ADDRESS",
    "SECRETS",
    "SWITCH",
    "changed",
    "fetch",
    "inspect",
    "issues_itself",
    "map",
    "report",
    "state",
    "verify",
]

_STATES: Final = {"complete": State.FULFILLED, "closed": State.REFUNDED, "canceled": State.CANCELLED}
_INVOICE_STATES: Final = {"1": State.PENDING, "2": State.PAID, "3": State.CANCELLED}
_SHAPES: Final = (
    Shape(frozenset({"adjustment_positive", "items"}), "a credit memo", "إشعار دائن"),
    Shape(frozenset({"arguments", "items"}), "a request to refund", "طلب استرجاع"),
    Shape(
        frozenset({"customer"}), "orders as their buyer sees them, without the VAT of each item", "طلبات بعرض المشتري"
    ),
)


# -- notices --------------------------------------------------------------------------------------------------


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a notice says. Magento Open Source sends none; an extension may send {"order_id": 17}, signed as hexadecimal
    HMAC-SHA256 of these bytes in X-Signature. Without a secret for it every notice is refused."""
    limited(body)
    key = connection.secrets.get("webhook", "")
    due = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    if not (hmac.compare_digest(header(headers, "X-Signature").encode(), due.encode()) and key):
        raise not_authentic(connection)
    mark = hashlib.sha256(body).hexdigest()
    try:
        content = mapping(parse(body))
    except ValueError:
        return Notice("", None, mark)
    order_id = identity(content.get("order_id")) or identity(content.get("entity_id"))
    invoice_id = identity(content.get("invoice_id"))
    if by_invoice(connection):
        return Notice("order", f"invoice-{invoice_id}" if invoice_id else None, mark)
    return Notice("order", order_id, mark)


# -- the state ------------------------------------------------------------------------------------------------


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the state that Magento itself keeps; a shop's own statuses only by the settings."""
    body = mapping(raw)
    if _is_invoice(body):
        return _INVOICE_STATES.get(text(body.get("state")), State.PENDING)
    found = state_set(connection, text(body.get("status"))) or _STATES.get(text(body.get("state")))
    due, paid = _maybe(body, "total_due"), _maybe(body, "total_paid")
    found = found or (State.PAID if paid and not due else State.PENDING)
    refunded = _maybe(body, "total_refunded") or objects(body.get("creditmemos"))
    return State.REFUNDED_PART if refunded and found in (State.PAID, State.FULFILLED) else found


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """The order, or the part of it that an invoice bills; its lines are items, then shipping."""
    body = mapping(raw)
    if not (objects(body.get("items")) and text(body.get("order_currency_code")) and "grand_total" in body):
        raise not_an_order(mapping(body.get("data")) or raw, _SHAPES)
    if "adjustment_positive" in body and "state" not in body:
        raise not_an_order(raw, _SHAPES)
    _refuse_unclear(body)
    figures, gross = figures_of(body), _gross(connection)
    lines, sold = _lines(connection, body, figures, gross=gross)
    credit = credit_in(body, figures)
    grand = round_half_up(figures.amount(body, "grand_total", "order") + sum(credit.values(), ZERO))
    check_total(_number(body), sold, grand, figures.currency, gross=gross)
    order = mapping(body.get("order")) or body
    read = read_order(
        {
            "connection": connection.id,
            "id": f"invoice-{text(body.get('entity_id'))}" if _is_invoice(body) else text(body.get("entity_id")),
            "number": _number(body),
            "version": text(body.get("updated_at")),
            "placed_at": moment(body.get("created_at"), "created_at", UTC),
            "currency": figures.currency,
            "prices_include_tax": gross,
            "buyer": _buyer(order),
            "ship_to": ship_to(_address(_shipping_address(order))),
            "lines": lines,
            "payments": _payments(connection, raw, order, grand, credit),
            "refunds": refunds_of(_backs(body, figures), sold, gross=gross),
            "declared": {"grand": grand, "tax": round_half_up(figures.amount(body, "tax_amount", "order"))},
        }
    )
    return Mapped(read, state(connection, raw))


def _refuse_unclear(body: Mapping[str, Any]) -> None:
    if objects(body.get("unclear_creditmemos")):
        raise unusable(
            "creditmemos",
            "a credit memo of the order names none of its invoices",
            fix="Say by `gateway credit` which invoice is to be given back, and how much of it.",
            ar="يوجد إشعار دائن على الطلب لا يذكر فاتورته. أصدر الإشعار يدوياً على الفاتورة المقصودة.",
        )


def _is_invoice(body: Mapping[str, Any]) -> bool:
    """An invoice names the order it is of, and its items those of the order."""
    return any(item.get("order_item_id") for item in objects(body.get("items"))) and "order_id" in body


def _gross(connection: Connection) -> bool:
    setting = connection.settings.get("prices_include_tax", "no")
    if setting not in ("yes", "no"):
        raise Misconfigured(
            f"Connection {connection.id}: prices_include_tax cannot be {setting!r}.", fix="Use yes or no."
        )
    return setting == "yes"


def _lines(
    connection: Connection, body: Mapping[str, Any], figures: Figures, *, gross: bool
) -> tuple[list[dict[str, Any]], list[Sold]]:
    problems, lines = Problems(), []
    with problems.noted():
        if figures.currency != SAR:
            raise foreign(figures.currency, NO_RATE)
    sold = sold_in(body, figures, problems, gross=gross)
    with problems.noted():
        lines = lines_of(connection.settings, sold, gross=gross)
    problems.refuse()
    return lines, sold


def _number(body: Mapping[str, Any]) -> str:
    return text(body.get("increment_id")) or text(body.get("entity_id"))


def _maybe(body: Mapping[str, Any], field: str) -> Decimal:
    return ZERO if body.get(field) in (None, "") else number(body[field], field)


# -- people and payments --------------------------------------------------------------------------------------


def _buyer(order: Mapping[str, Any]) -> dict[str, Any]:
    """`vat_id` makes a business; a company's name alone is typed in by persons too."""
    billing = mapping(order.get("billing_address"))
    name = _name(billing, "firstname", "lastname") or _name(order, "customer_firstname", "customer_lastname")
    vat = text(billing.get("vat_id")) or text(order.get("customer_taxvat"))
    if not vat:
        return somebody(name)
    return business(name=text(billing.get("company")) or name, vat=vat, cr="", address=_address(billing))


def _name(person: Mapping[str, Any], first: str, last: str) -> str:
    return f"{text(person.get(first))} {text(person.get(last))}".strip()


def _shipping_address(order: Mapping[str, Any]) -> Mapping[str, Any]:
    assigned = objects(mapping(order.get("extension_attributes")).get("shipping_assignments"))
    first = mapping(assigned[0].get("shipping")) if assigned else {}
    return mapping(first.get("address"))


def _address(address: Mapping[str, Any]) -> dict[str, str]:
    """The street is a list of lines; those after the first are the district at best."""
    told = address.get("street")
    street = [text(line) for line in told] if isinstance(told, list) else [text(told)]
    return national_address(
        street=street[0] if street else "",
        district="، ".join(line for line in street[1:] if line),
        city=text(address.get("city")),
        postal_code=text(address.get("postcode")),
        country=text(address.get("country_id")),
    )


def _payments(
    connection: Connection,
    raw: Mapping[str, Any],
    order: Mapping[str, Any],
    grand: Decimal,
    credit: Mapping[str, Decimal],
) -> list[dict[str, Any]]:
    """What was paid in money, then by gift card and store credit, which are always paid."""
    method = text(mapping(order.get("payment")).get("method"))
    money = grand - round_half_up(sum(credit.values(), ZERO))
    paid = state(connection, raw) in (State.PAID, State.FULFILLED, State.REFUNDED_PART, State.REFUNDED)
    first = {"method": means_of(method), "amount": money, "state": "paid" if paid else "pending"}
    others = [
        {"method": name, "amount": round_half_up(amount), "state": "paid"} for name, amount in credit.items() if amount
    ]
    return [*([first] if method and (money or not others) else []), *others]


# -- refunds --------------------------------------------------------------------------------------------------


def _backs(body: Mapping[str, Any], figures: Figures) -> Iterable[Back]:
    """The credit memos, where they were fetched along with the order."""
    for i, memo in enumerate(objects(body.get("creditmemos"))):
        place = f"creditmemos[{i}]"
        money = figures.amount(memo, "grand_total", place) + sum(credit_in(memo, figures).values(), ZERO)
        lines = [
            Returned(text(item.get("order_item_id")), _maybe(item, "qty"), round_half_up(figures.paid(item, place)))
            for item in objects(memo.get("items"))
            if figures.paid(item, place)
        ]
        shipping = figures.shipping(memo, place)
        lines += [Returned("shipping", ZERO, round_half_up(shipping))] if shipping else []
        at = moment(memo.get("created_at"), f"{place}.created_at", UTC)
        yield Back(
            text(memo.get("increment_id")) or text(memo.get("entity_id")), at, round_half_up(money), "", tuple(lines)
        )
