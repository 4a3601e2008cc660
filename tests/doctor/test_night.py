"""The nightly examination: by one worker, once a night, in a process of its own; what it found is kept and told."""

import asyncio
from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.api.metrics import exposition
from gateway.ledger import Ledger
from gateway.pipeline.doctor import Examination, examine_night, examine_tonight, last_result
from gateway.pipeline.doctor.night import WEEK, night_of
from gateway.pipeline.gateway import open_gateway
from gateway.settings import Settings
from tests.doctor.patient import DOCUMENTS, Superuser, make_books

NIGHT = date(2026, 11, 28)
NOW = datetime(2026, 11, 28, 0, 30, tzinfo=UTC)
SOON = timedelta(minutes=10)


@pytest.fixture
def ledger(books):
    with Ledger.open(books.ledger_url) as opened:
        yield opened


@pytest.fixture
def hand(books):
    with closing(Superuser(books.home / "ledger.db")) as superuser:
        yield superuser


def take(ledger, night=NIGHT, worker="w", now=NOW):
    return ledger.take_night(night, worker=worker, now=now, until=now + SOON)


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        ("2026-11-28T00:00:00Z", "2026-11-28"),  # three o'clock in Riyadh
        ("2026-11-27T23:59:59Z", "2026-11-27"),
        ("2026-11-28T20:59:59Z", "2026-11-28"),
        ("2026-11-28T21:00:00Z", "2026-11-28"),  # midnight in Riyadh
    ],
)
def test_a_night_begins_at_its_hour_in_riyadh(moment, night):
    assert night_of(datetime.fromisoformat(moment), 3) == date.fromisoformat(night)


def test_the_first_night_is_the_one_after_the_gateway_was_started_first(ledger):
    assert not take(ledger)
    assert not take(ledger)
    assert take(ledger, NIGHT + timedelta(days=1))


def test_of_several_workers_one_has_the_night_and_is_taken_over_when_it_dies(ledger):
    take(ledger, NIGHT - timedelta(days=1))
    assert take(ledger, worker="a")
    assert not take(ledger, worker="b")
    assert take(ledger, worker="a", now=NOW + SOON / 2)  # it is still at it
    assert not take(ledger, worker="b", now=NOW + SOON)
    assert take(ledger, worker="b", now=NOW + 2 * SOON)
    ledger.end_night(NIGHT, worker="b", now=NOW)
    assert not take(ledger, worker="a", now=NOW + 9 * SOON)
    assert not take(ledger, NIGHT - timedelta(days=1), worker="a", now=NOW + 9 * SOON)
    assert take(ledger, NIGHT + timedelta(days=1), worker="a")


def examine(ledger, books, night):
    examination = Examination(ledger, books)
    return examine_night(ledger, night, examination), examination.documents


def test_what_is_new_every_night_and_everything_every_week(books, ledger, hand):
    first, seen = examine(ledger, books, NIGHT)
    assert (first.whole, seen, first.errors) == (True, DOCUMENTS, 0)
    second, seen = examine(ledger, books, NIGHT + timedelta(days=1))
    assert (second.whole, seen) == (False, 0)
    hand.db.execute("UPDATE document SET total = '1.00' WHERE icv = 3")  # before every bookmark
    assert examine(ledger, books, NIGHT + WEEK - timedelta(days=1))[0].errors == 0
    whole, seen = examine(ledger, books, NIGHT + WEEK)
    assert (whole.whole, seen, whole.errors) == (True, DOCUMENTS, 1)
    assert last_result(ledger) == whole
    assert whole.symptoms[0].code == "document.facts"


def test_a_night_that_was_interrupted_goes_on(books, ledger, hand):
    examine(ledger, books, NIGHT - WEEK)
    examination = Examination(ledger, books)
    for each in ledger.every_chain():  # as far as the one that was killed had come
        ledger.forget_bookmarks()
        ledger.put_mark("night_begun", f"{NIGHT}")
        there = ledger.hash_at(each.id, 10)
        ledger.put_mark(f"doctor:{each.id}", f'{{"icv": 10, "hash": "{there}"}}')
    assert examine_night(ledger, NIGHT, examination).whole
    assert examination.documents == DOCUMENTS - 10


def test_a_worker_has_it_done_by_another_process_and_tells_what_was_found(books, hand):
    make_books(books, DOCUMENTS + 1, sent=False)
    with open_gateway(books) as gateway:
        take(gateway.ledger, date(2020, 1, 1))
        asyncio.run(examine_tonight(gateway, worker="w"))
        result = last_result(gateway.ledger)
        assert (result.errors, result.seen["documents"]) == (0, DOCUMENTS + 1)
        hand.db.execute("UPDATE document SET total = '1.00' WHERE icv = 3")
        gateway.ledger.put_mark("night_whole", "2020-01-01")
        gateway.ledger.put_mark("night_begun", "2020-01-01")
        take(gateway.ledger, date(2020, 1, 1))
        gateway.ledger.put_mark("night", '{"night": "2020-01-01", "by": "w", "until": "", "done": true}')
        with capture_logs() as logged:
            asyncio.run(examine_tonight(gateway, worker="w"))
        assert ("symptom", "document.facts") in {(each["event"], each.get("code")) for each in logged}, logged
        assert 'gateway_books_wrong{severity="error"} 1' in exposition(gateway)
        with capture_logs() as logged:  # it is over
            asyncio.run(examine_tonight(gateway, worker="other"))
        assert logged == []


def test_a_night_that_cannot_be_examined_is_told_and_tried_again(books, hand):
    with open_gateway(books) as gateway:
        take(gateway.ledger, date(2020, 1, 1))
        journal = books.home / "a folder"
        journal.mkdir()
        odd = gateway.settings.model_copy(update={"journal": journal})
        object.__setattr__(gateway, "settings", odd)
        with capture_logs() as logged:
            asyncio.run(examine_tonight(gateway, worker="w"))
        assert [each["event"] for each in logged] == ["night_begun", "night_failed"]
        assert "cannot be read" in logged[1]["error"]
        assert last_result(gateway.ledger) is None
        assert take(gateway.ledger, night_of(datetime.now(UTC), 3), worker="w", now=datetime.now(UTC))


def test_it_can_be_switched_off(books, monkeypatch):
    monkeypatch.setenv("GATEWAY_DOCTOR_HOUR", "off")
    assert Settings().doctor_hour is None
    with open_gateway(books.model_copy(update={"doctor_hour": None})) as gateway:
        take(gateway.ledger, date(2020, 1, 1))
        asyncio.run(examine_tonight(gateway, worker="w"))
        assert last_result(gateway.ledger) is None
