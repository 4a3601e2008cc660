"""A Salla shop with sample orders: Admin API v2 for orders, items and invoices, and proved webhooks."""

import copy
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import demo
from gateway.connection import Connection
from gateway.demo.listening import listening

MERCHANT: Final = 1030507090
_RIYADH: Final = timezone(timedelta(hours=3))
_TYPES: Final = {"tax_invoice": "Tax Invoice", "credit_note": "Credit Note"}
_FIGURES: Final = (
    "invoice_number",
    "sub_total",
    "total",
    "shipping_cost",
    "cash_on_delivery_cost",
    "tax",
    "tax_value",
)


class SallaShop:
    """Its orders by id and the invoices given to it; `custom_invoices` False means Salla issues them itself.

    As for newer apps, an order's details come without items, which have an address of their own. `outage` holds
    statuses to answer first.
    """

    sender: httpx2.Client

    def __init__(self, orders: Mapping[str, dict[str, Any]] | None = None, *, custom_invoices: bool = True) -> None:
        found = demo.orders("salla") if orders is None else orders
        self.orders = {str(order["id"]): copy.deepcopy(order) for order in found.values()}
        self.invoices: list[dict[str, Any]] = []
        self.histories: dict[str, list[dict[str, Any]]] = {order_id: [] for order_id in self.orders}
        self.custom_invoices = custom_invoices
        self.requests: list[tuple[str, str]] = []
        self.outage: list[int] = []
        self.url = ""
        self._token, self._webhook = f"ory_at_{secrets.token_urlsafe(32)}", secrets.token_hex(16)
        self._refresh_token, self._client = f"ory_rt_{secrets.token_urlsafe(32)}", secrets.token_hex(16)
        self.webhooks: list[dict[str, Any]] = []
        self.renewals = 0
        self.lives: Any = 1_209_600
        self.revoked = False
        self.app = Starlette(
            routes=[
                Route("/admin/v2/orders", self._list, methods=["GET"]),
                Route("/admin/v2/webhooks", self._list_webhooks, methods=["GET"]),
                Route("/admin/v2/webhooks/subscribe", self._subscribe, methods=["POST"]),
                Route("/oauth2/token", self._renew, methods=["POST"]),
                Route("/admin/v2/orders/items", self._items, methods=["GET"]),
                Route("/admin/v2/orders/invoices", self._list_invoices, methods=["GET"]),
                Route("/admin/v2/orders/invoices", self._add_invoice, methods=["POST"]),
                Route("/admin/v2/orders/{order_id:int}", self._get, methods=["GET"]),
                Route("/admin/v2/orders/{order_id:int}/histories", self._histories, methods=["GET", "POST"]),
                Route("/admin/v2/settings/fields/orders.invoices_customization", self._issuing, methods=["GET"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        """A connection that may use this shop."""
        known = {
            "access_token": self._token,
            "refresh_token": self._refresh_token,
            "client_id": self._client,
            "client_secret": self._client,
            "webhook": self._webhook,
        }
        told = {"merchant": str(MERCHANT), "oauth_url": self.url, **settings}
        return Connection(id, taxpayer_id, unit_id, "salla", f"{self.url}/admin/v2", settings=told, secrets=known)

    # -- webhooks ---------------------------------------------------------------------------------------------

    def deliver(self, event: str, order_id: str, url: str, *, times: int = 1, strategy: str = "signature") -> list[int]:
        """Send the webhook `times` times, as Salla does when no answer came: the very same body; the statuses."""
        body = self._notice(event, order_id)
        headers = {"Content-Type": "application/json", "X-Salla-Security-Strategy": strategy.capitalize()}
        if strategy == "signature":
            headers["X-Salla-Signature"] = hmac.new(self._webhook.encode(), body, hashlib.sha256).hexdigest()
        else:
            headers["Authorization"] = self._webhook
        return [self.sender.post(url, content=body, headers=headers).status_code for _ in range(times)]

    def _notice(self, event: str, order_id: str) -> bytes:
        order = self.orders[order_id]
        data: dict[str, Any] = order
        if event == "order.status.updated":
            data = {"id": int(order_id) + 500, "status": order["status"]["name"], "note": "", "order": order}
        now = datetime.now(UTC).astimezone(_RIYADH).strftime("%a %b %d %Y %H:%M:%S GMT+0300")
        content = {"event": event, "merchant": MERCHANT, "created_at": now, "data": data}
        return json.dumps(content, separators=(",", ":")).encode()

    def touch(self, order_id: str, at: datetime | None = None) -> None:
        """The order changes now, or at another moment."""
        now = (at or datetime.now(UTC)).astimezone(_RIYADH)
        stamp = {"date": now.strftime("%Y-%m-%d %H:%M:%S.000000"), "timezone_type": 3, "timezone": "Asia/Riyadh"}
        self.orders[order_id]["updated_at"] = stamp

    def install(self, url: str, lives: int = 1_209_600) -> int:
        """The app is installed anew: the tokens come in a webhook; its status."""
        self._token, self._refresh_token = (f"ory_{kind}_{secrets.token_urlsafe(32)}" for kind in ("at", "rt"))
        self.revoked = False
        ends = int(datetime.now(UTC).timestamp()) + lives
        data = {"access_token": self._token, "refresh_token": self._refresh_token, "expires": ends, "scope": "orders"}
        content = {"event": "app.store.authorize", "merchant": MERCHANT, "data": data}
        body = json.dumps(content, separators=(",", ":")).encode()
        signature = hmac.new(self._webhook.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Salla-Security-Strategy": "Signature", "X-Salla-Signature": signature}
        return self.sender.post(url, content=body, headers=headers).status_code

    # -- OAuth ------------------------------------------------------------------------------------------------

    async def _renew(self, request: Request) -> Response:
        """A refresh token can be spent once; spent again, all tokens of the shop are void."""
        asked = dict(parse_qsl((await request.body()).decode()))
        if self.outage:
            return _error(self.outage.pop(0), "error", "unavailable")
        good = (asked.get("client_id"), asked.get("client_secret")) == (self._client, self._client)
        if self.revoked or not good or asked.get("refresh_token") != self._refresh_token:
            self.revoked = self.revoked or good
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        self.renewals += 1
        self._token, self._refresh_token = (f"ory_{kind}_{secrets.token_urlsafe(32)}" for kind in ("at", "rt"))
        tokens = {"access_token": self._token, "refresh_token": self._refresh_token}
        return JSONResponse({**tokens, "expires_in": self.lives, "scope": "orders", "token_type": "bearer"})

    # -- Admin API --------------------------------------------------------------------------------------------

    async def _get(self, request: Request) -> Response:
        order = self.orders.get(str(request.path_params["order_id"]))
        if order is None:
            return self._refusal(request) or _not_found()
        shown = {key: value for key, value in order.items() if key != "items"}
        return self._refusal(request) or _success(shown)

    async def _list(self, request: Request) -> Response:
        """Rows without the moment of the last change, by which they are sorted."""
        refusal = self._refusal(request)
        if refusal:
            return refusal
        size, page = int(request.query_params.get("per_page", "15")), int(request.query_params.get("page", "1"))
        found = sorted(self.orders.values(), key=_last_change, reverse=True)
        names = ("id", "reference_id", "date", "status", "payment_method")
        rows = [{name: order.get(name) for name in names} for order in found[(page - 1) * size : page * size]]
        pages = -(-len(found) // size)
        pagination = {
            "count": len(rows),
            "total": len(found),
            "perPage": size,
            "currentPage": page,
            "totalPages": pages,
        }
        return JSONResponse({"status": 200, "success": True, "data": rows, "pagination": pagination})

    async def _list_webhooks(self, request: Request) -> Response:
        return self._refusal(request) or _success(self.webhooks)

    async def _subscribe(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        wanted = await request.json()
        same = [each for each in self.webhooks if (each["event"], each["url"]) == (wanted["event"], wanted["url"])]
        self.webhooks = [each for each in self.webhooks if each not in same]
        self.webhooks.append({"id": 100 + len(self.webhooks), **wanted})
        return _success(self.webhooks[-1])

    async def _items(self, request: Request) -> Response:
        order = self.orders.get(request.query_params.get("order_id", ""))
        return self._refusal(request) or (_not_found() if order is None else _success(order["items"]))

    async def _histories(self, request: Request) -> Response:
        """Newest first; a note is added to the order's present status."""
        refusal, order_id = self._refusal(request), str(request.path_params["order_id"])
        if refusal or order_id not in self.orders:
            return refusal or _not_found()
        entries, asked = self.histories[order_id], request.query_params
        if request.method == "GET":
            size, page = int(asked.get("per_page", "15")), int(asked.get("page", "1"))
            return _success(entries[::-1][(page - 1) * size : page * size])
        status = self.orders[order_id].get("status") or {}
        entries.append({"id": len(entries) + 1, "status": status.get("name"), "note": (await request.json())["note"]})
        return _success(entries[-1])

    async def _issuing(self, request: Request) -> Response:
        provider = "custom" if self.custom_invoices else "default"
        return self._refusal(request) or _success({"invoice_provider": provider})

    async def _list_invoices(self, request: Request) -> Response:
        wanted = request.query_params.get("order_id", "")
        found = [invoice for invoice in self.invoices if str(invoice["order_id"]) == wanted]
        # Salla does not show the number it was given.
        shown = [{key: value for key, value in invoice.items() if key != "invoice_number"} for invoice in found]
        return self._refusal(request) or _success(shown)

    async def _add_invoice(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal:
            return refusal
        sent = await request.json()
        fields = self._wrong_fields(sent)
        if fields:
            error = {"code": "error", "message": "alert.invalid_fields", "fields": fields}
            return JSONResponse({"status": 422, "success": False, "error": error}, status_code=422)
        invoice = _invoice(940000 + len(self.invoices), sent)
        self.invoices.append(invoice)
        return _success({key: invoice[key] for key in ("id", "order_id", "type", "date")})

    def _wrong_fields(self, sent: Mapping[str, Any]) -> dict[str, list[str]]:
        """What is wrong with an invoice, in the shop's words; empty if it can be kept."""
        if not self.custom_invoices:
            return {
                "invoice_provider": [
                    "لا يمكن اضافة فاتورة للطلب , اعدادات اصدار الفواتير في المتجر تتبع المزود الافتراضي"
                ]
            }
        if str(sent.get("order_id")) not in self.orders:
            return {"order_id": ["رقم الطلب خاطئ ."]}
        missing = {name: ["مطلوب"] for name in _FIGURES if name not in sent}
        if missing or sent.get("data_type") != "data" or sent.get("type") not in _TYPES:
            return missing or {"data_type": ["هذا النوع لايتناسب مع إعدادات طريقة إصدار الفواتير في متجرك ."]}
        known = [invoice for invoice in self.invoices if invoice["order_id"] == sent["order_id"]]
        has_invoice = any(invoice["type"] == "Tax Invoice" for invoice in known)
        if sent["type"] == "tax_invoice" and has_invoice:
            return {"type": ["تم اصدار فاتورة للطلب سابقا"]}
        if sent["type"] == "credit_note" and not has_invoice:
            return {"type": ["لا توجد فاتورة للطلب"]}
        if any(invoice["invoice_number"] == sent["invoice_number"] for invoice in self.invoices):
            return {"invoice_number": ["رقم الفاتورة مكرر"]}
        return {}

    def _refusal(self, request: Request) -> Response | None:
        self.requests.append((request.method, request.url.path))
        if self.outage:
            return _error(self.outage.pop(0), "error", "unavailable", {"Retry-After": "7"})
        given = request.headers.get("Authorization", "")
        if self.revoked or not hmac.compare_digest(given, f"Bearer {self._token}"):
            return _error(401, "Unauthorized", "The access token is invalid")
        return None


@contextmanager
def salla_shop(
    orders: Mapping[str, dict[str, Any]] | None = None, *, custom_invoices: bool = True
) -> Iterator[SallaShop]:
    """A shop with these orders by name (without: the samples), open while the block lasts."""
    shop = SallaShop(orders, custom_invoices=custom_invoices)
    with listening(shop.app) as url, httpx2.Client(timeout=30.0) as sender:
        shop.url, shop.sender = url, sender
        yield shop


def _invoice(invoice_id: int, sent: Mapping[str, Any]) -> dict[str, Any]:
    def money(name: str) -> dict[str, Any]:
        return {"amount": f"{sent[name]:.2f}", "currency": "SAR"}

    return {
        "id": invoice_id,
        "order_id": sent["order_id"],
        "invoice_number": sent["invoice_number"],
        "type": _TYPES[sent["type"]],
        "sub_total": money("sub_total"),
        "shipping_cost": money("shipping_cost"),
        "cod_cost": money("cash_on_delivery_cost"),
        "discount": {"amount": "0.00", "currency": "SAR"},
        "tax": {"percent": f"{sent['tax']:.2f}", "amount": money("tax_value")},
        "total": {"amount": sent["total"], "currency": "SAR"},
        "date": datetime.now(UTC).astimezone(_RIYADH).date().isoformat(),
    }


def _last_change(order: Mapping[str, Any]) -> tuple[str, int]:
    return str((order.get("updated_at") or order["date"])["date"]), int(order["id"])


def _success(data: Any) -> Response:
    return JSONResponse({"status": 200, "success": True, "data": data})


def _not_found() -> Response:
    return _error(404, 404, "The content you are trying to access is no longer available")


def _error(status: int, code: str | int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    content = {"status": status, "success": False, "error": {"code": code, "message": message}}
    return JSONResponse(content, status_code=status, headers=headers)
