"""WooCommerce: REST v3 with a consumer key, webhooks signed with HMAC-SHA256 over the body.

Secrets: `key` and `secret` (of a REST key that may read and write), `webhook`. `base_url` is the shop's address.

Settings, all optional:
    vat_number_key, cr_number_key    key in the order's meta_data; without them the usual plugins' keys are tried
    untaxed_reason_code              VATEX-SA code of lines without VAT; with `.<tax class>` for one tax class alone
    untaxed_reason                   its reason in words, for the two codes that have no official text
    status.<slug>                    what a status means (draft, pending, paid, fulfilled, ...), for a shop's own ones

Line amounts come net with two decimals even where shown prices include VAT; then the shown price is net plus VAT.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import Misconfigured, Unknown
from gateway.invoice.facts import SAR, ZERO, Kind
from gateway.issued import Issued, Status
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, person
from gateway.stores.exchange import Api, parse
from gateway.stores.raw import each, identity, mapping, moment, number, objects, text, unusable
from gateway.stores.store import Mapped, Notice, State, check_closes, header, limited, not_authentic, secret, state_set
from gateway.stores.untaxed import taxed, untaxed

# The shop's own checkout fields are kept as _wc_<group>/<namespace>/<field>; the rest belong to widespread plugins.
_VAT_KEYS: Final = (
    "_billing_vat_number",
    "billing_vat_number",
    "_vat_number",
    "vat_number",
    "_billing_vat",
    "billing_vat",
    "_billing_vat_id",
    "_billing_eu_vat_number",
    "_billing_tax_number",
    "billing_tax_number",
)
_CR_KEYS: Final = ("_billing_cr_number", "billing_cr_number", "_cr_number", "cr_number")
_VAT_FIELDS: Final = frozenset({"vat-number", "vat", "tax-number"})
_CR_FIELDS: Final = frozenset({"cr-number", "cr", "commercial-registration"})

_STATES: Final = {
    "auto-draft": State.DRAFT,
    "checkout-draft": State.DRAFT,
    "pending": State.PENDING,
    "on-hold": State.PENDING,
    "failed": State.PENDING,
    "completed": State.FULFILLED,
    "cancelled": State.CANCELLED,
    "refunded": State.REFUNDED,
    "trash": State.DELETED,
}

_CARD = re.compile(
    "card|stripe|moyasar|hyperpay|payfort|paytabs|myfatoorah|checkout_com|mada|visa|apple|google|amazon|^tap|urway"
)
_WALLET = re.compile("stc|paypal|wallet")
_COD_FEE = re.compile(r"\bcod\b|cash on delivery|عند الاستلام|عند التسليم|تحصيل", re.IGNORECASE)


# -- notices --------------------------------------------------------------------------------------------------


def verify(connection: Connection, headers: Mapping[str, str], body: bytes) -> Notice:
    """What a webhook says. The unsigned ping of a new webhook and signed bodies without an order name no order."""
    limited(body)
    topic = header(headers, "X-WC-Webhook-Topic")[:100]
    delivery = header(headers, "X-WC-Webhook-Delivery-ID")[:100]
    if re.fullmatch(rb"webhook_id=\d{1,20}", body):
        return Notice("ping", None, delivery)
    signature = header(headers, "X-WC-Webhook-Signature")
    due = hmac.digest(secret(connection, "webhook").encode(), body, hashlib.sha256)
    if not hmac.compare_digest(base64.b64encode(due), signature.encode()):
        raise not_authentic(connection)
    return Notice(topic, _order_named_in(topic, body), delivery)


def _order_named_in(topic: str, body: bytes) -> str | None:
    """Synchronous deliveries can carry a REST error, correctly signed: only an order's own id counts."""
    try:
        content = mapping(parse(body))
    except ValueError:
        return None
    if topic.startswith("order."):
        return identity(content.get("id"))
    if topic.startswith("action.woocommerce_order"):
        return identity(content.get("arg"))
    return None


