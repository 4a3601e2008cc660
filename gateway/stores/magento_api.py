"""Magento's REST API: orders with their invoices and credit memos by the access token of an integration.

Open Source sends no webhooks, so a shop is asked what changed. With the setting `issue_per` = invoice each of its
invoices is a sale of its own, known here as invoice-<id>; otherwise each order is one.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import Misconfigured, Unknown
from gateway.finding import Text
from gateway.invoice.facts import Kind
from gateway.issued import Issued
from gateway.stores.exchange import Api, pages
from gateway.stores.raw import identity, mapping, moment_or, objects, text
from gateway.stores.store import Changed, Changes, Inspection, Walk, secret

ADDRESS: Final = ""
SECRETS: Final = {
    "access_token": "of an integration that may read sales and add comments",
    "webhook": "what signs the notices of an extension of your own, if there is one",
}
SWITCH: Final = Text(
    "In Magento disable the module that issues to the authority (ZATCA, Fatoora): bin/magento module:disable.",
    "في ماجنتو عطّل وحدة الفوترة الإلكترونية (ZATCA) بالأمر bin/magento module:disable.",
)
_PAGE: Final = 100
_ISSUERS: Final = re.compile("zatca|fatoora|e-?invoic", re.IGNORECASE)
_INVOICE: Final = re.compile(r"invoice-(\d{1,20})", re.ASCII)


def api_of(connection: Connection, client: httpx2.AsyncClient) -> Api:
    """The API as this connection may use it."""
    if not connection.base_url:
        raise Misconfigured(f"Connection {connection.id} has no base_url.", fix="Give the shop's https address.")
    store = connection.settings.get("store", "all")
    if not re.fullmatch(r"[a-z0-9_]{1,32}", store, re.ASCII):
        raise Misconfigured(f"Connection {connection.id}: store cannot be {store!r}.", fix="Use a store view's code.")
    headers = {"Authorization": f"Bearer {secret(connection, 'access_token')}"}
    return Api(connection, client, base=f"{connection.base_url.rstrip('/')}/rest/{store}/V1", headers=headers)


def by_invoice(connection: Connection) -> bool:
    """Whether each invoice of the shop is a sale of its own."""
    said = connection.settings.get("issue_per", "order")
    if said not in ("order", "invoice"):
        raise Misconfigured(f"Connection {connection.id}: issue_per cannot be {said!r}.", fix="Use order or invoice.")
    return said == "invoice"


def _search(
    *filters: tuple[str, str, str], order: str = "entity_id", page: int = 1, fields: str = ""
) -> dict[str, str]:
    """A search for what fulfils all `filters` (field, condition, value)."""
    found = {
        f"searchCriteria[filter_groups][{i}][filters][0][{part}]": value
        for i, (field, condition, wanted) in enumerate(filters)
        for part, value in (("field", field), ("condition_type", condition), ("value", wanted))
    }
    found |= {
        "searchCriteria[sortOrders][0][field]": order,
        "searchCriteria[sortOrders][0][direction]": "ASC",
        "searchCriteria[pageSize]": str(_PAGE),
        "searchCriteria[currentPage]": str(page),
    }
    return found | ({"fields": fields} if fields else {})


async def _all(api: Api, path: str, *filters: tuple[str, str, str]) -> list[Mapping[str, Any]]:
    """Every entity of a search; a page past the end repeats the last one, so the count decides when to stop."""
    found: list[Mapping[str, Any]] = []
    for page in pages():
        listed = mapping((await api.page(path, _search(*filters, page=page))).content)
        rows = objects(listed.get("items"))
        found += rows
        if not rows or len(found) >= _count(listed):
            break
    return found


def _count(listed: Mapping[str, Any]) -> int:
    """How many entities a search found in all, of which a page shows some."""
    count = listed.get("total_count")
    return count if isinstance(count, int) else 0


# -- connecting -----------------------------------------------------------------------------------------------


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The integration may read orders, invoices and credit memos. How the shop counts its VAT it does not tell."""
    api = api_of(connection, client)
    by_invoice(connection)
    for path in ("/orders", "/invoices", "/creditmemos"):
        await api.page(path, {"searchCriteria[pageSize]": "1", "fields": "total_count"})
    untold = "prices_include_tax" not in connection.settings
    return Inspection(look_at=(_TAX_UNTOLD,) if untold else ())


_TAX_UNTOLD: Final = Text(
    "Magento does not say whether its catalogue prices are with VAT; they are taken to be without. Set"
    " prices_include_tax to yes if they are.",
    "لا يذكر ماجنتو هل الأسعار شاملة الضريبة؛ نعتبرها غير شاملة. اضبط prices_include_tax على yes إن كانت شاملة.",
)


async def issues_itself(connection: Connection, client: httpx2.AsyncClient) -> bool | None:
    """Whether a module that issues to the authority is enabled, by its name; None if modules are not told."""
    modules = await api_of(connection, client).get("/modules")
    if not isinstance(modules, list) or not modules:
        return None
    return any(_ISSUERS.search(text(name)) for name in modules)


