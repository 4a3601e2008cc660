"""A Zid shop: two credentials, lists by pages, credit notes, comments in an order's history, and webhooks by Basic
authentication behind a circuit breaker."""

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.connection import Connection
from gateway.demo.listening import listening

_RIYADH = timezone(timedelta(hours=3))
_BROKEN_AFTER = 30
_LONGEST_PAGE = 100


def order_of(order_id: int, *, placed: datetime, quantity: int = 2) -> dict[str, Any]:
    """A paid order: so many pieces at 57.50 with VAT, shipping at 20.00 without."""
    goods, net = 57.5 * quantity, 50.0 * quantity
    tax = round((net + 20) * 0.15, 2)
    at = placed.astimezone(_RIYADH).strftime("%Y-%m-%d %H:%M:%S")
    product = {
        "id": "23edd6a6-3533-495d-8ffc-7f9e7c8c1f6a",
        "order_product_id": order_id * 10 + 1,
        "name": "عباية سوداء",
        "sku": "AB-1",
        "quantity": quantity,
        "is_taxable": True,
        "tax_percentage": 0.15,
        "total": goods,
        "discounted_total": f"{goods:.14f}",
        "discounted_tax_amount": goods - net,
        "discounts": [],
    }
    sums = {
        "sub_totals_before_vat": net,
        "shipping": 20,
        "taxable_amount": net + 20,
        "vat": tax,
        "total": f"{net + 20 + tax:.14f}",
    }
    return {
        "id": order_id,
        "invoice_number": order_id,
        "code": f"C{order_id}",
        "order_status": {"name": "جديد", "code": "new"},
        "payment_status": "paid",
        "currency_code": "SAR",
        "customer": {"id": 7, "name": "نورة القحطاني", "mobile": "966500000007", "type": "individual"},
        "shipping": {"address": {"street": "الملقا", "district": "الملقا", "city": {"name": "الرياض"},
                                 "country": {"code": "SA"}, "meta": {"postcode": "13521", "building_number": "7421"}}},
        "payment": {
            "method": {"code": "zid_credit_card"},
            "invoice": [{"code": code, "value": value, "title": code} for code, value in sums.items()],
        },
        "products": [product],
        "created_at": at,
        "updated_at": at,
        "histories": [],
        "coupon": None,
    }  # fmt: skip


