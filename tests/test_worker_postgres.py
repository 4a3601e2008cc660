"""Several workers on one ledger on PostgreSQL: they share what is due, and a killed one is taken over."""

import asyncio
import base64
import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.api.app import create_app
from gateway.errors import Unknown
from gateway.issued import Status
from gateway.order import read_order
from gateway.pipeline.connect import connect
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.intake import take_in
from gateway.pipeline.issue import Request, issue
from gateway.simulator import Running
from gateway.worker import Worker
from tests.installation import OWNER, UNIT, installed, order
from tests.postgres import Databases, server
from tests.shops import ask_now
from tests.shops.zid import zid_shop

ROOT = Path(__file__).parents[1]
DOCUMENTS = 12

WORK = """
import asyncio, sys
from datetime import timedelta
from gateway import worker
from gateway.commands import servers, units
worker.LEASE_MARGIN = timedelta(seconds=1)
with units.installation() as gateway:
    print("at work", flush=True)
    asyncio.run(servers._work(gateway, once=False))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    with server() as url, Running() as authority:
        databases = Databases(url)
        found, _ = installed(tmp_path_factory.mktemp("home"), authority, database_url=databases.create())
        yield found, authority
        databases.close()


def issued(gateway, name):
    for n in range(DOCUMENTS):
        body = json.dumps(order(f"{name}-{n}")).encode()
        issue(gateway, Request(OWNER, "tests", read_order(body)))


def sendings(gateway):
    """How often each document was sent."""
    items = gateway.ledger.invoices(OWNER, limit=100).items
    return [
        sum(1 for each in gateway.ledger.attempts(OWNER, one.uuid) if each.phase == "begun")
        for one in items
        if one.status is Status.REPORTED
    ]


def test_two_workers_send_every_document_once(settings):
    found, _ = settings

    async def drain(gateway, name):
        async with online(gateway) as lines:
            await Worker(gateway, lines, name=name).drain()

    async def both(first, second):
        await asyncio.gather(drain(first, "one"), drain(second, "two"))

    with open_gateway(found) as first, open_gateway(found) as second:
        issued(first, "a")
        asyncio.run(both(first, second))
        assert sendings(first) == [1] * DOCUMENTS


def test_a_killed_worker_is_taken_over_when_its_leases_end(settings):
    found, authority = settings
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "GATEWAY_HOME": str(found.home),
        "GATEWAY_DATABASE_URL": found.database_url,
        "GATEWAY_AUTHORITY_URL": found.authority_url,
        "GATEWAY_ALLOW_PRIVATE_SHOPS": "true",
        "GATEWAY_AUTHORITY_TIMEOUT": "2",
    }
    with open_gateway(found) as gateway:
        before = len(sendings(gateway))
        authority.state.faults.latency = 60.0
        issued(gateway, "b")
        killed = subprocess.Popen([sys.executable, "-c", WORK], env=environment, stdout=subprocess.PIPE, cwd=ROOT)
        _until(lambda: gateway.ledger.counts(OWNER).get(Status.SENDING, 0) > 0)
        killed.kill()
        killed.wait()
        authority.state.faults.latency = 0.0
        asyncio.run(_work_until_sent(gateway, before + DOCUMENTS))
        assert len(sendings(gateway)) == before + DOCUMENTS
        assert max(sendings(gateway)) == 2


def test_a_second_serve_leaves_what_the_first_has_in_hand(settings):
    found, _ = settings
    now = datetime.now(UTC)

    async def start_and_stop(app):
        async with app.router.lifespan_context(app):
            pass

    with open_gateway(found) as gateway:
        issued(gateway, "c")
        taken = gateway.ledger.claim_submissions(
            now=now, limit=3, lease_until=now + timedelta(minutes=1), worker="serve"
        )
        asyncio.run(start_and_stop(create_app(gateway, work=False)))
        for due in taken:
            assert gateway.ledger.begin_attempt(due.uuid, worker="serve", now=now) == 1


def _until(holds, patience=30.0):
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


async def _work_until_sent(gateway, count):
    async with online(gateway) as lines:
        work = asyncio.create_task(Worker(gateway, lines, name="other").run())
        end = time.monotonic() + 20
        while len(sendings(gateway)) < count and time.monotonic() < end:
            await asyncio.sleep(0.1)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@pytest.mark.parametrize("orders", [10, pytest.param(200, marks=pytest.mark.torture)])
def test_a_shop_is_followed_by_all_at_once_and_every_order_is_issued_once(settings, orders):
    """Two workers, webhooks, looks at the shop, and a person who retries and sets aside, all at the same time."""
    found, authority = settings
    chance, authority.state.faults.latency = random.Random(orders), 0.0
    with open_gateway(found) as first, open_gateway(found) as second, zid_shop() as shop, online_runner(first) as run:
        name = f"shop-{orders}"
        known = shop.connection(name, taxpayer_id=OWNER, unit_id=UNIT.id)
        run(lambda lines: connect(first, lines, known, actor="tests"))
        sold = [shop.sell(number + 1, datetime.now(UTC)) for number in range(orders)]
        for order_id in sold[::5]:
            shop.orders[order_id]["payment"]["invoice"][-1]["value"] = "1.00"  # does not close
        for order_id in sold[1::5]:
            shop.give_back(order_id, datetime.now(UTC))
        told = [order_id for order_id in sold for _ in range(4)]
        chance.shuffle(told)

        def announce():
            for order_id in told:
                body = json.dumps(shop.orders[order_id], ensure_ascii=False).encode()
                proof = base64.b64encode(b"gateway:a long one").decode()
                take_in(first, name, {"Authorization": f"Basic {proof}"}, body)

        def decide():
            for number in range(orders):
                ask_now(second, name)
                for each in second.ledger.quarantine(OWNER):
                    with suppress(Unknown):  # somebody was faster
                        if number % 3:
                            second.ledger.retry_notice(OWNER, each.id, now=datetime.now(UTC))
                        else:
                            second.ledger.dismiss_notice(OWNER, each.id, reason="no", now=datetime.now(UTC))

        def work(gateway, name):
            async def go():
                async with online(gateway) as lines:
                    while not done.is_set():
                        await Worker(gateway, lines, name=name, chance=lambda: 0.0).drain()
                        await asyncio.sleep(0.01)
                    await Worker(gateway, lines, name=name, chance=lambda: 0.0).drain()

            asyncio.run(go())

        done = threading.Event()
        with ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(work, first, "one"), pool.submit(work, second, "two")]
            try:
                for each in [pool.submit(announce), pool.submit(decide)]:
                    each.result()
            finally:  # or the workers would go on, and the pool would wait for them
                done.set()
            for each in workers:
                each.result()
        for order_id in sold[::5]:
            shop.orders[order_id]["payment"]["invoice"][-1]["value"] = f"{138:.14f}"
            first.ledger.add_orders(OWNER, name, [(order_id, f"mended {order_id}")], datetime.now(UTC))
        work(first, "three")
        made = {order_id: first.ledger.order_documents(OWNER, name, order_id) for order_id in sold}
        kinds = {order_id: [each.kind.word for each in documents] for order_id, documents in made.items()}
        returned = set(sold[1::5])
        assert kinds == {each: ["invoice", *(["credit_note"] if each in returned else [])] for each in sold}
        assert {each.status for documents in made.values() for each in documents} == {Status.REPORTED}
        assert first.ledger.quarantine(OWNER) == ()
        for order_id, documents in made.items():
            assert sorted(shop.written(order_id)) == sorted(set(shop.written(order_id)))
            assert len(shop.written(order_id)) == len(documents)


@contextmanager
def online_runner(gateway):
    """Run what needs the open lines of a gateway."""

    async def go(work):
        async with online(gateway) as lines:
            return await work(lines)

    yield lambda work: asyncio.run(go(work))
