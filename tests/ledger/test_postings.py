"""Postings: made with their document, leased to one worker, rung by a final status, left to a person."""

# ruff: noqa: S608
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.connection import Connection
from gateway.errors import Unknown
from gateway.issued import Status
from gateway.ledger import NewPosting, PostingMode, PostingState
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT
from tests.ledger.raw import REFUSED

MINUTE = timedelta(minutes=1)
AT_ONCE = NewPosting("odoo", PostingMode.POST, at_once=True)
WHEN_FINAL = NewPosting("erpnext", PostingMode.ATTACH, at_once=False)


@pytest.fixture(autouse=True)
def erps(ledger):
    for name in ("odoo", "erpnext"):
        ledger.add_connection(Connection(name, "tp", UNIT.id, name, "https://erp.example"), now=NOW)


def take(ledger, now=NOW, worker="w"):
    return ledger.claim_postings(now=now, limit=9, lease_until=now + MINUTE, worker=worker)


def final(ledger, uuid, status=Status.REPORTED, now=NOW):
    ledger.claim_submissions(now=now, limit=9, lease_until=now + MINUTE, worker="s")
    number = ledger.begin_attempt(uuid, worker="s", now=now)
    ledger.end_attempt(uuid, number, http_status=200, outcome=Outcome.ACCEPTED, body=b"", status=status, now=now)


def one(ledger, uuid, connection="odoo"):
    return ledger.posting_at("tp", uuid, connection)


def enter(ledger, due, state="posted"):
    ledger.note_entry(due.id, entry_id="3", number="A-1", state=state, total=Decimal("110.00"), url="https://e/3")


@pytest.mark.parametrize("alone", [False, True])
def test_they_are_made_with_the_document_and_due_by_policy(desk, ledger, alone):
    if alone:  # what depends on other documents has a transaction of its own
        first = desk.issue("1").issued.uuid
        uuid = desk.issue("2", corrects=first, postings=(AT_ONCE, WHEN_FINAL)).issued.uuid
    else:
        uuid = desk.issue("46", postings=(AT_ONCE, WHEN_FINAL)).issued.uuid
    assert [(each.connection_id, each.mode) for each in ledger.postings_of("tp", uuid)] == [
        ("odoo", PostingMode.POST),
        ("erpnext", PostingMode.ATTACH),
    ]
    assert [due.connection_id for due in take(ledger)] == ["odoo"]
    assert ledger.postings_of("other", uuid) == ()
    assert ledger.posting_counts("tp") == {("odoo", PostingState.DUE): 1, ("erpnext", PostingState.DUE): 1}


def test_a_final_status_rings_those_that_wait_and_those_that_were_done(desk, ledger):
    uuid = desk.issue("46", postings=(AT_ONCE, WHEN_FINAL)).issued.uuid
    (due,) = take(ledger)
    enter(ledger, due)
    ledger.end_posting(due.id, state=PostingState.DONE, told="issued", receipt="move 3", now=NOW)
    assert take(ledger, NOW + MINUTE) == ()
    final(ledger, uuid)
    assert {each.connection_id: each.told for each in take(ledger)} == {"odoo": "issued", "erpnext": ""}
    kept = one(ledger, uuid)
    assert (kept.entry_id, kept.entry_number, kept.entry_total) == ("3", "A-1", Decimal("110.00"))


def test_what_became_final_while_it_was_worked_on_is_due_again(desk, ledger):
    uuid = desk.issue("46", postings=(AT_ONCE,)).issued.uuid
    (due,) = take(ledger)
    final(ledger, uuid)
    assert take(ledger) == ()  # leased
    ledger.end_posting(due.id, state=PostingState.DONE, told="issued", now=NOW)
    (again,) = take(ledger)
    assert (again.told, again.attempts) == ("issued", 0)
    ledger.end_posting(again.id, state=PostingState.DONE, told="reported", now=NOW)
    assert one(ledger, uuid).state is PostingState.DONE


def test_they_are_tried_again_and_a_late_worker_decides_nothing(desk, ledger):
    uuid = desk.issue("46", postings=(AT_ONCE,)).issued.uuid
    (due,) = take(ledger)
    later = {"state": PostingState.DUE, "reason": {"en": "503", "ar": "٥٠٣"}, "next_at": NOW + MINUTE}
    ledger.end_posting(due.id, **later, now=NOW)
    assert take(ledger) == ()
    (again,) = take(ledger, NOW + MINUTE)
    assert again.attempts == 1
    ledger.end_posting(again.id, state=PostingState.DONE, told="issued", now=NOW)
    ledger.end_posting(again.id, state=PostingState.FAILED, now=NOW)
    assert one(ledger, uuid).state is PostingState.DONE


