"""A shop is asked what changed: nothing is missed, nothing is looked at twice in vain, and a crash costs nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.demo.salla import salla_shop
from gateway.invoice.facts import Kind
from gateway.pipeline.connect import add_connection
from gateway.pipeline.poll import WEBHOOKS_EVERY
from gateway.stores import STORES, magento_api, salla_api, zid_api
from gateway.stores import shopify_queries as queries
from gateway.stores.store import Changed, Changes
from tests.installation import OWNER, UNIT
from tests.pipeline.test_shops import INTERVAL, enter, later
from tests.shops.magento import magento_shop
from tests.shops.shopify import cost_of, shopify_shop
from tests.shops.zid import zid_shop


@pytest.fixture
def zid():
    with zid_shop() as shop:
        yield shop


@pytest.fixture
def shopify():
    with shopify_shop() as shop:
        yield shop


@pytest.fixture
def magento(monkeypatch):
    """A shop whose pages hold five orders."""
    monkeypatch.setattr(magento_api, "_PAGE", 5)
    with magento_shop() as shop:
        yield shop


def poll_of(site):
    (poll,) = site.ledger.polls(OWNER)
    return poll


def entered(site, shop, **settings):
    enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id, **settings))


def fetched(shop):
    return sum(1 for _, path in shop.requests if path.endswith("/view"))


def test_an_order_is_opened_once_for_each_change(site, zid):
    entered(site, zid)
    zid.sell(1, site.clock())
    for _ in range(4):
        later(site)
    assert len(site.documents()) == 1
    assert fetched(zid) == 2  # once to issue it, once before it was written to


def test_two_changes_of_one_second_are_both_seen(site, magento):
    """The first look comes between them, and the order's moment is the same afterwards."""
    entered(site, magento)
    later(site)
    site.clock.move(INTERVAL)
    magento.sell(1, site.clock())
    site.work()
    assert len(site.documents()) == 1
    back = magento.give_back("1", site.clock())
    later(site)
    assert [f"{each.total:.2f}" for each in site.documents() if each.kind is Kind.CREDIT_NOTE] == [back]
    asked = len(magento.requests)
    later(site)
    assert len(magento.requests) == asked + 1  # what has settled is looked at no more


def test_orders_placed_while_nobody_listened_are_found(site, magento):
    entered(site, magento)
    for number in range(3):
        magento.sell(100 + number, site.clock())
        site.clock.move(timedelta(hours=5))
    site.work()
    assert len(site.documents()) == 3


def test_a_walk_goes_on_where_it_stopped(site, magento):
    """The worker dies after the first page: what it named is kept, and the next page comes next."""
    entered(site, magento)
    site.clock.move(INTERVAL)
    for number in range(12):
        magento.sell(1000 + number, site.clock() - timedelta(seconds=12 - number))
    pages = lambda: [path for _, path in magento.requests if path.endswith("/orders")]  # noqa: E731
    asked = len(pages())
    now = site.clock()
    claimed = site.ledger.claim_polls(now=now, limit=1, lease_until=now + timedelta(minutes=5), worker="dead")
    assert [each.connection_id for each in claimed] == ["shop"]
    site.work()
    assert (len(site.documents()), len(pages())) == (0, asked)  # leased: nobody else asks
    site.clock.move(timedelta(minutes=5))
    site.work()
    assert len(site.documents()) == 12
    assert len(pages()) == asked + 3
    assert (poll_of(site).page, poll_of(site).attempts) == ("", 0)


def test_an_order_that_changes_during_a_walk_is_not_passed_over(site, magento, monkeypatch):
    """Pages shift under the reader: the order that would fall between two of them is still named."""
    entered(site, magento)
    site.clock.move(INTERVAL)
    begun = site.clock()
    for number in range(8):
        magento.sell(1000 + number, begun - timedelta(seconds=20 - number))
    search, calls = magento._search, []

    async def shifting(request):
        answer = await search(request)
        calls.append(request.url.path)
        if sum(path.endswith("/orders") for path in calls) == 1 and request.url.path.endswith("/orders"):
            for number in range(2):  # what was on the first page moves to the end
                magento.touch(str(1000 + number), begun + timedelta(seconds=number))
        return answer

    for route in magento.app.routes:
        if route.path.endswith("/{kind}"):
            monkeypatch.setattr(route, "app", _endpoint(shifting))
    site.work()
    later(site)
    assert len(site.documents()) == 8


def _endpoint(handler):
    from starlette.routing import request_response

    return request_response(handler)