# -- reading --------------------------------------------------------------------------------------------------


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The whole order by its id."""
    raw = await _api(connection, client).get(_path(order_id))
    if not isinstance(raw, dict) or identity(raw.get("id")) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    return raw


def _api(connection: Connection, client: httpx2.AsyncClient) -> Api:
    if not connection.base_url:
        raise Misconfigured(f"Connection {connection.id} has no base_url.", fix="Give the shop's https address.")
    auth = httpx2.BasicAuth(secret(connection, "key"), secret(connection, "secret"))
    return Api(connection, client, base=f"{connection.base_url.rstrip('/')}/wp-json/wc/v3", auth=auth)


def _path(order_id: str) -> str:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a WooCommerce order.", fix="It has digits only.")
    return f"/orders/{order_id}"


# -- mapping --------------------------------------------------------------------------------------------------


def state(connection: Connection, raw: Mapping[str, Any]) -> State:
    """From the status; `processing` is paid unless the money is still to be collected on delivery."""
    status = text(raw.get("status"))
    found = state_set(connection, status) or _STATES.get(status) or (State.PAID if _is_paid(raw) else State.PENDING)
    if found in (State.PAID, State.FULFILLED) and objects(raw.get("refunds")):
        return State.REFUNDED_PART
    return found


def _is_paid(raw: Mapping[str, Any]) -> bool:
    return bool(text(raw.get("date_paid_gmt")))


def map(connection: Connection, raw: Mapping[str, Any]) -> Mapped:  # noqa: A001 - the verb of every store
    """The order; its lines are products, then shipping, then fees, with the shop's own ids."""
    currency = text(raw.get("currency"))
    if not (objects(raw.get("line_items")) and currency):
        raise unusable("line_items", "this is not an order that sold anything", fix="Nothing is to be issued for it.")
    if currency != SAR:
        raise unusable(
            "currency",
            f"the order is in {currency} and the shop does not say its rate to SAR",
            fix="Send such orders through the API with fx.rate, or sell in SAR.",
            ar=f"الطلب بعملة {currency} ولا يذكر المتجر سعر الصرف إلى الريال.",
        )
    _check_sums(raw)
    gross = raw.get("prices_include_tax") is True
    rates = _rates(raw)
    lines = [*_products(connection, raw, rates, gross=gross), *_charges(connection, raw, rates, gross=gross)]
    order = read_order(
        {
            "connection": connection.id,
            "id": text(raw.get("id")),
            "number": text(raw.get("number")) or text(raw.get("id")),
            "version": text(raw.get("date_modified_gmt")),
            "placed_at": moment(raw.get("date_created_gmt"), "date_created_gmt", UTC),
            "currency": currency,
            "prices_include_tax": gross,
            "buyer": _buyer(connection, raw),
            "lines": lines,
            "reductions": _negative_fees(raw, gross=gross),
            "payments": _payments(raw),
            "declared": {"grand": number(raw.get("total"), "total"), "tax": number(raw.get("total_tax"), "total_tax")},
        }
    )
    return Mapped(order, state(connection, raw))


def _check_sums(raw: Mapping[str, Any]) -> None:
    entries = [entry for group in ("line_items", "shipping_lines", "fee_lines") for entry in objects(raw.get(group))]
    total = sum((number(entry.get(field), field) for entry in entries for field in ("total", "total_tax")), ZERO)
    check_closes(text(raw.get("number")), number(raw.get("total"), "total"), total, SAR)


def _rates(raw: Mapping[str, Any]) -> dict[str, Decimal]:
    """The percentage of each tax rate that the order uses, by the rate's id."""
    rates: dict[str, Decimal] = {}
    for i, tax in enumerate(objects(raw.get("tax_lines"))):
        if tax.get("rate_percent") is None:
            raise unusable(
                f"tax_lines[{i}].rate_percent", "the rate is missing", fix="Update WooCommerce to 4.0 or newer."
            )
        rates[text(tax.get("rate_id"))] = number(tax["rate_percent"], f"tax_lines[{i}].rate_percent")
    return rates


