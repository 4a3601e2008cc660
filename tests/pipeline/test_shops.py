"""The whole way with each platform: an order is found, issued, accepted and written back, with a link to the PDF; what
a buyer sends back becomes a credit note and is written back too. Nothing here hears of a webhook: the shop is asked."""

import asyncio
import json
import re
from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest

from gateway.demo.salla import salla_shop
from gateway.demo.woocommerce import woocommerce_shop
from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.order import read_refund
from gateway.pipeline.connect import connect
from gateway.pipeline.gateway import online
from gateway.pipeline.links import revoke_links, shops_link
from gateway.pipeline.notes import NoteRequest, credit
from tests.api.conftest import serving
from tests.installation import OWNER, UNIT
from tests.pipeline.conftest import opened
from tests.shops.magento import magento_shop
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

SHOPS = {"zid": zid_shop, "shopify": shopify_shop, "magento": magento_shop}
INTERVAL = timedelta(minutes=6)
PUBLIC = "https://pay.example.sa"


@pytest.fixture
def site(installation):
    with opened(installation, public_url=PUBLIC) as site:
        yield site


@pytest.fixture
def served(site):
    """Where buyers reach the site; its worker is run by hand."""
    with serving(site.gateway, work=False) as url, httpx2.Client(base_url=url) as client:
        yield client


def links_in(written):
    """The links that stand on an order, without the address before them."""
    return sorted(set(re.findall(rf"{re.escape(PUBLIC)}(/v1/shared/[A-Za-z0-9_-]+)", str(written))))


def gives_the_pdf_of(served, link, issued):
    """Whether the link is followed by anyone to the PDF of this document."""
    answer = served.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    return answer.content.startswith(b"%PDF-") and issued.number in answer.headers["content-disposition"]


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


def test_an_order_is_issued_and_written_back_and_so_is_its_refund(selling, shop, served):
    order = shop.sell(1001, selling.clock())
    later(selling)
    assert documents(selling) == [(Kind.INVOICE, Decimal("138.00"), Status.REPORTED)]
    (invoice,) = selling.documents()
    assert invoice.number in str(shop.written(order))
    assert "reported" in str(shop.written(order))
    # Zid takes a hundred letters, which no QR has room in: it is on the PDF.
    assert (invoice.qr in str(shop.written(order))) is (shop.name != "zid")
    (link,) = links_in(shop.written(order))
    assert gives_the_pdf_of(served, link, invoice)
    before = len(str(shop.written(order)))
    back = shop.give_back(order, selling.clock())
    later(selling)
    assert documents(selling)[1:] == [(Kind.CREDIT_NOTE, Decimal(back), Status.REPORTED)]
    note = max(selling.documents(), key=lambda each: each.icv)
    assert note.number in str(shop.written(order))
    assert len(str(shop.written(order))) > before
    (other,) = set(links_in(shop.written(order))) - {link}
    assert gives_the_pdf_of(served, other, note)
    assert selling.waiting() == ()
    kept = shop.written(order)
    for _ in range(3):
        later(selling)
    assert len(selling.documents()) == 2
    assert shop.written(order) == kept


