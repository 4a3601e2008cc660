"""Many orders, each announced many times, in any order and again, while the shop is asked too: one document each."""

import base64
import json
import random
from datetime import timedelta

import pytest

from gateway.invoice.facts import Kind
from gateway.ledger import Filter
from gateway.pipeline.intake import take_in
from tests.installation import OWNER, UNIT
from tests.pipeline.test_shops import enter
from tests.shops.zid import zid_shop

TIMES = 20


def announce(site, shop, order, chance):
    """A delivery as Zid makes it: the very same bytes again, or the order as it is now."""
    body = json.dumps(shop.orders[order], ensure_ascii=False).encode()
    known = site.ledger.connection(OWNER, "shop")

    proof = base64.b64encode(b"gateway:a long one").decode()
    assert known.platform == "zid"
    take_in(site.gateway, "shop", {"Authorization": f"Basic {proof}"}, body)


@pytest.mark.parametrize("orders", [50, pytest.param(500, marks=pytest.mark.torture)])
def test_every_order_has_one_document_and_every_refund_one_note(site, orders):
    chance = random.Random(orders)
    with zid_shop() as shop:
        enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        begun = site.clock()
        sold = [shop.sell(1000 + number, begun + timedelta(seconds=number)) for number in range(orders)]
        deliveries = [order for order in sold for _ in range(TIMES)]
        chance.shuffle(deliveries)
        returned = set(chance.sample(sold, orders // 4))
        for number, order in enumerate(deliveries):
            announce(site, shop, order, chance)
            if number % (len(deliveries) // 8) == 0:
                site.clock.move(timedelta(minutes=3))
                site.work()
            if order in returned and chance.random() < 0.2:
                returned.discard(order)
                shop.give_back(order, site.clock())
        for _ in range(3):
            site.clock.move(timedelta(minutes=6))
            site.work()
    found = _all(site)
    assert len([each for each in found if each.kind is Kind.INVOICE]) == orders
    assert len({each.order_id for each in found}) == orders
    refunded = [order for order, notes in shop.credit_notes.items() if notes]
    assert sorted(each.order_id for each in found if each.kind is Kind.CREDIT_NOTE) == sorted(refunded)
    assert site.waiting() == ()
    assert [each.icv for each in sorted(found, key=lambda each: each.icv)] == list(range(1, len(found) + 1))


def _all(site):
    page = site.ledger.invoices(OWNER, Filter(), limit=200)
    found = [*page.items]
    while page.next:
        page = site.ledger.invoices(OWNER, Filter(), cursor=page.next, limit=200)
        found += page.items
    return found


def test_an_old_look_never_undoes_a_newer_one(site):
    """Two notices of one order are never worked on at once, whoever works."""
    with zid_shop() as shop:
        enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        order = shop.sell(1, site.clock())
        for number in range(3):
            site.hint(order, delivery=f"d-{number}")
        now, until = site.clock(), site.clock() + timedelta(minutes=5)
        first = site.ledger.claim_notices(now=now, limit=10, lease_until=until, worker="one")
        assert len(first) == 1
        assert site.ledger.claim_notices(now=now, limit=10, lease_until=until, worker="two") == ()
        site.hint("2", delivery="other")
        (other,) = site.ledger.claim_notices(now=now, limit=10, lease_until=until, worker="two")
        assert other.order_id == "2"


def test_the_same_refund_with_another_amount_is_for_a_person(site):
    with zid_shop() as shop:
        enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        order = shop.sell(1, site.clock())
        site.hint(order)
        site.work()
        shop.give_back(order, site.clock())
        site.hint(order, delivery="2")
        site.work()
        shop.credit_notes[order][0]["order_total"] = "60.00"
        site.hint(order, delivery="3")
        site.work()
        (waiting,) = site.waiting()
        assert len(_all(site)) == 2
        assert waiting.payload is not None
        assert json.loads(waiting.payload)["order"]["id"] == 1
