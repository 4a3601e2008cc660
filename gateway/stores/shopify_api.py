"""Shopify's Admin API (GraphQL): orders with their agreements, metafields, webhook subscriptions, and its two limits.

A query may cost a thousand points, and a shop's bucket of points fills at its own rate; what a query cost and what is
left comes with every answer. So a large order is read in pages, and a bucket that is empty is waited for.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx2

from gateway.connection import Connection
from gateway.errors import BadInput, Misconfigured, Throttled, Unavailable, Unknown
from gateway.finding import Text
from gateway.invoice.facts import SAR
from gateway.issued import Issued
from gateway.stores import shopify_queries as queries
from gateway.stores.exchange import MAX_RETRY_AFTER, RETRY_AFTER, Api, pages
from gateway.stores.raw import identity, lifetime, mapping, moment_or, objects, text, unusable
from gateway.stores.shopify_graphql import id_of
from gateway.stores.store import Changed, Changes, Inspection, Walk, moment_in, secret

ADDRESS: Final = ""
VERSION: Final = "2026-07"
SECRETS: Final = {
    "access_token": "shpat_..., or the two below, with which one is fetched every day",
    "client_id": "of the app",
    "client_secret": "of the app; it signs the webhooks",
}
OURS: Final = ()
_TOPICS: Final = ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE")
_SCOPES: Final = frozenset({"read_orders", "write_orders"})
_RENEW_BEFORE: Final = timedelta(hours=2)
_LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)


class Graph:
    """The GraphQL endpoint of one shop. `pause` is how many seconds its bucket needs after the last answer."""

    def __init__(self, connection: Connection, client: httpx2.AsyncClient) -> None:
        if not connection.base_url:
            raise Misconfigured(
                f"Connection {connection.id} has no base_url.",
                fix="Give the shop's address, https://NAME.myshopify.com.",
            )
        self._id = connection.id
        headers = {"X-Shopify-Access-Token": secret(connection, "access_token")}
        self._api = Api(connection, client, base=connection.base_url, headers=headers)
        self.pause = 0.0

    async def ask(self, query: str, **variables: Any) -> Mapping[str, Any]:
        """The data of the answer; Throttled says how long the bucket needs to fill."""
        path = f"/admin/api/{VERSION}/graphql.json"
        content = mapping((await self._api.send("POST", path, {"query": query, "variables": variables})).content)
        cost = mapping(mapping(content.get("extensions")).get("cost"))
        self.pause = _seconds_to_fill(cost)
        errors = objects(content.get("errors"))
        if errors:
            raise self._failure(errors[0])
        return mapping(content.get("data"))

    async def change(self, name: str, query: str, **variables: Any) -> None:
        """A mutation; BadInput if the shop refuses what was sent."""
        said = mapping((await self.ask(query, **variables)).get(name))
        refused = objects(said.get("userErrors"))
        if refused:
            field = refused[0].get("field")
            place = ".".join(text(each) for each in field) if isinstance(field, list) else "no field"
            raise BadInput(f"The shopify shop of connection {self._id} refuses {name} ({place}).")

    def _failure(self, error: Mapping[str, Any]) -> Exception:
        code = text(mapping(error.get("extensions")).get("code"))
        if code == "THROTTLED":
            return Throttled(
                f"The shopify shop of connection {self._id} asks to be left alone for a while.",
                retry_after=max(1.0, self.pause),
            )
        if code == "ACCESS_DENIED":
            return Misconfigured(
                f"The app of connection {self._id} may not do this in its shop.",
                fix="Give it the scopes read_orders and write_orders, and install it anew.",
                ar="لا يملك التطبيق الصلاحية المطلوبة في المتجر. امنحه read_orders وwrite_orders وأعد تثبيته.",
            )
        if code == "INTERNAL_SERVER_ERROR":
            return Unavailable(f"The shopify shop of connection {self._id} fails at present.", retry_after=RETRY_AFTER)
        return BadInput(f"The shopify shop of connection {self._id} refuses the query ({code[:40] or 'no code'}).")


def _seconds_to_fill(cost: Mapping[str, Any]) -> float:
    """Until as many points are there as the same query asks for again."""
    bucket = mapping(cost.get("throttleStatus"))
    missing = _points(cost.get("requestedQueryCost")) - _points(bucket.get("currentlyAvailable"))
    rate = _points(bucket.get("restoreRate"))
    return float(min(missing / rate, Decimal(MAX_RETRY_AFTER))) if missing > 0 and rate > 0 else 0.0


def _points(value: object) -> Decimal:
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else Decimal(0)


# -- connecting -----------------------------------------------------------------------------------------------


async def inspect(connection: Connection, client: httpx2.AsyncClient) -> Inspection:
    """The app has the scopes that it needs; what the shop says of its currency and how far back orders can be read."""
    told = await Graph(connection, client).ask(queries.SHOP)
    scopes = {
        text(each.get("handle")) for each in objects(mapping(told.get("currentAppInstallation")).get("accessScopes"))
    }
    if not scopes >= _SCOPES:
        missing = ", ".join(sorted(_SCOPES - scopes))
        raise Misconfigured(
            f"The app of connection {connection.id} lacks the scopes {missing}.",
            fix="Give it these scopes and install it in the shop anew.",
            ar=f"تنقص التطبيق الصلاحيات {missing}. أضفها وأعد تثبيته في المتجر.",
        )
    other_currency = text(mapping(told.get("shop")).get("currencyCode")) != SAR
    look_at = ((other_currency, _OTHER_CURRENCY), ("read_all_orders" not in scopes, _SIXTY_DAYS), (True, _OTHER_APPS))
    return Inspection(look_at=tuple(said for holds, said in look_at if holds))


_OTHER_CURRENCY: Final = Text(
    f"The shop's books are not in {SAR}: only orders that were shown and paid in {SAR} can be issued.",
    "عملة المتجر ليست الريال السعودي؛ تصدر فواتير الطلبات المدفوعة بالريال فقط.",
)
_SIXTY_DAYS: Final = Text(
    "Without the scope read_all_orders only orders of the last 60 days can be read.",
    "دون الصلاحية read_all_orders لا تقرأ إلا طلبات آخر 60 يوماً.",
)
_OTHER_APPS: Final = Text(
    "Make sure that no other app of the shop issues to the authority; Shopify does not say so.",
    "تأكد أن لا تطبيق آخر في المتجر يصدر الفواتير للهيئة؛ لا يذكر شوبيفاي ذلك.",
)


async def subscribe(connection: Connection, client: httpx2.AsyncClient, address: str) -> tuple[str, ...]:
    """A subscription for each topic. Shopify deletes one after eight failed deliveries; then it is made anew."""
    graph, done = Graph(connection, client), []
    listed = objects(mapping((await graph.ask(queries.SUBSCRIPTIONS)).get("webhookSubscriptions")).get("nodes"))
    known = {text(each.get("topic")) for each in listed if text(each.get("uri")) == address}
    for topic in _TOPICS:
        if topic not in known:
            await graph.change("webhookSubscriptionCreate", queries.SUBSCRIBE, topic=topic, uri=address)
            done.append(f"{topic}: made")
    return tuple(done)


# -- credentials ----------------------------------------------------------------------------------------------


def ends_at(connection: Connection) -> datetime | None:
    """When the access token ends; tokens of apps made in the shop's own admin do not."""
    return moment_in(connection, "expires_at")


