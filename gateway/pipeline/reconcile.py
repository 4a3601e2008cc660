"""The account of a period: shop orders, invoices with the authority's verdicts, and ERP postings.

Orders are those that notices and polls told of. What a shop never told of is found by asking it for its own list, which
opens every order that changed since the first day; it takes as long as the shop lets it, so it is done when asked for.
An ERP is known by what it said of the entries that were made here; entries that others made in it are not read.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from gateway.errors import Unavailable
from gateway.finding import Text
from gateway.invoice.period import Period
from gateway.ledger import BookedDocument, BookedEntry, NoticeState, UnservedOrder
from gateway.pipeline.backfill import Fate, Foreseen, foresee
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.postings import postings_for
from gateway.reconciliation import MEANING, Account, Entered, Gap, Invoiced, Missing, Ordered, reconcile
from gateway.stores import STORES

LONGEST_LOOK: Final = 120.0
"""Seconds for the lists of all shops, where a call waits for them."""
_MISSED: Final = frozenset({Fate.ISSUE, Fate.QUARANTINE})
_GAPS: Final = {
    NoticeState.DUE: Gap.ORDER_WAITING,
    NoticeState.QUARANTINED: Gap.ORDER_QUARANTINED,
    NoticeState.FAILED: Gap.ORDER_FAILED,
}


@dataclass(frozen=True, slots=True)
class Books:
    """Which books are held against each other: whose, of which days (Riyadh), of one connection or of all."""

    taxpayer_id: str
    period: Period
    connection_id: str = ""


def account_of(gateway: Gateway, books: Books, listed: dict[tuple[str, str], Foreseen] | None = None) -> Account:
    """The account; `listed` are the orders of the shops' own lists, where they were asked (see `listed_by_shops`)."""
    if books.connection_id:
        gateway.ledger.connection(books.taxpayer_id, books.connection_id)
    owner, begin, end, only = books.taxpayer_id, books.period.begin, books.period.end, books.connection_id
    unserved = gateway.ledger.unserved_orders(owner, since=begin, until=end, connection_id=only)
    batches = gateway.ledger.booked(owner, since=begin, until=end, connection_id=only)
    return reconcile(_orders(unserved, listed or {}), _documents(gateway, books, batches))


async def listed_by_shops(gateway: Gateway, lines: Lines, books: Books) -> dict[tuple[str, str], Foreseen]:
    """Every order of the shops' own lists that was placed in the period. Unavailable and its kin if one cannot be
    asked, for a list that lacks something proves nothing."""
    known = await gateway.offload(gateway.ledger.connections, books.taxpayer_id)
    shops = [each for each in known if each.platform in STORES and books.connection_id in ("", each.id)]
    found: dict[tuple[str, str], Foreseen] = {}
    for shop in shops:
        orders = foresee(gateway, lines, books.taxpayer_id, shop.id, since=books.period.begin, until=books.period.end)
        async for each in orders:
            found[shop.id, each.order_id] = each
    return found


async def listed_in_time(gateway: Gateway, lines: Lines, books: Books) -> dict[tuple[str, str], Foreseen]:
    """The same for a call that waits; Unavailable if it takes too long."""
    try:
        async with asyncio.timeout(LONGEST_LOOK):
            return await listed_by_shops(gateway, lines, books)
    except TimeoutError:
        raise Unavailable(
            f"The shops' lists take longer than {LONGEST_LOOK:.0f} seconds.",
            retry_after=60,
            fix="Ask for fewer days or one connection, or use `gateway reconcile --ask-shops`.",
            ar="تستغرق قوائم المتاجر وقتاً طويلاً. اطلب أياماً أقل أو متجراً واحداً.",
        ) from None


def _orders(unserved: tuple[UnservedOrder, ...], listed: dict[tuple[str, str], Foreseen]) -> Iterator[Ordered]:
    told = {(each.connection_id, each.order_id) for each in unserved}
    for each in unserved:
        seen = listed.get((each.connection_id, each.order_id))
        why = Text(each.reason.get("en", ""), each.reason.get("ar", ""))
        total = seen.total if seen and seen.total is not None else _declared(each)
        yield Ordered(each.connection_id, each.order_id, _GAPS[each.state], why, total)
    for key, order in listed.items():
        if key not in told and order.fate in _MISSED:
            yield Ordered(*key, Gap.ORDER_UNSEEN, order.why, order.total)


def _declared(order: UnservedOrder) -> Decimal | None:
    """What the shop said the order comes to, where its sums did not close."""
    try:
        return Decimal(order.reason["declared"])
    except (KeyError, InvalidOperation):
        return None


def _documents(gateway: Gateway, books: Books, batches: Iterator[list[BookedDocument]]) -> Iterator[Invoiced]:
    ledger = gateway.ledger
    connections = {each.id: each for each in ledger.connections(books.taxpayer_id)}
    units = {each.id: each for each in ledger.units(books.taxpayer_id)}
    expected: dict[tuple[str, str], tuple[str, ...]] = {}
    for batch in batches:
        for each in batch:
            key = each.connection_id, each.unit_id
            if key not in expected:
                planned = postings_for(gateway, connections[each.connection_id], units[each.unit_id])
                expected[key] = tuple(erp.connection_id for erp in planned)
            yield _invoiced(each, expected[key])


def _invoiced(row: BookedDocument, expected: tuple[str, ...]) -> Invoiced:
    return Invoiced(
        uuid=row.uuid,
        number=row.number,
        connection=row.connection_id,
        order_id=row.order_id,
        kind=row.kind,
        status=row.status,
        total=row.total,
        currency=row.currency,
        expected=expected,
        entries=tuple(_entered(each) for each in row.entries),
    )


def _entered(row: BookedEntry) -> Entered:
    why = Text(row.reason.get("en", ""), row.reason.get("ar", ""))
    return Entered(row.connection_id, row.state, row.entry_state, row.entry_number, row.entry_total, why)


def account_json(books: Books, account: Account, *, asked_shops: bool) -> dict[str, Any]:
    """An account as programs read it; money as decimal strings."""
    return {
        "from": books.period.first.isoformat(),
        "to": books.period.last.isoformat(),
        "connection": books.connection_id or None,
        "asked_shops": asked_shops,
        "agrees": account.agrees,
        "sides": [
            {
                "connection": connection,
                "currency": currency,
                "orders_without_invoice": side.orders,
                "ordered_without_invoice": f"{side.ordered:.2f}",
                "documents": side.documents,
                "invoiced": f"{side.invoiced:.2f}",
                "accepted": f"{side.accepted:.2f}",
                "erps": [
                    {
                        "erp": erp,
                        "due": f"{side.due.get(erp, Decimal(0)):.2f}",
                        "posted": f"{side.posted.get(erp, Decimal(0)):.2f}",
                    }
                    for erp in sorted({*side.due, *side.posted})
                ],
            }
            for (connection, currency), side in sorted(account.sides.items())
        ],
        "gaps": [gap_json(each) for each in account.gaps],
    }


def gap_json(gap: Missing) -> dict[str, Any]:
    """One gap as programs read it."""
    money = {name: getattr(gap, name) for name in ("ordered", "invoiced", "posted")}
    return {
        "gap": gap.gap.value,
        "connection": gap.connection,
        "order": gap.order_id,
        "number": gap.number or None,
        "uuid": gap.uuid or None,
        "erp": gap.erp or None,
        "currency": gap.currency,
        **{name: None if amount is None else f"{amount:.2f}" for name, amount in money.items()},
        "meaning": MEANING[gap.gap]._asdict(),
        "why": gap.why._asdict() if gap.why.en else None,
    }
