"""What a shop sold before it was connected: foreseen order by order, and then issued by the worker as any other.

Every order that changed since the first day is opened; those placed since then count. Nothing is written here but the
hints of the orders that are due.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from gateway import stores
from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, GatewayError, Throttled, Unknown
from gateway.finding import Text
from gateway.invoice.facts import Kind
from gateway.order import Order
from gateway.pipeline.credentials import ready
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.intake import OLDER, is_due, is_older, not_due, reason_of
from gateway.pipeline.issue import Request
from gateway.pipeline.preview import preview_of
from gateway.pipeline.proof import not_compliant
from gateway.stores.store import Changes, Store, Walk

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
LONGEST_PAUSE: Final = 300.0
"""Seconds that a shop is waited for when it asks to be left alone; a person waits too."""


class Fate(StrEnum):
    """What becomes of an order."""

    ISSUED = "issued"  # has its document already
    ISSUE = "issue"  # would be issued
    WAIT = "wait"  # is not due yet, or needs no document
    OLDER = "older"  # from before the connection's cut-over
    QUARANTINE = "quarantine"  # would wait for a person


class Foreseen(NamedTuple):
    """One order and what would become of it; the sums are those of the document."""

    order_id: str
    number: str
    placed_at: datetime | None
    fate: Fate
    why: Text
    total: Decimal | None = None
    vat: Decimal | None = None
    profile: str = ""

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "order": self.order_id,
            "number": self.number,
            "placed_at": self.placed_at.isoformat() if self.placed_at else None,
            "fate": self.fate.value,
            "why": self.why._asdict(),
            "total": None if self.total is None else f"{self.total:.2f}",
            "vat": None if self.vat is None else f"{self.vat:.2f}",
            "profile": self.profile,
        }


async def foresee(
    gateway: Gateway,
    lines: Lines,
    taxpayer_id: str,
    connection_id: str,
    *,
    since: datetime,
    until: datetime,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Foreseen]:
    """Each order placed from `since` to before `until`, as the shop's changes name it, once."""
    shop = _Shop(gateway, lines, taxpayer_id, connection_id, sleep)
    seen: set[str] = set()
    walk = Walk(since)
    while True:
        changes = await shop.changed(walk)
        for each in changes.orders:
            if each.order_id not in seen:
                seen.add(each.order_id)
                found = await shop.foreseen(each.order_id)
                if found.placed_at is None or since <= found.placed_at < until:
                    yield found
        if not changes.page:
            return
        await sleep(changes.pause)
        walk = Walk(since, changes.page)


def have_issued(gateway: Gateway, taxpayer_id: str, connection_id: str, order_ids: list[str]) -> int:
    """Have the worker look at these orders; how many of them it was not looking at already."""
    now = gateway.now()
    orders = [(order, f"backfill:{order}:{now.isoformat()}") for order in order_ids]
    return gateway.ledger.add_orders(taxpayer_id, connection_id, orders, now)


class _Shop:
    """A shop that is asked by a person who waits for the answer."""

    def __init__(self, gateway: Gateway, lines: Lines, taxpayer_id: str, connection_id: str, sleep: Sleep) -> None:
        self._gateway, self._lines, self._sleep = gateway, lines, sleep
        self._taxpayer_id, self._connection_id = taxpayer_id, connection_id

    async def changed(self, walk: Walk) -> Changes:
        """One page of the shop's changes."""
        return await self._patiently(lambda store, known: store.changed(known, self._lines.outside, walk))

    async def _patiently(self, ask: Callable[[Store, Connection], Awaitable[T]]) -> T:
        """The answer, asked for again when the shop wants to be left alone for a while that a person can wait."""
        while True:
            known = await ready(self._gateway, self._lines, self._taxpayer_id, self._connection_id)
            try:
                return await ask(stores.store_of(known.platform), known)
            except Throttled as error:
                if error.retry_after > LONGEST_PAUSE:
                    raise
                await self._sleep(error.retry_after)

    async def foreseen(self, order_id: str) -> Foreseen:
        try:
            return await self._patiently(lambda store, known: self._judged(store, known, order_id))
        except (BadInput, Conflict, Unknown) as error:
            return Foreseen(order_id, "", None, Fate.QUARANTINE, reason_of(error))

    async def _judged(self, store: Store, connection: Connection, order_id: str) -> Foreseen:
        raw = await store.fetch(connection, self._lines.outside, order_id)
        state = store.state(connection, raw)
        known = self._gateway.ledger.sale_document
        made = await self._gateway.offload(
            known, connection.taxpayer_id, connection.id, f"order:{order_id}", Kind.INVOICE
        )
        if made is not None:
            why = Text(f"It is document {made.number}.", f"صدر بها المستند {made.number}.")
            return Foreseen(order_id, "", made.issued_at, Fate.ISSUED, why, made.total, made.vat, made.profile.word)
        order = store.map(connection, raw).order
        if is_older(connection, order):
            return _of(order, Fate.OLDER, OLDER)
        if not is_due(connection, state):
            return _of(order, Fate.WAIT, not_due(connection, state)[1])
        return await self._gateway.offload(self._previewed, order)

    def _previewed(self, order: Order) -> Foreseen:
        try:
            shown = preview_of(self._gateway, Request(self._taxpayer_id, "backfill", order))
        except GatewayError as error:
            return _of(order, Fate.QUARANTINE, reason_of(error))
        if not shown.is_clean:
            return _of(order, Fate.QUARANTINE, reason_of(not_compliant(shown.report.findings)))
        invoice = shown.invoice
        found = _of(order, Fate.ISSUE, Text("It would be issued.", "ستصدر فاتورته."))
        return found._replace(total=invoice.with_vat, vat=invoice.vat, profile=invoice.profile.word)


def _of(order: Order, fate: Fate, why: Text) -> Foreseen:
    return Foreseen(order.id, order.number or order.id, order.placed_at, fate, why)
