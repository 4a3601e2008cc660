"""Every recorded payload of every shop: it closes as an invoice, or it is refused for the cause named here."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.connection import Connection
from gateway.errors import GatewayError
from gateway.invoice.facts import Invoice
from gateway.order import Order
from gateway.stores import STORES

Connect = Callable[..., Connection]
Close = Callable[[Order], Invoice]

NO_VAT = "may not be registered for VAT"
UNTAXED = "sold without VAT and nothing says why"
DOLLARS = "the order is in USD"
HONG_KONG = "the order is in HKD"
REFUSED = {
    "magento/graphql_customer_orders_0.docs": "but orders as their buyer sees them",
    "magento/graphql_customer_orders_1.docs": "but orders as their buyer sees them",
    "magento/graphql_customer_orders_2.docs": "but orders as their buyer sees them",
    "magento/invoice.docs": DOLLARS,
    "magento/order_pending.docs": DOLLARS,
    "magento/refund_request.docs": "but a request to refund",
    "magento/rest.order.company.taxed.real-2020": DOLLARS,
    "salla/api.invoices.create.docs": "but something else",
    "salla/api.invoices.list.docs": "but a list of 3, each an invoice or a credit note",
    "salla/api.order-amounts.multi-currency.docs": "but one without them",
    "salla/api.order-details.light.coupon-vat15.docs": "but one without them",
    "salla/api.orders.list.docs": "but a list of 2, each a row of an order list",
    "salla/webhook.invoice.created.two-lines-vat15.docs-2025": "but an invoice or a credit note",
    "salla/webhook.order.created.discount-no-vat.docs": NO_VAT,
    "salla/webhook.order.created.payment_pending.real-2022": NO_VAT,
    "salla/webhook.order.created.qty2-sale-price.sanitized-live-2026": NO_VAT,
    "salla/webhook.order.status.updated.shape.docs-kit": "but a change of status",
    "shopify/api.order.taxes-included.paid.real-2023": DOLLARS,
    "shopify/api.refund.discounted-line.real-2022": "but a refund",
    "shopify/api.refund.no-money-restock.real-2022": "but a refund",
    "shopify/api.refund.taxes-included.full-cancel.real-2021": "but a refund",
    "shopify/docs-sample.draft_order_completed.python-sdk": "but a draft order",
    "shopify/docs-sample.order.python-sdk": DOLLARS,
    "shopify/docs-sample.orders.python-sdk": "but a list of 1 order",
    "shopify/docs-sample.refund.python-sdk": "but a refund",
    "shopify/docs-sample.refund_calculate.python-sdk": "but a refund",
    "shopify/docs-sample.transactions.python-sdk": "each a payment transaction",
    "shopify/docs-sample.webhook.multi-currency": "it is a test order",
    "shopify/graphql.order-agreements.order+refund.real-2022": "but its sales agreements alone",
    "shopify/webhook.orders_cancelled.real-2025.truncated-log": HONG_KONG,
    "shopify/webhook.orders_create.auto-discount.real-2025": HONG_KONG,
    "shopify/webhook.orders_create.no-discount.real-2025.truncated-log": HONG_KONG,
    "shopify/webhook.orders_create.percent+auto-discount.real-2025": HONG_KONG,
    "shopify/webhook.orders_create.taxes-included.uah.real-2021": "it is a test order",
    "shopify/webhook.orders_create.third-party-checkout.tax-on-first-line.real-2025": "the VAT of the whole order",
    "shopify/webhook.orders_create.two-discounts.real-2025": HONG_KONG,
    "woocommerce/b2b_vat.writeback_note": "but a note on an order",
    "woocommerce/docs.order_0": DOLLARS,
    "woocommerce/docs.order_1": DOLLARS,
    "woocommerce/docs.refund_0": "but a refund",
    "woocommerce/error.404": "but an error answer of the shop",
    "woocommerce/incl_multi_line.amount_only_refund": "but a refund",
    "woocommerce/incl_multi_line.partial_refund": "but a refund",
    "woocommerce/incl_multi_line.refunds_list": "but a list of 2, each a refund",
    "woocommerce/poll.page1.headers": "but the headers of an answer",
    "woocommerce/taxes_disabled.created": UNTAXED,
    "woocommerce/taxes_disabled.deleted_answer": UNTAXED,
    "woocommerce/webhooks/action.woocommerce_order_refunded.body": "but a notice that names an order",
    "woocommerce/webhooks/action.woocommerce_order_refunded.headers": "but the headers of a delivery",
    "woocommerce/webhooks/order.created.b2b.headers": "but the headers of a delivery",
    "woocommerce/webhooks/order.created.headers": "but the headers of a delivery",
    "woocommerce/webhooks/signed-error-body.sync-delivery": "but an error answer of the shop",
    "zid/order_credit_notes.sdk": "but the credit notes of an order",
    "zid/order_detail.sdk": UNTAXED,
    "zid/order_vouchers.sdk": "but a list of vouchers",
    "zid/orders_list.sdk": "but a list of 3 orders",
    "zid/orders_list_default.sdk": "but a list of 2 orders",
    "zid/orders_list_tiny.sdk": "but a list of 2 orders",
}
ABROAD = {
    "magento/invoice.docs": "USD",
    "shopify/webhook.orders_cancelled.real-2025.truncated-log": "HKD",
    "shopify/webhook.orders_create.auto-discount.real-2025": "HKD",
    "shopify/webhook.orders_create.percent+auto-discount.real-2025": "HKD",
    "shopify/webhook.orders_create.two-discounts.real-2025": "HKD",
}
"""Orders without VAT whose arithmetic is whole, by their currency."""


def recorded(shared: Path, platform: str) -> dict[str, str]:
    """The platform's payloads as they stand, by the names used above."""
    folder = shared / "payloads"
    if not (folder / platform).is_dir():
        pytest.skip(f"no payloads of {platform} were recorded")
    paths = sorted((folder / platform).rglob("*.json"))
    return {path.relative_to(folder).as_posix().removesuffix(".json"): path.read_text("utf-8") for path in paths}