@pytest.mark.parametrize("state", [PostingState.HELD, PostingState.FAILED])
def test_what_waits_for_a_person_is_tried_again_or_set_aside(desk, ledger, state):
    uuids = [desk.issue(order, postings=(AT_ONCE,)).issued.uuid for order in "ab"]
    for due in take(ledger):
        ledger.end_posting(due.id, state=state, reason={"en": "no tax", "ar": "لا ضريبة"}, now=NOW)
    final(ledger, uuids[0])
    assert take(ledger) == ()  # a final status decides nothing of it
    first, second = (one(ledger, uuid).id for uuid in uuids)
    assert [each.id for each in ledger.postings("tp", states=[state])] == [second, first]
    assert ledger.postings("tp", states=[state], before=second)[0].id == first
    assert ledger.postings("tp", connection_id="erpnext") == ()
    ledger.retry_posting("tp", first, now=NOW, actor="ann")
    ledger.dismiss_posting("tp", second, reason="by hand", now=NOW, actor="ann")
    assert [due.id for due in take(ledger)] == [first]
    assert one(ledger, uuids[1]).state is PostingState.IGNORED
    for number in (first, second):
        with pytest.raises(Unknown, match="waits for a person"):
            ledger.retry_posting("tp", number, now=NOW)
    log = [each.action for each in ledger.audit_log("tp") if each.action.startswith("posting.")]
    assert log == [f"posting.{state.value}"] * 2 + ["posting.retried", "posting.dismissed"]


def test_of_another_taxpayer_nothing_is_decided(desk, ledger):
    uuid = desk.issue("46", postings=(AT_ONCE,)).issued.uuid
    (due,) = take(ledger)
    ledger.end_posting(due.id, state=PostingState.HELD, now=NOW)
    with pytest.raises(Unknown):
        ledger.retry_posting("other", due.id, now=NOW)
    with pytest.raises(Unknown):
        ledger.dismiss_posting("other", due.id, reason="x y z", now=NOW)
    assert one(ledger, uuid).state is PostingState.HELD


def test_given_up_for_its_credentials_it_is_due_when_there_are_others(desk, ledger):
    states = {"a": PostingState.FAILED, "b": PostingState.HELD}
    uuids = {order: desk.issue(order, postings=(AT_ONCE,)).issued.uuid for order in states}
    for due, state in zip(take(ledger), states.values(), strict=True):
        ledger.end_posting(due.id, state=state, now=NOW)
    assert ledger.retry_postings("tp", "odoo", now=NOW) == 1
    assert [due.uuid for due in take(ledger)] == [uuids["a"]]


def test_a_replaced_document_is_rung_whatever_it_waited_for(desk, ledger):
    former = desk.issue("46", postings=(AT_ONCE,)).issued.uuid
    (due,) = take(ledger)
    ledger.end_posting(due.id, state=PostingState.HELD, now=NOW)
    final(ledger, former, Status.REJECTED)
    new = desk.issue("46", digest="corrected", replaces=former, postings=(AT_ONCE,)).issued.uuid
    assert [due.uuid for due in take(ledger)] == [former, new]
    assert ledger.current_of("tp", former) == new


def test_a_worker_that_starts_anew_frees_them(desk, ledger):
    desk.issue("46", postings=(AT_ONCE,))
    take(ledger)
    assert take(ledger) == ()
    assert ledger.release_leases("w") == 1
    assert len(take(ledger)) == 1


def test_the_database_keeps_whose_they_are(desk, ledger, raw_of):
    desk.issue("46", postings=(AT_ONCE,))
    (due,) = take(ledger)
    enter(ledger, due)
    for statement, why in (
        ("DELETE FROM posting", "never deleted"),
        ("UPDATE posting SET connection_id = 'erpnext'", "stays what it is"),
        ("UPDATE posting SET mode = 'attach'", "stays what it is"),
        ("UPDATE posting SET entry_id = ''", "not forgotten"),
        (f"{raw_of.insert_over} INTO posting SELECT * FROM posting", "stands already"),
    ):
        with pytest.raises(REFUSED, match=why):
            raw_of.execute(statement)


def test_everything_of_an_erp_is_left_alone(desk, ledger):
    desk.issue("46", postings=(AT_ONCE,))
    ledger.leave_alone("odoo", until=NOW + MINUTE)
    assert take(ledger) == ()
    assert len(take(ledger, NOW + MINUTE)) == 1
