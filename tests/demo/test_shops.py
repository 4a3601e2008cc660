"""The demo's shops: their orders, their answers, and webhooks that prove themselves."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gateway import demo
from gateway.demo.salla import salla_shop
from gateway.demo.woocommerce import woocommerce_shop
from gateway.stores import STORES, Notice


class Hooks(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        self.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hooks() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    Hooks.got = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hooks) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", Hooks.got
        server.shutdown()
        thread.join()


def test_there_are_orders_for_every_shop_of_the_demo() -> None:
    for platform in ("salla", "woocommerce"):
        found = demo.orders(platform)
        assert len(found) >= 6
        assert "does_not_close" in found
        assert len({order["id"] for order in found.values()}) == len(found)


def test_woocommerce_delivers_signed_webhooks(hooks: tuple[str, list[tuple[dict[str, str], bytes]]]) -> None:
    url, got = hooks
    with woocommerce_shop() as shop:
        assert shop.ping(url) == 202
        assert shop.deliver("order.created", "46", url, times=2) == [202, 202]
        assert shop.deliver("action.woocommerce_order_refunded", "46", url) == [202]
        assert shop.deliver("order.deleted", "46", url) == [202]
        known = shop.connection("shop-1", taxpayer_id="t1", unit_id="u1")
    notices = [STORES["woocommerce"].verify(known, headers, body) for headers, body in got]
    assert [(notice.topic, notice.order_id) for notice in notices] == [
        ("ping", None),
        ("order.created", "46"),
        ("order.created", "46"),
        ("action.woocommerce_order_refunded", "46"),
        ("order.deleted", "46"),
    ]
    assert len({notice.delivery_id for notice in notices[1:]}) == 4


def test_salla_delivers_proved_webhooks(hooks: tuple[str, list[tuple[dict[str, str], bytes]]]) -> None:
    url, got = hooks
    with salla_shop() as shop:
        shop.deliver("order.created", "710000001", url, times=2)
        shop.deliver("order.status.updated", "710000001", url)
        shop.deliver("order.updated", "710000001", url, strategy="token")
        known = shop.connection("shop-1", taxpayer_id="t1", unit_id="u1")
        by_token = shop.connection("shop-1", taxpayer_id="t1", unit_id="u1", webhook_strategy="token")
    notices = [STORES["salla"].verify(known, headers, body) for headers, body in got[:3]]
    notices.append(STORES["salla"].verify(by_token, *got[3]))
    assert [(notice.topic, notice.order_id) for notice in notices] == [
        ("order.created", "710000001"),
        ("order.created", "710000001"),
        ("order.status.updated", "710000001"),
        ("order.updated", "710000001"),
    ]
    assert notices[0] == notices[1]
    assert all(isinstance(notice, Notice) for notice in notices)


def test_the_shops_answer_strangers_as_the_real_ones_do() -> None:
    with woocommerce_shop() as shop:
        answer = httpx2.get(f"{shop.url}/wp-json/wc/v3/orders/46")
        assert (answer.status_code, answer.json()["code"]) == (401, "woocommerce_rest_cannot_view")
        known = shop.connection("shop-1", taxpayer_id="t1", unit_id="u1").secrets
        answer = httpx2.get(f"{shop.url}/wp-json/wc/v3/orders/47046", auth=(known["key"], known["secret"]))
        assert answer.status_code == 404
        assert answer.json() == {
            "code": "woocommerce_rest_shop_order_invalid_id",
            "message": "Invalid ID.",
            "data": {"status": 404},
        }
    with salla_shop() as other:
        answer = httpx2.get(f"{other.url}/admin/v2/orders/710000001")
        assert (answer.status_code, answer.json()["success"]) == (401, False)


def test_two_shops_share_nothing() -> None:
    with woocommerce_shop() as one, woocommerce_shop() as two:
        one.orders["46"]["status"] = "cancelled"
        assert two.orders["46"]["status"] == "processing"
        assert one.url != two.url
        secrets = [shop.connection("s", taxpayer_id="t", unit_id="u").secrets for shop in (one, two)]
    assert secrets[0] != secrets[1]
