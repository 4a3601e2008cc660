"""The deadline clock: alarms at 6, 12, 20, 23 and 24 hours, each once a document and never early."""

import shutil
import time
from datetime import timedelta

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.invoice.facts import Profile
from gateway.issued import Status
from gateway.ledger import Ledger, tables
from gateway.order import read_order
from gateway.pipeline.deadlines import (
    LEVELS,
    backlog,
    bands,
    hours_and_minutes,
    level,
    raise_alarms,
    time_left,
)
from gateway.pipeline.issue import Request, correct
from gateway.simulator import Fault
from gateway.verdict import Outcome
from tests.installation import BUSINESS, OWNER, UNIT, order
from tests.ledger.books import NOW, Desk, furnish
from tests.ledger.many import add_many
from tests.pipeline.test_submit import REFUSAL

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
STANDARD = {"profile": Profile.STANDARD, "endpoint": "clearance"}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    path = tmp_path_factory.mktemp("deadlines") / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as opened:
        furnish(opened)
    return path


class Watch:
    """A ledger and a clock: all that the deadline clock asks of a gateway."""

    def __init__(self, ledger):
        self.ledger, self.at, self.desk = ledger, NOW, Desk(ledger)
        self.now = lambda: self.at

    def accept(self, uuid, profile):
        later = self.at + HOUR  # the clock may have been set back a little since it was issued
        (due,) = self.ledger.claim_submissions(now=later, limit=1, lease_until=later, worker="w", uuid=uuid)
        status = Status.REPORTED if profile is Profile.SIMPLIFIED else Status.CLEARED
        number = self.ledger.begin_attempt(due.uuid, worker="w", now=self.at)
        self.ledger.end_attempt(
            uuid, number, http_status=200, outcome=Outcome.ACCEPTED, body=b"{}", status=status, now=self.at
        )

    def alarmed(self):
        with self.ledger._database.reading() as connection:
            return {row.document_uuid: row.alarmed for row in connection.execute(tables.SUBMISSION.select())}


@pytest.fixture
def watch(furnished, tmp_path):
    shutil.copy(furnished, tmp_path / "ledger.db")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield Watch(ledger)


@pytest.mark.parametrize("profile", Profile)
def test_a_level_is_reached_on_the_second(profile):
    assert level(profile, NOW, NOW) == 0
    for hours in LEVELS[profile]:
        assert level(profile, NOW, NOW + hours * HOUR) == hours
        assert level(profile, NOW, NOW + hours * HOUR - SECOND) < hours
    assert level(profile, NOW, NOW + 1000 * HOUR) == 24
    assert level(profile, NOW, NOW - HOUR) == 0


