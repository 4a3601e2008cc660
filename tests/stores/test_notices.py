"""Webhooks: only the exact bytes with the right secret count, and only an order's id is taken from them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.connection import Connection
from gateway.errors import BadInput, Misconfigured, Unauthorised
from gateway.stores import salla, woocommerce
from gateway.stores.store import MAX_NOTICE

Connect = Callable[..., Connection]


def woo_headers(body: bytes, topic: str = "order.updated", key: str = "whsecret") -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(key.encode(), body, hashlib.sha256)).decode()
    return {"x-wc-webhook-topic": topic, "x-wc-webhook-signature": signature, "x-wc-webhook-delivery-id": "d1"}


def salla_headers(body: bytes, key: str = "whsecret") -> dict[str, str]:
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Salla-Security-Strategy": "Signature", "X-Salla-Signature": signature}


ORDER = '{"id":46,"status":"processing","name":"قميص"}'.encode()
EVENT = b'{"event":"order.created","merchant":7,"data":{"id":710000001}}'


# -- WooCommerce ----------------------------------------------------------------------------------------------


def test_a_signed_order_is_a_notice_of_it(connect: Connect) -> None:
    notice = woocommerce.verify(connect("woocommerce"), woo_headers(ORDER), ORDER)
    assert notice[:3] == ("order.updated", "46", "d1")


@pytest.mark.parametrize("position", range(0, len(ORDER), 7))
def test_one_flipped_bit_is_not_authentic(connect: Connect, position: int) -> None:
    forged = bytearray(ORDER)
    forged[position] ^= 1
    with pytest.raises(Unauthorised):
        woocommerce.verify(connect("woocommerce"), woo_headers(ORDER), bytes(forged))


@pytest.mark.parametrize("signature", ["", "AAAA", "ليس توقيعا", "é" * 44])
def test_a_wrong_signature_is_not_authentic(connect: Connect, signature: str) -> None:
    headers = woo_headers(ORDER) | {"x-wc-webhook-signature": signature}
    with pytest.raises(Unauthorised):
        woocommerce.verify(connect("woocommerce"), headers, ORDER)


def test_another_secret_and_no_header_are_not_authentic(connect: Connect) -> None:
    for headers in (woo_headers(ORDER, key="whsecres"), {}):
        with pytest.raises(Unauthorised) as caught:
            woocommerce.verify(connect("woocommerce"), headers, ORDER)
        assert "whsec" not in str(caught.value)


def test_without_a_secret_nothing_is_authentic() -> None:
    bare = Connection("shop-1", "t1", "u1", "woocommerce")
    with pytest.raises(Misconfigured, match="no secret 'webhook'"):
        woocommerce.verify(bare, woo_headers(ORDER, key=""), ORDER)


@pytest.mark.parametrize(
    ("topic", "body", "order_id"),
    [
        ("action.woocommerce_order_refunded", b'{"action":"woocommerce_order_refunded","arg":46}', "46"),
        ("order.deleted", b'{"id":46}', "46"),
        ("order.created", b'{"code":"rest_no_route","message":"No route","data":{"status":404}}', None),
        ("order.created", b'{"id":true}', None),
        ("order.created", b'{"id":"../../users/1"}', None),
        ("order.created", b"[46]", None),
        ("order.created", b"<html>", None),
        ("order.created", b"[" * 100_000, None),
        ("product.updated", b'{"id":46}', None),
        ("", b'{"id":46}', None),
    ],
)
def test_what_a_signed_body_names(connect: Connect, topic: str, body: bytes, order_id: str | None) -> None:
    assert woocommerce.verify(connect("woocommerce"), woo_headers(body, topic), body).order_id == order_id


def test_the_unsigned_ping_is_let_through_and_nothing_else_unsigned(connect: Connect) -> None:
    assert woocommerce.verify(connect("woocommerce"), {}, b"webhook_id=4").order_id is None
    for body in (b"webhook_id=4&id=46", b"webhook_id=", b"webhook_id=4\n", b""):
        with pytest.raises(Unauthorised):
            woocommerce.verify(connect("woocommerce"), {}, body)


def test_large_bodies_are_not_read(connect: Connect) -> None:
    body = b" " * (MAX_NOTICE + 1)
    for module, headers in ((woocommerce, woo_headers(body)), (salla, salla_headers(body))):
        with pytest.raises(BadInput, match="at most"):
            module.verify(connect("any"), headers, body)


@pytest.mark.parametrize(
    ("name", "order_id"),
    [("order.created", "46"), ("order.created.b2b", "50"), ("action.woocommerce_order_refunded", "46")],
)
def test_recorded_deliveries_are_authentic(connect: Connect, shared: Path, name: str, order_id: str) -> None:
    folder = shared / "payloads" / "woocommerce" / "webhooks"
    headers = json.loads((folder / f"{name}.headers.json").read_text(encoding="utf-8"))["headers"]
    body = (folder / f"{name}.body.json").read_bytes()
    assert len(body) >= int(headers["Content-Length"])
    body = body[: int(headers["Content-Length"])]
    assert woocommerce.verify(connect("woocommerce"), headers, body).order_id == order_id
    with pytest.raises(Unauthorised):
        woocommerce.verify(connect("woocommerce"), headers, body + b" ")


# -- Salla ----------------------------------------------------------------------------------------------------


def test_a_signed_event_is_a_notice_of_its_order(connect: Connect) -> None:
    notice = salla.verify(connect("salla"), salla_headers(EVENT), EVENT)
    assert notice[:3] == ("order.created", "710000001", hashlib.sha256(EVENT).hexdigest())


@pytest.mark.parametrize("position", range(0, len(EVENT), 7))
def test_one_flipped_bit_of_an_event_is_not_authentic(connect: Connect, position: int) -> None:
    forged = bytearray(EVENT)
    forged[position] ^= 1
    with pytest.raises(Unauthorised):
        salla.verify(connect("salla"), salla_headers(EVENT), bytes(forged))


def test_the_connection_chooses_how_a_notice_is_proved(connect: Connect) -> None:
    token = {"X-Salla-Security-Strategy": "Token", "Authorization": "whsecret"}
    assert salla.verify(connect("salla", webhook_strategy="token"), token, EVENT).order_id == "710000001"
    with pytest.raises(Unauthorised):
        salla.verify(connect("salla"), token, EVENT)
    with pytest.raises(Unauthorised):
        salla.verify(connect("salla", webhook_strategy="token"), salla_headers(EVENT), EVENT)
    with pytest.raises(Unauthorised):
        salla.verify(connect("salla", webhook_strategy="token"), token | {"Authorization": "Bearer whsecret"}, EVENT)
    with pytest.raises(Misconfigured, match="webhook_strategy"):
        salla.verify(connect("salla", webhook_strategy="none"), {"X-Salla-Security-Strategy": "None"}, EVENT)


def test_missing_and_wrong_signatures_of_events_are_not_authentic(connect: Connect) -> None:
    for headers in (
        {},
        {"X-Salla-Signature": "0" * 64},
        salla_headers(EVENT, "whsecres"),
        {"Authorization": "whsecret"},
    ):
        with pytest.raises(Unauthorised):
            salla.verify(connect("salla"), headers, EVENT)


def test_an_event_of_another_shop_of_the_same_app_is_not_authentic(connect: Connect) -> None:
    assert salla.verify(connect("salla", merchant="7"), salla_headers(EVENT), EVENT).order_id
    with pytest.raises(Unauthorised):
        salla.verify(connect("salla", merchant="8"), salla_headers(EVENT), EVENT)


@pytest.mark.parametrize(
    ("content", "order_id"),
    [
        ({"event": "order.status.updated", "data": {"id": 5, "order": {"id": 629263027}}}, "629263027"),
        ({"event": "invoice.created", "data": {"id": 5, "order_id": 1848408264}}, "1848408264"),
        ({"event": "app.store.authorize", "data": {"id": 5, "access_token": "x"}}, None),
        ({"event": "product.updated", "data": {"id": 5}}, None),
        ({"event": "order.created", "data": []}, None),
        ({"event": "order.created", "data": {"id": 1.5}}, None),
        (["order.created"], None),
    ],
)
def test_what_an_event_names(connect: Connect, content: object, order_id: str | None) -> None:
    body = json.dumps(content).encode()
    assert salla.verify(connect("salla"), salla_headers(body), body).order_id == order_id


def test_recorded_events_name_their_orders(connect: Connect, shared: Path) -> None:
    for path in (shared / "payloads" / "salla").glob("webhook.*.json"):
        body = path.read_bytes()
        content = json.loads(body)
        data = content["data"]
        expected = data["order_id"] if "order_id" in data else data.get("order", data)["id"]
        assert salla.verify(connect("salla"), salla_headers(body), body).order_id == str(expected), path.name
