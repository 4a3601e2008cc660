"""Connections, issued documents and open shops for the stores' tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any, TypeVar

import httpx2
import pytest

from gateway.connection import Connection
from gateway.demo.salla import SallaShop, salla_shop
from gateway.demo.woocommerce import WooCommerceShop, woocommerce_shop
from gateway.invoice.facts import Invoice, Kind, Profile
from gateway.invoice.from_order import invoice_of
from gateway.issued import Issued, Status
from gateway.order import Order
from gateway.outbound import client
from gateway.settings import Settings
from gateway.unit import Environment
from gateway.unit_file import read_unit

T = TypeVar("T")


@pytest.fixture(scope="session")
def connect() -> Callable[..., Connection]:
    """A connection to a shop that is not there, with the secrets of the recorded deliveries."""

    def make(platform: str, **settings: str) -> Connection:
        known = {"webhook": "whsecret", "key": "ck_1", "secret": "cs_1", "access_token": "token"}
        return Connection("shop-1", "t1", "u1", platform, "https://shop.example", settings=settings, secrets=known)

    return make


@pytest.fixture(scope="session")
def issued() -> Callable[..., Issued]:
    """A document about an order."""

    def make(order_id: str, total: str, vat: str, **changes: Any) -> Issued:
        facts: dict[str, Any] = {
            "uuid": "8e6000cf-1a98-4174-b3e7-b5d5954bc10d",
            "number": "RUH1-000001",
            "kind": Kind.INVOICE,
            "profile": Profile.SIMPLIFIED,
            "icv": 1,
            "hash": "aGFzaA==",
            "issued_at": datetime(2026, 11, 23, 7, 0, 3, tzinfo=UTC),
            "status": Status.REPORTED,
            "total": Decimal(total),
            "vat": Decimal(vat),
            "rounding": Decimal("0.00"),
            "currency": "SAR",
            "connection": "shop-1",
            "order_id": order_id,
            "qr": "AQ1TaG9w",
            "rule_book": "R3.4.8",
        }
        return Issued(**(facts | changes))

    return make


@pytest.fixture(scope="session")
def online() -> Callable[[Callable[[httpx2.AsyncClient], Awaitable[T]]], T]:
    """Run what needs a client."""

    def run(work: Callable[[httpx2.AsyncClient], Awaitable[T]]) -> T:
        async def go() -> T:
            async with client(Settings(allow_private_shops=True)) as opened:
                return await work(opened)

        return asyncio.run(go())

    return run


@pytest.fixture
def woo() -> Iterator[WooCommerceShop]:
    with woocommerce_shop() as shop:
        yield shop


@pytest.fixture
def salla() -> Iterator[SallaShop]:
    with salla_shop() as shop:
        yield shop


@pytest.fixture(scope="session")
def closing() -> Callable[[Order], Invoice]:
    """The invoice of an order, whose sums are what the shop says they are."""
    seller = read_unit((files("gateway.demo") / "unit.json").read_bytes(), Environment.SANDBOX).seller

    def close(order: Order) -> Invoice:
        invoice = invoice_of(order, seller)
        assert order.declared.grand == invoice.payable
        return invoice

    return close
