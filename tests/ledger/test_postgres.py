"""What only a ledger on PostgreSQL has to prove: several processes that write at once, and its server's ways."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from gateway.chain import walk
from gateway.consequence import Line
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable
from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.ledger import Band, KeptList, Ledger, News, Step, database, postgresql
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, Desk, csid, furnish, log_holds, maker, sale
from tests.ledger.many import warn
from tests.ledger.raw import REFUSED
from tests.postgres import OwnServer, connected

SECOND = replace(UNIT, id="jeddah", number_prefix="JED-")
pytestmark = pytest.mark.only("postgresql")


@pytest.fixture
def ledgers(ledger, url):
    """Two openings of one ledger, as two processes would have, with two units."""
    ledger.add_unit(SECOND, now=NOW)
    ledger.add_csid(csid(SECOND, "csid-2"), now=NOW)
    with Ledger.open(url) as second:
        yield ledger, second


def test_two_processes_and_two_units_keep_their_chains(ledgers):
    def work(job):
        ledger, unit, name = job
        for n in range(10):
            ledger.append(sale(f"{name}-{n}", unit=unit), maker(f"{name}-{n}"), actor="t", now=NOW)

    first, second = ledgers
    jobs = [(first, UNIT, "a"), (second, UNIT, "b"), (first, SECOND, "c"), (second, SECOND, "d")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, jobs))
    for name in ("csid-1", "csid-2"):
        links = list(first.chain_links("tp", name))
        assert len(links) == 20
        assert list(walk(links)) == []
    assert log_holds(first, "tp")


def test_the_same_order_is_one_document_whichever_process_takes_it(ledgers):
    def work(n):
        return ledgers[n % 2].append(sale("46"), maker(f"same-{n}"), actor="t", now=NOW)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(work, range(6)))
    assert len({each.issued.uuid for each in answers}) == 1
    assert Desk(ledgers[0]).issue("46").issued == answers[0].issued


@pytest.mark.parametrize("same", [{"idempotency_key": "k"}, {"invoice_number": "INV-1"}], ids=str)
def test_what_two_units_draw_at_the_same_time_is_had_by_one(ledgers, same):
    """Different chains do not wait for one another: only the constraint is in the way, and the second looks again."""
    both = threading.Barrier(2)

    def work(n):
        def make(slot):
            with suppress(threading.BrokenBarrierError):  # the second comes alone when it tries again
                both.wait(0.5)
            return maker(f"{n}")(slot)

        unit = (UNIT, SECOND)[n]
        try:
            return ledgers[n].append(sale(f"o{n}", unit=unit, **same), make, actor="t", now=NOW)
        except Conflict as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(work, range(2)))
    assert sorted(isinstance(each, Conflict) for each in answers) == [False, True]
    assert sum(ledgers[0].counts("tp").values()) == 1
    assert all(list(walk(ledgers[0].chain_links("tp", name))) == [] for name in ("csid-1", "csid-2"))


def test_a_webhook_that_comes_twice_at_the_same_time_is_kept_once(ledgers):
    def work(n):
        facts = {"topic": "t", "order_id": "1", "body": b"{}", "now": NOW}
        return [ledgers[n % 2].add_notice("tp", "shop", delivery_id=f"d{each}", **facts) for each in range(20)]

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(work, range(4)))
    assert sum(map(sum, kept)) == 20


def test_a_certificate_renewed_while_an_order_waits_stamps_it(ledgers, raw_of):
    """The order waited for the chain that was sealed meanwhile; it is made in the next one."""
    first, second = ledgers
    with ThreadPoolExecutor(1) as pool, first._database.writing() as connection:
        connection.execute(text("SELECT 1 FROM csid WHERE id = 'csid-1' FOR NO KEY UPDATE"))
        waiting = pool.submit(Desk(second).issue, "46")
        _await_a_wait(raw_of)
        connection.execute(
            text("UPDATE csid SET retired_at = :now WHERE id = 'csid-1'"), {"now": "2026-11-23T07:00:03"}
        )
        connection.execute(text("UPDATE chain SET sealed_at = '2026-11-23T07:00:03' WHERE id = 'csid-1'"))
        connection.execute(
            text(
                "INSERT INTO csid SELECT 'csid-9', taxpayer_id, unit_id, stage, request_id, token, certificate,"
                " not_before, not_after, created_at, NULL, 'csid-9', NULL FROM csid WHERE id = 'csid-1'"
            )
        )
        connection.execute(
            text(
                "INSERT INTO chain SELECT 'csid-9', taxpayer_id, unit_id, head_icv, head_hash, head_at, NULL"
                " FROM chain WHERE id = 'csid-1'"
            )
        )
    assert waiting.result().issued.icv == 1
    assert len(list(first.chain_links("tp", "csid-9"))) == 1


def _await_a_wait(raw):
    wanted = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    patience = time.monotonic() + 8
    while raw.execute(wanted).fetchone() == (0,):
        assert time.monotonic() < patience, "nobody waits"


def test_two_processes_never_get_the_same_document_to_send(ledgers):
    desk = Desk(ledgers[0])
    for n in range(20):
        desk.issue(f"{n}")

    def work(n):
        taken = []
        lease = {"now": NOW, "limit": 3, "lease_until": NOW + timedelta(hours=1), "worker": f"w{n}"}
        while batch := ledgers[n % 2].claim_submissions(**lease):
            taken += [due.uuid for due in batch]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [uuid for uuids in pool.map(work, range(4)) for uuid in uuids]
    assert len(taken) == len(set(taken)) == 20


def test_claims_and_answers_of_many_take_their_locks_in_one_order(ledgers, url):
    """A deadlock would end one of the two, and an answer of the authority would be lost."""

    def work(n):
        ledger, name = openings[n], f"s{n}"
        for turn in range(40):
            now = NOW + timedelta(minutes=turn)
            lease = {"now": now, "limit": 3, "lease_until": now + timedelta(hours=1), "worker": name}
            for due in ledger.claim_submissions(**lease):
                number = ledger.begin_attempt(due.uuid, worker=name, now=now)
                line = Line.WORKS if (n + turn) % 7 == 0 else Line.FAILS
                answer = {"http_status": 500, "outcome": Outcome.UNKNOWN, "body": b"", "status": Status.UNKNOWN}
                news = News(line, lambda _: timedelta())
                ledger.end_attempt(due.uuid, number, next_at=now, news=news, now=now, **answer)
                done.append(due.uuid)

    done = []
    with ExitStack() as stack:
        openings = [*ledgers, *(stack.enter_context(Ledger.open(url)) for _ in range(2))]
        first = openings[0]
        for n in range(40):
            unit = (UNIT, SECOND)[n % 2]
            first.append(sale(f"{n}", unit=unit), maker(f"storm-{n}"), actor="t", now=NOW)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert len(done) > 40
        assert sum(first.attempts_by_outcome(since=NOW).values()) == len(done)


def test_two_processes_raise_an_alarm_once_and_see_the_same(ledgers):
    for n in range(5):
        Desk(ledgers[0]).ledger.append(sale(f"{n}"), maker(f"u-{n}"), actor="t", now=NOW)
    now = NOW + timedelta(hours=7)
    due = [Band(Profile.SIMPLIFIED, 6, now - timedelta(hours=12), now - timedelta(hours=6))]
    assert ledgers[0].is_alarm_due(due)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: ledgers[n % 2].raise_alarms(due, now=now), range(4))
    raised = [each for of_one in found for each in of_one]
    open_now = ledgers[1].backlog(due)
    assert sum(each.count for each in raised) == sum(each.count for each in open_now) == 5
    assert {each.level for each in open_now} == {6}
    assert not ledgers[1].is_alarm_due(due)
    uuid = ledgers[0].invoices("tp").items[0].uuid
    assert [ledger.note_shared_uncleared("tp", uuid, now=now) for ledger in ledgers] == [True, False]
    assert ledgers[1].invoice("tp", uuid).shared_uncleared
    assert log_holds(ledgers[0], "tp")


def test_what_is_counted_is_counted_here_too(ledgers):
    ledger, uuid = ledgers[0], Desk(ledgers[0]).issue("1").issued.uuid
    warn(ledger, uuid, "BR-KSA-98", NOW)
    (trend,) = ledger.warning_trends("tp", since=NOW, until=NOW + timedelta(days=1))
    assert (trend.count, trend.weeks) == (1, {"2026-W48": 1})
    assert ledger.warnings_by_rule(since=NOW) == {"BR-KSA-98": 1}
    assert sum(ledger.submissions_by_status().values()) == sum(ledger.counts("tp").values()) == 1
    assert ledger.queue_depths()["submissions"] > 0
    assert {each.unit_id for each in ledger.certificate_ends()} == {UNIT.id, SECOND.id}


@pytest.mark.parametrize("attack", ["TRUNCATE document CASCADE", "TRUNCATE attempt", "TRUNCATE audit"])
def test_nothing_is_emptied(desk, raw_of, attack):
    desk.issue("1")
    with pytest.raises(REFUSED, match="never deleted"):
        raw_of.execute(attack)


def test_of_two_processes_at_one_run_the_second_is_refused(ledgers):
    first, second = ledgers
    facts = {"taxpayer_id": "tp", "unit_id": SECOND.id, "purpose": "renew", "request_digest": "d", "now": NOW}
    run = first.begin_onboarding("run-1", **facts)
    with pytest.raises(Conflict):
        second.begin_onboarding("run-2", **facts)
    passed = ({"name": "simplified invoice", "hash": "h"},)
    run = first.move_onboarding(run, replace(run, step=Step.CHECKS, passed=passed), now=NOW)
    with pytest.raises(Conflict):
        second.move_onboarding(replace(run, passed=()), run, now=NOW)
    done = replace(run, step=Step.DONE)
    second.finish_onboarding(run, done, csid(SECOND, "run-1"), now=NOW, actor="t", continues=True)
    with pytest.raises(Conflict):
        first.finish_onboarding(run, done, csid(SECOND, "run-2"), now=NOW, actor="t", continues=True)
    current = first.current_csid("tp", SECOND.id)
    assert (current.id, current.chain_id) == ("run-1", "csid-2")
    assert first.revoke_csid(current, detail={}, now=NOW)
    with pytest.raises(Unavailable, match="was revoked"):
        second.append(sale("z-1", unit=SECOND), maker("z-1"), actor="t", now=NOW)
    first.keep_revocation_list(KeptList("http://a.example/crl", NOW, NOW, b"\x00\xff"))
    assert second.revocation_list("http://a.example/crl").body == b"\x00\xff"


def test_who_waits_too_long_for_a_chain_is_told_so(url, ledger, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with Ledger.open(url) as impatient, ledger._database.writing() as connection:
        connection.execute(text("SELECT 1 FROM chain FOR UPDATE"))
        with pytest.raises(Unavailable, match="busy") as caught:
            Desk(impatient).issue("46")
        assert caught.value.ar
    assert Desk(ledger).issue("46").created


def test_a_character_that_cannot_be_kept_is_refused(desk):
    with pytest.raises(BadInput, match=r"U\+0000"):
        desk.issue("46", made={"buyer_name": "a\0b"})
    assert desk.issue("46").issued.icv == 1


def test_the_url_is_written_as_everywhere(url):
    for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        written = make_url(url).set(drivername=scheme).render_as_string(hide_password=False)
        with Ledger.open(written) as ledger:
            assert ledger.health() == "ok"


def test_a_server_that_is_not_there_is_named_without_its_password():
    with pytest.raises(Unavailable, match="does not answer") as caught:
        Ledger.open("postgresql://me:s3cret@127.0.0.1:1/books")
    assert "s3cret" not in f"{caught.value!r} {caught.value}"


def test_a_server_that_cannot_keep_a_ledger_is_refused(ledger, monkeypatch):
    monkeypatch.setattr(postgresql, "OLDEST", 99)
    with ledger._database.reading() as connection, pytest.raises(Misconfigured, match="99 or newer"):
        postgresql.check(connection, "books")


def test_what_is_acknowledged_is_on_disk_whatever_the_server_is_told(url, raw_of):
    raw_of.execute(f'ALTER DATABASE "{make_url(url).database}" SET synchronous_commit = off')
    try:
        with Ledger.open(url) as ledger, ledger._database.writing() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    finally:
        raw_of.execute(f'ALTER DATABASE "{make_url(url).database}" RESET synchronous_commit')


ISSUING_AND_SENDING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from dataclasses import replace
from gateway.consequence import Line
from gateway.issued import Status
from gateway.ledger import Ledger, Limits, News
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, maker, sale

url, name, units, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ledger = Ledger.open(url)
def pause(opened): return timedelta(0)

def issue(n):
    unit = UNIT if n % units == 0 else replace(UNIT, id=f"unit-{n % units}")
    for each in range(count):
        ledger.append(sale(f"{name}-{n}-{each}", unit=unit), maker(f"{name}-{n}-{each}", size=3000), actor="t", now=NOW)

def send(n):
    worker, sent, idle = f"{name}-{n}", 0, 0
    while idle < 10:
        claimed = ledger.claim_submissions(
            now=NOW, limit=3, lease_until=NOW + timedelta(hours=1), worker=worker, limits=Limits(20, 20))
        idle = 0 if claimed else idle + 1
        for due in claimed:
            number = ledger.begin_attempt(due.uuid, worker=worker, now=NOW)
            fails = number == 1 and sent % 3 == 0
            ledger.end_attempt(
                due.uuid, number, http_status=503 if fails else 200,
                outcome=Outcome.UNKNOWN if fails else Outcome.ACCEPTED, body=b"{}",
                status=Status.ISSUED if fails else Status.REPORTED, now=NOW, next_at=NOW if fails else None,
                news=News(Line.FAILS if fails else Line.WORKS, pause))
            sent += 1
    return sent

with ThreadPoolExecutor(4) as pool:
    jobs = [pool.submit(issue, 0), pool.submit(issue, 1), pool.submit(send, 0), pool.submit(send, 1)]
    for job in jobs:
        job.result()
print(ledger.counts("tp"))
"""


