"""A site: an installation whose clock is in the test's hand, and a worker that is run by hand."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.authority import Authority, Endpoint
from gateway.demo.woocommerce import WooCommerceShop, woocommerce_shop
from gateway.issued import Issued
from gateway.ledger import Filter
from gateway.order import read_order
from gateway.pipeline.connect import add_connection
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.issue import Request, issue
from gateway.worker import Worker
from tests.installation import OWNER, UNIT, order


class Clock:
    """Stands still until it is moved. The authority lives by it too."""

    def __init__(self, authority):
        self._authority = authority
        self.move(timedelta(), start=datetime.now(UTC))

    def __call__(self):
        return self.at

    def move(self, by, *, start=None):
        self.at = (start or self.at) + by
        self._authority.state.frozen_at = self.at


class Site:
    """What a test does to an installation, and what it asks of it."""

    def __init__(self, gateway, clock, authority, runner):
        self.gateway, self.clock, self.authority = gateway, clock, authority
        self.ledger = gateway.ledger
        self._runner, self._lines, self._open = runner, None, AsyncExitStack()

    def issue(self, number=1, **more) -> Issued:
        request = Request(OWNER, "tests", read_order(order(number, **more)))
        return issue(self.gateway, request).issued

    def issue_order(self, raw) -> Issued:
        return issue(self.gateway, Request(OWNER, "tests", read_order(raw))).issued

    def work(self):
        """Do what is due at this moment, until nothing is."""
        self._runner.run(self._work())

    async def _work(self):
        if self._lines is None:
            self._lines = await self._open.enter_async_context(online(self.gateway))
        await Worker(self.gateway, self._lines, name="tests", chance=lambda: 0.0).drain()

    def close(self):
        self._runner.run(self._open.aclose())

    def work_later(self, **later):
        self.clock.move(timedelta(**later))
        self.work()

    def now(self, issued) -> Issued:
        """The document as it stands."""
        return self.ledger.invoice(OWNER, issued.uuid)

    def outcomes(self, issued):
        """How each attempt to send it ended."""
        return [each.outcome.value for each in self.ledger.attempts(OWNER, issued.uuid) if each.phase == "ended"]

    def documents(self):
        return self.ledger.invoices(OWNER, Filter(), limit=200).items

    def head(self):
        """The place in the chain that comes next: nothing was consumed if it stays."""
        return self.ledger.chain(OWNER, UNIT.id).head

    def accepted(self):
        return [each.hash for each in self.authority.state.accepted]

    # -- a shop

    def connect(self, shop, name="shop", **settings):
        self.enter(shop.connection(name, taxpayer_id=OWNER, unit_id=UNIT.id, **settings))

    def enter(self, connection):
        add_connection(self.gateway, connection, actor="tests")

    def hint(self, order_id, *, delivery="d-1", connection="shop"):
        """A verified webhook, as `take_in` keeps it."""
        self.ledger.add_notice(
            OWNER,
            connection,
            topic="order.updated",
            order_id=order_id,
            delivery_id=delivery,
            body=b"{}",
            now=self.clock(),
        )

    def waiting(self):
        return self.ledger.quarantine(OWNER)


@contextmanager
def opened(installation, **settings) -> Iterator[Site]:
    """The site of an installation, with other settings where some are given."""
    clock = Clock(installation.authority)
    changed = installation.settings.model_copy(update=settings)
    with open_gateway(changed, now=clock) as gateway, asyncio.Runner() as runner:
        site = Site(gateway, clock, installation.authority, runner)
        yield site
        site.close()


@pytest.fixture
def site(installation) -> Iterator[Site]:
    with opened(installation) as site:
        yield site


@pytest.fixture
def impatient(installation) -> Iterator[Site]:
    """A site that waits a third of a second for the authority."""
    with opened(installation, authority_timeout=0.3) as site:
        yield site


@pytest.fixture
def shop() -> Iterator[WooCommerceShop]:
    with woocommerce_shop() as shop:
        yield shop


@pytest.fixture
def sent(monkeypatch):
    """Every document that leaves for the authority: call, UUID and bytes, in order."""
    calls = []
    send, names = Authority.send, {Endpoint.REPORTING: "report", Endpoint.CLEARANCE: "clear"}

    async def recording(self, dispatch, credentials):
        body = json.loads(dispatch.content)
        calls.append((names.get(dispatch.endpoint), body["uuid"], base64.b64decode(body["invoice"])))
        return await send(self, dispatch, credentials)

    monkeypatch.setattr(Authority, "send", recording)
    return calls