def test_many_orders_of_one_second_are_all_found(site, magento):
    entered(site, magento)
    site.clock.move(INTERVAL)
    at = site.clock() - timedelta(seconds=9)
    for number in range(12):
        magento.sell(1000 + number, at)
    site.work()
    assert len(site.documents()) == 12


def test_zids_pages_are_read_to_the_end(site, zid, monkeypatch):
    monkeypatch.setattr(zid_api, "_PAGE", 5)
    entered(site, zid)
    site.clock.move(INTERVAL)
    for number in range(7):
        zid.sell(1000 + number, site.clock() - timedelta(seconds=number))
    before = len(zid.requests)
    site.work()
    assert len(site.documents()) == 7
    lists = [path for _, path in zid.requests[before:] if path == "/v1/managers/store/orders"]
    assert len(lists) == 2


def test_a_shop_that_asks_to_be_left_alone_is_left_alone_wholly(site, zid):
    """After one 429 nothing else of the connection calls until its time has come."""
    entered(site, zid)
    for number in range(5):
        zid.sell(1 + number, site.clock())
    later(site)
    zid.requests.clear()
    zid.outage = [429]
    for number in range(5):
        zid.touch(str(1 + number), site.clock())
    later(site)
    assert len(zid.requests) == 1
    site.work()
    assert len(zid.requests) == 1
    site.clock.move(timedelta(seconds=6))
    site.work()
    assert len(zid.requests) == 1
    site.clock.move(timedelta(seconds=2))
    site.work()
    assert len(zid.requests) > 5


def test_an_empty_bucket_of_points_is_waited_for(site, shopify):
    entered(site, shopify)
    shopify.sell(1, site.clock())
    costs = [cost_of(query) for query in (queries.SUBSCRIPTIONS, queries.CHANGED, queries.ORDER)]
    shopify.points = sum(costs) + 100  # too little for the order's items
    later(site)
    assert site.documents() == ()
    asked = len(shopify.operations)
    site.clock.move(timedelta(seconds=5))
    site.work()
    assert len(shopify.operations) == asked  # the points that are missing come fifty a second
    shopify.points = 100_000
    site.clock.move(timedelta(seconds=10))
    site.work()
    assert len(site.documents()) == 1


def test_refused_credentials_are_shown_and_tried_again_slowly(site, zid):
    entered(site, zid)
    good = zid.tokens
    zid.tokens = {**good, "authorization": "another"}
    later(site)
    assert "refuses the credentials" in poll_of(site).error
    asked = len(zid.requests)
    later(site)
    assert len(zid.requests) == asked
    zid.tokens = good
    site.clock.move(timedelta(minutes=30))
    site.work()
    assert poll_of(site).error == ""


def test_a_clock_that_is_wrong_hides_nothing(site, magento):
    entered(site, magento)
    magento.sell(1, site.clock())
    magento.touch("1", site.clock() + timedelta(days=400))
    later(site)
    magento.sell(2, site.clock())
    later(site)
    assert {each.order_id for each in site.documents()} == {"1", "2"}


def test_an_order_with_more_refunds_than_are_read_is_for_a_person(site, shopify):
    entered(site, shopify)
    shopify.sell(1, site.clock(), quantity=60)
    later(site)
    for _ in range(50):
        shopify.give_back("1", site.clock())
    later(site)
    (waiting,) = site.waiting()
    assert "50 refunds or more" in waiting.reason["en"]
    assert len(site.documents()) == 1


def test_no_query_costs_more_than_a_shop_allows():
    asked = [value for name, value in vars(queries).items() if name.isupper() and isinstance(value, str)]
    costs = [cost_of(query) for query in asked if query.startswith("query")]
    assert len(costs) >= 7
    assert max(costs) <= 1000
    assert cost_of("query x { order(id: $i) { items(first: 10) { nodes { price { amount } } } } }") == 1 + 2 + 10 * 2


def test_what_is_put_back_on_the_shelf_is_not_given_back(site, shopify):
    entered(site, shopify)
    shopify.sell(1, site.clock())
    later(site)
    shopify.give_back("1", site.clock(), money=False)
    later(site)
    assert (len(site.documents()), site.waiting()) == (1, ())


def test_an_edited_order_gets_a_debit_note_for_what_was_added(site, shopify):
    entered(site, shopify)
    shopify.sell(1, site.clock())
    later(site)
    added = shopify.edit("1", site.clock())
    for _ in range(2):
        later(site)
    assert [(each.kind, f"{each.total:.2f}") for each in sorted(site.documents(), key=lambda each: each.icv)] == [
        (Kind.INVOICE, "138.00"), (Kind.DEBIT_NOTE, added),
    ]  # fmt: skip
    assert site.waiting() == ()
    assert "debit_notes=" in " ".join(shopify.written("1"))


