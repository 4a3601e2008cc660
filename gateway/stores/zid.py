"""Zid: orders of the merchant API (`GET /v1/managers/store/orders/{id}/view`), of its list and of its webhooks.

Secrets: `authorization` and `access_token`, the two that Zid's OAuth gives; to renew them `refresh_token`, `client_id`,
`client_secret`, `redirect_uri` and `expires_at`. `webhook_user` and `webhook_password` are thought up here.

Settings, all optional:
    prices_include_tax               yes (default) or no, where the order comes without the shop's tax_settings
    timezone                         IANA name of the zone of the order's times; Asia/Riyadh if left out
    status.<order status>            what a status means (draft, pending, paid, fulfilled, ...)
    tax.sku.<SKU>, tax.class.<class> and untaxed_reason_code, see gateway/stores/untaxed.py; the tax classes of products
                                     are taxable and not_taxable

A product's discounted_total is with VAT and after every discount on it. Shipping and fees come net, among the declared
sums; their VAT is what the products leave of the order's. Sums have 14 decimals and are rounded here only.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.connection import Connection
from gateway.errors import Misconfigured
from gateway.exact_json import parse
from gateway.finding import Text
from gateway.invoice.facts import SAR, ZERO, round_half_up
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, person, ship_to, somebody
from gateway.stores.payments import is_collection, means_of
from gateway.stores.raw import identity, mapping, moment, number, objects, text, unusable, zone_named
from gateway.stores.refunds import Back, refunds_of
from gateway.stores.refusals import Problems, Shape, cut, foreign, not_an_order
from gateway.stores.sold import Sold, explaining, lines_of, reduced, total
from gateway.stores.store import (
    MAX_GAP,
    Mapped,
    Notice,
    State,
    check_closes,
    header,
    limited,
    not_authentic,
    secret,
    state_set,
)
from gateway.stores.untaxed import RATES, Supply, class_of
from gateway.stores.zid_api import (
    ADDRESS,
    OURS,
    SECRETS,
    SWITCH,
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

__all__ = [
    "ADDRESS",
    "OURS",
    "SECRETS",
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

_STATES: Final = {
    "delivered": State.FULFILLED,
    "cancelled": State.CANCELLED,
    "canceled": State.CANCELLED,
    "reversed": State.REFUNDED,
    "partiallyreversed": State.REFUNDED_PART,
    "reverseinprogress": State.FULFILLED,
}
_PAYMENTS: Final = {"paid": State.PAID, "refunded": State.REFUNDED, "voided": State.CANCELLED}
_SHAPES: Final = (
    Shape(frozenset({"credit_notes", "returned_items"}), "the credit notes of an order", "إشعارات دائنة لطلب"),
    Shape(frozenset({"serial_number", "pin_code"}), "a voucher that was sold", "قسيمة رقمية"),
    Shape(frozenset({"results"}), "a list of vouchers", "قائمة قسائم"),
    Shape(
        frozenset({"order_total", "order_status"}),
        "a row of an order list, without its products",
        "سطر من قائمة طلبات دون المنتجات",
    ),
    Shape(
        frozenset({"payment_status", "total"}),
        "a row of an order list, without its products",
        "سطر من قائمة طلبات دون المنتجات",
    ),
)
_SUMS: Final = ("sub_total", "taxable", "vat", "total", "products")
"""How the codes of sums begin, beside those of what is charged or taken off."""


# -- notices --------------------------------------------------------------------------------------------------


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a webhook says. Zid signs none and gives deliveries no id: it calls with the user and password that it was
    given, and the body's own hash marks repeats."""
    limited(body)
    known = f"{secret(connection, 'webhook_user')}:{secret(connection, 'webhook_password')}"
    due = f"Basic {base64.b64encode(known.encode()).decode()}"
    if not hmac.compare_digest(header(headers, "Authorization").encode(), due.encode()):
        raise not_authentic(connection)
    mark = hashlib.sha256(body).hexdigest()
    try:
        content = mapping(parse(body))
    except ValueError:
        return Notice("", None, mark)
    order = _order_in(content)
    is_order = bool(order.get("order_status") or order.get("status"))
    return Notice(text(content.get("event"))[:100] or "order", identity(order.get("id")) if is_order else None, mark)


