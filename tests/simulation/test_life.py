"""Whatever happens in whatever order, the books stay right: seeded runs of the whole state machine in virtual time.

A run that fails prints its steps, shortened, and is had again by the same seed: the test's own parameter.
"""

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.life import Life
from tests.simulation.world import Template

RUNS, STEPS = 10, 30
SHORT, LONG = range(2), range(2, 2000)
"""Seeds. Each is a test of its own, so the one that failed is run again by its name."""


@pytest.fixture(scope="module")
def folder():
    """In memory where there is such a folder: nothing here is about disks."""
    memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def template(folder):
    return Template(folder / "template")


@pytest.fixture(autouse=True)
def _quiet():
    with structlog.testing.capture_logs():
        yield


def live(template, folder, number, *, runs=RUNS, steps=STEPS):
    """So many lives by this seed, with a renewal that opens a chain in even ones and one that goes on in odd ones."""
    homes = (folder / f"life-{count}" for count in itertools.count())
    chain = "continue" if number % 2 else "new"

    class OneLife(Life):
        def __init__(self):
            self._opened = template.copy(next(homes), chain_after_renewal=chain)
            super().__init__(self._opened.__enter__())

        def teardown(self):
            try:
                super().teardown()
            finally:
                self._opened.__exit__(None, None, None)

    chosen = settings(
        max_examples=runs, stateful_step_count=steps, deadline=None, database=None, derandomize=False,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate,), report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(OneLife), settings=chosen, _min_steps=steps)


@pytest.mark.parametrize("number", [*SHORT, *(pytest.param(each, marks=pytest.mark.torture) for each in LONG)])
def test_the_books_stay_right(template, folder, number):
    live(template, folder, number)
