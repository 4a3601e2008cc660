"""SIGKILL at every named point and at any moment: nothing that was acknowledged is lost, nothing is made or sent twice
over, and whoever starts next goes on."""

import pytest

from tests.torment.points import POINTS, WORK, found, last_words
from tests.torment.site import PATIENCE, series

pytestmark = pytest.mark.crash
OVER_AND_OVER = 100
"""Kills at each point, and for each seed, on each engine."""
FEW = 10
CHECKED_EVERY = 10
"""Kills between two looks at everything, in the long forms."""


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_every_point_is_a_function_of_the_product(point):
    assert callable(found(point)[2])


def die(site, point, chance, turn=0):
    """Start a process that comes by there, and see it dead."""
    command = point.commands[turn % len(point.commands)]
    if command == WORK:
        site.issue(3)
    before = site.log.stat().st_size if site.log.exists() else 0
    mortal = site.start(command, point=point, nth=1 if point.claims else chance.randint(1, 3))
    assert mortal.is_dead_within(PATIENCE), f"{command} did not come by {point.name}: {site.said()}"
    assert last_words(point) in site.log.read_bytes()[before:].decode(), f"it ended otherwise: {site.said()}"


def test_killed_once_at_every_point(site):
    chance = series(1)
    with site.callers():
        for point in chance.sample(POINTS, len(POINTS)):
            die(site, point, chance)
        site.start("serve")
    site.drained()


@pytest.mark.torture
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_killed_at_a_point_over_and_over(site, point):
    chance = series(POINTS.index(point))
    with site.callers():
        for turn in range(OVER_AND_OVER):
            die(site, point, chance, turn)
            if turn % CHECKED_EVERY == 0:
                site.check()
        site.start("serve")
    site.drained()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(1, 26))])
def test_killed_at_any_moment(site, seed):
    chance, kills = series(seed), OVER_AND_OVER if seed else FEW
    with site.callers():
        for turn in range(kills):
            mortal = site.start("serve")
            worker = site.start("work") if turn % 2 else None
            mortal.is_dead_within(chance.uniform(0, 0.6))
            for each in filter(None, (mortal, worker)):
                each.kill()
            if turn % CHECKED_EVERY == 0:
                site.check()
        site.start("serve")
    site.drained()