# -- the state ------------------------------------------------------------------------------------------------


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the order's status, whose spelling varies, and before delivery from the payment."""
    order = _order_in(raw)
    status = text(mapping(order.get("order_status")).get("code") or order.get("status"))
    plain = "".join(letter for letter in status.lower() if letter.isalpha())
    found = state_set(connection, status) or _STATES.get(plain)
    return found or _PAYMENTS.get(text(order.get("payment_status")), State.PENDING)


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """The order; its lines are products, then shipping and fees."""
    order = _order_in(raw)
    declared = _declared(order)
    if not (objects(order.get("products")) and declared):
        raise not_an_order(
            raw if raw.get("orders") or "results" in raw else mapping(raw.get("payload")) or order, _SHAPES
        )
    gross = _gross(connection, raw)
    lines, sold, off = _lines(connection, order, gross=gross)
    grand, vat = round_half_up(declared["total"]), round_half_up(declared.get("vat", ZERO))
    read = read_order(
        {
            "connection": connection.id,
            "id": text(order.get("id")),
            "number": text(order.get("invoice_number")) or text(order.get("code")) or text(order.get("id")),
            "version": text(order.get("updated_at")),
            "placed_at": _moment(connection, order.get("created_at"), "created_at"),
            "currency": SAR,
            "prices_include_tax": gross,
            "buyer": _buyer(order),
            "ship_to": ship_to(_address(order)),
            "lines": lines,
            "reductions": off,
            "payments": _payments(order, grand),
            "refunds": refunds_of(_backs(connection, raw), sold, gross=gross),
            "declared": {"grand": grand, "tax": vat},
        }
    )
    return Mapped(read, state(connection, raw))