# -- reading --------------------------------------------------------------------------------------------------


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, oldest first, from a moment on: numbered pages shift when orders change meanwhile.
    Only where one second has more orders than a page are its pages numbered."""
    api = api_of(connection, client)
    begin, _, numbered = walk.page.partition("|")
    since, page = (datetime.fromisoformat(begin).replace(tzinfo=UTC), int(numbered)) if begin else (walk.since, 1)
    wanted = ("updated_at", "gteq", since.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    fields = "items[entity_id,updated_at],total_count"
    listed = mapping((await api.page("/orders", _search(wanted, order="updated_at", page=page, fields=fields))).content)
    rows = objects(listed.get("items"))
    found = await _sales(connection, api, rows, since)
    newest = max((_changed_at(row, since) for row in rows), default=None)
    if newest is None or page * _PAGE >= _count(listed):
        return Changes(found, newest)
    further = f"{newest:%Y-%m-%d %H:%M:%S}|1" if newest > since else f"{since:%Y-%m-%d %H:%M:%S}|{page + 1}"
    return Changes(found, newest, further)


def _changed_at(row: Mapping[str, Any], since: datetime) -> datetime:
    return moment_or(row.get("updated_at"), UTC, since).astimezone(UTC)


async def _sales(
    connection: Connection, api: Api, rows: Iterable[Mapping[str, Any]], since: datetime
) -> tuple[Changed, ...]:
    """The orders, or their invoices; an order changes when it is invoiced and when a credit memo is made."""
    known = {
        text(row.get("entity_id")): Changed(
            text(row.get("entity_id")), text(row.get("updated_at")), _changed_at(row, since)
        )
        for row in rows
    }
    if not by_invoice(connection) or not known:
        return tuple(known.values())
    invoices = await _all(api, "/invoices", ("order_id", "in", ",".join(known)))
    return tuple(
        known[text(each.get("order_id"))]._replace(order_id=f"invoice-{text(each.get('entity_id'))}")
        for each in invoices
        if text(each.get("order_id")) in known
    )


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The order with its credit memos, or an invoice with its order and the credit memos on it. Credit memos that name
    no invoice, of an order with several, are given as `unclear_creditmemos`."""
    api = api_of(connection, client)
    invoice_id = _INVOICE.fullmatch(order_id)
    if invoice_id is None:
        order = await _order(connection, api, order_id)
        return {**order, "creditmemos": await _memos(api, order_id)}
    invoice = mapping(await api.get(f"/invoices/{invoice_id[1]}"))
    of = text(invoice.get("order_id"))
    order = await _order(connection, api, of)
    memos = await _memos(api, of)
    alone = len(await _all(api, "/invoices", ("order_id", "eq", of))) == 1
    mine = [each for each in memos if alone or text(each.get("invoice_id")) == invoice_id[1]]
    unclear = [each for each in memos if not alone and not each.get("invoice_id")]
    return {**invoice, "order": order, "creditmemos": mine, "unclear_creditmemos": unclear}


async def _order(connection: Connection, api: Api, order_id: str) -> Mapping[str, Any]:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a Magento order.", fix="It is 17, or invoice-17.")
    raw = mapping(await api.get(f"/orders/{order_id}"))
    if identity(raw.get("entity_id")) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    return raw


async def _memos(api: Api, order_id: str) -> list[Mapping[str, Any]]:
    return await _all(api, "/creditmemos", ("order_id", "eq", order_id))


# -- reporting back -------------------------------------------------------------------------------------------


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """One comment on the order for each document and status, not shown to the buyer; looked up first."""
    api, of = api_of(connection, client), order_id
    if invoice_id := _INVOICE.fullmatch(order_id):
        of = text(mapping(await api.get(f"/invoices/{invoice_id[1]}")).get("order_id"))
    await _order(connection, api, of)
    comment = _comment(issued, pdf)
    listed = objects(mapping(await api.get(f"/orders/{of}/comments")).get("items"))
    if any(text(each.get("comment")) == comment for each in listed):
        return f"magento order {of}: nothing new"
    history = {"comment": comment, "is_customer_notified": 0, "is_visible_on_front": 0, "parent_id": int(of)}
    await api.send("POST", f"/orders/{of}/comments", {"statusHistory": history})
    return f"magento order {of}: comment written"


def _comment(issued: Issued, pdf: str) -> str:
    kind = {Kind.CREDIT_NOTE: "الإشعار الدائن", Kind.DEBIT_NOTE: "الإشعار المدين"}.get(issued.kind, "الفاتورة")
    qr = f" QR: {issued.qr}" if issued.qr else ""
    link = f" PDF: {pdf}" if pdf else ""
    return f"ZATCA: {issued.number} {issued.status.value} ({kind}). UUID: {issued.uuid}.{qr}{link}"
