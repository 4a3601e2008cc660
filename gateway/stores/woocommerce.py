"""WooCommerce: REST v3 with a consumer key, webhooks signed with HMAC-SHA256 over the body.

Secrets: `key` and `secret` (of a REST key that may read and write), `webhook` (thought up here if it is not given).
`base_url` is the shop's address.

Settings, all optional:
    vat_number_key, cr_number_key    key in the order's meta_data; without them the usual plugins' keys are tried
    status.<slug>                    what a status means (draft, pending, paid, fulfilled, ...), for a shop's own ones
    tax.sku.<SKU>, tax.class.<class> and untaxed_reason_code, see gateway/stores/untaxed.py; tax classes are named by
                                     their slug, such as zero-rate, and the standard one has none
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import Misconfigured, Unknown
from gateway.exact_json import parse
from gateway.finding import Text
from gateway.invoice.facts import SAR, Kind
from gateway.issued import Issued, Status
from gateway.order import read_order
from gateway.stores.buyer import business, national_address, ship_to, somebody
from gateway.stores.exchange import Api
from gateway.stores.payments import means_of
from gateway.stores.raw import identity, mapping, moment, moment_or, number, objects, text
from gateway.stores.refunds import refunds_of
from gateway.stores.refusals import NO_RATE, Problems, Shape, foreign, not_an_order
from gateway.stores.sold import Sold, check_total, lines_of
from gateway.stores.store import (
    Changed,
    Changes,
    Inspection,
    Mapped,
    Notice,
    State,
    Walk,
    header,
    limited,
    not_authentic,
    secret,
    state_set,
)
from gateway.stores.woocommerce_lines import backs, sold_in

ADDRESS: Final = ""
SECRETS: Final = {"key": "ck_...", "secret": "cs_...", "webhook": "the webhook's secret, if there is one already"}
OURS: Final = ("webhook",)
SWITCH: Final = Text(
    "In WordPress, under Plugins, deactivate the plugin that issues to the authority (ZATCA, Fatoora).",
    "في ووردبريس، ضمن الإضافات، عطّل إضافة الفوترة الإلكترونية (ZATCA).",
)
_PAGE: Final = 100
_TOPICS: Final = ("order.created", "order.updated", "action.woocommerce_order_refunded")
_DRAFTS: Final = frozenset({"checkout-draft", "auto-draft"})
_ISSUERS: Final = re.compile("zatca|fatoora|e-?invoic", re.IGNORECASE)

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

_SHAPES: Final = (
    Shape(frozenset({"refunded_by"}), "a refund", "استرجاع مبلغ"),
    Shape(frozenset({"note", "customer_note"}), "a note on an order", "ملاحظة على طلب"),
    Shape(frozenset({"action", "arg"}), "a notice that names an order", "إشعار يذكر رقم طلب"),
    Shape(frozenset({"Link"}), "the headers of an answer", "ترويسات رد"),
    Shape(frozenset({"line_items", "billing"}), "one without products", "طلب بلا منتجات"),
)


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
    """The whole order by its id, with its refunds as they are and not only their sums."""
    api, path = _api(connection, client), _path(order_id)
    raw = await api.get(path)
    if not isinstance(raw, dict) or identity(raw.get("id")) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    if not objects(raw.get("refunds")):
        return raw
    refunds = objects(await api.get(f"{path}/refunds", per_page="100"))
    return {**raw, "refunds": refunds} if refunds else raw


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, oldest first, without the drafts of checkouts.

    A page is asked for by the moment it begins at: numbered pages shift when an order changes meanwhile, and one order
    would be passed over. Only where one second has more orders than a page are its pages numbered.
    """
    since, number_of_page = _mark(walk)
    rows = objects(
        await _api(connection, client).get(
            "/orders",
            modified_after=since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            dates_are_gmt="true",
            orderby="modified",
            order="asc",
            per_page=str(_PAGE),
            page=str(number_of_page),
        )
    )
    dated = [(row, moment_or(row.get("date_modified_gmt"), UTC, since)) for row in rows]
    newest = max((at for _, at in dated), default=None)
    found = tuple(
        Changed(text(row.get("id")), _version(row), at) for row, at in dated if row.get("status") not in _DRAFTS
    )
    if newest is None or len(rows) < _PAGE:
        return Changes(found, newest)
    begin = newest - timedelta(seconds=1)
    page = f"{begin.isoformat()} 1" if begin > since else f"{since.isoformat()} {number_of_page + 1}"
    return Changes(found, newest, page)


def _mark(walk: Walk) -> tuple[datetime, int]:
    begin, _, page = walk.page.partition(" ")
    return (datetime.fromisoformat(begin), int(page)) if begin else (walk.since, 1)


