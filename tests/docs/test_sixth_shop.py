"""The guide's example shop: one module, one line and a folder of payloads are all that a platform takes."""

import asyncio
import hashlib
import hmac
import importlib.util
import json
from contextlib import contextmanager
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway import stores
from gateway.connection import Connection
from gateway.demo.listening import listening
from gateway.errors import DoesNotClose, Unauthorised
from gateway.invoice.facts import Kind
from gateway.pipeline.connect import connect
from gateway.pipeline.gateway import online
from gateway.pipeline.intake import take_in
from gateway.stores.store import Issuing, Renewing, Subscribing
from tests.installation import OWNER, UNIT
from tests.pipeline.conftest import opened

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "sixth_shop"


@pytest.fixture
def souq(monkeypatch):
    """The module, and the one line that makes it known."""
    spec = importlib.util.spec_from_file_location("souq", EXAMPLE / "souq.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(stores.STORES, "souq", module)
    return module


@pytest.fixture
def site(installation):
    with opened(installation) as site:
        yield site


def payload(name):
    return json.loads((EXAMPLE / "payloads" / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


@contextmanager
def open_shop():
    """A server with the manners of the platform, which does not exist."""
    orders: dict[str, dict] = {}

    def listed(request):
        since = request.query_params["since"]
        rows = sorted((each for each in orders.values() if each["changed"] >= since), key=lambda each: each["changed"])
        return JSONResponse(
            {"orders": [{"id": each["id"], "changed": each["changed"]} for each in rows], "more": False}
        )

    def one(request):
        return JSONResponse(orders[request.path_params["order"]])

    async def remark(request):
        orders[request.path_params["order"]]["remarks"].append((await request.json())["remark"])
        return JSONResponse({}, status_code=201)

    routes = [
        Route("/api/orders", listed),
        Route("/api/orders/{order}", one),
        Route("/api/orders/{order}/remarks", remark, methods=["POST"]),
    ]
    with listening(Starlette(routes=routes)) as url:
        yield url, orders


def test_each_payload_is_read_as_it_should_be(souq):
    known = Connection("souq-1", "t", "u", "souq")
    order, state = souq.map(known, payload("order"))
    assert (order.declared.grand, state, len(order.lines)) == (Decimal("138.00"), stores.State.PAID, 2)
    order, state = souq.map(known, payload("refunded"))
    assert ([each.id for each in order.refunds], state) == (["R1"], stores.State.REFUNDED_PART)
    with pytest.raises(DoesNotClose, match=r"140\.00"):
        souq.map(known, payload("does_not_close"))
    assert {path.stem for path in (EXAMPLE / "payloads").iterdir()} == {"order", "refunded", "does_not_close"}


def test_the_whole_way(souq, site):
    with open_shop() as (url, orders):
        known = Connection("souq-1", OWNER, UNIT.id, "souq", url, secrets={"key": "k", "webhook": "w"})

        async def enter():
            async with online(site.gateway) as lines:
                return await connect(site.gateway, lines, known, actor="tests")

        asyncio.run(enter())
        at = lambda: site.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: E731
        orders["5"] = payload("order") | {"placed": at(), "changed": at()}
        body = b'{"event": "order.paid", "order": 5}'
        with pytest.raises(Unauthorised):
            take_in(site.gateway, "souq-1", {"X-Souq-Signature": "00"}, body)
        signature = hmac.new(b"w", body, hashlib.sha256).hexdigest()
        assert take_in(site.gateway, "souq-1", {"X-Souq-Signature": signature}, body)
        site.work()
        assert [each.total for each in site.documents()] == [Decimal("138.00")]
        orders["5"] |= {"refunds": payload("refunded")["refunds"], "changed": at()}
        site.clock.move(timedelta(minutes=6))  # nobody says so: the shop is asked
        site.work()
        note = max(site.documents(), key=lambda each: each.icv)
        assert (note.kind, note.total) == (Kind.CREDIT_NOTE, Decimal("57.50"))
        assert len(orders["5"]["remarks"]) == 2


def test_it_needs_no_more_than_a_store_has(souq):
    assert not isinstance(souq, Issuing | Renewing | Subscribing)
    for verb in ("verify", "inspect", "changed", "fetch", "state", "map", "report"):
        assert callable(getattr(souq, verb))


def test_nothing_else_of_the_gateway_names_a_platform():
    """What a platform needs is in its module: only the list of them, the demo and what it says in examples name it."""
    rooms = [file for room in ("pipeline", "ledger", "api") for file in (ROOT / "gateway" / room).rglob("*.py")]
    for file in [*rooms, ROOT / "gateway" / "worker.py"]:
        source = file.read_text(encoding="utf-8").lower()
        for platform in ("salla", "zid", "shopify", "woocommerce", "magento"):
            assert f'"{platform}"' not in source, (file.name, platform)
            assert f"import {platform}" not in source, (file.name, platform)
