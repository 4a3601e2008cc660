"""The authority is down for most of a day: hardly anything is tried, and all is reported within its day or alarmed."""

from collections import Counter
from datetime import timedelta

import pytest
import structlog

from gateway.issued import REPORTING_WINDOW, Status
from gateway.pipeline.deadlines import raise_alarms
from gateway.pipeline.failure_notice import failure_notice
from gateway.simulator.catalogue import named
from tests.installation import OWNER

STEP = timedelta(minutes=10)


def wait_out(field, hours):
    """The authority answers 503 for so long; the alarms that were raised, as documents by level."""
    field.authority.faults.add(named("unavailable", until=field.clock() + timedelta(hours=hours)))
    down_until, alarms = field.clock() + timedelta(hours=hours), Counter()
    while field.clock() < down_until:
        field.work()
        for alarm in raise_alarms(field.gateway):
            alarms[alarm.level] += alarm.count
        field.clock.move(seconds=STEP.total_seconds())
    return alarms


@pytest.fixture(autouse=True)
def quiet():
    with structlog.testing.capture_logs() as logged:
        yield logged


@pytest.mark.parametrize(
    "queued", [50, pytest.param(20_000, marks=pytest.mark.torture)], ids=["50 queued", "20000 queued"]
)
def test_after_twenty_hours_without_an_answer_all_is_reported_within_its_day(field, queued):
    field.clock.cost = timedelta(milliseconds=50)
    documents = field.issue(range(1, queued + 1))
    alarms = wait_out(field, hours=20)
    assert field.counts().get(Status.REPORTED, 0) == 0
    assert alarms.pop(20, 0) <= queued
    assert alarms == {6: queued, 12: queued}
    calls = len(field.authority.state.exchanges)
    assert 100 < calls < 600, "one document at a time asks whether it is over"
    while field.open_documents():
        field.work()
        field.clock.move(seconds=30)
    reported = {each.hash: each.at for each in field.authority.state.accepted}
    assert len(reported) == len(field.authority.state.accepted) == queued
    late = [each.number for each in documents if reported[each.hash] - each.issued_at > REPORTING_WINDOW]
    assert late == []
    assert field.ledger.broken_lines() == ()


def test_what_is_not_reported_in_its_day_was_alarmed_and_is_reported_all_the_same(field, quiet):
    documents = field.issue(range(1, 6))
    alarms = wait_out(field, hours=25)
    assert alarms == dict.fromkeys((6, 12, 20, 23, 24), 5)
    grave = [entry for entry in quiet if entry["event"] == "unreported" and entry["log_level"] == "error"]
    assert [entry["hours"] for entry in grave] == [20, 23, 24]
    notice = failure_notice(field.gateway, OWNER)
    assert "503" in notice.text.en
    field.clock.move(minutes=10)
    field.work()
    assert sorted(each.hash for each in field.authority.state.accepted) == sorted(each.hash for each in documents)
    assert {field.ledger.invoice(OWNER, each.uuid).status for each in documents} == {Status.REPORTED}