def _version(row: Mapping[str, Any]) -> str:
    return f"{text(row.get('date_modified_gmt'))}/{len(objects(row.get('refunds')))}"


def _api(connection: Connection, client: httpx2.AsyncClient) -> Api:
    if not connection.base_url:
        raise Misconfigured(f"Connection {connection.id} has no base_url.", fix="Give the shop's https address.")
    auth = httpx2.BasicAuth(secret(connection, "key"), secret(connection, "secret"))
    return Api(connection, client, base=f"{connection.base_url.rstrip('/')}/wp-json/wc/v3", auth=auth)


def _path(order_id: str) -> str:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a WooCommerce order.", fix="It has digits only.")
    return f"/orders/{order_id}"


# -- connecting -----------------------------------------------------------------------------------------------


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The key may read orders; what the shop says of VAT and currency that a person has to look at, if it says so."""
    api = _api(connection, client)
    await api.get("/orders", per_page="1")
    try:
        general, taxes = await _settings(api, "general"), await _settings(api, "tax")
    except Misconfigured:
        return Inspection(look_at=(_SETTINGS_HIDDEN,))
    look_at = (
        (general.get("woocommerce_calc_taxes") == "no", _NO_VAT),
        (general.get("woocommerce_currency", SAR) != SAR, _OTHER_CURRENCY),
        (taxes.get("woocommerce_tax_based_on") == "base", _TAXED_BY_SHOP),
    )
    return Inspection(look_at=tuple(said for holds, said in look_at if holds))


_SETTINGS_HIDDEN: Final = Text(
    "The key may not see the shop's settings of VAT and currency: see to it yourself that VAT is charged, in riyals.",
    "لا يملك المفتاح صلاحية قراءة إعدادات الضريبة والعملة؛ تأكد بنفسك أن الضريبة محتسبة وأن العملة هي الريال.",
)
_NO_VAT: Final = Text(
    "The shop charges no VAT (WooCommerce, Settings, General, Enable taxes): its orders will wait in the quarantine.",
    "المتجر لا يحتسب الضريبة (ووكومرس، الإعدادات، عام، تفعيل الضرائب)، فستبقى طلباته معلقة.",
)
_OTHER_CURRENCY: Final = Text(
    f"The shop does not sell in {SAR}: its orders will wait in the quarantine.",
    "عملة المتجر ليست الريال السعودي، فستبقى طلباته معلقة.",
)
_TAXED_BY_SHOP: Final = Text(
    "The shop charges VAT by its own address, so buyers abroad pay it too (WooCommerce, Settings, Tax).",
    "يحتسب المتجر الضريبة حسب عنوانه هو، فيدفعها المشترون خارج المملكة أيضاً (إعدادات الضرائب).",
)


async def _settings(api: Api, group: str) -> dict[str, str]:
    return {text(each.get("id")): text(each.get("value")) for each in objects(await api.get(f"/settings/{group}"))}


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool | None:
    """Whether a plugin that issues to the authority is active, by its name; None if the shop lists no plugins."""
    listed = mapping(await _api(connection, client).get("/system_status", _fields="active_plugins"))
    plugins = listed.get("active_plugins")
    if not isinstance(plugins, list):
        return None
    names = (f"{text(each.get('plugin'))} {text(each.get('name'))}" for each in objects(plugins))
    return any(_ISSUERS.search(name) for name in names)


async def subscribe(connection: Connection, client: httpx2.AsyncClient, address: str) -> tuple[str, ...]:
    """A webhook for each topic. The shop disables one after five failed deliveries in a row, and so it stays until it
    is enabled by hand, or here."""
    api, done = _api(connection, client), []
    listed = [
        each for each in objects(await api.get("/webhooks", per_page="100")) if each.get("delivery_url") == address
    ]
    for topic in _TOPICS:
        known = [each for each in listed if each.get("topic") == topic]
        wanted = {"status": "active", "secret": secret(connection, "webhook")}
        if not known:
            made = {"name": f"gateway {topic}", "topic": topic, "delivery_url": address}
            await api.send("POST", "/webhooks", made | wanted)
            done.append(f"{topic}: made")
        elif all(each.get("status") != "active" for each in known):
            await api.send("PUT", f"/webhooks/{text(known[0].get('id'))}", wanted)
            done.append(f"{topic}: was {text(known[0].get('status'))}, enabled again")
    return tuple(done)


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
    if not (mapping(raw) and objects(raw.get("line_items")) and text(raw.get("currency"))):
        raise not_an_order(raw, _SHAPES)
    gross = raw.get("prices_include_tax") is True
    lines, sold = _lines(connection, raw, gross=gross)
    order = read_order(
        {
            "connection": connection.id,
            "id": text(raw.get("id")),
            "number": _number(raw),
            "version": text(raw.get("date_modified_gmt")),
            "placed_at": moment(raw.get("date_created_gmt"), "date_created_gmt", UTC),
            "currency": SAR,
            "prices_include_tax": gross,
            "buyer": _buyer(connection, raw),
            "ship_to": ship_to(_address(raw.get("shipping"))),
            "lines": lines,
            "payments": _payments(raw),
            "refunds": refunds_of(backs(raw), sold, gross=gross),
            "declared": {"grand": number(raw.get("total"), "total"), "tax": number(raw.get("total_tax"), "total_tax")},
        }
    )
    return Mapped(order, state(connection, raw))


def _lines(connection: Connection, raw: Mapping[str, Any], *, gross: bool) -> tuple[list[dict[str, Any]], list[Sold]]:
    """The lines twice, as the order has them and in the shop's figures; refused with everything that is wrong."""
    problems, lines = Problems(), []
    with problems.noted():
        if text(raw.get("currency")) != SAR:
            raise foreign(text(raw.get("currency")), NO_RATE)
    sold = sold_in(raw, problems, gross=gross)
    with problems.noted():
        lines = lines_of(connection.settings, sold, gross=gross)
    problems.refuse()
    check_total(_number(raw), sold, number(raw.get("total"), "total"), SAR, gross=gross)
    return lines, sold


