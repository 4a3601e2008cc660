"""The account of real books: a shop, the authority and an ERP, each of which lacks something."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.errors import Unavailable, Unknown
from gateway.invoice.facts import RIYADH
from gateway.invoice.period import Period
from gateway.ledger import PostingState
from gateway.pipeline.gateway import online
from gateway.pipeline.reconcile import Books, account_json, account_of, listed_by_shops
from gateway.pipeline.reconcile_page import account_csv, account_page
from gateway.simulator import Fault
from tests.installation import OWNER, UNIT
from tests.pipeline.test_postings import (  # noqa: F401, fixtures
    books,
    odoo,
    open_books,
    policy,
    posting,
    sold,
    work_on_postings_first,
)
from tests.pipeline.test_submit import REFUSAL
from tests.shops.zid import zid_shop

DAY = timedelta(days=1)


def today(site, connection="", *, ago=0):
    day = site.clock().astimezone(RIYADH).date()
    return Books(OWNER, Period(day - ago * DAY, day), connection)


def gaps(site, listed=None, **which):
    return {
        (each.gap.value, each.order_id): (each.ordered, each.invoiced, each.posted)
        for each in account_of(site.gateway, today(site, **which), listed).gaps
    }


def test_books_that_agree(site, books):  # noqa: F811
    sold(site), sold(site, 2)
    site.work()
    account = account_of(site.gateway, today(site))
    assert account.agrees
    side = account.sides["shop", "SAR"]
    assert (side.documents, side.invoiced, side.accepted) == (2, Decimal("230.00"), Decimal("230.00"))
    assert (side.due, side.posted) == ({"odoo-1": Decimal("230.00")}, {"odoo-1": Decimal("230.00")})
    assert account_of(site.gateway, Books(OWNER, Period(*[today(site).period.first - DAY] * 2))).sides == {}


def test_each_state_of_a_document_and_its_posting(site, books):  # noqa: F811
    good, changed, held = sold(site, 1), sold(site, 2), sold(site, 3)
    site.work()
    for issued, state, total in ((changed, "posted", "100.00"), (held, "cancelled", "115.00")):
        row = posting(site, issued)
        site.ledger.note_entry(
            row.id, entry_id=row.entry_id, number="X", state=state, total=Decimal(total), url="https://erp.example"
        )
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    sold(site, 4)
    site.work()
    sold(site, 5)
    site.issue(6)  # ordered over the API, which no ERP is to post
    assert gaps(site) == {
        ("posting_differs", "SO-2"): (None, Decimal("115.00"), Decimal("100.00")),
        ("posting_missing", "SO-3"): (None, Decimal("115.00"), None),
        ("invoice_rejected", "SO-4"): (None, Decimal("115.00"), None),
        ("posting_open", "SO-5"): (None, Decimal("115.00"), None),
        ("invoice_open", "SO-5"): (None, Decimal("115.00"), None),
        ("invoice_open", "SO-6"): (None, Decimal("115.00"), None),
    }
    assert {order for _, order in gaps(site, connection="erp-main")} == {"SO-6"}
    assert good.order_id not in {order for _, order in gaps(site)}


def test_an_entry_that_stands_for_what_was_rejected(site, books):  # noqa: F811
    policy(site, books, "issued")
    issued = sold(site)
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    work_on_postings_first(site)
    row = posting(site, issued)
    assert row.entry_state == "posted"
    assert gaps(site)["posting_alone", "SO-1"] == (None, None, Decimal("115.00"))


def test_what_a_person_set_aside_is_no_gap(site, books):  # noqa: F811
    issued = sold(site)
    (due,) = site.ledger.claim_postings(now=site.clock(), limit=1, lease_until=site.clock() + DAY, worker="w") or (
        posting(site, issued),
    )
    site.ledger.end_posting(due.id, state=PostingState.HELD, now=site.clock(), reason={"en": "Why", "ar": "لماذا"})
    site.work()
    assert ("posting_held", "SO-1") in gaps(site)
    site.ledger.dismiss_posting(OWNER, due.id, reason="posted by hand", now=site.clock(), actor="tests")
    assert gaps(site) == {}


def test_orders_that_were_heard_of_and_have_no_invoice(site, shop):
    site.connect(shop)
    (one, two, *_) = sorted(shop.orders)
    shop.orders[one]["total"] = "9999.00"  # does not close
    site.hint(one, delivery="d-1")
    site.work()
    site.hint(two, delivery="d-2")
    found = gaps(site)
    assert set(found) == {("order_quarantined", one), ("order_waiting", two)}
    site.work()
    assert set(gaps(site)) == {("order_quarantined", one)}
    site.ledger.dismiss_notice(OWNER, site.waiting()[0].id, reason="a test", now=site.clock(), actor="tests")
    assert gaps(site) == {}


def listed(site, books):  # noqa: F811
    async def go():
        async with online(site.gateway) as lines:
            return await listed_by_shops(site.gateway, lines, books)

    return asyncio.run(go())


def test_orders_that_nobody_was_told_of_are_in_the_shops_own_list(site):
    with zid_shop() as shop:
        for number in (1, 2):
            shop.sell(number, site.clock() - timedelta(minutes=number))
        site.enter(shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id))
        site.hint("1")
        site.work()
        assert gaps(site) == {}
        found = listed(site, today(site, ago=1))
        assert gaps(site, found, ago=1) == {("order_unseen", "2"): (Decimal("138.00"), None, None)}
    with pytest.raises(Unavailable):
        listed(site, today(site, ago=1))


def test_texts_are_harmless_in_csv_and_page(site):
    site.issue(1, id="=cmd<script>")
    shown = account_json(today(site), account_of(site.gateway, today(site)), asked_shops=False)
    assert "'=cmd<script>" in account_csv(shown)
    page = account_page(shown)
    assert "<script>" not in page
    assert "=cmd&lt;script&gt;" in page
    assert "المفوتر" in page
    assert "115.00" in page


def test_what_is_not_there_is_said(site):
    with pytest.raises(Unknown):
        account_of(site.gateway, today(site, "nobody"))
