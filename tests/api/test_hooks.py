"""A shop announces its orders: only what it signed counts, and however often it says so, there is one document."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.api.hooks import STRIKES, Strikes
from gateway.demo.salla import salla_shop
from gateway.demo.woocommerce import WooCommerceShop, woocommerce_shop
from gateway.errors import Throttled
from gateway.ledger import NoticeState
from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import online
from gateway.stores import STORES
from tests.api.conftest import problem, wait_for
from tests.installation import OWNER, UNIT
from tests.shops.shopify import shopify_shop
from tests.shops.zid import zid_shop

ORDER = "46"


@pytest.fixture
def shop(api) -> Iterator[WooCommerceShop]:
    """A WooCommerce shop, connected."""
    with woocommerce_shop() as shop:
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        yield shop


def hook(api):
    return f"{api.url}/v1/hooks/shop"


def facts(shop, order_id=ORDER):
    return {each["key"]: each["value"] for each in shop.orders[order_id]["meta_data"]}


def test_a_delivery_is_issued_accepted_and_written_back(api, shop):
    assert shop.deliver("order.created", ORDER, hook(api)) == [200]
    wait_for(lambda: len(shop.notes[ORDER]), bool)
    (issued,) = api.documents()
    assert (
        facts(shop).items()
        >= {
            "_zatca_uuid": issued.uuid,
            "_zatca_number": issued.number,
            "_zatca_status": "reported",
            "_zatca_qr": issued.qr,
        }.items()
    )
    # Writing to the order makes the shop announce it again.
    assert shop.deliver("order.updated", ORDER, hook(api)) == [200]
    wait_for(
        lambda: api.ledger.claim_notices(now=api.gateway.now(), limit=1, lease_until=api.gateway.now(), worker="t"),
        lambda due: not due,
    )
    assert len(api.documents()) == 1
    assert len(shop.notes[ORDER]) == 1


def test_salla_announces_in_its_own_way(api):
    with salla_shop() as shop:
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        assert shop.deliver("order.created", "710000001", hook(api), times=3) == [200] * 3
        wait_for(lambda: len(shop.invoices), bool)
    (issued,) = api.documents()
    assert [each["invoice_number"] for each in shop.invoices] == [issued.number]


def test_webhooks_twice_and_the_api_at_once_make_one_document(api, shop):
    known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    body = STORES["woocommerce"].map(known, shop.orders[ORDER]).order.model_dump_json(exclude_defaults=True)
    deliver = lambda: shop.deliver("order.created", ORDER, hook(api))[0]  # noqa: E731
    post = lambda: api.post("/v1/orders", content=body).status_code  # noqa: E731
    with ThreadPoolExecutor(8) as senders:
        answers = [senders.submit(send) for send in [deliver, post] * 8]
        statuses = [answer.result() for answer in answers]
    assert set(statuses) <= {200, 201}
    assert statuses.count(201) <= 1
    wait_for(lambda: len(shop.notes[ORDER]), bool)
    assert len(api.documents()) == 1
    assert api.ledger.quarantine(OWNER) == ()


def signed(shop, body, topic="order.created"):
    secret = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id).secrets["webhook"]
    return {
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Signature": base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode(),
        "X-WC-Webhook-Delivery-ID": "d-1",
        "Authorization": "",
    }


def test_a_signature_that_is_not_the_shops(api, shop):
    body = json.dumps(shop.orders[ORDER]).encode()
    good = signed(shop, body)
    for headers, sent in [
        ({name: value for name, value in good.items() if "Signature" not in name}, body),
        (good | {"X-WC-Webhook-Signature": "AAAA"}, body),
        (good, body + b" "),
        (good, b""),
    ]:
        answer = api.post("/v1/hooks/shop", content=sent, headers=headers)
        assert problem(answer, 401)["fix"]
        assert answer.headers["www-authenticate"]
    assert shop.requests == []
    assert api.post("/v1/hooks/shop", content=body, headers=good).json() == {"status": "kept"}


def test_a_connection_that_is_not_a_shop(api, shop):
    body = json.dumps(shop.orders[ORDER]).encode()
    for name in ("nobody", "erp-main", "SHOP", "..%2Fshop"):
        assert problem(api.post(f"/v1/hooks/{name}", content=body, headers=signed(shop, body)), 404)["detail"]


def test_what_is_signed_but_names_no_order_is_answered_and_ignored(api, shop):
    for topic, body in [
        ("order.created", b'{"code": "woocommerce_rest_cannot_view", "message": "Sorry"}'),
        ("order.created", b"[]"),
        ("order.created", b"not JSON"),
        ("product.updated", b'{"id": 46}'),
        ("customer.created", b'{"id": 46}'),
    ]:
        answer = api.post("/v1/hooks/shop", content=body, headers=signed(shop, body, topic))
        assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
    assert shop.requests == []


def test_the_ping_of_a_new_webhook(api, shop):
    assert shop.ping(hook(api)) == 200


def test_a_hook_needs_no_api_key_but_its_own_proof(api, shop):
    body = json.dumps(shop.orders[ORDER]).encode()
    assert api.with_key("").post("/v1/hooks/shop", content=body, headers=signed(shop, body)).status_code == 200
    assert api.post("/v1/hooks/shop", content=body).status_code == 401


def test_forged_deliveries_are_not_looked_at_for_ever(api, shop):
    body = json.dumps(shop.orders[ORDER]).encode()
    forged = signed(shop, body) | {"X-WC-Webhook-Signature": "AAAA"}
    statuses = [api.post("/v1/hooks/shop", content=body, headers=forged).status_code for _ in range(STRIKES + 3)]
    assert statuses == [401] * STRIKES + [429] * 3
    assert int(api.post("/v1/hooks/shop", content=body, headers=forged).headers["Retry-After"]) > 0
    assert problem(api.post("/v1/hooks/nobody", content=body, headers=forged), 404)["detail"]
    assert api.post("/v1/hooks/shop", content=body, headers=signed(shop, body)).status_code == 200


def test_strikes_are_forgotten_after_a_minute():
    now = [100.0]
    strikes = Strikes(lambda: now[0])
    for _ in range(STRIKES):
        strikes.strike("shop", "1.2.3.4")
    with pytest.raises(Throttled):
        strikes.strike("shop", "1.2.3.4")
    strikes.strike("shop", "5.6.7.8")
    strikes.strike("other", "1.2.3.4")
    now[0] += 61
    strikes.strike("shop", "1.2.3.4")


def test_a_body_of_five_megabytes_is_not_read(api, shop):
    body = json.dumps({"id": 46, "pad": "x" * 5_000_000}).encode()
    assert problem(api.post("/v1/hooks/shop", content=body, headers=signed(shop, body)), 413)["detail"]


def test_what_is_proved_but_names_no_order_is_kept_with_a_note(api, shop):
    body = b'{"code": "rest_no_route", "message": "No route", "data": {"status": 404}}'
    assert api.post("/v1/hooks/shop", content=body, headers=signed(shop, body)).json() == {"status": "ignored"}
    (row,) = api.ledger.notices(OWNER, "shop")
    assert (row.state, row.body) == (NoticeState.IGNORED, body)
    assert "names no order" in row.reason["en"]
    assert shop.ping(hook(api)) == 200
    assert len(api.ledger.notices(OWNER, "shop")) == 1


def test_replayed_and_stale_deliveries_have_no_effect(api, shop):
    stale = json.dumps({**shop.orders[ORDER], "total": "1.00", "status": "cancelled"}).encode()
    fresh = json.dumps(shop.orders[ORDER]).encode()
    for number, body in enumerate([fresh, stale, stale, fresh]):
        headers = signed(shop, body) | {"X-WC-Webhook-Delivery-ID": f"d-{number}"}
        assert api.post("/v1/hooks/shop", content=body, headers=headers).status_code == 200
        assert api.post("/v1/hooks/shop", content=body, headers=headers).status_code == 200
    wait_for(lambda: len(shop.notes[ORDER]), bool)
    (issued,) = api.documents()
    assert f"{issued.total:.2f}" == shop.orders[ORDER]["total"]


@pytest.mark.parametrize("open_shop", [zid_shop, shopify_shop])
def test_the_shops_own_webhooks_are_taken_whatever_their_number(api, open_shop):
    with open_shop() as other:
        known = other.connection("other", taxpayer_id=OWNER, unit_id=UNIT.id)

        async def enter():
            async with online(api.gateway) as lines:
                store = STORES[known.platform]
                await store.subscribe(known, lines.outside, f"{api.url}/v1/hooks/other")

        add_connection(api.gateway, known, actor="tests")
        asyncio.run(enter())
        order = other.sell(7, api.gateway.now())
        assert set(other.deliver(order, times=20)) == {200}
        wait_for(lambda: other.written(order), bool)
        assert len(api.documents()) == 1


def test_zid_suspends_a_webhook_whose_password_we_refuse(api):
    with zid_shop() as other:
        known = other.connection("other", taxpayer_id=OWNER, unit_id=UNIT.id)
        add_connection(api.gateway, known, actor="tests")
        other.webhooks = [{
            "event": "order.status.update", "target_url": f"{api.url}/v1/hooks/other", "username": "gateway",
            "password": "wrong", "health_status": "healthy", "failures": 0, "original_id": "1",
        }]  # fmt: skip
        statuses = other.deliver(other.sell(7, api.gateway.now()), times=40)
        assert set(statuses) == {401}
        assert len(statuses) == 30
        assert other.webhooks[0]["health_status"] == "broken"
