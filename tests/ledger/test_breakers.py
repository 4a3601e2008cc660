"""Who may send: broken lines rest but for one probe, limits hold over all workers, nobody starves the others."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.breaker import CLOSED
from gateway.connection import Connection
from gateway.consequence import Line
from gateway.errors import Conflict
from gateway.issued import Status
from gateway.ledger import Limits, News, Taxpayer
from gateway.ledger.breakers import keep
from gateway.ledger.tables import BREAKER
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, csid, maker, sale

MINUTE = timedelta(minutes=1)
SECOND_UNIT = replace(UNIT, id="jeddah", number_prefix="JED-")


def pause(opened):
    return MINUTE * opened


def news(line, **more):
    return News(line, pause, **more)


def claim(ledger, *, now=NOW, limit=99, worker="w", **more):
    return ledger.claim_submissions(now=now, limit=limit, lease_until=now + 10 * MINUTE, worker=worker, **more)


def end(ledger, uuid, line, *, now=NOW, **more):
    """Answer what was claimed; the lines that turned."""
    number = ledger.begin_attempt(uuid, worker="w", now=now)
    open_again = line is not Line.WORKS
    answer = {
        "http_status": 503 if open_again else 200,
        "outcome": Outcome.UNKNOWN if open_again else Outcome.ACCEPTED,
        "status": Status.UNKNOWN if open_again else Status.REPORTED,
        "next_at": now if open_again else None,
        "body": b"",
    }
    turns = ledger.end_attempt(uuid, number, news=news(line, **more), now=now, **answer)
    return {turn.line for turn in turns}


@pytest.fixture
def documents(ledger):
    """Twenty of one unit, twenty of another, of one taxpayer."""
    ledger.add_unit(SECOND_UNIT, now=NOW)
    ledger.add_csid(csid(SECOND_UNIT, "csid-2"), now=NOW)
    for number in range(20):
        for unit in (UNIT, SECOND_UNIT):
            name = f"{unit.id}-{number}"
            ledger.append(sale(name, unit=unit), maker(name), actor="t", now=NOW)
    return ledger


def of(dues, unit):
    return [due for due in dues if due.unit_id == unit.id]


def test_five_failures_in_a_row_rest_a_unit_and_not_its_neighbour(documents):
    mine = of(claim(documents), UNIT)
    turned = [end(documents, due.uuid, Line.FAILS) for due in mine[:5]]
    assert turned == [set()] * 4 + [{f"tp/{UNIT.id}"}]
    documents.release_leases("w")
    assert {due.unit_id for due in claim(documents)} == {SECOND_UNIT.id}
    (line,) = documents.broken_lines()
    assert (line.scope, line.since, line.open_until) == (f"tp/{UNIT.id}", NOW, NOW + MINUTE)


def test_one_document_probes_a_line_and_its_success_lets_all_go(documents):
    for due in of(claim(documents), UNIT)[:5]:
        end(documents, due.uuid, Line.FAILS)
    documents.release_leases("w")
    later = NOW + MINUTE
    (probe,) = of(claim(documents, now=later), UNIT)
    assert of(claim(documents, now=later), UNIT) == []
    assert end(documents, probe.uuid, Line.WORKS, now=later) == {f"tp/{UNIT.id}"}
    assert len(of(claim(documents, now=later), UNIT)) == 19
    assert documents.broken_lines() == ()


def test_a_probe_that_fails_makes_the_rest_longer(documents):
    for due in of(claim(documents), UNIT)[:5]:
        end(documents, due.uuid, Line.FAILS)
    documents.release_leases("w")
    (probe,) = of(claim(documents, now=NOW + MINUTE), UNIT)
    end(documents, probe.uuid, Line.FAILS, now=NOW + MINUTE)
    assert of(claim(documents, now=NOW + 2 * MINUTE), UNIT) == []
    assert len(of(claim(documents, now=NOW + 3 * MINUTE), UNIT)) == 1


def test_ten_failures_of_whichever_units_rest_the_authority(documents):
    dues = claim(documents)
    failing = [*of(dues, UNIT)[:4], *of(dues, SECOND_UNIT)[:4], *of(dues, UNIT)[4:6]]
    turned = [end(documents, due.uuid, Line.FAILS, reason="HTTP 503") for due in failing]
    assert turned[-1] == {"authority"}
    documents.release_leases("w")
    assert claim(documents) == ()
    assert [line.reason for line in documents.broken_lines() if line.scope == "authority"] == ["HTTP 503"]
    (probe,) = claim(documents, now=NOW + MINUTE)
    assert claim(documents, now=NOW + MINUTE) == ()
    end(documents, probe.uuid, Line.WORKS, now=NOW + MINUTE)
    assert len(claim(documents, now=NOW + MINUTE)) > 1


def test_success_in_between_means_that_the_line_works(documents):
    mine = of(claim(documents), UNIT)
    for bad, good in zip(mine[::2], mine[1::2], strict=True):
        assert end(documents, bad.uuid, Line.FAILS) == set()
        assert end(documents, good.uuid, Line.WORKS) == set()
    assert documents.broken_lines() == ()


def test_who_is_limited_rests_at_once_and_as_long_as_asked(documents):
    first = of(claim(documents), UNIT)[0]
    assert end(documents, first.uuid, Line.LIMITED, at_least=5 * MINUTE) == {f"tp/{UNIT.id}"}
    documents.release_leases("w")
    assert of(claim(documents, now=NOW + 4 * MINUTE), UNIT) == []
    documents.release_leases("w")
    assert len(of(claim(documents, now=NOW + 5 * MINUTE), UNIT)) == 1


def test_a_probe_whose_worker_died_is_followed_by_another(documents):
    for due in of(claim(documents), UNIT)[:5]:
        end(documents, due.uuid, Line.FAILS)
    documents.release_leases("w")
    assert len(of(claim(documents, now=NOW + MINUTE), UNIT)) == 1
    assert of(claim(documents, now=NOW + 5 * MINUTE), UNIT) == []
    assert len(of(claim(documents, now=NOW + 11 * MINUTE, worker="heir"), UNIT)) == 1


def test_no_more_are_under_way_than_the_limits_say_whoever_has_them(documents):
    limits = Limits(total=7, taxpayer=99)
    assert [len(claim(documents, worker=name, limit=5, limits=limits)) for name in "abc"] == [5, 2, 0]


def test_a_taxpayer_with_much_to_send_leaves_room_for_another(documents):
    other = replace(UNIT, taxpayer_id="small", id="small-1")
    documents.add_taxpayer(Taxpayer("small", "Small", "399999999900003"), now=NOW)
    documents.add_unit(other, now=NOW)
    documents.add_csid(csid(other, "csid-3"), now=NOW)
    later = NOW + timedelta(seconds=1)
    documents.add_connection(Connection("small-shop", "small", other.id, "api"), now=NOW)
    documents.append(sale("s-1", unit=other, connection_id="small-shop"), maker("small-1"), actor="t", now=later)
    taken = claim(documents, now=later, limit=10, limits=Limits(total=10, taxpayer=4))
    assert sorted(due.taxpayer_id for due in taken) == ["small", "tp", "tp", "tp", "tp"]
    assert claim(documents, now=later, limit=10, limits=Limits(total=10, taxpayer=4)) == ()


def test_what_a_refused_old_certificate_stamped_waits_for_a_person(documents):
    (first, second) = of(claim(documents, limit=3), UNIT)[:2]
    end(documents, first.uuid, Line.FAILS)
    documents.release_leases("w")
    assert documents.hold_certificate("csid-1", now=NOW) == 20
    assert of(claim(documents, now=NOW + MINUTE), UNIT) == []
    assert documents.invoice("tp", first.uuid).status is Status.UNKNOWN
    assert documents.invoice("tp", second.uuid).status is Status.HELD
    documents.release_unit("tp", UNIT.id, now=NOW + MINUTE)
    assert documents.invoice("tp", first.uuid).status is Status.UNKNOWN
    assert documents.invoice("tp", second.uuid).status is Status.ISSUED
    assert len(of(claim(documents, now=NOW + 2 * MINUTE), UNIT)) == 20


def issue(ledger, *names, now=NOW):
    for name in names:
        ledger.append(sale(name), maker(name), actor="t", now=now)


def fail(ledger, dues, *, now=NOW):
    for due in dues:
        end(ledger, due.uuid, Line.FAILS, now=now)


def test_a_line_is_tried_with_what_was_tried_least(ledger):
    """Documents that no answer ever comes to would keep their line broken for all others."""
    issue(ledger, *(f"bad-{n}" for n in range(6)))
    fail(ledger, claim(ledger))
    issue(ledger, "good")
    (probe,) = claim(ledger, now=NOW + MINUTE)
    assert probe.uuid == "good"
    assert end(ledger, probe.uuid, Line.WORKS, now=NOW + MINUTE) == {f"tp/{UNIT.id}"}


def test_the_authority_is_tried_with_what_was_tried_least(documents):
    fail(documents, claim(documents, limit=10))
    issue(documents, "good")
    tried = []
    for hour in range(1, 32):
        now = NOW + timedelta(hours=hour)
        (probe,) = claim(documents, now=now)
        fail(documents, [probe], now=now)
        tried.append(probe.uuid)
    assert len(set(tried)) == 31
    assert "good" in tried


def test_thousands_of_units_may_rest(ledger):
    issue(ledger, "one")
    with ledger._database.writing() as connection:
        for number in range(1500):
            keep(connection, f"tp/u-{number}", CLOSED.paused(NOW, pause), NOW)
    assert len(claim(ledger)) == 1


def test_what_was_tried_in_vain_leaves_half_of_the_room_to_others(documents):
    for number in range(3):
        now = NOW + number * 20 * MINUTE
        for due in claim(documents, now=now, limit=20):
            documents.begin_attempt(due.uuid, worker="w", now=now)
        documents.release_leases("w")
    taken = claim(documents, limit=8, limits=Limits(8, 8))
    assert sorted(due.attempts for due in taken) == [0, 0, 0, 0, 3, 3, 3, 3]


def test_where_all_were_tried_in_vain_they_have_all_the_room(ledger):
    issue(ledger, *(f"bad-{n}" for n in range(8)))
    for _ in range(3):
        for due in claim(ledger):
            ledger.begin_attempt(due.uuid, worker="w", now=NOW)
        ledger.release_leases("w")
    assert len(claim(ledger, limit=8, limits=Limits(8, 8))) == 8


def test_a_probe_that_cannot_be_sent_makes_way_at_once(documents):
    fail(documents, of(claim(documents), UNIT)[:5])
    documents.release_leases("w")
    later = NOW + MINUTE
    (probe,) = of(claim(documents, now=later), UNIT)
    documents.give_back(probe.uuid, worker="w", next_at=later + MINUTE, now=later)
    (another,) = of(claim(documents, now=later), UNIT)
    assert another.uuid != probe.uuid


def test_nothing_is_begun_after_its_lease(documents):
    (due,) = claim(documents, limit=1)
    with pytest.raises(Conflict, match="no longer leased"):
        documents.begin_attempt(due.uuid, worker="w", now=NOW + 11 * MINUTE)


def test_many_that_are_limited_together_are_limited_once(documents):
    first, second, third = of(claim(documents), UNIT)[:3]
    assert end(documents, first.uuid, Line.LIMITED) == {f"tp/{UNIT.id}"}
    assert end(documents, second.uuid, Line.LIMITED) == set()
    assert end(documents, third.uuid, Line.LIMITED, at_least=3 * MINUTE) == set()
    (line,) = documents.broken_lines()
    assert line.open_until == NOW + 3 * MINUTE
    with documents._database.reading() as connection:
        assert connection.execute(select(BREAKER.c.opened).where(BREAKER.c.scope == line.scope)).scalar() == 1


def test_what_was_under_way_when_its_unit_was_held_is_held_too(documents):
    due = of(claim(documents), UNIT)[0]
    number = documents.begin_attempt(due.uuid, worker="w", now=NOW)
    documents.hold_unit("tp", UNIT.id, reason="401", now=NOW)
    answer = {"http_status": 401, "outcome": Outcome.CREDENTIALS, "body": b"", "status": Status.ISSUED}
    documents.end_attempt(due.uuid, number, next_at=NOW, now=NOW, **answer)
    assert documents.invoice("tp", due.uuid).status is Status.HELD
    documents.release_unit("tp", UNIT.id, now=NOW)
    assert documents.invoice("tp", due.uuid).status is Status.ISSUED
