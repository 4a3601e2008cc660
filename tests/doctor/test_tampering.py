"""Whoever changes the books as the database's superuser is found out, at the right place."""

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from gateway.ledger import Ledger
from tests.doctor.patient import Superuser, found, tamper, wrong_in

SHORT, LONG = 200, 10_000


def overlooked(books, seeds) -> list[str]:
    """Change the books once for each seed, beginning anew each time; what was not found where it is."""
    file, kept = books.home / "ledger.db", books.home / "kept.db"
    with closing(Superuser(file)) as hand, Ledger.open(books.ledger_url) as ledger:
        hand.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(file, kept)
        with closing(sqlite3.connect(kept)) as sound:
            return [missed for seed in seeds if (missed := _missed(books, ledger, sound, hand, seed))]


def _missed(books, ledger, sound, hand, seed) -> str | None:
    sound.backup(hand.db)
    done = tamper(hand, random.Random(seed))
    symptoms = [each for each in wrong_in(ledger, books) if each.is_error]
    if any(done.is_place(each.where) for each in symptoms):
        return None
    return f"seed {seed}: {done.what}: {[(each.code, each.where) for each in symptoms]}"


def test_all_of_many_tamperings_are_found_at_their_place(books):
    assert found(books) == []
    assert overlooked(books, range(SHORT)) == []


@pytest.mark.torture
def test_all_of_thousands_of_tamperings_are_found(books):
    assert overlooked(books, range(SHORT, SHORT + LONG)) == []
