"""The breaker: opens after its limit, lets one through at a time, waits longer each time, closes at once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.breaker import CLOSED, Breaker

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


def pause(opened):
    return timedelta(seconds=10 * opened)


def failed(breaker, uuid="a", *, limit=3, now=NOW):
    return breaker.failed(uuid, limit=limit, now=now, pause=pause)


def test_it_opens_when_the_limit_is_reached_and_not_before():
    twice = failed(failed(CLOSED))
    assert (twice.is_closed, twice.is_open(NOW)) == (True, False)
    opened = failed(twice)
    assert (opened.is_closed, opened.is_open(NOW)) == (False, True)
    assert not opened.is_open(NOW + pause(1))


def test_what_was_under_way_when_it_opened_does_not_make_its_pause_longer():
    opened = failed(failed(failed(CLOSED)))
    late = failed(failed(opened, "b"), "c", now=NOW + timedelta(seconds=9))
    assert (late.opened, late.open_until, late.failures) == (1, opened.open_until, 5)


def test_nothing_goes_while_it_is_probed_and_a_probe_that_fails_makes_it_wait_longer():
    later = NOW + pause(1)
    probing = failed(failed(failed(CLOSED))).probed_by("b", later + timedelta(minutes=1))
    assert probing.is_open(later)
    again = failed(probing, "b", now=later)
    assert (again.opened, again.probe) == (2, "")
    assert again.open_until == later + pause(2)


def test_a_probe_that_never_came_back_is_followed_by_another():
    probing = Breaker(5, 1, NOW, "").probed_by("b", NOW + timedelta(minutes=1))
    assert not probing.is_open(NOW + timedelta(minutes=1))
    assert failed(probing.probed_by("c", NOW + timedelta(minutes=2)), "b").opened == 1


def test_who_asks_for_time_gets_it():
    limited = CLOSED.paused(NOW, pause, timedelta(minutes=2))
    assert limited.open_until == NOW + timedelta(minutes=2)
    assert limited.paused(NOW, pause, timedelta(seconds=5)).open_until == NOW + timedelta(minutes=2)


@given(st.lists(st.sampled_from(["a", "b", "probe"]), max_size=40), st.integers(1, 6))
def test_it_is_open_exactly_when_so_many_failed_in_a_row(uuids, limit):
    breaker = CLOSED
    for number, uuid in enumerate(uuids, start=1):
        breaker = failed(breaker, uuid, limit=limit)
        assert breaker.failures == number
        assert breaker.is_open(NOW) == (number >= limit)
        assert breaker.opened <= 1  # nobody was let through, so there was no probe to fail