def _products(
    connection: Connection, raw: Mapping[str, Any], rates: Mapping[str, Decimal], *, gross: bool
) -> Iterable[dict[str, Any]]:
    codes = ", ".join(text(coupon.get("code")) for coupon in objects(raw.get("coupon_lines")))[:127]
    for i, item in enumerate(objects(raw["line_items"])):
        place = f"line_items[{i}]"
        quantity = number(item.get("quantity"), f"{place}.quantity")
        if quantity <= 0:
            raise unusable(
                f"{place}.quantity", f"it is {quantity:f}", fix="Remove the line from the order in the shop."
            )
        paid = _amount(item, "total", place, gross=gross)
        # A price raised by hand leaves the subtotal below the total; then there is nothing to reduce.
        before = max(_amount(item, "subtotal", place, gross=gross), paid)
        reduction = {"amount": before - paid, "origin": "coupon" if codes else "item", "code": codes}
        yield {
            "id": text(item.get("id")),
            "name": text(item.get("name")),
            "sku": text(item.get("sku")),
            "quantity": quantity,
            "unit_price": each(before, quantity),
            "reductions": [reduction] if before > paid else [],
            "tax": _tax(connection, item, rates, place),
        }


def _charges(
    connection: Connection, raw: Mapping[str, Any], rates: Mapping[str, Decimal], *, gross: bool
) -> Iterable[dict[str, Any]]:
    """Shipping and fees that cost something; what is free was not sold."""
    on_delivery = text(raw.get("payment_method")) == "cod"
    for group in ("shipping_lines", "fee_lines"):
        for i, charge in enumerate(objects(raw.get(group))):
            place = f"{group}[{i}]"
            amount = _amount(charge, "total", place, gross=gross)
            if not amount or (group == "fee_lines" and amount < 0):
                continue
            name = text(charge.get("method_title") or charge.get("name"))
            is_cod = on_delivery and _COD_FEE.search(name)
            yield {
                "id": text(charge.get("id")),
                "kind": "shipping" if group == "shipping_lines" else "cod_fee" if is_cod else "fee",
                "name": name or "توصيل",
                "quantity": Decimal(1),
                "unit_price": amount,
                "tax": _tax(connection, charge, rates, place),
            }


def _negative_fees(raw: Mapping[str, Any], *, gross: bool) -> list[dict[str, Any]]:
    """Fees below zero are how plugins take money off the whole order."""
    fees = [
        (fee, _amount(fee, "total", f"fee_lines[{i}]", gross=gross))
        for i, fee in enumerate(objects(raw.get("fee_lines")))
    ]
    return [
        {"amount": -amount, "origin": "automatic", "reason": text(fee.get("name"))}
        for fee, amount in fees
        if amount < 0
    ]


def _amount(entry: Mapping[str, Any], field: str, place: str, *, gross: bool) -> Decimal:
    net = number(entry.get(field), f"{place}.{field}")
    return net + number(entry.get(f"{field}_tax"), f"{place}.{field}_tax") if gross else net


def _tax(connection: Connection, entry: Mapping[str, Any], rates: Mapping[str, Decimal], place: str) -> dict[str, Any]:
    applied = {
        text(tax.get("id")): number(tax["total"], f"{place}.taxes.total")
        for tax in objects(entry.get("taxes"))
        if tax.get("total") not in ("", None)
    }
    charged = [rate for rate, amount in applied.items() if amount] or [rate for rate in applied if rate in rates]
    if any(rate not in rates for rate in charged):
        raise unusable(
            f"{place}.taxes", "its rate is not among the tax_lines", fix="Recalculate the order in the shop."
        )
    found = {rates[rate] for rate in charged}
    if len(found) > 1:
        raise unusable(f"{place}.taxes", "more than one VAT rate was charged", fix="Leave one tax rate per product.")
    percent = found.pop() if found else ZERO
    if percent:
        return taxed(percent)
    name = text(entry.get("name") or entry.get("method_title"))
    return untaxed(connection.settings, f"{place}.taxes", name, text(entry.get("tax_class")))


