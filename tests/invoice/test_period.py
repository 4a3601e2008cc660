from datetime import UTC, date, datetime, timedelta

from gateway.invoice.facts import EARLIEST, LATEST
from gateway.invoice.period import day_begins, day_ends, possible, read_period


def test_a_day_is_one_of_riyadh():
    day = date(2026, 12, 31)
    assert day_begins(day) == datetime(2026, 12, 30, 21, tzinfo=UTC)
    assert day_ends(day) == day_begins(day) + timedelta(days=1) == read_period("2026").end


def test_every_day_that_can_be_written_has_a_beginning_and_an_end():
    for day in (date.min + timedelta(days=1), date.max):
        assert day_begins(day).astimezone(UTC) <= day_ends(day).astimezone(UTC)
    assert [possible(each) for each in (date.min, EARLIEST, LATEST, date.max)] == [EARLIEST, EARLIEST, LATEST, LATEST]
