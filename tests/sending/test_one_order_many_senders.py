"""The same orders come over and over, from many senders at once: one document an order, whoever was first."""

import asyncio
import base64
import hashlib
import hmac
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import demo
from gateway.demo.woocommerce import woocommerce_shop
from gateway.errors import Unavailable
from gateway.ledger import Filter
from gateway.order import read_order
from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import online
from gateway.pipeline.intake import take_in
from gateway.pipeline.issue import Request, issue
from gateway.worker import Worker
from tests.installation import BUSINESS, OWNER, UNIT, order
from tests.simulation.invariants import Invariants

SENDERS, DELIVERIES = 16, 20
ORDERS = pytest.mark.parametrize(
    "orders", [20, pytest.param(2000, marks=pytest.mark.torture)], ids=["20 orders", "2000 orders"]
)


def delivered(numbers, seed=1):
    """Each of them twenty times: first all about the same time, as a shop's repeats come, then late ones."""
    series, due = random.Random(seed), [number for number in numbers for _ in range(DELIVERIES)]
    window = SENDERS * 4
    for first in range(0, len(due), window):
        part = due[first : first + window]
        series.shuffle(part)
        due[first : first + window] = part
    return due


def by_many(work, items):
    """The work on every item, by sixteen senders at once; what it gave."""
    with ThreadPoolExecutor(SENDERS) as senders:
        return list(senders.map(work, items))


def documents(gateway):
    cursor, found = None, []
    while True:
        page = gateway.ledger.invoices(OWNER, Filter(), cursor=cursor, limit=200)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


@ORDERS
def test_an_order_is_one_document_however_many_senders_bring_it(gateway, orders):
    def send(lot):
        place, number = lot
        more = {"buyer": BUSINESS} if number % 3 == 0 else {}
        # A key of the order's own with every second delivery, as callers that repeat a request give it.
        key = f"key-{number}" if place % 2 else None
        request = Request(OWNER, f"sender-{place % SENDERS}", read_order(order(number, **more)), key)
        while True:
            try:
                return number, issue(gateway, request)
            except Unavailable:  # a sender repeats what found the ledger busy
                continue

    answers = by_many(send, enumerate(delivered(range(orders))))
    assert len(answers) == orders * DELIVERIES
    made = documents(gateway)
    assert len(made) == len({each.order_id for each in made}) == orders
    assert Counter(number for number, answer in answers if answer.created) == Counter(range(orders))
    assert len({(number, answer.issued.uuid) for number, answer in answers}) == orders
    assert sorted(each.icv for each in made) == list(range(1, orders + 1))
    Invariants(gateway, OWNER).check()


def delivery(connection, number, delivery_id):
    """A webhook about an order as the shop signs it: headers and body."""
    body = b'{"id": %d}' % number
    signature = hmac.digest(connection.secrets["webhook"].encode(), body, hashlib.sha256)
    headers = {
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-resource": "order",
        "x-wc-webhook-event": "updated",
        "x-wc-webhook-source": f"{connection.base_url}/",
        "x-wc-webhook-signature": base64.b64encode(signature).decode(),
        "x-wc-webhook-delivery-id": delivery_id,
    }
    return headers, body


@ORDERS
def test_an_order_is_one_document_however_often_its_webhook_comes(gateway, authority, orders):
    """Three deliveries, each of them many times over; two workers follow them up side by side."""
    sample = demo.orders("woocommerce")["several_lines"]
    sold = {str(number): sample | {"id": number, "number": str(number)} for number in range(1, orders + 1)}
    with woocommerce_shop(sold) as shop:
        connection = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
        add_connection(gateway, connection, actor="tests")

        def send(lot):
            place, number = lot
            return take_in(gateway, "shop", *delivery(connection, number, f"d-{number}-{place % 3}"))

        assert all(by_many(send, enumerate(delivered(range(1, orders + 1)))))
        asyncio.run(follow_up(gateway))
    made = documents(gateway)
    assert len(made) == len({each.order_id for each in made}) == orders
    assert gateway.ledger.quarantine(OWNER) == ()
    assert all(each.status.is_accepted for each in made)
    Invariants(gateway, OWNER, authority.state).check(drained=True)


async def follow_up(gateway):
    async with online(gateway) as lines:
        workers = [Worker(gateway, lines, name=f"worker-{number}") for number in range(2)]
        await asyncio.gather(*(worker.drain() for worker in workers))
        await workers[0].drain()