@given(st.sampled_from(Profile), st.integers(-10, 40 * 3600))
def test_bands_and_levels_are_the_same(profile, seconds):
    issued_at = NOW - timedelta(seconds=seconds)
    found = [
        band.level
        for band in bands(NOW)
        if band.profile is profile and issued_at <= band.until and (band.after is None or issued_at > band.after)
    ]
    assert found == [reached for reached in [level(profile, issued_at, NOW)] if reached]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("issue"), st.sampled_from(Profile)),
        st.tuples(st.just("accept"), st.integers(0, 20)),
        st.tuples(st.just("clock"), st.integers(1, 9 * 3600)),
        st.tuples(st.just("back"), st.integers(1, 50)),
        st.tuples(st.just("watch"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(steps=STEPS)
def test_whatever_happens_each_level_is_raised_once_and_never_early(furnished, tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("steps") / "ledger.db"
    shutil.copy(furnished, path)
    with Ledger.open(f"sqlite:///{path}") as ledger:
        _follow(Watch(ledger), steps)


def _follow(watch, steps):
    documents, accepted, highest = {}, set(), watch.at
    for number, (step, value) in enumerate(steps):
        if step == "issue":
            made = {} if value is Profile.SIMPLIFIED else STANDARD
            issued = watch.desk.issue(str(number), now=watch.at, made=made).issued
            documents[issued.uuid] = issued
        elif step == "accept" and value < len(documents):
            uuid = list(documents)[value]
            if uuid not in accepted:
                watch.accept(uuid, documents[uuid].profile)
                accepted.add(uuid)
        elif step == "clock":
            watch.at += timedelta(seconds=value)
        elif step == "back":
            watch.at = max(watch.at - timedelta(seconds=value), highest - timedelta(seconds=50))
        highest = max(highest, watch.at)
        _look(watch, documents, accepted)


def _look(watch, documents, accepted):
    before = watch.alarmed()
    alarms = raise_alarms(watch)
    after = watch.alarmed()
    for uuid, issued in documents.items():
        reached = 0 if uuid in accepted else level(issued.profile, issued.issued_at, watch.at)
        assert after[uuid] == max(before[uuid], reached)
    risen = [after[uuid] for uuid in documents if after[uuid] != before[uuid]]
    assert sorted(alarm.level for alarm in alarms for _ in range(alarm.count)) == sorted(risen)
    assert raise_alarms(watch) == []


@pytest.mark.parametrize("many", [4_000, pytest.param(20_000, marks=pytest.mark.torture)])
def test_thousands_of_open_documents_are_looked_at_in_no_time(watch, many):
    add_many(watch.ledger, many)
    timed = []
    for hours in (1, 6, 7, 12, 20, 23, 24, 25):
        watch.at = NOW + hours * HOUR
        begin = time.perf_counter()
        alarms = raise_alarms(watch)
        timed.append(time.perf_counter() - begin)
        assert [alarm.count for alarm in alarms] == ([many] if hours in LEVELS[Profile.SIMPLIFIED] else [])
    assert max(timed) < 3, timed
    begin = time.perf_counter()
    (unit,) = backlog(watch)
    assert (unit.count, unit.level, time.perf_counter() - begin < 2) == (many, 24, True)


def alarms_of(site):
    with structlog.testing.capture_logs() as log:
        found = raise_alarms(site.gateway)
    return found, log


def test_an_outage_by_the_hours(site):
    site.authority.faults.add(Fault(status=503, times=100))
    issued = site.issue(1)
    site.work()
    begun = site.clock.at = issued.issued_at + timedelta()
    heard = {}
    for minutes in range(0, 25 * 60, 30):
        site.clock.at = begun + timedelta(minutes=minutes)
        alarms, log = alarms_of(site)
        for alarm, entry in zip(alarms, log, strict=True):
            heard[minutes / 60] = (alarm.level, entry["log_level"], entry["left"])
    assert heard == {
        6: (6, "warning", "18:00"),
        12: (12, "warning", "12:00"),
        20: (20, "error", "4:00"),
        23: (23, "error", "1:00"),
        24: (24, "error", "0:00"),
    }


def test_the_alarm_says_who_what_and_how_long(site):
    first = site.issue(1)
    site.issue(2)
    site.clock.move(20 * HOUR + timedelta(minutes=30))
    (alarm,), (entry,) = alarms_of(site)
    assert (alarm.taxpayer_id, alarm.unit_id, alarm.level, alarm.count) == (OWNER, UNIT.id, 20, 2)
    assert (alarm.oldest, alarm.is_grave) == (first.number, True)
    assert (entry["event"], entry["documents"], entry["oldest"]) == ("unreported", 2, first.number)
    assert "24 hours" in entry["advice"]
    audit = [each for each in site.ledger.audit_log(OWNER) if each.action == "deadline.alarm"]
    assert [(each.object, each.detail["units"]) for each in audit] == [("simplified 20 h", {UNIT.id: 2})]
    assert list(site.ledger.audit_breaks(OWNER)) == []


def test_after_the_day_it_is_reported_at_once_and_the_authority_notified(site):
    site.issue(1)
    site.clock.move(30 * HOUR)
    (alarm,), (entry,) = alarms_of(site)
    assert (alarm.level, entry["left"]) == (24, "-6:00")
    assert "notify the authority" in entry["advice"]
    site.work()
    assert raise_alarms(site.gateway) == backlog_of(site) == []


def backlog_of(site):
    return list(backlog(site.gateway))


def test_what_is_held_counts_too(site):
    site.ledger.hold_unit(OWNER, UNIT.id, reason="401", now=site.clock())
    site.issue(1)
    site.clock.move(6 * HOUR)
    (alarm,) = raise_alarms(site.gateway)
    assert (alarm.level, alarm.count) == (6, 1)
    (unit,) = backlog_of(site)
    assert unit.with_status(Status.HELD) == 1


def test_a_rejected_document_counts_until_another_replaces_it(site):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    rejected = site.issue(1)
    site.work()
    site.clock.move(12 * HOUR)
    (alarm,) = raise_alarms(site.gateway)
    assert (alarm.level, alarm.count, alarm.rejected, alarm.oldest) == (12, 1, 1, rejected.number)
    replacing = correct(site.gateway, rejected.uuid, Request(OWNER, "tests", read_order(order(1)))).issued
    # It keeps the sale's moment of issue, and with it the sale's deadline.
    (alarm,) = raise_alarms(site.gateway)
    assert (alarm.level, alarm.count, alarm.oldest) == (12, 1, replacing.number)
    site.work()
    site.clock.move(12 * HOUR)
    assert raise_alarms(site.gateway) == backlog_of(site) == []


def test_a_standard_document_has_levels_and_words_of_its_own(site):
    site.authority.faults.add(Fault(status=503, times=100))
    site.issue(1, buyer=BUSINESS)
    site.work()
    site.clock.move(HOUR)
    (alarm,), (entry,) = alarms_of(site)
    assert (alarm.profile, alarm.level, alarm.left, alarm.is_grave) == (Profile.STANDARD, 1, None, False)
    assert entry["event"] == "uncleared"
    assert "authority_down" in entry["advice"]
    assert "left" not in entry
    site.clock.move(23 * HOUR)
    (alarm,) = raise_alarms(site.gateway)
    assert (alarm.level, alarm.is_grave) == (24, True)


def test_durations_as_people_read_them():
    shown = [hours_and_minutes(timedelta(seconds=seconds)) for seconds in (0, 59, 3600, -30, -3660, 90061)]
    assert shown == ["0:00", "0:00", "1:00", "0:00", "-1:01", "25:01"]
    assert time_left(Profile.SIMPLIFIED, NOW, NOW + HOUR) == 23 * HOUR
    assert time_left(Profile.STANDARD, NOW, NOW) is None