def test_large_orders_are_read_in_pages(site, shopify):
    entered(site, shopify)
    order = shopify.orders[shopify.sell(1, site.clock())]
    item, sale = order["_items"][0], order["_agreements"][0]["sales"][0]
    shopify.page_of_items = 7
    order["_items"] = [{**item, "id": f"{item['id']}{n}"} for n in range(60)]
    order["_agreements"][0]["sales"] = [
        *({**sale, "lineItem": {**sale["lineItem"], "id": f"{item['id']}{n}"}} for n in range(60)),
        order["_agreements"][0]["sales"][1],
    ]
    for name, amount in (("totalPriceSet", 60 * 115 + 23), ("totalTaxSet", 60 * 15 + 3)):
        order[name] = {"shopMoney": {"amount": f"{amount}.00", "currencyCode": "SAR"}}
    later(site)
    assert [f"{each.total:.2f}" for each in site.documents()] == ["6923.00"]
    assert shopify.operations.count("items") == 9
    assert shopify.operations.count("agreements") == 2


def test_magentos_invoices_are_sales_of_their_own_where_the_shop_bills_in_parts(site, magento):
    entered(site, magento, issue_per="invoice")
    order = magento.sell(1, site.clock(), quantity=3)
    first = magento.bill(order, 2, site.clock(), shipping=True)
    later(site)
    assert [(each.order_id, f"{each.total:.2f}") for each in site.documents()] == [(first, "138.00")]
    second = magento.bill(order, 1, site.clock(), shipping=False)
    later(site)
    found = {each.order_id: f"{each.total:.2f}" for each in site.documents()}
    assert found == {first: "138.00", second: "57.50"}
    magento.give_back(order, site.clock(), invoice_id=int(first.removeprefix("invoice-")))
    later(site)
    note = max(site.documents(), key=lambda each: each.icv)
    assert (note.order_id, f"{note.total:.2f}") == (first, "57.50")
    assert len(magento.written(order)) == 3
    magento.give_back(order, site.clock())
    later(site)
    assert {each.order_id for each in site.waiting()} == {first, second}
    assert "names none of its invoices" in site.waiting()[0].reason["en"]


def test_an_order_deleted_before_it_was_issued_is_no_concern(site, shop):
    site.connect(shop)
    site.ledger.add_notice(
        OWNER, "shop", topic="order.deleted", order_id="404", delivery_id="1", body=b"{}", now=site.clock()
    )
    site.ledger.add_notice(
        OWNER, "shop", topic="order.updated", order_id="405", delivery_id="2", body=b"{}", now=site.clock()
    )
    site.work()
    assert [each.order_id for each in site.waiting()] == ["405"]


def test_one_order_with_an_odd_date_stops_no_other(site, magento, zid, shopify):
    for name, odd, field, value in (
        ("magento", magento, "updated_at", "0000-00-00 00:00:00"),
        ("zid", zid, "updated_at", "0000-00-00 00:00:00"),
        ("shopify", shopify, "updatedAt", "9999-99-99"),
    ):
        enter(site, odd.connection(name, taxpayer_id=OWNER, unit_id=UNIT.id))
        odd.sell(1, site.clock())
        odd.sell(2, site.clock())
        odd.orders["1"][field] = value
    site.clock.move(INTERVAL)
    site.work()
    assert {(each.connection, each.order_id) for each in site.documents()} >= {
        ("magento", "2"), ("zid", "2"), ("shopify", "2"),
    }  # fmt: skip
    assert {each.error for each in site.ledger.polls(OWNER)} == {""}


def test_a_connection_may_not_be_asked_at_all(site, zid):
    entered(site, zid, poll_seconds="0")
    zid.sell(1, site.clock())
    zid.requests.clear()
    site.work_later(hours=30)
    assert zid.requests == []


def test_zids_suspended_webhook_is_made_anew(site, zid):
    entered(site, zid)
    assert {each["event"] for each in zid.webhooks} == {
        "order.create", "order.status.update", "order.payment_status.update",
    }  # fmt: skip
    later(site)
    zid.webhooks[1]["health_status"] = "broken"
    site.clock.move(WEBHOOKS_EVERY)
    site.work()
    assert [each["health_status"] for each in zid.webhooks] == ["healthy"] * 3
    assert "made anew" in poll_of(site).told