def test_woocommerce_goes_the_whole_way_by_being_asked(site, served):
    with woocommerce_shop() as woo:
        enter(site, woo.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        woo.touch("46", site.clock())
        later(site)
        facts = {each["key"]: each["value"] for each in woo.orders["46"]["meta_data"]}
        assert (facts["_zatca_number"], facts["_zatca_status"]) == ("RUH1-000001", "reported")
        (invoice,) = site.documents()
        (link,) = links_in(facts["_zatca_pdf"])
        assert gives_the_pdf_of(served, link, invoice)
        assert facts["_zatca_pdf"] in woo.notes["46"][0]["note"]
        woo.give_back("46", woo.orders["46"]["line_items"][0], 1)
        woo.touch("46", site.clock())
        later(site)
        assert documents(site)[1:] == [(Kind.CREDIT_NOTE, Decimal("100.00"), Status.REPORTED)]
        facts = {each["key"]: each["value"] for each in woo.orders["46"]["meta_data"]}
        assert facts["_zatca_credit_note_number"] == "RUH1-000002"
        assert facts["_zatca_credit_note_pdf"] != facts["_zatca_pdf"]
        notes = len(woo.notes["46"])
        later(site)  # our own echo
        assert (len(site.documents()), len(woo.notes["46"])) == (2, notes)


def test_salla_goes_the_whole_way_by_being_asked(site, served):
    with salla_shop() as salla:
        for order in salla.orders:
            salla.touch(order, site.clock() - timedelta(days=9))
        enter(site, salla.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        order = "710000001"
        salla.touch(order, site.clock())
        later(site)
        assert [each["type"] for each in salla.invoices] == ["Tax Invoice"]
        (invoice,), (entry,) = site.documents(), salla.histories[order]
        assert f"{invoice.number} reported" in entry["note"]
        assert invoice.qr in entry["note"]
        (link,) = links_in(entry["note"])
        assert gives_the_pdf_of(served, link, invoice)
        salla.orders[order]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": "10.00"}}}
        salla.touch(order, site.clock())
        later(site)
        assert documents(site)[1:] == [(Kind.CREDIT_NOTE, Decimal("10.00"), Status.REPORTED)]
        assert [each["type"] for each in salla.invoices] == ["Tax Invoice", "Credit Note"]
        for _ in range(2):
            later(site)
        assert (len(site.documents()), len(salla.invoices), len(salla.histories[order])) == (2, 2, 2)


def test_what_salla_gives_back_bit_by_bit_is_credited_bit_by_bit(site):
    """It tells one growing sum: what it grew by is new, as long as all that was credited is of that sum."""
    with salla_shop() as salla:
        order = "710000001"
        enter(site, salla.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))

        def give_back(so_far):
            salla.orders[order]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": so_far}}}
            salla.touch(order, site.clock())
            later(site)
            return [total for kind, total, _ in documents(site) if kind is Kind.CREDIT_NOTE]

        assert give_back("0") == []
        assert give_back("10.00") == [Decimal("10.00")]
        assert give_back("10.00") == [Decimal("10.00")]
        assert give_back("60.00") == [Decimal("10.00"), Decimal("50.00")]
        assert give_back("110.00") == [Decimal("10.00"), Decimal("50.00"), Decimal("50.00")]
        later(site)
        assert len(site.documents()) == 4
        assert len(salla.invoices) == 4
        give_back("90.00")
        (waiting,) = site.waiting()
        assert "90.00 was given back in all" in waiting.reason["en"]
        assert give_back("286.93")[3:] == [Decimal("176.93")]


def test_what_a_person_credited_is_not_credited_again_for_sallas_sum(site):
    with salla_shop() as salla:
        order = "710000001"
        enter(site, salla.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        salla.touch(order, site.clock())
        later(site)
        (invoice,) = site.documents()
        by_hand = read_refund({"id": "by hand", "money": "25.00"})
        credit(site.gateway, NoteRequest(OWNER, "tests", invoice.uuid), by_hand)
        for so_far, waiting in (("25.00", 0), ("40.00", 1)):
            salla.orders[order]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": so_far}}}
            salla.touch(order, site.clock())
            later(site)
            assert (len(site.documents()), len(site.waiting())) == (2, waiting)


def test_links_end_when_they_are_taken_back_and_are_forged_by_nobody(site, served):
    issued = site.issue(1)
    assert shops_link(site.gateway, OWNER, site.now(issued)) == ""  # the authority has not accepted it
    site.work()
    link = shops_link(site.gateway, OWNER, site.now(issued))
    assert shops_link(site.gateway, OWNER, site.now(issued)) == link
    path = link.removeprefix(PUBLIC)
    assert len(link) <= 100 - len("RUH1-000001 ")
    assert gives_the_pdf_of(served, path, issued)
    code = path.rpartition("/")[2]
    altered = [code[:at] + ("B" if code[at] == "A" else "A") + code[at + 1 :] for at in range(len(code))]
    refused = {served.get(f"/v1/shared/{each}").text for each in [*altered, code[:-1], f"{code}A", "A" * 54, "%00"]}
    assert len({json.loads(each)["detail"] for each in refused}) == 1
    revoke_links(site.gateway, OWNER, actor="tests")
    assert served.get(path).status_code == 404
    again = shops_link(site.gateway, OWNER, site.now(issued)).removeprefix(PUBLIC)
    assert gives_the_pdf_of(served, again, issued)
    site.clock.move(timedelta(days=366))
    assert served.get(again).status_code == 404
    assert shops_link(site.gateway, OWNER, site.now(issued)) == ""
