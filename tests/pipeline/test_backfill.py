"""What a shop sold before it was connected: foreseen without issuing anything, and then issued once."""

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import Unavailable
from gateway.pipeline.backfill import Fate, foresee, have_issued
from gateway.pipeline.gateway import online
from tests.installation import OWNER, UNIT
from tests.pipeline.test_shops import SHOPS, enter
from tests.shops.zid import zid_shop

DAY = timedelta(days=1)


@pytest.fixture(params=SHOPS)
def shop(request):
    with SHOPS[request.param]() as shop:
        yield shop


def foreseen(site, *, since, until=None, waits=None):
    async def go():
        async def sleep(seconds):
            if waits is not None and seconds:
                waits.append(seconds)

        async with online(site.gateway) as lines:
            found = foresee(
                site.gateway, lines, OWNER, "shop", since=since, until=until or site.clock() + DAY, sleep=sleep
            )
            return [each async for each in found]

    return asyncio.run(go())


def entered(site, shop, **settings):
    enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id, **settings))


def test_each_order_is_foreseen_and_nothing_happens(site, shop):
    now = site.clock()
    shop.sell(1, now - 3 * DAY)
    shop.sell(2, now - 2 * DAY)
    shop.sell(3, now - 9 * DAY)
    entered(site, shop)
    before = site.head()
    found = foreseen(site, since=now - 4 * DAY)
    assert {(each.order_id, each.fate) for each in found} == {("1", Fate.ISSUE), ("2", Fate.ISSUE)}
    assert {(f"{each.total:.2f}", f"{each.vat:.2f}", each.profile) for each in found} == {
        ("138.00", "18.00", "simplified")
    }
    site.work()
    assert (site.head(), site.documents()) == (before, ())


def test_what_was_foreseen_is_issued_once(site, shop):
    now = site.clock()
    shop.sell(1, now - 3 * DAY)
    entered(site, shop)
    for _ in range(2):
        due = [each.order_id for each in foreseen(site, since=now - 4 * DAY) if each.fate is Fate.ISSUE]
        have_issued(site.gateway, OWNER, "shop", due)
        site.work()
        site.clock.move(timedelta(seconds=1))
    assert [each.order_id for each in site.documents()] == ["1"]
    assert [each.fate for each in foreseen(site, since=now - 4 * DAY)] == [Fate.ISSUED]


def test_every_fate_has_its_reason(site):
    with zid_shop() as shop:
        now = site.clock()
        for number in range(1, 6):
            shop.sell(number, now - timedelta(days=2, minutes=number))
        shop.orders["2"]["payment_status"] = "pending"
        shop.orders["3"]["payment"]["invoice"][-1]["value"] = "999.00"
        shop.orders["4"]["products"][0]["name"] = "12"
        shop.sell(5, now - 5 * DAY)
        shop.touch("5", now)
        known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
        enter(site, known.__class__(**{name: getattr(known, name) for name in known.__dataclass_fields__}
                                    | {"cutover": now - 3 * DAY}))  # fmt: skip
        found = {each.order_id: each for each in foreseen(site, since=now - 6 * DAY)}
        fates = {order: each.fate for order, each in found.items()}
        assert fates == {
            "1": Fate.ISSUE, "2": Fate.WAIT, "3": Fate.QUARANTINE, "4": Fate.QUARANTINE, "5": Fate.OLDER,
        }  # fmt: skip
        assert "999.00" in found["3"].why.en
        assert "BR-KSA-F-06-C19" in found["4"].why.en
        assert all(each.why.en and each.why.ar for each in found.values())
        assert found["1"].as_json()["total"] == "138.00"


def test_a_shop_that_asks_to_be_left_alone_is_waited_for(site):
    with zid_shop() as shop:
        shop.sell(1, site.clock() - DAY)
        entered(site, shop)
        shop.outage, waits = [429, 429], []
        assert [each.fate for each in foreseen(site, since=site.clock() - 2 * DAY, waits=waits)] == [Fate.ISSUE]
        assert waits == [7.0, 7.0]
        shop.outage = [500]
        with pytest.raises(Unavailable):
            foreseen(site, since=site.clock() - 2 * DAY)