def _payments(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    method = text(raw.get("payment_method"))
    if not method:
        return []
    return [
        {
            "method": _means(method),
            "amount": number(raw.get("total"), "total"),
            "state": "paid" if _is_paid(raw) else "pending",
        }
    ]


def _means(method: str) -> str:
    """A gateway's id as a payment method; gateways name themselves as they like."""
    if method in ("bacs", "cod"):
        return {"bacs": "bank", "cod": "cod"}[method]
    return "wallet" if _WALLET.search(method) else "card" if _CARD.search(method) else "other"


def _buyer(connection: Connection, raw: Mapping[str, Any]) -> dict[str, Any]:
    billing = mapping(raw.get("billing"))
    name = f"{text(billing.get('first_name'))} {text(billing.get('last_name'))}".strip()
    vat = _meta(connection, raw, "vat_number_key", _VAT_KEYS, _VAT_FIELDS)
    if not vat:
        return person(name)
    return business(
        name=text(billing.get("company")) or name,
        vat=vat,
        cr=_meta(connection, raw, "cr_number_key", _CR_KEYS, _CR_FIELDS),
        address=national_address(
            street=text(billing.get("address_1")),
            district=text(billing.get("address_2")),
            city=text(billing.get("city")),
            postal_code=text(billing.get("postcode")),
            country=text(billing.get("country")),
        ),
    )


def _meta(
    connection: Connection, raw: Mapping[str, Any], setting: str, keys: tuple[str, ...], fields: frozenset[str]
) -> str:
    """The first value under the configured key, or under one of the usual ones."""
    wanted = connection.settings.get(setting)
    for meta in objects(raw.get("meta_data")):
        key = text(meta.get("key"))
        usual = key in keys or (key.startswith("_wc_") and key.rpartition("/")[2] in fields)
        if (key == wanted if wanted else usual) and text(meta.get("value")):
            return text(meta["value"])
    return ""


# -- reporting back -------------------------------------------------------------------------------------------

_SENTENCES: Final = {
    Status.ISSUED: "صدرت ولم ترسل بعد",
    Status.SENDING: "قيد الإرسال",
    Status.UNKNOWN: "أرسلت وننتظر الرد",
    Status.CLEARED: "اعتمدتها الهيئة",
    Status.REPORTED: "أبلغت بها الهيئة",
    Status.REJECTED: "رفضتها الهيئة",
    Status.REPLACED: "استبدلت بوثيقة مصححة",
    Status.HELD: "موقوفة مؤقتا",
}


async def report(connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued) -> str:
    """Keep the document's facts in the order's meta_data and one private note per status.

    Both are looked up first; an update of the order makes the shop send its own notice, so nothing equal is written.
    """
    api, path = _api(connection, client), _path(order_id)
    raw = mapping(await api.get(path))
    known = {text(meta.get("key")): meta.get("value") for meta in objects(raw.get("meta_data"))}
    new = {key: value for key, value in _facts(issued).items() if known.get(key) != value}
    if new:
        await api.send("PUT", path, {"meta_data": [{"key": key, "value": value} for key, value in new.items()]})
    note = _note(issued)
    noted = any(text(entry.get("note")) == note for entry in objects(await api.get(f"{path}/notes")))
    if not noted:
        await api.send("POST", f"{path}/notes", {"note": note, "customer_note": False})
    written = [word for word, done in (("fields", bool(new)), ("note", not noted)) if done]
    return f"woocommerce order {order_id}: {' and '.join(written) + ' written' if written else 'nothing new'}"


def _facts(issued: Issued) -> dict[str, str]:
    """What themes and plugins read; a note must not overwrite what belongs to the invoice."""
    prefix = f"_zatca_{issued.kind.word}" if issued.kind.is_note else "_zatca"
    return {
        f"{prefix}_number": issued.number,
        f"{prefix}_status": issued.status.value,
        f"{prefix}_uuid": issued.uuid,
        f"{prefix}_qr": issued.qr,
    }


def _note(issued: Issued) -> str:
    kind = {Kind.CREDIT_NOTE: "الإشعار الدائن", Kind.DEBIT_NOTE: "الإشعار المدين"}.get(issued.kind, "الفاتورة")
    return f"ZATCA: {issued.number} {issued.status.value}. {kind} {issued.number}: {_SENTENCES[issued.status]}."