def _order_in(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The order itself or in the answer to its view."""
    found = mapping(raw)
    return mapping(found.get("order")) or mapping(mapping(found.get("payload")).get("order")) or found


def _declared(order: Mapping[str, Any]) -> dict[str, Decimal]:
    """The declared sums by their codes; empty unless the total is among them."""
    entries = objects(mapping(order.get("payment")).get("invoice"))
    sums = {text(each.get("code")): number(each.get("value"), "payment.invoice.value") for each in entries}
    return sums if "total" in sums else {}


def _gross(connection: Connection, raw: Mapping[str, Any]) -> bool:
    told = mapping(raw.get("tax_settings")).get("is_vat_included_in_product_price")
    if isinstance(told, bool | int):
        return bool(told)
    setting = connection.settings.get("prices_include_tax", "yes")
    if setting not in ("yes", "no"):
        raise Misconfigured(
            f"Connection {connection.id}: prices_include_tax cannot be {setting!r}.", fix="Use yes or no."
        )
    return setting == "yes"


def _moment(connection: Connection, value: object, place: str) -> Any:
    return moment(value, place, zone_named(connection.settings.get("timezone", ""), "timezone"))


# -- what is refused as a whole -------------------------------------------------------------------------------


def _refuse_whole(order: Mapping[str, Any], problems: Problems) -> None:
    currency = text(order.get("currency_code"))
    with problems.noted():
        if currency != SAR:
            raise foreign(
                currency, Text("its sums in SAR are not told for certain", "لا تذكر مبالغه بالريال على وجه اليقين")
            )
    with problems.noted():
        if mapping(order.get("invoice_settings")).get("is_zid_invoice_generation_enabled") is True:
            raise unusable(
                "invoice_settings.is_zid_invoice_generation_enabled",
                "Zid issues this shop's invoices itself",
                fix="Switch invoice generation off in Zid; two issuers for one sale must not both go on.",
                ar="منصة زد تصدر فواتير هذا المتجر بنفسها. أوقف إصدارها في زد حتى لا تصدر فاتورتان لعملية واحدة.",
            )


# -- lines ----------------------------------------------------------------------------------------------------


def _lines(
    connection: Connection, order: Mapping[str, Any], *, gross: bool
) -> tuple[list[dict[str, Any]], list[Sold], list[dict[str, Any]]]:
    """The lines as the order has them and in the shop's figures, and what was taken off all of them."""
    problems, lines = Problems(), []
    _refuse_whole(order, problems)
    goods: list[Sold] = []
    for i, product in enumerate(objects(order["products"])):
        with problems.noted():
            goods += _product(product, order, f"products[{i}]", gross=gross)
    sold = [*goods, *_charges(order, goods, gross=gross)]
    with problems.noted():
        lines = lines_of(connection.settings, sold, gross=gross)
    problems.refuse()
    return lines, sold, _off_all(order, sold, gross=gross)


def _product(product: Mapping[str, Any], order: Mapping[str, Any], place: str, *, gross: bool) -> Iterable[Sold]:
    """Rounded once, from sums of 14 decimals; without VAT the halalas of amount and VAT come from the same amount."""
    quantity = number(product.get("quantity"), f"{place}.quantity")
    whole = round_half_up(number(product.get("discounted_total"), f"{place}.discounted_total"))
    tax = round_half_up(number(product.get("discounted_tax_amount"), f"{place}.discounted_tax_amount"))
    percent = number(product.get("tax_percentage"), f"{place}.tax_percentage") * 100
    listed = number(product.get("total", product.get("discounted_total")), f"{place}.total")
    before = round_half_up(listed if gross else listed / (1 + percent / 100))
    paid = whole if gross else whole - tax
    taxed = class_of(product.get("is_taxable"))
    supply = Supply(f"{place}.tax_percentage", text(product.get("name")), text(product.get("sku")), taxed)
    line = text(product.get("order_product_id")) or text(product.get("id"))
    origin, code = _because(product, order)
    if quantity > 0:
        off = reduced(before, paid, origin, code)
        yield Sold(supply, line, quantity, max(before, paid), paid, tax, percent.normalize(), off)


def _because(product: Mapping[str, Any], order: Mapping[str, Any]) -> tuple[str, str]:
    discounts = mapping(product.get("discounts"))
    coupon = cut(mapping(order.get("coupon")).get("code"))
    if discounts and discounts.keys() <= {"loyalty_points"}:
        return "loyalty", ""
    return ("coupon", coupon) if coupon else ("automatic", "")


def _charges(order: Mapping[str, Any], goods: list[Sold], *, gross: bool) -> Iterable[Sold]:
    """Shipping and fees, net; together they carry the VAT that the products leave of the order's."""
    entries = objects(mapping(order.get("payment")).get("invoice"))
    found = [entry for entry in entries if _is_charge(text(entry.get("code"))) and number(entry["value"], "value") > 0]
    rate = _rate_of_charges(order, goods, sum((number(entry["value"], "value") for entry in found), ZERO))
    for entry in found:
        code, amount = text(entry.get("code")), number(entry["value"], "value")
        tax = round_half_up(amount * rate / 100)
        paid = round_half_up(amount) + (tax if gross else ZERO)
        name = text(entry.get("title")) or code
        supply = Supply(f"payment.invoice[{code}]", name, kind=_kind(code, name))
        yield Sold(supply, code, Decimal(1), paid, paid, tax, rate)


def _rate_of_charges(order: Mapping[str, Any], goods: list[Sold], net: Decimal) -> Decimal:
    """By the VAT that the products leave. A discount that is in no product took some of it: then the products' one rate
    holds for all, and the sums tell whether that is so."""
    vat = round_half_up(_declared(order).get("vat", ZERO)) - sum((one.tax for one in goods), ZERO)
    rate = explaining(round_half_up(vat), round_half_up(net), Decimal(1 + len(goods)))
    of_goods = {one.percent for one in goods if one.percent is not None}
    if rate in RATES or not _discounts(order) or len(of_goods) != 1:
        return rate
    return of_goods.pop()


def _discounts(order: Mapping[str, Any]) -> Decimal:
    """All that the declared sums take off, whether it is in the products or not."""
    return -sum((amount for code, amount in _declared(order).items() if _is_charge(code) and amount < 0), ZERO)


def _is_charge(code: str) -> bool:
    return not code.startswith(_SUMS)


def _kind(code: str, name: str) -> str:
    if "shipping" in code:
        return "shipping"
    return "cod_fee" if "cod" in code.split("_") or is_collection(name) else "fee"


def _off_all(order: Mapping[str, Any], sold: list[Sold], *, gross: bool) -> list[dict[str, Any]]:
    """A declared discount that is in no product: taken off the order, if exactly that makes it close."""
    declared, whole = _declared(order), total(sold, gross=gross)
    off, gap = _discounts(order), whole - declared["total"]
    rates = {one.percent for one in sold if one.percent is not None}
    if off and len(rates) == 1 and abs(gap) > MAX_GAP:
        rate = rates.pop()
        with_vat = off * (1 + rate / 100)
        if min(abs(gap - off), abs(gap - with_vat)) <= MAX_GAP:
            amount = gap if gross else gap / (1 + rate / 100)
            return [{"amount": round_half_up(amount), "origin": "coupon", "code": _because({}, order)[1]}]
    check_closes(text(order.get("id")), declared["total"], whole, SAR)
    return []


# -- people, payments, refunds --------------------------------------------------------------------------------


def _buyer(order: Mapping[str, Any]) -> dict[str, Any]:
    """Zid knows businesses: by their type, or by the numbers that only they have."""
    customer = mapping(order.get("customer"))
    name, vat = text(customer.get("name")), text(customer.get("tax_number"))
    registration, kind = text(customer.get("commercial_registration")), text(customer.get("type")).lower()
    if vat or kind in ("business", "company", "organization"):
        company = text(customer.get("business_name")) or name
        return business(name=company, vat=vat, cr=registration, address=_address(order))
    return person(name) if kind == "individual" else somebody(name)


def _address(order: Mapping[str, Any]) -> dict[str, str]:
    shipping = mapping(mapping(order.get("shipping")).get("address")) or mapping(order.get("shipping_address"))
    meta, country = mapping(shipping.get("meta")), mapping(shipping.get("country"))
    return national_address(
        street=text(shipping.get("street")),
        building=text(meta.get("building_number")),
        district=text(shipping.get("district")),
        city=text(mapping(shipping.get("city")).get("name")),
        postal_code=text(meta.get("postcode")),
        country=text(country.get("code")),
    )


def _payments(order: Mapping[str, Any], grand: Decimal) -> list[dict[str, Any]]:
    method = mapping(mapping(order.get("payment")).get("method"))
    name = text(method.get("code")) or text(method.get("name"))
    paid = text(order.get("payment_status")) in ("paid", "refunded")
    return [{"method": means_of(name), "amount": grand, "state": "paid" if paid else "pending"}] if name else []


def _backs(connection: Connection, raw: Mapping[str, Any]) -> Iterable[Back]:
    """The order's credit notes, where they were fetched along with it; which lines they are about they do not say."""
    answer, order = mapping(raw.get("credit_notes")), _order_in(raw)
    notes = objects(mapping(answer.get("payload")).get("credit_notes")) or objects(answer.get("credit_notes"))
    for i, note in enumerate(notes or objects(raw.get("credit_notes")) or objects(order.get("credit_notes"))):
        place = f"credit_notes[{i}]"
        at = _moment(connection, note["created_at"], place) if note.get("created_at") else None
        money = abs(number(note.get("order_total", note.get("total")), f"{place}.order_total"))
        yield Back(text(note.get("invoice_number")) or text(note.get("id")), at, round_half_up(money), _why(note))


def _why(note: Mapping[str, Any]) -> str:
    return text(note.get("issue_reason"))
