"""The same ledger on PostgreSQL, where GATEWAY_TEST_POSTGRES names a database to try it in and psycopg is installed."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from gateway.chain import walk
from gateway.consequence import Line
from gateway.errors import Conflict, Misconfigured, Unavailable
from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.ledger import Band, KeptList, Ledger, News, Step
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, Desk, csid, furnish, maker, sale
from tests.ledger.many import warn

SCHEMA = f"gateway_test_{os.getpid()}"


@pytest.fixture(scope="module")
def postgres():
    """A URL that leads into a schema of our own."""
    with _schema(SCHEMA) as url:
        yield url


@contextmanager
def _schema(name):
    given = os.environ.get("GATEWAY_TEST_POSTGRES")
    if not given:
        pytest.skip("GATEWAY_TEST_POSTGRES does not name a database")
    pytest.importorskip("psycopg")
    url = make_url(given).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture(scope="module")
def ledgers(postgres):
    """Two openings of one ledger, as two processes would have, with two units and some documents sent."""
    with Ledger.open(postgres) as first, Ledger.open(postgres) as second:
        furnish(first)
        first.add_unit(SECOND, now=NOW)
        first.add_csid(csid(SECOND, "csid-2"), now=NOW)
        yield first, second


SECOND = replace(UNIT, id="jeddah", number_prefix="JED-")


def test_two_processes_and_two_units_keep_their_chains(ledgers):
    def work(job):
        ledger, unit, name = job
        for n in range(20):
            ledger.append(sale(f"{name}-{n}", unit=unit), maker(f"{name}-{n}"), actor="t", now=NOW)

    first, second = ledgers
    jobs = [(first, UNIT, "a"), (second, UNIT, "b"), (first, SECOND, "c"), (second, SECOND, "d")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, jobs))
    for name in ("csid-1", "csid-2"):
        links = list(first.chain_links("tp", name))
        assert len(links) == 40
        assert list(walk(links)) == []
    assert list(first.audit_breaks("tp")) == []


def test_the_same_order_is_one_document_whichever_process_takes_it(ledgers):
    def work(n):
        return ledgers[n % 2].append(sale("46"), maker(f"same-{n}"), actor="t", now=NOW)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(work, range(6)))
    assert len({each.issued.uuid for each in answers}) == 1
    assert Desk(ledgers[0]).issue("46").issued == answers[0].issued


def test_two_processes_never_get_the_same_document_to_send(ledgers):
    def work(n):
        taken = []
        lease = {"now": NOW, "limit": 3, "lease_until": NOW + timedelta(hours=1), "worker": f"w{n}"}
        while batch := ledgers[n % 2].claim_submissions(**lease):
            taken += [due.uuid for due in batch]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [uuid for uuids in pool.map(work, range(4)) for uuid in uuids]
    assert len(taken) == len(set(taken)) == sum(ledgers[0].counts("tp").values())


def test_claims_and_answers_of_many_take_their_locks_in_one_order():
    """A deadlock would end one of the two, and an answer of the authority would be lost."""

    def work(n):
        ledger, name = ledgers[n], f"s{n}"
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
    with _schema(f"{SCHEMA}_storm") as url, ExitStack() as stack:
        ledgers = [stack.enter_context(Ledger.open(url)) for _ in range(4)]
        first = ledgers[0]
        furnish(first)
        first.add_unit(SECOND, now=NOW)
        first.add_csid(csid(SECOND, "csid-2"), now=NOW)
        for n in range(40):
            unit = (UNIT, SECOND)[n % 2]
            first.append(sale(f"{n}", unit=unit), maker(f"storm-{n}"), actor="t", now=NOW)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert len(done) > 40
        assert sum(first.attempts_by_outcome(since=NOW).values()) == len(done)


def test_two_processes_raise_an_alarm_once_and_see_the_same(ledgers):
    now = NOW + timedelta(hours=7)
    due = [Band(Profile.SIMPLIFIED, 6, now - timedelta(hours=12), now - timedelta(hours=6))]
    assert ledgers[0].is_alarm_due(due)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda n: ledgers[n % 2].raise_alarms(due, now=now), range(4))
    raised = [each for of_one in found for each in of_one]
    open_now = ledgers[1].backlog(due)
    assert sum(each.count for each in raised) == sum(each.count for each in open_now) > 0
    assert {each.level for each in open_now} == {6}
    assert not ledgers[1].is_alarm_due(due)
    uuid = ledgers[0].invoices("tp").items[0].uuid
    assert [ledger.note_shared_uncleared("tp", uuid, now=now) for ledger in ledgers] == [True, False]
    assert ledgers[1].invoice("tp", uuid).shared_uncleared
    assert list(ledgers[0].audit_breaks("tp")) == []


def test_what_is_counted_is_counted_here_too(ledgers):
    ledger, uuid = ledgers[0], ledgers[0].invoices("tp").items[0].uuid
    warn(ledger, uuid, "BR-KSA-98", NOW)
    (trend,) = ledger.warning_trends("tp", since=NOW, until=NOW + timedelta(days=1))
    assert (trend.count, trend.weeks) == (1, {"2026-W48": 1})
    assert ledger.warnings_by_rule(since=NOW) == {"BR-KSA-98": 1}
    assert sum(ledger.submissions_by_status().values()) == sum(ledger.counts("tp").values())
    assert ledger.queue_depths()["submissions"] > 0
    assert {each.unit_id for each in ledger.certificate_ends()} == {UNIT.id, SECOND.id}
    assert ledger.attempts_by_outcome(since=NOW) == {}
    assert ledger.last_answers("tp") == ledger.held_units() == ledger.broken_lines() == ()
    assert ledger.reported_late("tp", since=NOW, now=NOW + timedelta(days=2)) == 0


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE document SET total = '0'",
        "DELETE FROM document",
        "TRUNCATE document CASCADE",
        "TRUNCATE attempt",
        "UPDATE stamp SET xml = ''",
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE chain SET head_icv = 0",
        "UPDATE chain SET head_icv = head_icv + 1",
        "UPDATE sale SET thing = 'x'",
        "DELETE FROM submission",
        "INSERT INTO document SELECT * FROM document LIMIT 1",
        "INSERT INTO chain SELECT * FROM chain LIMIT 1",
    ],
)
def test_the_database_refuses_here_too(ledgers, attack):
    with pytest.raises(DBAPIError, match=r"never|stands already|head of a chain|its own documents"):  # noqa: SIM117
        with ledgers[0]._database.writing() as connection:
            connection.execute(text(attack))


def test_somebody_elses_database_is_left_alone(postgres):
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}_other"))
        connection.execute(text(f"CREATE TABLE {SCHEMA}_other.photos (id int)"))
    try:
        with pytest.raises(Misconfigured, match="something else"):
            Ledger.open(postgres.replace(SCHEMA, f"{SCHEMA}_other"))
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {SCHEMA}_other CASCADE"))
        engine.dispose()


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
