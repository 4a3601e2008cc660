"""A Shopify shop: GraphQL behind a bucket of points, orders with agreements, metafields, tokens that end, and webhooks
that come late, twice and in any order."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.connection import Connection
from gateway.demo.listening import listening

_SECRET = "shpss_secret"
_MOST = 1000
"""Points that one query may cost, whatever is in the bucket."""


def cost_of(query: str) -> int:
    """What a query is charged before it is answered: one for each object, and as many as are asked for of a list."""
    if query.lstrip().startswith("mutation"):
        return 10
    tokens = re.findall(r"\.\.\.|\w+|[{}()]", query[query.index("{") :])
    return _cost(iter(tokens[1:]))


def _cost(tokens: Iterator[str]) -> int:
    """Of one selection, up to its closing brace."""
    whole, name, asked, before = 0, "", 0, ""
    for token in tokens:
        if token == "}":
            return whole
        if token == "{":
            inner = _cost(tokens)
            wrapped = name in ("nodes", "pageInfo") or before == "on"
            whole += inner if wrapped else 2 + asked * (1 + inner) if asked else 1 + inner
            name, asked = "", 0
        elif token == "(":
            arguments = "".join(f"{each} " for each in iter(lambda: next(tokens), ")"))
            found = re.search(r"first (\d+)", arguments)
            asked = int(found[1]) if found else 0
        else:
            name, asked, before = token, 0, name
    return whole


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _money(amount: float) -> dict[str, Any]:
    side = {"amount": f"{amount:.2f}", "currencyCode": "SAR"}
    return {"shopMoney": side, "presentmentMoney": side}


def _sale(kind: str, line: str, quantity: int, gross: float, **named: Any) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Sale/{secrets.randbelow(10**9)}", "actionType": "ORDER", "lineType": kind,
        "quantity": quantity, "totalAmount": _money(gross), "totalTaxAmount": _money(gross - gross / 1.15),
        "totalDiscountAmountBeforeTaxes": _money(0), "totalDiscountAmountAfterTaxes": _money(0),
        **({"lineItem": {"id": line, **named}} if kind == "PRODUCT" else {"shippingLine": {"id": line, **named}}),
    }  # fmt: skip


def order_of(order_id: int, *, placed: datetime, quantity: int = 2) -> dict[str, Any]:
    """A paid order: so many pieces at 57.50 and shipping at 23.00, both with VAT."""
    goods, line = 57.5 * quantity, f"gid://shopify/LineItem/{order_id}1"
    shipping = f"gid://shopify/ShippingLine/{order_id}2"
    taxes = [{"rate": 0.15, "title": "VAT", "priceSet": _money(goods - goods / 1.15)}]
    item = {
        "id": line, "name": "عطر العود", "title": "عطر العود", "sku": "OUD-1", "quantity": quantity, "taxable": True,
        "isGiftCard": False, "product": {"id": "gid://shopify/Product/1"}, "originalUnitPriceSet": _money(57.5),
        "discountAllocations": [], "taxLines": taxes,
    }  # fmt: skip
    ship = {
        "id": shipping, "title": "توصيل", "isRemoved": False, "originalPriceSet": _money(23), "discountAllocations": [],
        "taxLines": [{"rate": 0.15, "title": "VAT", "priceSet": _money(3)}],
    }  # fmt: skip
    agreement = {
        "id": f"gid://shopify/OrderAgreement/{order_id}", "happenedAt": _stamp(placed), "reason": "ORDER",
        "sales": [_sale("PRODUCT", line, quantity, goods, name="عطر العود", sku="OUD-1"),
                  _sale("SHIPPING", shipping, 1, 23, title="توصيل")],
    }  # fmt: skip
    return {
        "id": f"gid://shopify/Order/{order_id}", "name": f"#{order_id}", "test": False, "createdAt": _stamp(placed),
        "processedAt": _stamp(placed), "updatedAt": _stamp(placed), "cancelledAt": None, "currencyCode": "SAR",
        "presentmentCurrencyCode": "SAR", "taxesIncluded": True, "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED", "paymentGatewayNames": ["shopify_payments"],
        "totalPriceSet": _money(goods + 23), "totalTaxSet": _money(goods + 23 - (goods + 23) / 1.15),
        "totalTipReceivedSet": _money(0), "originalTotalDutiesSet": None, "originalTotalAdditionalFeesSet": None,
        "billingAddress": {"name": "ريم الحربي", "city": "جدة", "address1": "التحلية", "countryCodeV2": "SA"},
        "shippingAddress": {"name": "ريم الحربي", "city": "جدة", "address1": "التحلية", "countryCodeV2": "SA"},
        "customer": {"firstName": "ريم", "lastName": "الحربي"}, "customAttributes": [], "purchasingEntity": None,
        "shippingLines": {"nodes": [ship]}, "refunds": [],
        "transactions": [{"kind": "SALE", "status": "SUCCESS", "gateway": "shopify_payments",
                          "amountSet": _money(goods + 23)}],
        "_items": [item], "_agreements": [agreement], "_metafields": {},
    }  # fmt: skip


class ShopifyShop:
    """Its orders by id, its webhook subscriptions and its bucket: `points` are left of a thousand, `rate` a second."""

    name = "shopify"
    sender: httpx2.Client

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.subscriptions: list[dict[str, Any]] = []
        self.scopes = ["read_orders", "write_orders", "read_all_orders"]
        self.operations: list[str] = []
        self.outage: list[int] = []
        self.points, self.rate = 10_000_000, 50
        self.page_of_items = 40
        self.token = "shpat_first"
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
                Route("/admin/oauth/access_token", self._grant, methods=["POST"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        known = {"access_token": self.token, "client_secret": _SECRET}
        return Connection(id, taxpayer_id, unit_id, "shopify", self.url, settings=settings, secrets=known)

    # -- what happens in the shop

    def sell(self, order_id: int, at: datetime, **more: Any) -> str:
        self.orders[str(order_id)] = order_of(order_id, placed=at, **more)
        return str(order_id)

    def give_back(self, order_id: str, at: datetime, *, money: bool = True) -> str:
        """One piece comes back; its price. Without `money` it is only put back on the shelf."""
        order = self.orders[order_id]
        line = order["_items"][0]["id"]
        moved = [{"kind": "REFUND", "status": "SUCCESS", "gateway": "shopify_payments", "amountSet": _money(57.5)}]
        order["refunds"].append({
            "id": f"gid://shopify/Refund/{order_id}{len(order['refunds'])}", "createdAt": _stamp(at), "note": "",
            "totalRefundedSet": _money(57.5 if money else 0), "transactions": {"nodes": moved if money else []},
            "refundLineItems": {"nodes": [{"quantity": 1, "lineItem": {"id": line}, "subtotalSet": _money(57.5),
                                           "totalTaxSet": _money(7.5)}]},
            "refundShippingLines": {"nodes": []},
        })  # fmt: skip
        order["_agreements"].append({
            "id": f"gid://shopify/RefundAgreement/{order_id}{len(order['refunds'])}", "happenedAt": _stamp(at),
            "reason": "REFUND", "sales": [_sale("PRODUCT", line, -1, -57.5, name="عطر العود", sku="OUD-1")],
        })  # fmt: skip
        if money:
            order["displayFinancialStatus"] = "PARTIALLY_REFUNDED"
        self.touch(order_id, at)
        return "57.50"

    def edit(self, order_id: str, at: datetime) -> str:
        """The owner adds another piece, which is paid; its price."""
        order = self.orders[order_id]
        item = order["_items"][0]
        added = {**item, "id": f"{item['id']}9", "quantity": 1, "name": "عطر المسك"}
        added["taxLines"] = [{"rate": 0.15, "title": "VAT", "priceSet": _money(7.5)}]
        order["_items"].append(added)
        order["_agreements"].append({
            "id": f"gid://shopify/OrderEditAgreement/{order_id}", "happenedAt": _stamp(at), "reason": "ORDER_EDIT",
            "sales": [_sale("PRODUCT", added["id"], 1, 57.5, name="عطر المسك", sku="MSK-1")],
        })  # fmt: skip
        for name, more in (("totalPriceSet", 57.5), ("totalTaxSet", 7.5)):
            order[name] = _money(float(order[name]["shopMoney"]["amount"]) + more)
        self.touch(order_id, at)
        return "57.50"

    def touch(self, order_id: str, at: datetime) -> None:
        self.orders[order_id]["updatedAt"] = _stamp(at)

    def written(self, order_id: str) -> list[str]:
        """What is to be read on the order."""
        return [f"{key}={value}" for key, value in sorted(self.orders[order_id]["_metafields"].items())]

    # -- webhooks

    def deliver(self, order_id: str, *, times: int = 1, key: str = _SECRET, topic: str = "orders/updated") -> list[int]:
        """The body of the moment it was triggered, in REST spelling, again with the same ids."""
        body = json.dumps({"id": int(order_id), "admin_graphql_api_id": f"gid://shopify/Order/{order_id}"}).encode()
        event = secrets.token_hex(8)
        headers = {
            "X-Shopify-Topic": topic, "X-Shopify-Event-Id": event, "X-Shopify-Webhook-Id": event,
            "X-Shopify-Shop-Domain": "127.0.0.1",
            "X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode(),
        }  # fmt: skip
        urls = [each["uri"] for each in self.subscriptions if each["topic"] == topic.replace("/", "_").upper()]
        return [self.sender.post(url, content=body, headers=headers).status_code for url in urls * times]

    # -- API

    async def _grant(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        if (asked.get("client_id"), asked.get("client_secret")) != ("app", _SECRET):
            return JSONResponse({"error": "application_cannot_be_found"}, status_code=400)
        self.token = f"shpat_{secrets.token_hex(8)}"
        return JSONResponse({"access_token": self.token, "scope": ",".join(self.scopes), "expires_in": 86399})

    async def _graphql(self, request: Request) -> Response:
        if self.outage:
            return JSONResponse({"errors": "down"}, status_code=self.outage.pop(0), headers={"Retry-After": "2.0"})
        if request.headers.get("X-Shopify-Access-Token") != self.token:
            return JSONResponse({"errors": "[API] Invalid API key or access token"}, status_code=401)
        asked = await request.json()
        found = re.match(r"\s*(?:query|mutation) (\w+)", asked["query"])
        assert found, "every operation has a name"
        name, values = found[1], asked["variables"]
        cost = cost_of(asked["query"])
        if cost > _MOST:
            error = {"message": f"Query cost is {cost}", "extensions": {"code": "MAX_COST_EXCEEDED"}}
            return JSONResponse({"errors": [error]})
        status = {"maximumAvailable": 1000, "currentlyAvailable": self.points, "restoreRate": self.rate}
        if self.points < cost:
            extensions = {"cost": {"requestedQueryCost": cost, "actualQueryCost": None, "throttleStatus": status}}
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return JSONResponse({"errors": [error], "extensions": extensions})
        self.points -= cost
        self.operations.append(name)
        data = getattr(self, f"_{name.lower()}")(values)
        left = {**status, "currentlyAvailable": self.points}
        extensions = {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": left}}
        return JSONResponse({"data": data, "extensions": extensions})

    def _shop(self, _: Mapping[str, Any]) -> Any:
        scopes = [{"handle": scope} for scope in self.scopes]
        shop = {"name": "متجر", "currencyCode": "SAR", "taxesIncluded": True}
        return {"shop": shop, "currentAppInstallation": {"accessScopes": scopes}}

    def _changed(self, values: Mapping[str, Any]) -> Any:
        """A cursor is the place of its order by time and id, so it stands still when orders change."""
        since = re.fullmatch(r"updated_at:>='(.*)'", values["search"])
        assert since
        rows = sorted((each["updatedAt"], each["id"]) for each in self.orders.values() if each["updatedAt"] >= since[1])
        rows = [row for row in rows if values["after"] is None or "|".join(row) > values["after"]]
        page = rows[:100]
        info = {"hasNextPage": len(rows) > 100, "endCursor": "|".join(page[-1]) if page else None}
        return {"orders": {"nodes": [{"id": row[1], "updatedAt": row[0]} for row in page], "pageInfo": info}}

    def _order(self, values: Mapping[str, Any]) -> Any:
        order = self._named(values)
        shown = order and {key: value for key, value in order.items() if not key.startswith("_")}
        names = ("id", "createdAt", "note", "totalRefundedSet")
        refunds = [{name: refund[name] for name in names} for refund in order["refunds"]] if order else []
        return {"order": order and {**shown, "refunds": refunds}}

    def _refund(self, values: Mapping[str, Any]) -> Any:
        found = [
            refund for order in self.orders.values() for refund in order["refunds"] if refund["id"] == values["id"]
        ]
        if not found:
            return {"refund": None}
        (refund,) = found
        lines = _page(refund["refundLineItems"]["nodes"], 40, values["after"])
        names = ("transactions", "refundShippingLines")
        return {"refund": {**{name: refund[name] for name in names}, "refundLineItems": lines}}

    def _items(self, values: Mapping[str, Any]) -> Any:
        return {"order": {"lineItems": _page(self._named(values)["_items"], self.page_of_items, values["after"])}}

    def _agreements(self, values: Mapping[str, Any]) -> Any:
        listed = _page(self._named(values)["_agreements"], 1, values["after"])
        nodes = [{**each, "sales": _page(each["sales"], 50, values["salesAfter"])} for each in listed["nodes"]]
        return {"order": {"agreements": {**listed, "nodes": nodes}}}

    def _metafields(self, values: Mapping[str, Any]) -> Any:
        order = self._named(values)
        nodes = [{"key": key, "value": value} for key, value in order["_metafields"].items()] if order else []
        return {"order": order and {"id": order["id"], "metafields": {"nodes": nodes}}}

    def _metafieldsset(self, values: Mapping[str, Any]) -> Any:
        for field in values["metafields"]:
            if not field["value"]:
                error = {"field": ["metafields", "0", "value"], "message": "can't be blank"}
                return {"metafieldsSet": {"metafields": None, "userErrors": [error]}}
            self._named({"id": field["ownerId"]})["_metafields"][field["key"]] = field["value"]
        return {"metafieldsSet": {"metafields": [], "userErrors": []}}

    def _subscriptions(self, _: Mapping[str, Any]) -> Any:
        return {"webhookSubscriptions": {"nodes": self.subscriptions}}

    def _webhooksubscriptioncreate(self, values: Mapping[str, Any]) -> Any:
        self.subscriptions.append({"id": "1", "topic": values["topic"], "uri": values["uri"]})
        return {"webhookSubscriptionCreate": {"webhookSubscription": {"id": "1"}, "userErrors": []}}

    def _named(self, values: Mapping[str, Any]) -> Any:
        return self.orders.get(values["id"].rpartition("/")[2])


def _page(entries: list[Any], size: int, after: str | None) -> dict[str, Any]:
    begin = int(after or "0")
    end = begin + size
    return {"nodes": entries[begin:end], "pageInfo": {"hasNextPage": end < len(entries), "endCursor": str(end)}}


@contextmanager
def shopify_shop() -> Iterator[ShopifyShop]:
    """A shop without orders, open while the block lasts."""
    shop = ShopifyShop()
    with listening(shop.app) as url, httpx2.Client(timeout=30.0) as sender:
        shop.url, shop.sender = url, sender
        yield shop
