"""Who sends which document, and what its answer makes of it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import Conflict, Unknown
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.ledger import Cleared, LinkBackState
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT

MINUTE = timedelta(minutes=1)
FINDING = Finding(
    "BR-KSA-98", Severity.WARNING, RuleSet.KSA, "/Invoice", "BT-2", Text("late", "متأخر"), Text("", ""), "placed_at"
)


def claim(ledger, *, now=NOW, limit=10, worker="w", **more):
    return ledger.claim_submissions(now=now, limit=limit, lease_until=now + MINUTE, worker=worker, **more)


def end(ledger, uuid, number, status, *, now=NOW, outcome=Outcome.ACCEPTED, **changes):
    ledger.end_attempt(
        uuid, number, **{"http_status": 200, "outcome": outcome, "body": b"{}", "status": status, "now": now} | changes
    )


def test_a_claimed_document_has_all_it_takes_to_send_it(desk, ledger):
    issued = desk.issue("46").issued
    [due] = claim(ledger)
    assert (due.uuid, due.hash, due.csid_id, due.endpoint) == (issued.uuid, issued.hash, "csid-1", "reporting")
    assert (due.taxpayer_id, due.unit_id, due.attempts, due.worker) == ("tp", UNIT.id, 0, "w")
    assert due.xml == ledger.stamped_xml("tp", issued.uuid)


def test_a_lease_keeps_others_away_until_it_ends(desk, ledger):
    desk.issue("46")
    assert len(claim(ledger)) == 1
    assert claim(ledger, worker="other") == ()
    assert claim(ledger, now=NOW + MINUTE - timedelta(microseconds=1), worker="other") == ()
    assert len(claim(ledger, now=NOW + MINUTE, worker="other")) == 1


def test_two_workers_never_get_the_same_document(desk, ledger):
    for order in range(40):
        desk.issue(str(order))

    def work(name):
        taken = []
        while batch := claim(ledger, limit=3, worker=name):
            taken += [due.uuid for due in batch]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [uuid for uuids in pool.map(work, "abcd") for uuid in uuids]
    assert len(taken) == len(set(taken)) == 40


def test_the_most_urgent_goes_first(desk, ledger):
    standard = {"profile": Profile.STANDARD, "endpoint": "clearance"}
    old = desk.issue("old").issued
    new = desk.issue("new", now=NOW + timedelta(hours=18)).issued
    now = NOW + timedelta(hours=20)
    waiting = desk.issue("waiting", now=now, made=standard).issued
    assert [due.uuid for due in claim(ledger, now=now)] == [waiting.uuid, old.uuid, new.uuid]


def test_an_attempt_is_on_record_before_it_has_an_end(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger)
    assert ledger.begin_attempt(uuid, worker="w", now=NOW) == 1
    assert ledger.invoice("tp", uuid).status is Status.SENDING
    [begun] = ledger.attempts("tp", uuid)
    assert (begun.number, begun.phase, begun.at, begun.outcome) == (1, "begun", NOW, None)
    end(ledger, uuid, 1, Status.UNKNOWN, outcome=Outcome.UNKNOWN, http_status=0, body=b"", next_at=NOW + MINUTE)
    *_, ended = ledger.attempts("tp", uuid)
    assert (ended.phase, ended.http_status, ended.outcome, ended.body) == ("ended", 0, Outcome.UNKNOWN, b"")


def test_what_has_no_answer_is_sent_again_in_its_time(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger)
    number = ledger.begin_attempt(uuid, worker="w", now=NOW)
    end(ledger, uuid, number, Status.UNKNOWN, outcome=Outcome.UNKNOWN, next_at=NOW + MINUTE)
    assert ledger.invoice("tp", uuid).status is Status.UNKNOWN
    assert claim(ledger, now=NOW + MINUTE / 2) == ()
    [due] = claim(ledger, now=NOW + MINUTE)
    assert (due.attempts, ledger.begin_attempt(uuid, worker="w", now=NOW + MINUTE)) == (1, 2)


def test_a_worker_that_died_while_sending_is_taken_over(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger, worker="dead")
    ledger.begin_attempt(uuid, worker="dead", now=NOW)
    [due] = claim(ledger, now=NOW + MINUTE, worker="heir")
    assert (due.status, due.attempts) == (Status.SENDING, 1)
    with pytest.raises(Conflict, match="no longer leased to dead"):
        ledger.begin_attempt(uuid, worker="dead", now=NOW + MINUTE)
    assert ledger.begin_attempt(uuid, worker="heir", now=NOW + MINUTE) == 2


def test_a_late_answer_counts_only_if_it_is_final(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger, worker="slow")
    ledger.begin_attempt(uuid, worker="slow", now=NOW)
    claim(ledger, now=NOW + MINUTE, worker="heir")
    ledger.begin_attempt(uuid, worker="heir", now=NOW + MINUTE)
    later = NOW + 2 * MINUTE
    end(ledger, uuid, 1, Status.UNKNOWN, outcome=Outcome.UNKNOWN, next_at=later, now=later)
    assert ledger.invoice("tp", uuid).status is Status.SENDING
    end(ledger, uuid, 2, Status.REPORTED, now=later)
    assert len(ledger.attempts("tp", uuid)) == 4


def test_a_late_acceptance_is_an_acceptance_and_final_stays_final(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger, worker="slow")
    ledger.begin_attempt(uuid, worker="slow", now=NOW)
    claim(ledger, now=NOW + MINUTE, worker="heir")
    ledger.begin_attempt(uuid, worker="heir", now=NOW + MINUTE)
    end(ledger, uuid, 1, Status.REPORTED)
    assert ledger.invoice("tp", uuid).status is Status.REPORTED
    end(ledger, uuid, 2, Status.UNKNOWN, outcome=Outcome.UNKNOWN, next_at=NOW)
    assert ledger.invoice("tp", uuid).status is Status.REPORTED
    assert claim(ledger, now=NOW + timedelta(days=1)) == ()


def test_a_final_answer_ends_the_sending_and_rings_the_link_back(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    leases = {"now": NOW, "limit": 9, "lease_until": NOW + MINUTE, "worker": "w"}
    assert ledger.claim_link_backs(**leases) == ()
    claim(ledger)
    end(ledger, uuid, ledger.begin_attempt(uuid, worker="w", now=NOW), Status.REPORTED, findings=[FINDING])
    issued = ledger.invoice("tp", uuid)
    assert (issued.status, issued.findings) == (Status.REPORTED, (FINDING,))
    assert claim(ledger, now=NOW + timedelta(days=1)) == ()
    assert [due.uuid for due in ledger.claim_link_backs(**leases)] == [uuid]


def test_the_cleared_document_is_the_one_to_share(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    ours = ledger.xml("tp", uuid)
    claim(ledger)
    end(
        ledger,
        uuid,
        ledger.begin_attempt(uuid, worker="w", now=NOW),
        Status.CLEARED,
        cleared=Cleared(b"<cleared/>", "QR"),
    )
    assert ledger.xml("tp", uuid) == b"<cleared/>"
    assert ledger.stamped_xml("tp", uuid) == ours


def test_where_clearance_is_off_the_document_goes_to_reporting(desk, ledger):
    uuid = desk.issue("46", made={"profile": Profile.STANDARD, "endpoint": "clearance"}).issued.uuid
    claim(ledger)
    number = ledger.begin_attempt(uuid, worker="w", now=NOW)
    off = {"outcome": Outcome.CLEARANCE_OFF, "http_status": 303, "next_at": NOW, "endpoint": "reporting"}
    end(ledger, uuid, number, Status.ISSUED, **off)
    assert [due.endpoint for due in claim(ledger)] == ["reporting"]


def test_an_isolated_unit_makes_documents_and_sends_none(desk, ledger):
    before = desk.issue("a").issued.uuid
    ledger.hold_unit("tp", UNIT.id, reason="401", now=NOW)
    assert ledger.held("tp", UNIT.id) == "401"
    during = desk.issue("b").issued
    assert (during.status, ledger.invoice("tp", before).status) == (Status.HELD, Status.HELD)
    assert claim(ledger) == ()
    ledger.release_unit("tp", UNIT.id, now=NOW)
    assert ledger.held("tp", UNIT.id) is None
    assert [due.status for due in claim(ledger)] == [Status.ISSUED, Status.ISSUED]


def test_a_document_refused_for_its_credentials_waits_for_the_release(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger)
    number = ledger.begin_attempt(uuid, worker="w", now=NOW)
    end(ledger, uuid, number, Status.HELD, outcome=Outcome.CREDENTIALS, http_status=401, next_at=NOW)
    ledger.hold_unit("tp", UNIT.id, reason="401", now=NOW)
    assert claim(ledger, now=NOW + MINUTE) == ()
    ledger.release_unit("tp", UNIT.id, now=NOW + MINUTE)
    assert [due.status for due in claim(ledger, now=NOW + MINUTE)] == [Status.ISSUED]


def test_holding_one_unit_leaves_the_others_alone(desk, ledger):
    second = replace(UNIT, id="jeddah", number_prefix="JED-")
    ledger.add_unit(second, now=NOW)
    desk.issue("46")
    ledger.hold_unit("tp", "jeddah", reason="x", now=NOW)
    assert len(claim(ledger)) == 1
    with pytest.raises(Unknown):
        ledger.hold_unit("tp", "nowhere", reason="x", now=NOW)


def test_links_back_are_tried_again_done_or_given_up(desk, ledger):
    uuid = desk.issue("46").issued.uuid
    claim(ledger)
    end(ledger, uuid, ledger.begin_attempt(uuid, worker="w", now=NOW), Status.REPORTED)

    def take(now):
        return ledger.claim_link_backs(now=now, limit=9, lease_until=now + MINUTE, worker="w")

    [due] = take(NOW)
    assert (due.connection_id, due.attempts, take(NOW)) == ("shop", 0, ())
    ledger.end_link_back(due.id, error="503", next_at=NOW + 2 * MINUTE, now=NOW)
    assert take(NOW + MINUTE) == ()
    [due] = take(NOW + 2 * MINUTE)
    assert due.attempts == 1
    ledger.end_link_back(due.id, receipt="note 7", now=NOW + 2 * MINUTE)
    ledger.end_link_back(due.id, error="late", now=NOW + 3 * MINUTE)
    [done] = ledger.link_backs("tp", uuid)
    assert (done.state, done.receipt, done.error, done.attempts) == (LinkBackState.DONE, "note 7", "", 2)
    assert take(NOW + timedelta(days=1)) == ()
    assert ledger.link_backs("other", uuid) == ()


def test_a_document_that_is_not_there_cannot_be_sent(ledger):
    with pytest.raises(Unknown):
        ledger.begin_attempt("nowhere", worker="w", now=NOW)


def test_a_worker_that_starts_anew_frees_what_it_held(desk, ledger):
    desk.issue("46")
    desk.issue("47")
    assert len(claim(ledger, limit=1, worker="serve")) == 1
    assert len(claim(ledger, limit=1, worker="other")) == 1
    assert ledger.release_leases("serve") == 1
    assert len(claim(ledger, worker="serve")) == 1
    assert ledger.release_leases("nobody") == 0
