"""An installation and an authority that live by one clock, which moves only when the test moves it."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from gateway.issued import Status
from gateway.ledger import Filter
from gateway.order import read_order
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.simulator import Running, create
from gateway.worker import Worker
from tests.installation import BUSINESS, OWNER, order, set_up, settings_for

OPEN = (Status.ISSUED, Status.SENDING, Status.UNKNOWN, Status.HELD)


class Clock:
    """Virtual time. The authority reads it; our side spends `cost` of it at each look, as work takes time."""

    def __init__(self):
        self.at, self.cost = datetime.now(UTC), timedelta()

    def __call__(self):
        return self.at

    def spend(self):
        self.at += self.cost
        return self.at

    def move(self, **by):
        self.at += timedelta(**by)


class Field:
    """Orders become documents, and a worker sends them, in virtual time."""

    def __init__(self, gateway, authority, clock):
        self.gateway, self.authority, self.clock = gateway, authority, clock
        self.ledger = gateway.ledger
        self._runner, self._lines, self._open = asyncio.Runner(), None, AsyncExitStack()

    def issue(self, numbers, *, business_every=0):
        documents = []
        for number in numbers:
            more = {"buyer": BUSINESS} if business_every and number % business_every == 0 else {}
            documents.append(issue(self.gateway, Request(OWNER, "tests", read_order(order(number, **more)))).issued)
        return documents

    def work(self):
        """Do what is due, until nothing is."""
        self._runner.run(self._work())

    async def _work(self):
        if self._lines is None:
            self._lines = await self._open.enter_async_context(online(self.gateway))
        await Worker(self.gateway, self._lines, name="tests", chance=lambda: 0.5).drain()

    def counts(self):
        return self.ledger.counts(OWNER)

    def open_documents(self):
        return sum(number for status, number in self.counts().items() if status in OPEN)

    def documents(self):
        """All of them, newest first."""
        cursor, found = None, []
        while True:
            page = self.ledger.invoices(OWNER, Filter(), cursor=cursor, limit=200)
            found += page.items
            if page.next is None:
                return found
            cursor = page.next

    def close(self):
        self._runner.run(self._open.aclose())
        self._runner.close()


@pytest.fixture
def field(tmp_path) -> Iterator[Field]:
    clock = Clock()
    with Running(create(clock=clock)) as authority:
        settings = settings_for(tmp_path / "home", authority, authority_timeout=5.0, submissions_of_taxpayer=20)
        with open_gateway(settings, now=clock.spend) as gateway:
            set_up(gateway)
            field = Field(gateway, authority, clock)
            yield field
            field.close()
