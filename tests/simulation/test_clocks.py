"""Clocks that go wrong: every minute around midnight in Riyadh, the end of the year, steps of hours and days.

What counts is the authority's clock: by it no document may be of tomorrow (BR-KSA-04), and none was refused for it.
"""

from datetime import datetime, timedelta

import pytest
import structlog

from gateway.errors import Unavailable
from gateway.invoice.facts import RIYADH
from tests.installation import BUSINESS, OWNER, order
from tests.simulation.invariants import Invariants
from tests.simulation.world import UNITS, Template

MIDNIGHT = datetime(2026, 12, 31, 0, 0, tzinfo=RIYADH)
YEAR_END = datetime(2027, 1, 1, 0, 0, tzinfo=RIYADH)
SKEWS = (-59, -30, 0, 30, 59)
"""Seconds that our clock may be ahead of the authority's, or behind it, while it is good enough to issue by."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return Template(tmp_path_factory.mktemp("clocks") / "template")


@pytest.fixture
def world(template, tmp_path):
    with structlog.testing.capture_logs(), template.copy(tmp_path / "home") as world:
        yield world


@pytest.fixture
def books(world):
    return Invariants(world.gateway, OWNER, world.state)


def moments(around, minutes):
    """Every minute around a midnight, a moment before it and a moment after."""
    return [around + timedelta(minutes=each, seconds=off) for each in range(-minutes, minutes + 1) for off in (-1, 0)]


def sell(world, number):
    more = {"buyer": BUSINESS} if number % 2 else {}
    return world.issue(order(number, unit=sorted(UNITS)[number % 2], **more)).issued


def set_clock(world, moment, skew=0):
    """It is that moment for the authority; ours may differ."""
    world.clock.at, world.clock.skew = moment.astimezone(world.clock.at.tzinfo), timedelta(seconds=skew)


def drained(world, books):
    world.clock.at += timedelta(minutes=5)
    world.clock.skew = timedelta()
    world.drain()
    found = books.check(drained=True).documents
    assert {row.status for row in found} <= {"cleared", "reported"}
    return found


@pytest.mark.parametrize("midnight", [MIDNIGHT, YEAR_END], ids=["midnight", "year end"])
@pytest.mark.parametrize("minutes", [12, pytest.param(375, marks=pytest.mark.torture)], ids=["12 min", "6 h"])
def test_every_minute_around_midnight_has_the_day_of_riyadh(world, books, midnight, minutes):
    for number, moment in enumerate(moments(midnight, minutes)):
        set_clock(world, moment)
        issued = sell(world, number)
        assert issued.issued_at == moment
        world.drain()
    found = drained(world, books)
    assert {row.issued_at.astimezone(RIYADH).date() for row in found} == {
        (midnight - timedelta(days=1)).date(),
        midnight.date(),
    }


@pytest.mark.parametrize("skew", SKEWS)
def test_no_document_comes_to_the_authority_before_its_day(world, books, skew):
    """Even where our day begins up to a minute before the authority's."""
    seconds = (*range(-75, 76, 15), 76, 77)
    for number, second in enumerate(seconds):
        set_clock(world, MIDNIGHT + timedelta(seconds=second), skew)
        sell(world, number)
        world.drain()
    found = drained(world, books)
    assert len(found) == len(seconds)


@pytest.mark.parametrize("wrong", [timedelta(hours=2), timedelta(hours=-2), timedelta(days=1), timedelta(days=-1)])
def test_once_an_answer_shows_it_nothing_is_issued_by_a_wrong_clock(world, books, wrong):
    set_clock(world, MIDNIGHT + timedelta(hours=12))
    sell(world, 1)
    world.clock.skew = wrong
    world.drain()  # if anything is due by that clock, the answer tells the time
    before = world.heads()
    for number in (3, 5):
        with pytest.raises(Unavailable):
            sell(world, number)
    assert world.heads() == before
    world.clock.skew = timedelta()
    assert sell(world, 7).icv == 2
    drained(world, books)


@pytest.mark.parametrize("back", [1, 30, 60])
def test_a_clock_that_is_set_back_a_little_gives_the_last_moment_again(world, books, back):
    set_clock(world, MIDNIGHT + timedelta(hours=12))
    first = sell(world, 2)
    world.clock.at -= timedelta(seconds=back)
    assert sell(world, 4).issued_at == first.issued_at
    books.check()


@pytest.mark.parametrize("back", [61, 7200, 86400])
def test_a_clock_that_is_set_back_further_issues_nothing_until_it_has_caught_up(world, books, back):
    set_clock(world, MIDNIGHT + timedelta(hours=12))
    sell(world, 2)
    before = world.heads()
    world.clock.at -= timedelta(seconds=back)
    with pytest.raises(Unavailable, match=r"clock|valid"):
        sell(world, 4)
    assert world.heads() == before
    world.clock.at += timedelta(seconds=back)
    sell(world, 4)
    drained(world, books)
