"""Ten thousand forged and altered deliveries: none is taken for the shop's."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.connection import Connection
from gateway.errors import GatewayError, Unauthorised
from gateway.stores import STORES

KEY = "a long random text"
BODIES = {
    "woocommerce": {"id": 46, "status": "processing"},
    "salla": {"event": "order.created", "merchant": 7, "data": {"id": 710000001}},
    "shopify": {"id": 46, "admin_graphql_api_id": "gid://shopify/Order/46"},
    "zid": {"id": 46, "order_status": {"code": "new"}},
    "magento": {"order_id": 46},
}
ROUNDS = 2000


def connection(platform: str, **settings: str) -> Connection:
    known = {"webhook": KEY, "webhook_user": "gateway", "webhook_password": KEY, "client_secret": KEY}
    return Connection("c", "t", "u", platform, "https://shop.example", settings=settings, secrets=known)


def signed(platform: str, body: bytes, key: str = KEY) -> dict[str, str]:
    """The headers of a delivery that this key signs."""
    digest = hmac.digest(key.encode(), body, hashlib.sha256)
    coded = base64.b64encode(digest).decode()
    basic = base64.b64encode(f"gateway:{key}".encode()).decode()
    own = {
        "woocommerce": {"X-WC-Webhook-Signature": coded, "X-WC-Webhook-Topic": "order.updated"},
        "salla": {"X-Salla-Signature": digest.hex(), "X-Salla-Security-Strategy": "Signature"},
        "shopify": {"X-Shopify-Hmac-Sha256": coded, "X-Shopify-Topic": "orders/updated"},
        "zid": {"Authorization": f"Basic {basic}"},
        "magento": {"X-Signature": digest.hex()},
    }  # fmt: skip
    return own[platform]


PROOF = {
    "woocommerce": "X-WC-Webhook-Signature",
    "salla": "X-Salla-Signature",
    "shopify": "X-Shopify-Hmac-Sha256",
    "zid": "Authorization",
    "magento": "X-Signature",
}


def forged(platform: str, body: bytes, chance: random.Random) -> tuple[Mapping[str, str], bytes]:
    """A delivery that is almost the shop's."""
    good, name = signed(platform, body), PROOF[platform]
    proof = good[name]
    place = chance.randrange(len(proof))
    letter = chance.choice([each for each in "ABCabc0123456789+/=é" if each != proof[place]])
    another = "".join(chance.choices("0123456789abcdef", k=24))
    altered = bytearray(body)
    altered[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    ways: list[Callable[[], tuple[Mapping[str, Any], bytes]]] = [
        lambda: ({**good, name: proof[:place] + letter + proof[place + 1 :]}, body),
        lambda: ({**good, name: proof[:place]}, body),
        lambda: ({**good, name: proof + letter}, body),
        lambda: ({**good, name: ""}, body),
        lambda: ({}, body),
        lambda: (signed(platform, body, another), body),
        lambda: ({**good, name: KEY}, body),
    ]
    if platform != "zid":  # whose proof is a password: it does not cover the body
        ways += [lambda: (good, bytes(altered)), lambda: (good, body[:-1]), lambda: (good, body + b" ")]
    return chance.choice(ways)()


@pytest.mark.parametrize("platform", BODIES)
def test_none_is_accepted(platform: str) -> None:
    chance = random.Random(platform)
    known, body, accepted = connection(platform), json.dumps(BODIES[platform]).encode(), 0
    for _ in range(ROUNDS):
        headers, sent = forged(platform, body, chance)
        try:
            STORES[platform].verify(known, headers, sent)
            accepted += 1
        except Unauthorised:
            pass
    assert accepted == 0
    order = STORES[platform].verify(known, signed(platform, body), body).order_id
    assert order in ("46", "710000001")


@pytest.mark.parametrize("platform", BODIES)
@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b"not JSON", b"[" * 50_000, b"\xff\xfe", b'{"id": true}', b'{"id": "1/2"}']
)
def test_what_is_proved_but_is_no_order_names_none(platform: str, content: bytes) -> None:
    assert STORES[platform].verify(connection(platform), signed(platform, content), content).order_id is None


@pytest.mark.parametrize("platform", BODIES)
def test_a_connection_without_its_secret_takes_nothing(platform: str) -> None:
    bare = Connection("c", "t", "u", platform, "https://shop.example", secrets={})
    body = json.dumps(BODIES[platform]).encode()
    for key in ("", KEY):
        with pytest.raises(GatewayError):
            STORES[platform].verify(bare, signed(platform, body, key), body)


def test_a_notice_of_another_shop_of_the_same_app_is_refused() -> None:
    body = json.dumps(BODIES["shopify"]).encode()
    headers = signed("shopify", body) | {"X-Shopify-Shop-Domain": "other.myshopify.com"}
    with pytest.raises(Unauthorised):
        STORES["shopify"].verify(connection("shopify"), headers, body)
    body = json.dumps({**BODIES["salla"], "merchant": 8}).encode()
    with pytest.raises(Unauthorised):
        STORES["salla"].verify(connection("salla", merchant="7"), signed("salla", body), body)
