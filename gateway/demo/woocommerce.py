"""A WooCommerce shop with sample orders: REST v3 for orders, refunds and notes, and signed webhooks."""

import base64
import copy
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import demo
from gateway.connection import Connection
from gateway.demo.listening import listening

_SHOP_TIME: Final = timedelta(hours=3)


class WooCommerceShop:
    """Its orders by id, its private notes and its refunds by order, and what it was asked; `outage` holds statuses to
    answer first, `hidden` what its key may not use."""

    sender: httpx2.Client

    def __init__(self, orders: Mapping[str, dict[str, Any]] | None = None) -> None:
        found = demo.orders("woocommerce") if orders is None else orders
        self.orders = {str(order["id"]): copy.deepcopy(order) for order in found.values()}
        self.notes: dict[str, list[dict[str, Any]]] = {order_id: [] for order_id in self.orders}
        self.refunds: dict[str, list[dict[str, Any]]] = {order_id: [] for order_id in self.orders}
        self.requests: list[tuple[str, str]] = []
        self.outage: list[int] = []
        self.url = ""
        self._key, self._secret = f"ck_{secrets.token_hex(20)}", f"cs_{secrets.token_hex(20)}"
        self._webhook = secrets.token_urlsafe(32)
        self.webhooks: list[dict[str, Any]] = []
        self.settings = {"woocommerce_calc_taxes": "yes", "woocommerce_currency": "SAR"}
        self.plugins = ["woocommerce/woocommerce.php"]
        self.hidden: tuple[str, ...] = ()
        self.app = Starlette(
            routes=[
                Route("/wp-json/wc/v3/orders", self._list, methods=["GET"]),
                Route("/wp-json/wc/v3/webhooks", self._list_webhooks, methods=["GET"]),
                Route("/wp-json/wc/v3/webhooks", self._add_webhook, methods=["POST"]),
                Route("/wp-json/wc/v3/webhooks/{webhook_id:int}", self._put_webhook, methods=["PUT"]),
                Route("/wp-json/wc/v3/settings/{group}", self._list_settings, methods=["GET"]),
                Route("/wp-json/wc/v3/system_status", self._status, methods=["GET"]),
                Route("/wp-json/wc/v3/orders/{order_id:int}", self._get, methods=["GET"]),
                Route("/wp-json/wc/v3/orders/{order_id:int}", self._put, methods=["PUT"]),
                Route("/wp-json/wc/v3/orders/{order_id:int}/refunds", self._list_refunds, methods=["GET"]),
                Route("/wp-json/wc/v3/orders/{order_id:int}/notes", self._list_notes, methods=["GET"]),
                Route("/wp-json/wc/v3/orders/{order_id:int}/notes", self._add_note, methods=["POST"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        """A connection that may use this shop."""
        known = {"key": self._key, "secret": self._secret, "webhook": self._webhook}
        return Connection(id, taxpayer_id, unit_id, "woocommerce", self.url, settings=settings, secrets=known)

    def give_back(self, order_id: str, line: dict[str, Any], quantity: int) -> None:
        """Refund so many pieces of a line, as the shop's owner does when a parcel comes back."""
        part = Decimal(quantity) / line["quantity"]
        net, vat = (_money(Decimal(line[name]) * part) for name in ("total", "total_tax"))
        refunded = {**line, "id": 9000 + line["id"], "quantity": -quantity, "total": f"-{net}", "total_tax": f"-{vat}"}
        refunded["meta_data"] = [{"id": 1, "key": "_refunded_item_id", "value": str(line["id"])}]
        refund = {"id": 9000 + int(order_id), "amount": f"{net + vat}", "reason": "المقاس غير مناسب"}
        self.refunds[order_id].append({**refund, "line_items": [refunded], "shipping_lines": [], "fee_lines": []})
        order = self.orders[order_id]
        order["refunds"] = [*order["refunds"], {**refund, "total": f"-{net + vat}"}]
        self.touch(order_id)

    def touch(self, order_id: str, at: datetime | None = None) -> None:
        """The order changes now, or at another moment."""
        now = at or datetime.now(UTC)
        self.orders[order_id]["date_modified_gmt"] = now.strftime("%Y-%m-%dT%H:%M:%S")
        self.orders[order_id]["date_modified"] = (now + _SHOP_TIME).strftime("%Y-%m-%dT%H:%M:%S")

    # -- webhooks ---------------------------------------------------------------------------------------------

    def deliver(self, topic: str, order_id: str, url: str, *, times: int = 1) -> list[int]:
        """Send the webhook `times` times, each a delivery of its own; the statuses that came back."""
        return [self._post(url, topic, self._notice(topic, order_id)) for _ in range(times)]

    def ping(self, url: str) -> int:
        """What a new webhook sends first: a form, unsigned."""
        return self.sender.post(url, data={"webhook_id": "1"}).status_code

    def _notice(self, topic: str, order_id: str) -> bytes:
        """The body is made at delivery, so it shows the order as it is now."""
        content: Any = self.orders[order_id]
        if topic.startswith("action."):
            content = {"action": topic.removeprefix("action."), "arg": int(order_id)}
        elif topic == "order.deleted":
            content = {"id": int(order_id)}
        return json.dumps(content, separators=(",", ":")).encode()

    def _post(self, url: str, topic: str, body: bytes) -> int:
        resource, _, event = topic.partition(".")
        signature = hmac.digest(self._webhook.encode(), body, hashlib.sha256)
        headers = {
            "User-Agent": "WooCommerce/9.5.1 Hookshot (WordPress/6.8.7)",
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": f"{self.url}/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": resource,
            "X-WC-Webhook-Event": event,
            "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-WC-Webhook-ID": "1",
            "X-WC-Webhook-Delivery-ID": secrets.token_hex(16),
        }
        return self.sender.post(url, content=body, headers=headers).status_code

    # -- REST -------------------------------------------------------------------------------------------------

    async def _get(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self._order(request))

    async def _put(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        order = self._order(request)
        kept = {meta["key"]: meta for meta in order["meta_data"]}
        for meta in (await request.json()).get("meta_data", []):
            kept.setdefault(meta["key"], {"id": 9000 + len(kept), "key": meta["key"]})["value"] = meta["value"]
        order["meta_data"] = list(kept.values())
        self.touch(_id(request))
        return JSONResponse(order)

    async def _list(self, request: Request) -> Response:
        """Drafts of checkouts among them; a page holds 100 at most."""
        refusal = self._refusal(request)
        if refusal:
            return refusal
        asked = request.query_params
        size, page = int(asked.get("per_page", "10")), int(asked.get("page", "1"))
        if not 1 <= size <= 100:
            return _error(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        after = asked.get("modified_after", "")
        found = [order for order in self.orders.values() if order["date_modified_gmt"] > after]
        found.sort(key=lambda order: (order["date_modified_gmt"], order["id"]))
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))}
        return JSONResponse(found[(page - 1) * size : page * size], headers=headers)

    async def _list_webhooks(self, request: Request) -> Response:
        shown = [{key: value for key, value in each.items() if key != "secret"} for each in self.webhooks]
        return self._refusal(request) or JSONResponse(shown)

    async def _add_webhook(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        made = {"id": len(self.webhooks) + 1, "status": "active", **await request.json()}
        self._webhook = made["secret"]
        self.webhooks.append(made)
        return JSONResponse(made, status_code=201)

    async def _put_webhook(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        webhook = self.webhooks[request.path_params["webhook_id"] - 1]
        webhook |= await request.json()
        return JSONResponse(webhook)

    async def _list_settings(self, request: Request) -> Response:
        shown = [{"id": name, "value": value} for name, value in self.settings.items()]
        return self._refusal(request) or JSONResponse(shown)

    async def _status(self, request: Request) -> Response:
        plugins = [{"plugin": plugin, "name": plugin.partition("/")[0]} for plugin in self.plugins]
        return self._refusal(request) or JSONResponse({"active_plugins": plugins})

    async def _list_refunds(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.refunds[_id(request)])

    async def _list_notes(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.notes[_id(request)])

    async def _add_note(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        sent = await request.json()
        notes = self.notes[_id(request)]
        note = {
            "id": len(notes) + 1,
            "author": "WooCommerce",
            "date_created_gmt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "note": sent["note"],
            "customer_note": bool(sent.get("customer_note")),
        }
        notes.append(note)
        return JSONResponse(note, status_code=201)

    def _order(self, request: Request) -> dict[str, Any]:
        return self.orders[_id(request)]

    def _refusal(self, request: Request) -> Response | None:
        """The answer to what cannot be done, in the shop's order of checking; None if it can."""
        self.requests.append((request.method, request.url.path))
        if self.outage:
            return _error(self.outage.pop(0), "internal_server_error", "Sorry.", {"Retry-After": "7"})
        known = base64.b64encode(f"{self._key}:{self._secret}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Basic {known}"):
            return _error(401, "woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.")
        if any(f"/{each}" in request.url.path for each in self.hidden):
            return _error(403, "woocommerce_rest_cannot_view", "Sorry, you cannot view this resource.")
        if "order_id" in request.path_params and _id(request) not in self.orders:
            return _error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        return None


@contextmanager
def woocommerce_shop(orders: Mapping[str, dict[str, Any]] | None = None) -> Iterator[WooCommerceShop]:
    """A shop with these orders by name (without: the samples), open while the block lasts."""
    shop = WooCommerceShop(orders)
    with listening(shop.app) as url, httpx2.Client(timeout=30.0) as sender:
        shop.url, shop.sender = url, sender
        yield shop


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _id(request: Request) -> str:
    return str(request.path_params["order_id"])


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    content = {"code": code, "message": message, "data": {"status": status}}
    return JSONResponse(content, status_code=status, headers=headers)
