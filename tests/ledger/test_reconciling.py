"""What reconciliation reads, on both engines: by days, by connection, some at a time, and none twice."""

from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.connection import Connection
from gateway.ledger import NewPosting, NoticeState, PostingMode, PostingState, reconciling
from tests.ledger.books import NOW, UNIT

DAY, ISSUED = timedelta(days=1), NOW.replace(microsecond=0)


@pytest.fixture(autouse=True)
def erp(ledger):
    ledger.add_connection(Connection("odoo", "tp", UNIT.id, "odoo", "https://erp.example"), now=NOW)


def booked(ledger, *, since=ISSUED, until=ISSUED + DAY, connection=""):
    batches = ledger.booked("tp", since=since, until=until, connection_id=connection)
    return [each for batch in batches for each in batch]


def test_documents_of_these_days_with_their_entries(desk, ledger, monkeypatch):
    monkeypatch.setattr(reconciling, "BATCH", 2)
    post = NewPosting("odoo", PostingMode.POST, at_once=True)
    made = [desk.issue(str(number), postings=(post,)).issued for number in range(5)]
    (due, *_) = ledger.claim_postings(now=NOW, limit=9, lease_until=NOW + DAY, worker="w")
    ledger.note_entry(due.id, entry_id="3", number="A-1", state="posted", total=Decimal("1.10"), url="https://e/3")
    found = booked(ledger)
    assert [each.uuid for each in sorted(found, key=lambda each: each.number)] == [each.uuid for each in made]
    first = next(each for each in found if each.uuid == due.uuid)
    assert (first.total, first.connection_id, first.status) == (made[0].total, "shop", made[0].status)
    (entry,) = first.entries
    assert (entry.connection_id, entry.entry_state, entry.entry_total) == ("odoo", "posted", Decimal("1.10"))
    assert entry.state == PostingState.DUE
    assert booked(ledger, until=ISSUED) == booked(ledger, since=ISSUED + DAY, until=ISSUED + 2 * DAY) == []
    assert booked(ledger, connection="odoo") == []
    assert len(booked(ledger, connection="shop")) == 5
    assert [each for batch in ledger.booked("other", since=ISSUED, until=ISSUED + DAY) for each in batch] == []


def hear(ledger, order, delivery, *, at=NOW):
    ledger.add_notice("tp", "shop", topic="order.updated", order_id=order, delivery_id=delivery, body=b"{}", now=at)


def end(ledger, state, why="Why"):
    (notice,) = ledger.claim_notices(now=NOW + DAY, limit=1, lease_until=NOW + 2 * DAY, worker="w")
    ledger.end_notice(notice.id, state=state, reason={"en": why, "ar": why}, next_at=None, now=NOW, looked_at=NOW)


def unserved(ledger, *, since=NOW, until=NOW + DAY, connection=""):
    found = ledger.unserved_orders("tp", since=since, until=until, connection_id=connection)
    return [(each.order_id, each.state.value) for each in found]


def test_orders_that_were_heard_of_as_their_last_notice_stands(desk, ledger):
    for order, state in (("q", NoticeState.QUARANTINED), ("f", NoticeState.FAILED), ("i", NoticeState.IGNORED)):
        hear(ledger, order, f"{order}-1")
        end(ledger, state)
    hear(ledger, "d", "d-1")
    assert unserved(ledger) == [("q", "quarantined"), ("f", "failed"), ("d", "due")]
    desk.issue("d")  # has its document: what is still to be looked at is nothing new
    assert unserved(ledger) == [("q", "quarantined"), ("f", "failed")]
    hear(ledger, "q", "q-2")
    assert ("q", "due") in unserved(ledger)
    assert unserved(ledger, until=NOW) == unserved(ledger, connection="odoo") == []