class ZidShop:
    """Its orders and credit notes by id, its webhooks, what it was asked; `outage` holds statuses to answer first."""

    name = "zid"
    sender: httpx2.Client

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.credit_notes: dict[str, list[dict[str, Any]]] = {}
        self.webhooks: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.outage: list[int] = []
        self.issues_itself = False
        self.prices_with_vat: bool | None = True
        self.tokens = {"authorization": "first", "access_token": "second", "refresh_token": "third"}
        self.url = ""
        orders = "/v1/managers/store/orders"
        self.app = Starlette(
            routes=[
                Route(orders, self._list, methods=["GET"]),
                Route(orders + "/{order_id:int}/view", self._view, methods=["GET"]),
                Route(orders + "/{order_id:int}/credit-notes", self._notes, methods=["GET"]),
                Route(orders + "/{order_id:int}/add-order-comment", self._comment, methods=["POST"]),
                Route("/v1/managers/webhooks", self._hooks, methods=["GET", "POST", "DELETE"]),
                Route("/oauth/token", self._renew, methods=["POST"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        known = {
            **self.tokens, "client_id": "app", "client_secret": "app-secret", "redirect_uri": "https://app.example",
            "webhook_user": "gateway", "webhook_password": "a long one",
        }  # fmt: skip
        told = {"oauth_url": self.url, **settings}
        return Connection(id, taxpayer_id, unit_id, "zid", self.url, settings=told, secrets=known)

    # -- what happens in the shop

    def sell(self, order_id: int, at: datetime, **more: Any) -> str:
        self.orders[str(order_id)] = order_of(order_id, placed=at, **more)
        return str(order_id)

    def give_back(self, order_id: str, at: datetime) -> str:
        """One piece comes back; its price."""
        order = self.orders[order_id]
        order["order_status"] = {"name": "مسترجع جزئيا", "code": "partially_reversed"}
        note = {
            "invoice_number": f"CN{order_id}", "original_invoice_number": int(order_id), "issue_reason": "مرتجع",
            "order_total": "57.50000000000000", "created_at": at.astimezone(_RIYADH).strftime("%Y-%m-%d %H:%M:%S"),
        }  # fmt: skip
        self.credit_notes.setdefault(order_id, []).append(note)
        self.touch(order_id, at)
        return "57.50"

    def touch(self, order_id: str, at: datetime) -> None:
        self.orders[order_id]["updated_at"] = at.astimezone(_RIYADH).strftime("%Y-%m-%d %H:%M:%S")

    def written(self, order_id: str) -> list[str]:
        """What is to be read on the order."""
        return [str(each["comment"]) for each in self.orders[order_id]["histories"]]

    # -- webhooks

    def deliver(self, order_id: str, *, times: int = 1, password: str | None = None) -> list[int]:
        """To every webhook that is not suspended; thirty failures in an hour suspend one."""
        statuses = []
        body = json.dumps(self.orders[order_id], ensure_ascii=False).encode()
        for hook in [each for each in self.webhooks if each["event"] == "order.status.update"] * times:
            if hook["health_status"] == "broken":
                continue
            known = f"{hook['username']}:{hook['password'] if password is None else password}"
            headers = {"Authorization": f"Basic {base64.b64encode(known.encode()).decode()}"}
            status = self.sender.post(hook["target_url"], content=body, headers=headers).status_code
            hook["failures"] = 0 if status < 300 else hook["failures"] + (status != 429)
            hook["health_status"] = "broken" if hook["failures"] >= _BROKEN_AFTER else "healthy"
            statuses.append(status)
        return statuses

    # -- API

    async def _list(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        asked = request.query_params
        size, page = int(asked.get("per_page", "10")), int(asked.get("page", "1"))
        if size > _LONGEST_PAGE:
            return _error(422, "per_page")
        day, name = asked.get("date_from", ""), asked.get("date_attribute", "created_at")
        found = [order for order in self.orders.values() if order[name][:10] >= day]
        found.sort(key=lambda order: (order[asked.get("order_by", "created_at")], order["id"]))
        if asked.get("sort_by", "desc") == "desc":
            found.reverse()
        rows = [_row(order) for order in found[(page - 1) * size : page * size]]
        told = {} if self.prices_with_vat is None else {"is_vat_included_in_product_price": self.prices_with_vat}
        settings = {"is_zid_invoice_generation_enabled": self.issues_itself}
        answer = {"status": "object", "orders": rows, "total_order_count": len(found)}
        return JSONResponse({**answer, "tax_settings": told or [], "printed_invoice_settings": settings})

    async def _view(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse({"status": "object", "order": self.orders[_id(request)]})

    async def _notes(self, request: Request) -> Response:
        payload = {"credit_notes": self.credit_notes.get(_id(request), []), "returned_items": []}
        return self._refusal(request) or JSONResponse({"code": "SUCCESS", "message": None, "payload": payload})

    async def _comment(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        order, comment = self.orders[_id(request)], (await request.json())["comment"]
        if len(comment) > 100 or len(order["histories"]) >= 20:
            return _error(422, "comment")
        order["histories"].append({"comment": comment, "changed_by_details": {"comment": comment}})
        return JSONResponse({"status": "object", "order": order})

    async def _hooks(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        if request.method == "DELETE":
            name = request.query_params["original_id"]
            self.webhooks = [each for each in self.webhooks if each["original_id"] != name]
            return Response(status_code=204)
        if request.method == "POST":
            sent = await request.json()
            if any(each["original_id"] == sent["original_id"] for each in self.webhooks):
                return _error(422, "original_id")
            self.webhooks.append({**sent, "health_status": "healthy", "failures": 0})
            return JSONResponse(self.webhooks[-1], status_code=201)
        shown = [{key: value for key, value in each.items() if key != "password"} for each in self.webhooks]
        return JSONResponse({"status": "object", "data": shown})

    async def _renew(self, request: Request) -> Response:
        asked = dict(parse_qsl((await request.body()).decode()))
        if asked.get("refresh_token") != self.tokens["refresh_token"] or asked.get("client_secret") != "app-secret":
            return JSONResponse({"error": "invalid_grant"}, status_code=401)
        self.tokens = {name: f"{value}+" for name, value in self.tokens.items()}
        return JSONResponse({**self.tokens, "expires_in": 31_536_000})

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        if self.outage:
            return JSONResponse({}, status_code=self.outage.pop(0), headers={"Retry-After": "7"})
        given = (request.headers.get("Authorization"), request.headers.get("X-Manager-Token"))
        if given != (f"Bearer {self.tokens['authorization']}", self.tokens["access_token"]):
            return _error(401, "token")
        if "order_id" in request.path_params and _id(request) not in self.orders:
            return _error(404, "order")
        return None


@contextmanager
def zid_shop() -> Iterator[ZidShop]:
    """A shop without orders, open while the block lasts."""
    shop = ZidShop()
    with listening(shop.app) as url, httpx2.Client(timeout=30.0) as sender:
        shop.url, shop.sender = url, sender
        yield shop


def _row(order: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "invoice_number", "payment_status", "created_at", "updated_at")
    return {name: copy.copy(order[name]) for name in names} | {"status": order["order_status"]["code"]}


def _id(request: Request) -> str:
    return str(request.path_params["order_id"])


def _error(status: int, field: str) -> Response:
    return JSONResponse({"status": "error", "message": {"type": "error", "code": field}}, status_code=status)