@pytest.mark.parametrize("units", [1, 2])
def test_issuing_and_sending_by_several_processes_never_block_one_another(ledger, url, raw_of, units):
    count = 12
    for n in range(1, units):
        unit = replace(UNIT, id=f"unit-{n}", number_prefix=f"U{n}-")
        ledger.add_unit(unit, now=NOW)
        ledger.add_csid(csid(unit, f"csid-u{n}"), now=NOW)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ISSUING_AND_SENDING, url, name, str(units), str(count)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for name in ("a", "b")
    ]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sum(ledger.counts("tp").values()) == 4 * count
    assert list(walk(ledger.chain_links("tp", "csid-1"))) == []
    assert log_holds(ledger, "tp")
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert raw_of.execute(deadlocks).fetchone() == (0,)
    twice = "SELECT count(*) FROM attempt WHERE phase = 'ended' GROUP BY document_uuid HAVING count(*) > 2"
    assert raw_of.execute(twice).fetchall() == []


@pytest.fixture(scope="module")
def own_server():
    server = OwnServer()
    yield server
    server.stop()


def test_a_killed_server_loses_nothing_that_was_acknowledged(own_server):
    """The server dies under load; the same ledger goes on when it is back, without being opened anew."""
    with connected(own_server.url) as admin:
        admin.execute("CREATE DATABASE books TEMPLATE template0 ENCODING 'UTF8'")
    url = own_server.url.set(database="books").render_as_string(hide_password=False)
    with Ledger.open(url) as ledger:
        furnish(ledger)
        told = []
        for run in range(2):
            killer = threading.Timer(0.1, own_server.kill)
            killer.start()
            told += _issue_until_refused(ledger, run)
            killer.join()
            assert "does not answer" in ledger.health()
            own_server.start()
            assert ledger.health() == "ok"
        assert Desk(ledger).issue("after").created
        for appended in told:
            assert ledger.invoice("tp", appended.uuid) == appended
        links = list(ledger.chain_links("tp", "csid-1"))
        assert list(walk(links)) == []
        assert len(told) + 1 <= len(links) <= len(told) + 3
        assert log_holds(ledger, "tp")


def _issue_until_refused(ledger, run):
    told = []
    with pytest.raises(Unavailable, match="does not answer"):  # noqa: PT012, whichever is under way then
        for n in range(100_000):
            issued = ledger.append(sale(f"{run}-{n}"), maker(f"{run}-{n}"), actor="t", now=NOW).issued
            told.append(issued)
    return told