def renew_at(connection: Connection) -> datetime | None:
    """Two hours before; at once if there is no token yet."""
    if not connection.secrets.get("client_id"):
        return None
    ends = ends_at(connection)
    return _LONG_AGO if not connection.secrets.get("access_token") else ends - _RENEW_BEFORE if ends else None


async def renew(connection: Connection, client: httpx2.AsyncClient, now: datetime) -> Mapping[str, str]:
    """A token for a day, for the app's own credentials; nothing is spent for it."""
    asked = {name: secret(connection, name) for name in ("client_id", "client_secret")}
    api = Api(connection, client, base=connection.base_url)
    said = mapping(await api.post_form("/admin/oauth/access_token", {"grant_type": "client_credentials", **asked}))
    token = text(said.get("access_token"))
    if not token:
        raise Misconfigured(f"Shopify gives connection {connection.id} no access token for its app's credentials.")
    return {"access_token": token, "expires_at": (now + lifetime(said.get("expires_in"), 86_400)).isoformat()}


# -- reading --------------------------------------------------------------------------------------------------


async def changed(connection: Connection, client: httpx2.AsyncClient, walk: Walk) -> Changes:
    """Orders by their last change, oldest first; Shopify's cursors stay where they are when orders change meanwhile."""
    graph = Graph(connection, client)
    since = walk.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = await graph.ask(queries.CHANGED, search=f"updated_at:>='{since}'", after=walk.page or None)
    listed = mapping(told.get("orders"))
    rows = objects(listed.get("nodes"))
    dated = [(row, moment_or(row.get("updatedAt"), UTC, walk.since)) for row in rows]
    orders = tuple(Changed(id_of(row), text(row.get("updatedAt")), at) for row, at in dated)
    newest = max((at for _, at in dated), default=None)
    return Changes(orders, newest, _next(listed) or "", graph.pause)


