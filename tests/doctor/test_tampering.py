"""Whoever changes the books as the database's superuser is found out, at the right place."""

import random
import shutil

import pytest

from tests.doctor.patient import Superuser, found, tamper

SHORT, LONG = 200, 10_000


def find_out(books, seed: int) -> str | None:
    """Change a copy of the books; what was overlooked, None if it was found where it is."""
    file = books.home / "ledger.db"
    kept = books.home / "kept.db"
    if not kept.exists():
        Superuser(file).close()
        shutil.copy(file, kept)
    for each in books.home.glob("ledger.db*"):
        each.unlink()
    shutil.copy(kept, file)
    hand = Superuser(file)
    try:
        done = tamper(hand, random.Random(seed))
    finally:
        hand.close()
    symptoms = [each for each in found(books) if each.is_error]
    if any(done.is_place(each.where) for each in symptoms):
        return None
    return f"seed {seed}: {done.what}: {[(each.code, each.where) for each in symptoms]}"


def test_all_of_many_tamperings_are_found_at_their_place(books):
    assert found(books) == []
    overlooked = [missed for seed in range(SHORT) if (missed := find_out(books, seed))]
    assert overlooked == []


@pytest.mark.torture
def test_all_of_thousands_of_tamperings_are_found(books):
    overlooked = [missed for seed in range(SHORT, SHORT + LONG) if (missed := find_out(books, seed))]
    assert overlooked == []
