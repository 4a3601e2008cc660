"""The whole way with each platform: an order is found, issued, accepted and written back; what a buyer sends back
becomes a credit note and is written back too. Nothing here hears of a webhook: the shop is asked."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.pipeline.connect import connect
from gateway.pipeline.gateway import online
from tests.installation import OWNER, UNIT
from tests.shops.magento import magento_shop
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

SHOPS = {"zid": zid_shop, "shopify": shopify_shop, "magento": magento_shop}
INTERVAL = timedelta(minutes=6)


@pytest.fixture(params=SHOPS)
def shop(request):
    with SHOPS[request.param]() as shop:
        yield shop


def enter(site, connection, **more):
    async def run():
        async with online(site.gateway) as lines:
            return await connect(site.gateway, lines, connection, actor="tests", **more)

    return asyncio.run(run())


@pytest.fixture
def selling(site, shop):
    enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
    return site


def documents(site):
    """Kind, total and status of each, oldest first."""
    return [(each.kind, each.total, each.status) for each in sorted(site.documents(), key=lambda each: each.icv)]


def later(site):
    site.clock.move(INTERVAL)
    site.work()


def test_an_order_is_issued_and_written_back_and_so_is_its_refund(selling, shop):
    order = shop.sell(1001, selling.clock())
    later(selling)
    assert documents(selling) == [(Kind.INVOICE, Decimal("138.00"), Status.REPORTED)]
    (number,) = [each.number for each in selling.documents()]
    assert any(number in each and "reported" in each for each in shop.written(order)) or number in str(
        shop.written(order)
    )
    before = len(shop.written(order))
    back = shop.give_back(order, selling.clock())
    later(selling)
    assert documents(selling)[1:] == [(Kind.CREDIT_NOTE, Decimal(back), Status.REPORTED)]
    note = max(selling.documents(), key=lambda each: each.icv)
    assert note.number in str(shop.written(order))
    assert len(shop.written(order)) > before
    assert selling.waiting() == ()
    kept = shop.written(order)
    for _ in range(3):
        later(selling)
    assert len(selling.documents()) == 2
    assert shop.written(order) == kept