def test_shopifys_deleted_subscription_is_made_anew(site, shopify):
    entered(site, shopify)
    later(site)
    shopify.subscriptions = shopify.subscriptions[1:]
    site.clock.move(WEBHOOKS_EVERY)
    site.work()
    assert len({each["topic"] for each in shopify.subscriptions}) == 4
    assert "ORDERS_CREATE: made" in poll_of(site).told


def test_woocommerces_disabled_webhook_is_enabled_again(site, shop):
    known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    enter(site, known)
    assert [each["topic"] for each in shop.webhooks] == [
        "order.created", "order.updated", "action.woocommerce_order_refunded",
    ]  # fmt: skip
    later(site)
    shop.webhooks[0]["status"] = "disabled"
    site.clock.move(WEBHOOKS_EVERY)
    site.work()
    assert {each["status"] for each in shop.webhooks} == {"active"}
    assert "was disabled" in poll_of(site).told


def test_woocommerces_drafts_are_no_orders_and_our_own_echo_changes_nothing(site, shop):
    enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
    shop.orders["48"]["status"] = "checkout-draft"
    for order in ("46", "48"):
        shop.touch(order, site.clock())
    later(site)
    assert [each.order_id for each in site.documents()] == ["46"]
    notes = len(shop.notes["46"])
    for _ in range(3):
        later(site)
    assert (len(site.documents()), len(shop.notes["46"])) == (1, notes)
    assert site.waiting() == ()


def test_a_connection_from_before_is_not_asked_twice(site, zid):
    known = zid.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    add_connection(site.gateway, known, actor="tests")
    enter(site, known, change=True)
    enter(site, known, change=True)
    assert len(site.ledger.polls(OWNER)) == 1


@pytest.fixture
def salla():
    with salla_shop() as shop:
        for order in shop.orders:
            shop.touch(order, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=int(order) % 100))
        yield shop


def opened(shop):
    """How many orders were opened to see when they changed."""
    return sum(1 for _, path in shop.requests if path.rpartition("/")[2].isdigit())


def test_sallas_changes_are_found_by_opening_few_orders(site, salla, monkeypatch):
    entered(site, salla)
    salla.requests.clear()
    later(site)
    assert opened(salla) == 1  # the newest: nothing changed
    for order in ("710000003", "710000001"):
        salla.touch(order, site.clock())
    later(site)
    assert {each.order_id for each in site.documents()} == {"710000003", "710000001"}
    assert {each["order_id"] for each in salla.invoices} == {710000003, 710000001}
    salla.requests.clear()
    later(site)
    assert opened(salla) <= 1 + 4  # the newest and, by halves, where the known ones begin
    assert len(site.documents()) == 2


def test_sallas_pages_are_read_until_the_known_ones_begin(site, salla, monkeypatch):
    monkeypatch.setattr(salla_api, "_PAGE", 2)
    entered(site, salla)
    site.clock.move(INTERVAL)
    changed = sorted(salla.orders)[:5]
    for number, order in enumerate(changed):
        salla.touch(order, site.clock() - timedelta(seconds=number))
    site.work()
    looked = {each.order_id for each in site.ledger.notices(OWNER, "shop")}
    assert looked == set(changed)


@pytest.mark.parametrize("page", ["1 1", "x" * 3000, "\0"], ids=["the same again", "a mark without end", "no text"])
def test_a_list_of_changes_that_leads_nowhere_is_left(site, zid, monkeypatch, page):
    entered(site, zid)
    asked = []

    async def changed(connection, client, walk):
        asked.append(walk.page)
        return Changes((), None, page)

    monkeypatch.setattr(STORES["zid"], "changed", changed)
    later(site)
    assert len(asked) <= 2
    assert poll_of(site).error == "The shop's list of changes leads nowhere."


def test_an_order_with_an_id_that_is_none_stops_no_other(site, zid, monkeypatch):
    entered(site, zid)
    order = zid.sell(1, site.clock())
    odd = ("", "\0", "1\n2", "9" * 500, "\u202e1")
    found = (*(Changed(each, "1") for each in odd), Changed(order, "\0" * 300))

    async def changed(connection, client, walk):
        return Changes(found, None)

    monkeypatch.setattr(STORES["zid"], "changed", changed)
    later(site)
    later(site)
    assert len(site.documents()) == 1
    assert [each.order_id for each in site.ledger.notices(OWNER, "shop")] == [order]
