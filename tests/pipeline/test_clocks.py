"""The clock here against the authority's: seen in its answers, kept, and no document by a clock that is wrong."""

from datetime import timedelta

import pytest
import structlog

from gateway.errors import Unavailable
from gateway.issued import Status
from gateway.pipeline.clocks import MARK, MAX_SKEW, Clocks
from gateway.simulator import Fault


def set_apart(site, seconds):
    """The authority's clock goes so much ahead of ours."""
    site.authority.state.frozen_at = site.clock() + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "word"), [(90, "behind"), (-90, "ahead of")])
def test_nothing_is_issued_by_a_clock_that_is_wrong(site, seconds, word):
    issued = site.issue(1)
    set_apart(site, seconds)
    head = site.head()
    with structlog.testing.capture_logs() as logged:
        site.work()
    assert site.now(issued).status is Status.REPORTED
    assert "clock_differs" in [each["event"] for each in logged]
    with pytest.raises(Unavailable, match=f"8[89] seconds {word}|9[01] seconds {word}") as refusal:
        site.issue(2)
    assert "ساعة" in refusal.value.ar
    assert site.head() == head


def test_a_small_difference_is_kept_and_does_no_harm(site):
    site.issue(1)
    set_apart(site, MAX_SKEW.total_seconds() - 5)
    site.work()
    assert site.ledger.mark(MARK)
    assert not site.gateway.clocks.skew().is_wrong
    assert site.issue(2).icv == 2


def test_the_next_answer_shows_that_the_clock_is_right_again(site):
    first, second = site.issue(1), site.issue(2)
    set_apart(site, 300)
    site.work()
    assert site.gateway.clocks.skew().is_wrong
    site.clock.move(timedelta(seconds=5))
    site.gateway.clocks.saw(site.clock(), site.clock())
    assert site.issue(3).icv == 3
    assert site.now(first).status is site.now(second).status is Status.REPORTED


def test_what_was_seen_long_ago_says_nothing(site):
    site.issue(1)
    set_apart(site, 300)
    site.work()
    site.clock.move(timedelta(hours=1, seconds=1))
    assert site.issue(2).icv == 2


@pytest.mark.parametrize("value", ["", "{}", "[]", '{"skew": "x", "at": ""}', '{"skew": 3}'])
def test_a_mark_that_cannot_be_read_says_nothing(site, value):
    site.ledger.put_mark(MARK, value)
    assert site.gateway.clocks.skew() is None


def test_the_clock_of_a_proxy_on_the_way_is_not_the_authoritys(site):
    issued = site.issue(1)
    site.authority.faults.add(Fault(status=503, body="<html>busy</html>"))
    set_apart(site, -3600)
    site.work()
    assert site.now(issued).status is Status.UNKNOWN
    assert site.gateway.clocks.skew() is None
    assert site.issue(2).icv == 2


def test_what_another_process_put_on_record_is_put_right(site):
    mine, others = Clocks(site.ledger), Clocks(site.ledger)
    now = site.clock()
    assert mine.saw(now, now)
    assert others.saw(now + timedelta(seconds=300), now).is_wrong
    assert mine.saw(now, now + timedelta(seconds=1))
    others.check(now + timedelta(seconds=2))
