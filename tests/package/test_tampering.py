"""Whoever changes a package is found out, and what is whole is not accused."""

import random
import shutil

import pytest

from gateway.verifier import verify
from tests.package.tampering import read, tamper, write

SHORT, LONG = 60, 1000


def overlooked(package, folder, seeds) -> list[str]:
    """Change the package once for each seed, beginning anew each time; what was not found, or not where it was."""
    missed = []
    for seed in seeds:
        copy = shutil.copy(package, folder / "package.zip")
        done = tamper(copy, random.Random(seed))
        report = verify(copy)
        found = [(each.code, each.part.partition(",")[0]) for each in report.faults]
        assert report.lines()[-1].startswith("Things that are wrong")
        accused = {part for _, part in found}
        if not accused & done.parts or (done.exactly and not accused <= done.parts):
            missed.append(f"seed {seed}: {done.what}: {found}")
    return missed


def test_all_of_many_tamperings_are_found_and_named(package, tmp_path):
    assert overlooked(package, tmp_path, range(SHORT)) == []


@pytest.mark.torture
def test_all_of_a_thousand_tamperings_are_found_and_named(package, tmp_path):
    assert overlooked(package, tmp_path, range(SHORT, SHORT + LONG)) == []


def test_writing_a_package_by_hand_changes_nothing(package, tmp_path):
    """So what the tests find is what they did."""
    write(tmp_path / "package.zip", list(read(package).items()))
    assert (tmp_path / "package.zip").read_bytes() == package.read_bytes()
