"""`gateway doctor`."""

import sqlite3

import pytest

from tests.commands.conftest import complaint, run
from tests.doctor.patient import make_books


@pytest.fixture
def books(installed):
    make_books(installed.settings, 3, sent=False)
    return installed.settings


def test_sound_books(books):
    ended = run("doctor")
    assert ended.code == 0, ended
    assert "documents 3, chains 1" in ended.out
    assert "The books are sound." in ended.out
    assert run("doctor", "--json", "--since", "2026-11-01").rows[-1]["errors"] == 0


def test_what_is_wrong_has_a_place_a_reason_and_a_remedy(books):
    with sqlite3.connect(books.home / "ledger.db") as hand:
        hand.execute("DROP TRIGGER document_change")
        hand.execute("UPDATE document SET total = '9.00' WHERE icv = 2")
    ended = run("doctor")
    assert ended.code == 1
    assert "icv 2" in ended.out
    assert "BT-115" in ended.out
    assert "نسخة احتياطية" in ended.out
    [wrong] = [each for each in run("doctor", "--json").rows if each.get("severity") == "error"]
    assert (wrong["code"], wrong["where"]["icv"]) == ("document.facts", 2)


def test_what_cannot_be_looked_at(books, monkeypatch, tmp_path):
    complaint(run("doctor", "--since", "yesterday"), "neither `last` nor a date")
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "nowhere"))
    complaint(run("doctor"), "There is no ledger")
    assert not (tmp_path / "nowhere").exists()


def test_what_the_last_night_found(books):
    complaint(run("doctor", "--last"), "No night's examination has ended here yet")
    assert run("doctor", "--night", "2026-11-28").code == 0
    ended = run("doctor", "--last")
    assert ended.code == 0, ended
    assert "Night of 2026-11-28, everything: documents 3, chains 1" in ended.out
    with sqlite3.connect(books.home / "ledger.db") as hand:
        hand.execute("DROP TRIGGER document_change")
        hand.execute("UPDATE document SET total = '9.00' WHERE icv = 2")
        hand.execute("UPDATE mark SET value = '2026-01-01' WHERE name LIKE 'night_%' AND name <> 'night_result'")
    assert run("doctor", "--night", "2026-11-29").code == 1
    ended = run("doctor", "--last")
    assert ended.code == 1
    assert "icv 2" in ended.out
    assert "Wrong: 1." in ended.out
    [result] = run("doctor", "--last", "--json").rows
    assert (result["errors"], result["symptoms"][0]["code"]) == (1, "document.facts")
