"""A Magento shop: searches whose pages past the end repeat the last one, orders with invoices and credit memos,
comments; no webhooks."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.connection import Connection
from gateway.demo.listening import listening

_TOKEN = "integration-token"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def order_of(order_id: int, *, placed: datetime, quantity: int = 2) -> dict[str, Any]:
    """A paid order: a configurable product at 50.00 without VAT, as parent and child, and shipping at 20.00."""
    net = 50.0 * quantity
    tax, grand = round(net * 0.15, 2), round((net + 20) * 1.15, 2)
    money = {"row_total": net, "row_total_incl_tax": net + tax, "tax_amount": tax, "discount_amount": 0}
    parent = {
        "item_id": order_id * 10 + 1, "parent_item_id": None, "product_type": "configurable", "name": "حذاء رياضي",
        "sku": "SH-1-42", "qty_ordered": quantity, "price": 50.0, "price_incl_tax": 57.5, "tax_percent": 15, **money,
    }  # fmt: skip
    child = {
        "item_id": order_id * 10 + 2, "parent_item_id": parent["item_id"], "product_type": "simple",
        "name": "حذاء رياضي 42", "sku": "SH-1-42", "qty_ordered": quantity, "price": 0, "row_total": 0, "tax_amount": 0,
        "tax_percent": 0, "discount_amount": 0,
    }  # fmt: skip
    return {
        "entity_id": order_id, "increment_id": f"0000{order_id}", "state": "processing", "status": "processing",
        "order_currency_code": "SAR", "base_currency_code": "SAR", "created_at": _stamp(placed),
        "updated_at": _stamp(placed), "items": [parent, child], "shipping_amount": 20.0, "shipping_incl_tax": 23.0,
        "shipping_tax_amount": 3.0, "shipping_discount_amount": 0, "shipping_description": "توصيل",
        "tax_amount": tax + 3, "grand_total": grand, "total_paid": grand, "total_due": 0, "total_refunded": None,
        "payment": {"method": "moyasar"}, "customer_firstname": "فهد", "customer_lastname": "الدوسري",
        "billing_address": {"firstname": "فهد", "lastname": "الدوسري", "street": ["الملك فهد 7421"], "city": "الرياض",
                            "country_id": "SA", "postcode": "12211"},
    }  # fmt: skip


class MagentoShop:
    """Its orders, invoices and credit memos by id, and the comments on its orders."""

    name = "magento"
    sender: httpx2.Client

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.invoices: dict[str, dict[str, Any]] = {}
        self.creditmemos: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.modules = ["Magento_Sales", "Magento_Tax"]
        self.requests: list[tuple[str, str]] = []
        self.outage: list[int] = []
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/rest/all/V1/modules", self._list_modules, methods=["GET"]),
                Route("/rest/all/V1/orders/{entity_id:int}/comments", self._comments, methods=["GET", "POST"]),
                Route("/rest/all/V1/{kind}", self._search, methods=["GET"]),
                Route("/rest/all/V1/{kind}/{entity_id:int}", self._get, methods=["GET"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        known = {"access_token": _TOKEN, "webhook": "extension"}
        return Connection(id, taxpayer_id, unit_id, "magento", self.url, settings=settings, secrets=known)

    # -- what happens in the shop

    def sell(self, order_id: int, at: datetime, **more: Any) -> str:
        order = order_of(order_id, placed=at, **more)
        self.orders[str(order_id)], self.comments[str(order_id)] = order, []
        return str(order_id)

    def bill(self, order_id: str, quantity: int, at: datetime, *, shipping: bool) -> str:
        """An invoice over so many pieces of an order; its id."""
        order = self.orders[order_id]
        net = 50.0 * quantity
        tax, ship = round(net * 0.15, 2), 20.0 if shipping else 0.0
        parent = order["items"][0]
        row = {"row_total": net, "row_total_incl_tax": net + tax, "tax_amount": tax, "discount_amount": 0}
        item = {"entity_id": 1, "order_item_id": parent["item_id"], "name": parent["name"], "sku": parent["sku"],
                "qty": quantity, "price": 50.0, **row}  # fmt: skip
        child = {"entity_id": 2, "order_item_id": order["items"][1]["item_id"], "name": "حذاء رياضي 42", "sku": "x",
                 "qty": quantity, "price": 0}  # fmt: skip
        invoice = {
            "entity_id": 500 + len(self.invoices), "increment_id": f"INV{500 + len(self.invoices)}", "state": 2,
            "order_id": int(order_id), "order_currency_code": "SAR", "base_currency_code": "SAR",
            "created_at": _stamp(at), "updated_at": _stamp(at), "items": [item, child], "shipping_amount": ship,
            "shipping_incl_tax": ship * 1.15, "shipping_tax_amount": round(ship * 0.15, 2),
            "tax_amount": round(tax + ship * 0.15, 2), "grand_total": round((net + ship) * 1.15, 2),
        }  # fmt: skip
        self.invoices[str(invoice["entity_id"])] = invoice
        self.touch(order_id, at)
        return f"invoice-{invoice['entity_id']}"

    def give_back(self, order_id: str, at: datetime, *, invoice_id: int | None = None) -> str:
        """One piece comes back by a credit memo; its price."""
        order = self.orders[order_id]
        item = {"order_item_id": order["items"][0]["item_id"], "qty": 1, "row_total": 50.0, "row_total_incl_tax": 57.5,
                "tax_amount": 7.5, "discount_amount": 0}  # fmt: skip
        memo = {
            "entity_id": 900 + len(self.creditmemos), "increment_id": f"CM{900 + len(self.creditmemos)}",
            "order_id": int(order_id), "invoice_id": invoice_id, "created_at": _stamp(at), "updated_at": _stamp(at),
            "items": [item], "grand_total": 57.5, "tax_amount": 7.5, "shipping_amount": 0, "adjustment_positive": 0,
            "order_currency_code": "SAR", "base_currency_code": "SAR",
        }  # fmt: skip
        self.creditmemos[str(memo["entity_id"])] = memo
        order["total_refunded"] = (order["total_refunded"] or 0) + 57.5
        self.touch(order_id, at)
        return "57.50"

    def touch(self, order_id: str, at: datetime) -> None:
        self.orders[order_id]["updated_at"] = _stamp(at)

    def written(self, order_id: str) -> list[str]:
        """What is to be read on the order."""
        return [str(each["comment"]) for each in self.comments[order_id]]

    # -- API

    async def _get(self, request: Request) -> Response:
        refusal = self._refusal(request)
        found = self._kind(request).get(str(request.path_params["entity_id"]))
        return refusal or (
            JSONResponse(found) if found else _error(404, "The entity that was requested doesn't exist.")
        )

    async def _search(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        asked = request.query_params
        found = [each for each in self._kind(request).values() if _fits(each, asked)]
        order = asked.get("searchCriteria[sortOrders][0][field]", "entity_id")
        found.sort(key=lambda each: (each[order], each["entity_id"]))
        size = int(asked.get("searchCriteria[pageSize]", "0")) or max(1, len(found))
        last = max(1, -(-len(found) // size))
        page = min(int(asked.get("searchCriteria[currentPage]", "1")), last)
        return JSONResponse({"items": found[(page - 1) * size : page * size], "total_count": len(found)})

    async def _comments(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        comments = self.comments[str(request.path_params["entity_id"])]
        if request.method == "GET":
            return JSONResponse({"items": comments, "total_count": len(comments)})
        comments.append((await request.json())["statusHistory"])
        return JSONResponse(True)

    async def _list_modules(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.modules)

    def _kind(self, request: Request) -> dict[str, dict[str, Any]]:
        kinds = {"orders": self.orders, "invoices": self.invoices, "creditmemos": self.creditmemos}
        return kinds[str(request.path_params["kind"])]

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        if self.outage:
            return _error(self.outage.pop(0), "Unavailable")
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return _error(401, "The consumer isn't authorized to access %resources.")
        return None


def _fits(entity: dict[str, Any], asked: Any) -> bool:
    for key, field in asked.items():
        group = re.fullmatch(r"searchCriteria\[filter_groups\]\[(\d+)\]\[filters\]\[0\]\[field\]", key)
        if not group:
            continue
        rest = f"searchCriteria[filter_groups][{group[1]}][filters][0]"
        value, condition = asked[f"{rest}[value]"], asked[f"{rest}[condition_type]"]
        own = str(entity[field])
        if not {"eq": own == value, "gteq": own >= value, "in": own in value.split(",")}[condition]:
            return False
    return True


@contextmanager
def magento_shop() -> Iterator[MagentoShop]:
    """A shop without orders, open while the block lasts."""
    shop = MagentoShop()
    with listening(shop.app) as url, httpx2.Client(timeout=30.0) as sender:
        shop.url, shop.sender = url, sender
        yield shop


def _error(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, media_type="application/json")
