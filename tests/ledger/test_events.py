"""Events as they are read on, and deliveries as they are made and claimed, on both engines."""

from datetime import timedelta

import pytest

from gateway.errors import BadInput, Conflict, Unknown
from gateway.issued import Status
from gateway.ledger.audit import note
from gateway.verdict import Outcome
from tests.ledger.books import NOW

MINUTE = timedelta(minutes=1)


def alarm(ledger, target, *, owner="tp", connection=None, action="deadline.alarm"):
    facts = {"taxpayer_id": owner, "actor": "gateway", "action": action, "target": target, "now": NOW}
    if connection is None:
        ledger.audit(**facts, detail={"n": 1})
    else:
        note(connection, **facts)


def seal(ledger):
    while ledger.seal_audit(now=NOW):
        pass


def read(ledger, after=0, **more):
    events, following = ledger.events("tp", after=after, **more)
    return [(each.type, each.object) for each in events], following


def hook(ledger, webhook_id="wh_1", types=()):
    ledger.add_webhook(webhook_id, "tp", url="https://erp.example", types=types, actor="tests", now=NOW)


def make(ledger):
    return ledger.make_deliveries(lambda event: event.object, now=NOW)


def claim(ledger, at=NOW, worker="w"):
    return ledger.claim_deliveries(now=at, limit=9, lease_until=at + MINUTE, worker=worker)


def bodies(ledger, webhook_id="wh_1"):
    return [each.body for each in reversed(ledger.deliveries("tp", webhook_id))]


def test_events_are_read_on_where_the_reader_stopped(ledger, desk):
    desk.issue("1")
    alarm(ledger, "a")
    alarm(ledger, "unheard", action="looked")
    assert read(ledger) == ([], 0)
    seal(ledger)
    found, following = read(ledger)
    assert [type_ for type_, _ in found] == ["document.issued", "deadline.alarm"]
    assert read(ledger, following) == ([], following)
    alarm(ledger, "b")
    seal(ledger)
    assert read(ledger, following)[0] == [("deadline.alarm", "b")]
    first, following = read(ledger, limit=1)
    assert first + read(ledger, following)[0] == [*found, ("deadline.alarm", "b")]


def test_a_document_comes_with_its_number_and_its_order(ledger, desk):
    issued = desk.issue("17").issued
    seal(ledger)
    [event] = ledger.events("tp", types=["document.issued"])[0]
    assert (event.object, event.number) == (issued.uuid, issued.number)
    assert (event.connection, event.order) == ("shop", "17")
    assert event.id.startswith("evt_")


def test_events_are_a_taxpayers_own_and_of_the_types_asked_for(ledger, desk, other):
    desk.issue("1")
    alarm(ledger, "a")
    alarm(ledger, "theirs", owner=other.taxpayer_id)
    seal(ledger)
    assert read(ledger, types=["deadline.alarm"])[0] == [("deadline.alarm", "a")]
    assert [each.object for each in ledger.events(other.taxpayer_id)[0]] == ["theirs"]
    with pytest.raises(BadInput, match="nothing"):
        read(ledger, types=["nothing"])


@pytest.mark.only("postgresql")
def test_an_event_that_is_committed_late_is_not_missed(ledger):
    hook(ledger)
    seal(ledger)
    with ledger._database.writing() as slow:
        alarm(ledger, "late", connection=slow)
        alarm(ledger, "early")
        seal(ledger)
        found, following = read(ledger)
        assert found == [("deadline.alarm", "early")]
        assert make(ledger) == 1
    seal(ledger)
    assert read(ledger, following)[0] == [("deadline.alarm", "late")]
    assert make(ledger) == 1
    assert bodies(ledger) == ["early", "late"]


def test_a_final_status_is_an_event_of_the_same_transaction(desk, ledger):
    uuid = desk.issue("1").issued.uuid
    ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW + MINUTE, worker="w")
    attempt = ledger.begin_attempt(uuid, worker="w", now=NOW)
    answer = {"http_status": 200, "outcome": Outcome.ACCEPTED, "body": b"", "status": Status.REPORTED, "now": NOW}
    ledger.end_attempt(uuid, attempt, **answer)
    seal(ledger)
    assert read(ledger)[0] == [("document.issued", uuid), ("document.reported", uuid)]


def test_each_event_becomes_one_delivery_for_each_webhook_that_wants_it(ledger, desk):
    seal(ledger)
    hook(ledger)
    hook(ledger, "wh_2", ["deadline.alarm"])
    uuid = desk.issue("1").issued.uuid
    alarm(ledger, "a")
    assert make(ledger) == 0
    seal(ledger)
    assert make(ledger) == 3
    assert make(ledger) == 0
    assert (bodies(ledger), bodies(ledger, "wh_2")) == ([uuid, "a"], ["a"])


def test_a_delivery_is_one_workers_until_its_lease_is_over(ledger):
    seal(ledger)
    hook(ledger)
    alarm(ledger, "a")
    seal(ledger)
    make(ledger)
    [due] = claim(ledger)
    assert claim(ledger, worker="another") == ()
    assert ledger.release_leases("w") == 1
    [again] = claim(ledger, worker="another")
    assert again.event_id == due.event_id
    ledger.end_delivery(again, http_status=204, error="", next_at=None, now=NOW)
    ledger.end_delivery(due, http_status=500, error="late", next_at=NOW, now=NOW)
    assert [each.state for each in ledger.deliveries("tp", "wh_1")] == ["delivered"]


def test_a_disabled_webhook_gets_what_it_missed_once_it_is_on_again(ledger):
    seal(ledger)
    hook(ledger)
    for target in ("a", "b"):
        alarm(ledger, target)
        seal(ledger)
        make(ledger)
        ledger.disable_webhook("tp", "wh_1", reason="gone", now=NOW)
    assert claim(ledger) == ()
    with pytest.raises(Conflict):
        ledger.add_ping("tp", "wh_1", event_id="evt_1", type_="ping", body="", now=NOW)
    assert ledger.redeliver("tp", "wh_1", actor="tests", now=NOW) == 1
    assert make(ledger) == 1
    assert [each.body for each in claim(ledger)] == ["a", "b"]


def test_what_failed_since_a_time_is_sent_again(ledger):
    hook(ledger)
    for number in (1, 2):
        at = NOW + number * MINUTE
        ledger.add_ping("tp", "wh_1", event_id=f"evt_{number}", type_="ping", body=f"{number}", now=at)
    for due in claim(ledger, NOW + 2 * MINUTE):
        ledger.end_delivery(due, http_status=500, error="no", next_at=None, now=NOW)
    facts = {"actor": "tests", "now": NOW}
    assert ledger.redeliver("tp", "wh_1", since=NOW + 2 * MINUTE, **facts) == 1
    assert ledger.redeliver("tp", "wh_1", event_id="evt_1", **facts) == 1
    assert len(claim(ledger)) == 2
    with pytest.raises(Unknown):
        ledger.redeliver("tp", "wh_1", event_id="evt_3", **facts)
    with pytest.raises(Unknown):
        ledger.deliveries("other", "wh_1")


def test_what_a_night_found_is_told_to_whom_it_concerns(ledger, other):
    seal(ledger)
    found = {"tp": {"codes": ["chain.gap"], "errors": 1}, "": {"codes": ["disk"], "errors": 1}}
    ledger.end_night(NOW.date(), worker="w", now=NOW, found=found)
    seal(ledger)
    [event] = ledger.events("tp", types=["doctor.found"])[0]
    assert event.detail == found["tp"]
    assert ledger.events(other.taxpayer_id, types=["doctor.found"])[0] == ()