def _number(raw: Mapping[str, Any]) -> str:
    return text(raw.get("number")) or text(raw.get("id"))


def _payments(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    method = text(raw.get("payment_method"))
    if not method:
        return []
    return [
        {
            "method": means_of(method),
            "amount": number(raw.get("total"), "total"),
            "state": "paid" if _is_paid(raw) else "pending",
        }
    ]


def _buyer(connection: Connection, raw: Mapping[str, Any]) -> dict[str, Any]:
    billing = mapping(raw.get("billing"))
    name = f"{text(billing.get('first_name'))} {text(billing.get('last_name'))}".strip()
    vat = _meta(connection, raw, "vat_number_key", _VAT_KEYS, _VAT_FIELDS)
    if not vat:
        return somebody(name)
    return business(
        name=text(billing.get("company")) or name,
        vat=vat,
        cr=_meta(connection, raw, "cr_number_key", _CR_KEYS, _CR_FIELDS),
        address=_address(billing),
    )


def _address(value: object) -> dict[str, str]:
    address = mapping(value)
    return national_address(
        street=text(address.get("address_1")),
        district=text(address.get("address_2")),
        city=text(address.get("city")),
        postal_code=text(address.get("postcode")),
        country=text(address.get("country")),
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
    Status.UNSTAMPED: "بانتظار الختم",
}


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """Keep the document's facts in the order's meta_data and one private note per status.

    Both are looked up first; an update of the order makes the shop send its own notice, so nothing equal is written.
    """
    api, path = _api(connection, client), _path(order_id)
    raw = mapping(await api.get(path))
    known = {text(meta.get("key")): meta.get("value") for meta in objects(raw.get("meta_data"))}
    new = {key: value for key, value in _facts(issued, pdf).items() if known.get(key) != value}
    if new:
        await api.send("PUT", path, {"meta_data": [{"key": key, "value": value} for key, value in new.items()]})
    note = _note(issued, pdf)
    noted = any(text(entry.get("note")) == note for entry in objects(await api.get(f"{path}/notes")))
    if not noted:
        await api.send("POST", f"{path}/notes", {"note": note, "customer_note": False})
    written = [word for word, done in (("fields", bool(new)), ("note", not noted)) if done]
    return f"woocommerce order {order_id}: {' and '.join(written) + ' written' if written else 'nothing new'}"


def _facts(issued: Issued, pdf: str) -> dict[str, str]:
    """What themes and plugins read; a note must not overwrite what belongs to the invoice."""
    prefix = f"_zatca_{issued.kind.word}" if issued.kind.is_note else "_zatca"
    return {
        f"{prefix}_number": issued.number,
        f"{prefix}_status": issued.status.value,
        f"{prefix}_uuid": issued.uuid,
        f"{prefix}_qr": issued.qr,
        **({f"{prefix}_pdf": pdf} if pdf else {}),
    }


def _note(issued: Issued, pdf: str) -> str:
    kind = {Kind.CREDIT_NOTE: "الإشعار الدائن", Kind.DEBIT_NOTE: "الإشعار المدين"}.get(issued.kind, "الفاتورة")
    said = f"ZATCA: {issued.number} {issued.status.value}. {kind} {issued.number}: {_SENTENCES[issued.status]}."
    return f"{said} PDF: {pdf}" if pdf else said
