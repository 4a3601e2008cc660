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
        self.custom_invoices = custom_invoices
        self.requests: list[tuple[str, str]] = []
        self.outage: list[int] = []
        self.url = ""
        self._token, self._webhook = f"ory_at_{secrets.token_urlsafe(32)}", secrets.token_hex(16)
        self.app = Starlette(
            routes=[
                Route("/admin/v2/orders/items", self._items, methods=["GET"]),
                Route("/admin/v2/orders/invoices", self._list_invoices, methods=["GET"]),
                Route("/admin/v2/orders/invoices", self._add_invoice, methods=["POST"]),
                Route("/admin/v2/orders/{order_id:int}", self._get, methods=["GET"]),
                Route("/admin/v2/settings/fields/orders.invoices_customization", self._issuing, methods=["GET"]),
            ]
        )

    def connection(self, id: str, *, taxpayer_id: str, unit_id: str, **settings: str) -> Connection:  # noqa: A002
        """A connection that may use this shop."""
        known = {"access_token": self._token, "webhook": self._webhook}
        told = {"merchant": str(MERCHANT), **settings}
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

    # -- Admin API --------------------------------------------------------------------------------------------

    async def _get(self, request: Request) -> Response:
        order = self.orders.get(str(request.path_params["order_id"]))
        if order is None:
            return self._refusal(request) or _not_found()
        shown = {key: value for key, value in order.items() if key != "items"}
        return self._refusal(request) or _success(shown)

    async def _items(self, request: Request) -> Response:
        order = self.orders.get(request.query_params.get("order_id", ""))
        return self._refusal(request) or (_not_found() if order is None else _success(order["items"]))

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
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self._token}"):
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


def _success(data: Any) -> Response:
    return JSONResponse({"status": 200, "success": True, "data": data})


def _not_found() -> Response:
    return _error(404, 404, "The content you are trying to access is no longer available")


def _error(status: int, code: str | int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    content = {"status": status, "success": False, "error": {"code": code, "message": message}}
    return JSONResponse(content, status_code=status, headers=headers)
