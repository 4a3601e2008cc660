"""The worker: waits that grow and end, and no row that stands in another's way."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import worker
from gateway.connection import Connection
from gateway.errors import Conflict, Unavailable
from gateway.issued import Status
from gateway.order import read_order
from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.verdict import Outcome, Verdict
from gateway.worker import LONGEST_WAIT, Worker, wait_after
from tests.installation import OWNER, UNIT, order

attempts = st.integers(1, 10_000)
chances = st.floats(0, 1)


@given(attempts, chances)
def test_a_wait_is_never_none_and_never_too_long(number, chance):
    assert timedelta(seconds=0.5) <= wait_after(number, chance=chance) <= LONGEST_WAIT


@given(attempts, chances)
def test_waits_grow_with_the_attempts(number, chance):
    shorter, longer = (wait_after(each, chance=chance) for each in (number, number + 1))
    assert shorter <= longer
    assert longer >= LONGEST_WAIT / 2 or abs(longer - 2 * shorter) <= timedelta(microseconds=2)


@given(attempts, chances, chances)
def test_waits_are_spread_over_half_of_their_length(number, one, other):
    few, many = sorted([one, other])
    assert wait_after(number, chance=few) <= wait_after(number, chance=many) <= 2 * wait_after(number, chance=0.0)


@pytest.mark.parametrize(("asked", "due"), [(None, 0.5), (0.2, 0.5), (90.0, 90.0), (3600.0, 3600.0), (86400.0, 3600.0)])
def test_the_authoritys_own_wait_counts_within_an_hour(gateway, asked, due):
    verdict = Verdict(Outcome.LIMITED, 429, b"", retry_after=asked)
    assert Worker(gateway, None, name="t", chance=lambda: 0.0)._again(1, verdict).total_seconds() == due


def three(gateway):
    return [issue(gateway, Request(OWNER, "tests", read_order(order(number)))).issued for number in (1, 2, 3)]


def statuses(gateway, documents):
    return [gateway.ledger.invoice(OWNER, each.uuid).status for each in documents]


async def drained(gateway):
    async with online(gateway) as lines:
        await Worker(gateway, lines, name="tests").drain()


@pytest.mark.parametrize("error", [Conflict("lost"), Unavailable("down"), ValueError("broken"), AssertionError("ours")])
def test_one_row_that_breaks_does_not_stop_the_others(gateway, monkeypatch, error):
    documents, submit = three(gateway), worker.submit

    async def breaking(gateway, lines, due, retry):
        if due.uuid == documents[1].uuid:
            raise error
        return await submit(gateway, lines, due, retry)

    monkeypatch.setattr(worker, "submit", breaking)
    with structlog.testing.capture_logs() as logged:
        asyncio.run(drained(gateway))
    assert statuses(gateway, documents) == [Status.REPORTED, Status.ISSUED, Status.REPORTED]
    (entry,) = [each for each in logged if each["event"] in ("work_failed", "work_broke")]
    assert entry["log_level"] == ("error" if entry["event"] == "work_broke" else "warning")


def test_what_broke_is_taken_up_again_when_its_lease_ends(installation, monkeypatch):
    moment = [datetime.now(UTC)]
    with open_gateway(installation.settings, now=lambda: moment[0]) as gateway:
        documents = three(gateway)

        async def broken(*_):
            raise ValueError("broken")

        with monkeypatch.context() as patched, structlog.testing.capture_logs():
            patched.setattr(worker, "submit", broken)
            asyncio.run(drained(gateway))
        asyncio.run(drained(gateway))
        assert statuses(gateway, documents) == [Status.ISSUED] * 3
        moment[0] += timedelta(seconds=installation.settings.authority_timeout) + worker.LEASE_MARGIN
        asyncio.run(drained(gateway))
        assert statuses(gateway, documents) == [Status.REPORTED] * 3


def test_two_workers_share_the_work_without_sending_anything_twice(gateway, installation):
    documents = three(gateway)

    async def both():
        async with online(gateway) as lines:
            await asyncio.gather(*(Worker(gateway, lines, name=name).drain() for name in "ab"))

    asyncio.run(both())
    assert statuses(gateway, documents) == [Status.REPORTED] * 3
    assert len(installation.authority.state.exchanges) == 3


@asynccontextmanager
async def at_work(gateway):
    """A worker that runs while the block lasts."""
    async with online(gateway) as lines:
        running = Worker(gateway, lines, name="tests")
        task = asyncio.create_task(running.run())
        yield running
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def ended_in_time(work):
    with structlog.testing.capture_logs():
        asyncio.run(asyncio.wait_for(work, 20))


async def all_final(gateway, documents):
    while not all(status.is_final for status in statuses(gateway, documents)):
        await asyncio.sleep(0.01)


def test_a_bell_shortens_the_wait(gateway, monkeypatch):
    monkeypatch.setattr(worker, "POLL", 60.0)

    async def run():
        async with at_work(gateway) as running:
            await asyncio.sleep(0.2)
            documents = three(gateway)
            running.ring()
            await all_final(gateway, documents)

    ended_in_time(run())


def test_reports_let_orders_pass_but_not_what_somebody_waits_for(gateway, monkeypatch):
    monkeypatch.setattr(worker, "LULL", 60.0)
    monkeypatch.setattr(worker, "ORDERS_FIRST", 60.0)

    async def run():
        async with at_work(gateway) as running:
            await asyncio.sleep(0.2)
            documents = three(gateway)
            for each in documents[:2]:
                running.ring_for(each, awaited=False)
            await asyncio.sleep(0.3)
            assert statuses(gateway, documents) == [Status.ISSUED] * 3
            running.ring_for(documents[2], awaited=True)
            await all_final(gateway, documents)

    ended_in_time(run())


def test_reports_go_on_though_orders_never_end(gateway, monkeypatch):
    monkeypatch.setattr(worker, "LULL", 60.0)
    monkeypatch.setattr(worker, "ORDERS_FIRST", 0.2)

    async def run():
        async with at_work(gateway) as running:
            documents = three(gateway)
            while not all(status.is_final for status in statuses(gateway, documents)):
                running.ring_for(documents[0], awaited=False)
                await asyncio.sleep(0.01)

    ended_in_time(run())


def test_a_busy_ledger_does_not_end_the_worker(gateway, monkeypatch):
    claim, busy = gateway.ledger.claim_submissions, [Unavailable("busy"), Unavailable("busy")]

    def sometimes(**asked):
        if busy:
            raise busy.pop()
        return claim(**asked)

    monkeypatch.setattr(gateway.ledger, "claim_submissions", sometimes)
    monkeypatch.setattr(worker, "POLL", 0.01)
    documents = three(gateway)

    async def run():
        async with online(gateway) as lines:
            task = asyncio.create_task(Worker(gateway, lines, name="tests").run())
            while not all(status.is_final for status in statuses(gateway, documents)):
                await asyncio.sleep(0.01)
                assert not task.done()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    with structlog.testing.capture_logs() as logged:
        asyncio.run(asyncio.wait_for(run(), 30))
    assert [each["event"] for each in logged].count("claim_failed") == 2


def test_a_slow_shop_does_not_hold_up_the_authority(gateway, monkeypatch):
    monkeypatch.setattr(worker, "POLL", 0.01)
    documents, hanging = three(gateway), asyncio.Event()

    async def stuck(*_):
        hanging.set()
        await asyncio.sleep(3600)

    monkeypatch.setattr(worker, "follow", stuck)
    shop = Connection("shop", OWNER, UNIT.id, "woocommerce", "https://shop.example", secrets={"webhook": "w"})
    add_connection(gateway, shop, actor="tests")
    notice = {"topic": "order.created", "order_id": "1", "delivery_id": "d", "body": b"{}", "now": gateway.now()}
    gateway.ledger.add_notice(OWNER, "shop", **notice)

    async def run():
        async with online(gateway) as lines:
            task = asyncio.create_task(Worker(gateway, lines, name="tests").run())
            await hanging.wait()
            while not all(status.is_final for status in statuses(gateway, documents)):
                await asyncio.sleep(0.01)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(run(), 30))