def read(content: str) -> Any:
    return json.loads(content, parse_float=Decimal)


def judged(connection: Connection, raw: Any, closing: Close) -> str:
    """What becomes of a payload, in words; a refusal says what to do in both languages."""
    try:
        closing(STORES[connection.platform].map(connection, raw).order)
    except GatewayError as error:
        return str(error) if error.fix and error.ar else f"{error} (without words on what to do)"
    return "it closes"


@pytest.mark.parametrize("platform", STORES)
def test_a_payload_closes_or_is_refused_for_its_cause(
    connect: Connect, shared: Path, closing: Close, platform: str
) -> None:
    found = {
        name: judged(connect(platform), read(content), closing) for name, content in recorded(shared, platform).items()
    }
    assert {name: said for name, said in found.items() if REFUSED.get(name, "it closes") not in said} == {}
    assert {name for name in REFUSED if name.startswith(f"{platform}/")} <= found.keys()


@pytest.mark.parametrize("name", ABROAD)
def test_orders_from_abroad_would_close_in_riyals(connect: Connect, shared: Path, closing: Close, name: str) -> None:
    platform = name.partition("/")[0]
    raw = read(recorded(shared, platform)[name].replace(f'"{ABROAD[name]}"', '"SAR"'))
    closing(STORES[platform].map(connect(platform, untaxed_reason_code="VATEX-SA-35"), raw).order)


@pytest.mark.parametrize("platform", STORES)
@pytest.mark.parametrize(
    "raw", [{}, {"id": 1}, {"data": None}, {"data": []}, {"order": None}, {"code": "x", "error": {}}]
)
def test_what_is_nothing_at_all_is_no_order(connect: Connect, closing: Close, platform: str, raw: Any) -> None:
    assert "this is not an order with its items" in judged(connect(platform), raw, closing)
