"""A shop may answer anything: garbage, web pages, pages without end, ways inside. Whatever it is, it is told in our
words, with no secret in them, and nothing hangs."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from gateway.connection import Connection
from gateway.demo.salla import SallaShop
from gateway.demo.woocommerce import WooCommerceShop
from gateway.errors import BadInput, GatewayError, Misconfigured
from gateway.issued import Issued
from gateway.stores import STORES
from gateway.stores.exchange import MOST_PAGES
from gateway.stores.store import Issuing, Renewing, Subscribing, Walk
from tests.shops.magento import MagentoShop
from tests.shops.shopify import ShopifyShop
from tests.shops.zid import ZidShop

AT = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
SHOPS: dict[str, Callable[[], Any]] = {
    "magento": MagentoShop,
    "salla": SallaShop,
    "shopify": ShopifyShop,
    "woocommerce": WooCommerceShop,
    "zid": ZidShop,
}
DEEP: Any = "x"
for _ in range(400):
    DEEP = {"nodes": [DEEP]}
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, -0.0, 1e308, "", " ", "NaN", "Infinity", "1e9", "٣", "0x10", "1_000", "١٢٫٥",
    "<script>alert(1)</script>", "' OR 1=1 --", "\u202e", "\x00", "\ud800", "a" * 10_000, [], [[]], [None], {},
    {"id": {}}, {"nodes": None}, {"amount": {"amount": []}}, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "9999-12-31 23:59:59", "0001-01-01 00:00:00", "2026-02-30", "../../etc/passwd", "gid://shopify/Order/1/../2", DEEP,
]  # fmt: skip
STATUSES = [200, 201, 202, 204, 300, 418]
EXACT: list[bytes] = [
    b"<!doctype html><title>Just a moment...</title>", b"", b"null", b"[]", b'"text"', b"0", b"true", b"\xff\xfe{}",
    b'{"a":' * 900 + b"1" + b"}" * 900, b"[" * 100_000, b"9" * 5000, b'{"id": 1e999999}', b"\xef\xbb\xbf{}",
]  # fmt: skip


def opened(platform: str) -> tuple[Any, Connection, str]:
    """A shop with a paid order that was given back in part, a connection to it, and the order's id."""
    shop = SHOPS[platform]()
    shop.url = "http://shop.example"
    if platform in ("salla", "woocommerce"):
        order = next(iter(shop.orders))
        if platform == "woocommerce":
            shop.give_back(order, shop.orders[order]["line_items"][0], 1)
        shop.touch(order, AT)
    else:
        order = shop.sell(1001, AT)
        shop.give_back(order, AT)
    known = shop.connection("shop-1", taxpayer_id="t1", unit_id="u1")
    return shop, replace(known, secrets={"expires_at": "2026-12-11T09:00:00+03:00", **known.secrets}), order


class Spoiling(httpx2.AsyncBaseTransport):
    """The shop itself, whose answer to one request has something else in it. What else is drawn anew each time."""

    def __init__(self, shop: Any, chance: random.Random) -> None:
        self._shop, self._chance = httpx2.ASGITransport(app=shop.app), chance
        self.asked = 0
        self.spoilt = chance.randrange(4)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._shop.handle_async_request(request)
        body = await answer.aread()
        self.asked += 1
        assert self.asked <= 5 * MOST_PAGES, "the shop is asked without end"
        if self.asked - 1 != self.spoilt or not body:
            return httpx2.Response(answer.status_code, content=body, headers=answer.headers)
        if self._chance.random() < 0.2:
            return httpx2.Response(self._chance.choice(STATUSES), content=self._chance.choice(EXACT))
        spoilt = json.dumps(self._other(json.loads(body))).encode()
        return httpx2.Response(answer.status_code, content=spoilt)

    def _other(self, content: Any) -> Any:
        """The same with one or two of its values replaced, wherever they are."""
        for _ in range(self._chance.randint(1, 2)):
            places = list(_places(content))
            if not places:
                return self._chance.choice(HOSTILE)
            holder, key = self._chance.choice(places)
            holder[key] = json.loads(json.dumps(self._chance.choice(HOSTILE)))
        return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(entries):
        yield content, key
        yield from _places(value)