async def fetch(connection: Connection, client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    """The whole order: what it is, all its line items, and all that was agreed."""
    graph, gid = Graph(connection, client), _gid(order_id)
    order = mapping((await graph.ask(queries.ORDER, id=gid)).get("order"))
    if id_of(order) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    refunds = [await _refund(graph, refund) for refund in _all_of(objects(order.get("refunds")))]
    items = [item async for item in _items(graph, gid)]
    agreed = [agreement async for agreement in _agreements(graph, gid)]
    return {"order": {**order, "refunds": refunds, "lineItems": {"nodes": items}, "agreements": {"nodes": agreed}}}


def _all_of(refunds: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The refunds, which have no pages: of more than are read the rest would never be given back."""
    if len(refunds) >= queries.MOST_REFUNDS:
        raise unusable(
            "refunds",
            f"the order has {queries.MOST_REFUNDS} refunds or more",
            fix="Give back by `gateway credit` what is not given back yet.",
            ar=f"للطلب {queries.MOST_REFUNDS} استرجاعاً أو أكثر. أصدر الإشعار الدائن يدوياً لما لم يُسترجع بعد.",
        )
    return refunds


async def _refund(graph: Graph, refund: Mapping[str, Any]) -> Mapping[str, Any]:
    """A refund with its lines, all of them, and its money."""
    lines: list[Mapping[str, Any]] = []
    after = None
    for _ in pages():
        found = mapping((await graph.ask(queries.REFUND, id=text(refund.get("id")), after=after)).get("refund"))
        listed = mapping(found.get("refundLineItems"))
        lines += objects(listed.get("nodes"))
        after = _next(listed)
        if after is None:
            break
    return {**refund, **found, "refundLineItems": {"nodes": lines}}


async def _items(graph: Graph, gid: str) -> AsyncIterator[Mapping[str, Any]]:
    after = None
    for _ in pages():
        listed = mapping(mapping((await graph.ask(queries.ITEMS, id=gid, after=after)).get("order")).get("lineItems"))
        for item in objects(listed.get("nodes")):
            yield item
        after = _next(listed)
        if after is None:
            return


async def _agreements(graph: Graph, gid: str) -> AsyncIterator[Mapping[str, Any]]:
    """One agreement after another, each with all its sales."""
    after = None
    for _ in pages():
        listed, sales = await _agreement(graph, gid, after, None)
        found = [*objects(sales.get("nodes"))]
        more = pages()
        while (further := _next(sales)) is not None:
            next(more)
            _, sales = await _agreement(graph, gid, after, further)
            found += objects(sales.get("nodes"))
        for agreement in objects(listed.get("nodes")):
            yield {**agreement, "sales": {"nodes": found}}
        after = _next(listed)
        if after is None:
            return


async def _agreement(
    graph: Graph, gid: str, after: str | None, sales_after: str | None
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    told = await graph.ask(queries.AGREEMENTS, id=gid, after=after, salesAfter=sales_after)
    listed = mapping(mapping(told.get("order")).get("agreements"))
    nodes = objects(listed.get("nodes"))
    return listed, mapping(nodes[0].get("sales")) if nodes else {}


def _next(listed: Mapping[str, Any]) -> str | None:
    """Where the next page begins; None after the last one."""
    info = mapping(listed.get("pageInfo"))
    return text(info.get("endCursor")) if info.get("hasNextPage") is True and text(info.get("endCursor")) else None


def _gid(order_id: str) -> str:
    if identity(order_id) is None:
        raise Unknown(f"{order_id[:40]!r} is not the id of a Shopify order.", fix="It has digits only.")
    return f"gid://shopify/Order/{order_id}"


# -- reporting back -------------------------------------------------------------------------------------------

_NAMESPACE: Final = "zatca"


async def report(
    connection: Connection, client: httpx2.AsyncClient, order_id: str, issued: Issued, *, pdf: str = ""
) -> str:
    """The document's facts as metafields of the order: an invoice's as they are, notes as one list. What stands there
    is read first, and only what differs is written."""
    graph, gid = Graph(connection, client), _gid(order_id)
    order = mapping((await graph.ask(queries.METAFIELDS, id=gid)).get("order"))
    if id_of(order) != order_id:
        raise Unknown(f"The shop of connection {connection.id} does not answer with order {order_id}.")
    listed = objects(mapping(order.get("metafields")).get("nodes"))
    known = {text(each.get("key")): each.get("value") for each in listed}
    new = [field for field in _facts(issued, known, pdf) if known.get(field["key"]) != field["value"]]
    if not new:
        return f"shopify order {order_id}: nothing new"
    fields = [{"ownerId": gid, "namespace": _NAMESPACE, **field} for field in new]
    await graph.change("metafieldsSet", queries.SET_METAFIELDS, metafields=fields)
    return f"shopify order {order_id}: {', '.join(field['key'] for field in new)} written"


def _facts(issued: Issued, known: Mapping[str, Any], pdf: str) -> list[dict[str, str]]:
    if issued.kind.is_note:
        return [{"key": f"{issued.kind.word}s", "type": "json", "value": _notes(issued, known, pdf)}]
    line = "single_line_text_field"
    return [
        {"key": "number", "type": line, "value": issued.number},
        {"key": "status", "type": line, "value": issued.status.value},
        {"key": "uuid", "type": line, "value": issued.uuid},
        # A metafield cannot be empty: of what is not cleared no QR is given out.
        *([{"key": "qr", "type": "multi_line_text_field", "value": issued.qr}] if issued.qr else []),
        *([{"key": "pdf", "type": "url", "value": pdf}] if pdf else []),
    ]


def _notes(issued: Issued, known: Mapping[str, Any], pdf: str) -> str:
    """The list of notes with this one in it, in the order of their numbers."""
    try:
        kept = json.loads(text(known.get(f"{issued.kind.word}s")) or "[]")
    except ValueError:
        kept = []
    notes = {text(each.get("uuid")): dict(each) for each in objects(kept)}
    told = {"number": issued.number, "status": issued.status.value, "total": f"{issued.total:.2f}", "uuid": issued.uuid}
    more = {name: value for name, value in (("qr", issued.qr), ("pdf", pdf)) if value}
    notes[issued.uuid] = told | more
    return json.dumps(sorted(notes.values(), key=lambda note: text(note.get("number"))), ensure_ascii=False)
