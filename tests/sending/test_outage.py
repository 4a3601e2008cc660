"""The authority is down for most of a day: hardly anything is tried meanwhile, and all is reported within its day."""

from datetime import timedelta

import pytest

from gateway.issued import REPORTING_WINDOW, Status
from gateway.simulator.catalogue import named

OUTAGE = timedelta(hours=20)
STEP = timedelta(minutes=5)


@pytest.mark.parametrize(
    "queued", [200, pytest.param(20_000, marks=pytest.mark.torture)], ids=["200 queued", "20000 queued"]
)
def test_after_twenty_hours_without_an_answer_all_is_reported_within_its_day(field, queued):
    field.clock.cost = timedelta(milliseconds=50)
    field.authority.faults.add(named("unavailable", until=field.clock() + OUTAGE))
    documents = field.issue(range(1, queued + 1))
    down_until = field.clock() + OUTAGE
    while field.clock() < down_until:
        field.work()
        field.clock.move(minutes=STEP.total_seconds() / 60)
    assert field.counts().get(Status.REPORTED, 0) == 0
    probes = len(field.authority.state.exchanges)
    assert OUTAGE / STEP / 2 < probes < 2 * OUTAGE / STEP + 50, "one document at a time asks whether it is over"
    while field.open_documents():
        field.work()
        field.clock.move(seconds=30)
    reported = {each.hash: each.at for each in field.authority.state.accepted}
    late = [each.number for each in documents if reported[each.hash] - each.issued_at > REPORTING_WINDOW]
    assert late == []
    assert len(reported) == len(field.authority.state.accepted) == queued
    assert field.ledger.broken_lines() == ()
