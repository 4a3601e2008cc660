"""Who may send: broken lines rest but for one probe, limits hold over all workers, nobody starves the others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.connection import Connection
from gateway.consequence import Line
from gateway.issued import Status
from gateway.ledger import Limits, News, Taxpayer
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