def verbs(platform: str, known: Connection, order: str, document: Issued) -> list[Callable[[Any], Awaitable[Any]]]:
    """Everything that a shop is asked for or told."""
    store: Any = STORES[platform]
    walk = Walk(AT - timedelta(minutes=5))

    async def read(client: Any) -> None:
        raw = await store.fetch(known, client, order)
        store.state(known, raw)
        store.map(known, raw)

    async def changed(client: Any) -> None:
        found = await store.changed(known, client, walk)
        assert all(isinstance(each.order_id, str) for each in found.orders)
        assert 0 <= found.pause <= 3600
        if found.page:
            await store.changed(known, client, walk._replace(page=found.page))

    async def report(client: Any) -> None:
        await store.report(known, client, order, document, pdf="https://pay.example.sa/v1/shared/x")

    found: list[Callable[[Any], Awaitable[Any]]] = [read, read, changed, report]
    found.append(lambda client: store.inspect(known, client))
    if isinstance(store, Issuing):
        found.append(lambda client: store.issues_itself(known, client))
    if isinstance(store, Subscribing):
        found.append(lambda client: store.subscribe(known, client, "https://gateway.example/v1/hooks/shop-1"))
    if isinstance(store, Renewing):
        found.append(lambda client: store.renew(known, client, AT))
    return found


async def told(exchange: Awaitable[Any]) -> str:
    """What is said of how it failed; whatever has no name of ours is raised."""
    try:
        await exchange
    except GatewayError as error:
        return f"{error} {error.ar} {error!r}"
    return ""


@pytest.mark.parametrize("times", [25, pytest.param(2000, marks=pytest.mark.torture)])
@pytest.mark.parametrize("platform", SHOPS)
def test_whatever_a_shop_answers_is_told_in_our_words(platform: str, times: int, issued: Callable[..., Issued]) -> None:
    chance = random.Random(f"{platform} {times}")

    async def go() -> None:
        for _ in range(times):
            shop, known, order = opened(platform)
            document = issued(order, "138.00", "18.00")
            for verb in verbs(platform, known, order, document):
                async with httpx2.AsyncClient(transport=Spoiling(shop, chance)) as client:
                    said = await told(verb(client))
                assert not [each for each in known.secrets.values() if len(each) > 8 and each in said], said

    asyncio.run(go())


@pytest.mark.parametrize("platform", ["magento", "salla", "shopify"])
def test_lists_that_never_end_are_given_up(platform: str, issued: Callable[..., Issued]) -> None:
    _, known, order = opened(platform)
    asked = []

    async def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        if platform == "shopify":
            info = {"hasNextPage": True, "endCursor": f"{len(asked)}"}
            gid = f"gid://shopify/Order/{order}"
            lines = {"nodes": [{"id": "1"}], "pageInfo": info}
            return httpx2.Response(200, json={"data": {"order": {"id": gid, "refunds": [], "lineItems": lines}}})
        if platform == "salla":
            return httpx2.Response(200, json={"data": [{"note": f"{number}"} for number in range(60)]})
        rows = [{"entity_id": int(order)}]
        one = {"entity_id": int(order), "items": rows, "total_count": 10**9}
        return httpx2.Response(200, json=one)

    async def go() -> None:
        store: Any = STORES[platform]
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle)) as client:
            if platform == "salla":
                await store.report(known, client, order, issued(order, "1.15", "0.15"))
            else:
                await store.fetch(known, client, order)

    with pytest.raises(BadInput, match="does not end"):
        asyncio.run(go())
    assert len(asked) <= MOST_PAGES + 2


@pytest.mark.parametrize("platform", SHOPS)
def test_a_way_inside_is_not_followed_and_not_shown(platform: str, issued: Callable[..., Issued]) -> None:
    """As the client for shops is made: it follows nothing."""
    _, known, order = opened(platform)
    asked = []

    async def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(302, headers={"Location": "http://169.254.169.254/latest/meta-data/iam"})

    async def go() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handle), follow_redirects=False) as client:
            await STORES[platform].fetch(known, client, order)

    with pytest.raises(Misconfigured, match="sends us elsewhere") as caught:
        asyncio.run(go())
    assert asked == [httpx2.URL(known.base_url).host]
    assert "169.254" not in str(caught.value)
