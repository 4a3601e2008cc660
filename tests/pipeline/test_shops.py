"""The whole way with each platform: an order is found, issued, accepted and written back; what a buyer sends back
becomes a credit note and is written back too. Nothing here hears of a webhook: the shop is asked."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.demo.salla import salla_shop
from gateway.demo.woocommerce import woocommerce_shop
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
    assert number in str(shop.written(order))
    assert "reported" in str(shop.written(order))
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


def test_woocommerce_goes_the_whole_way_by_being_asked(site):
    with woocommerce_shop() as woo:
        enter(site, woo.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        woo.touch("46", site.clock())
        later(site)
        facts = {each["key"]: each["value"] for each in woo.orders["46"]["meta_data"]}
        assert (facts["_zatca_number"], facts["_zatca_status"]) == ("RUH1-000001", "reported")
        woo.give_back("46", woo.orders["46"]["line_items"][0], 1)
        woo.touch("46", site.clock())
        later(site)
        assert documents(site)[1:] == [(Kind.CREDIT_NOTE, Decimal("100.00"), Status.REPORTED)]
        facts = {each["key"]: each["value"] for each in woo.orders["46"]["meta_data"]}
        assert facts["_zatca_credit_note_number"] == "RUH1-000002"
        notes = len(woo.notes["46"])
        later(site)  # our own echo
        assert (len(site.documents()), len(woo.notes["46"])) == (2, notes)


def test_salla_goes_the_whole_way_by_being_asked(site):
    with salla_shop() as salla:
        for order in salla.orders:
            salla.touch(order, site.clock() - timedelta(days=9))
        enter(site, salla.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        order = "710000001"
        salla.touch(order, site.clock())
        later(site)
        assert [each["type"] for each in salla.invoices] == ["Tax Invoice"]
        salla.orders[order]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": "10.00"}}}
        salla.touch(order, site.clock())
        later(site)
        assert documents(site)[1:] == [(Kind.CREDIT_NOTE, Decimal("10.00"), Status.REPORTED)]
        assert [each["type"] for each in salla.invoices] == ["Tax Invoice", "Credit Note"]
        for _ in range(2):
            later(site)
        assert (len(site.documents()), len(salla.invoices)) == (2, 2)
