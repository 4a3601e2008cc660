"""Requests that the ledger keeps waiting are refused in time, and what was refused as not begun is never done."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.errors import Unavailable
from gateway.pipeline import gateway as room


@pytest.fixture
def narrow(gateway):
    """A gateway with one thread for requests."""
    with ThreadPoolExecutor(1) as threads:
        yield replace(gateway, threads=threads)


def test_what_no_thread_begins_in_time_is_refused_and_never_done(narrow, monkeypatch):
    monkeypatch.setattr(room, "BEGIN_SECONDS", 0.05)
    over, done = threading.Event(), []

    async def two():
        first = asyncio.create_task(narrow.offload(over.wait))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="More is under way") as refused:
            await narrow.offload(done.append, 1)
        over.set()
        assert await first
        await narrow.offload(done.append, 2)
        return refused.value

    refused = asyncio.run(two())
    assert refused.ar
    assert done == [2]


def test_what_does_not_end_is_answered_all_the_same(narrow, monkeypatch):
    monkeypatch.setattr(room, "BEGIN_SECONDS", 0.05)
    monkeypatch.setattr(room, "END_SECONDS", 0.05)
    over = threading.Event()

    async def one():
        try:
            with pytest.raises(Unavailable, match="does not come to an end"):
                await narrow.offload(over.wait)
        finally:
            over.set()

    asyncio.run(one())


def test_results_and_errors_come_through(narrow):
    async def both():
        with pytest.raises(ZeroDivisionError):
            await narrow.offload(lambda: 1 / 0)
        return await narrow.offload(divmod, 7, 2)

    assert asyncio.run(both()) == (3, 1)
