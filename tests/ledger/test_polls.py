"""How far shops were asked, and whose turn it is to spend a token, on both engines."""

from datetime import timedelta

import pytest

from gateway.ledger import NoticeState, Polled
from tests.ledger.books import NOW

MINUTE = timedelta(minutes=1)


def claim(ledger, at=NOW, worker="w"):
    return ledger.claim_polls(now=at, limit=5, lease_until=at + 5 * MINUTE, worker=worker)


def brought(orders=(), *, since=NOW, page="", newest=None, next_at=NOW + MINUTE, error=""):
    return Polled(tuple(orders), since, page, newest, next_at, error)


@pytest.fixture
def polled(ledger):
    ledger.begin_polling("tp", "shop", since=NOW - MINUTE, next_at=NOW)
    return ledger


def test_a_shop_is_asked_by_one_worker_when_its_time_has_come(polled):
    assert claim(polled, NOW - MINUTE) == ()
    (due,) = claim(polled)
    assert (due.connection_id, due.since, due.page, due.attempts) == ("shop", NOW - MINUTE, "", 0)
    assert claim(polled, worker="another") == ()
    assert [each.page for each in claim(polled, NOW + 5 * MINUTE, worker="another")] == [""]


def test_what_a_page_named_is_kept_with_how_far_the_walk_went(polled):
    (due,) = claim(polled)
    named = [("46", "poll:46:1"), ("47", "poll:47:1"), ("46", "poll:46:1")]
    assert polled.end_poll(due, brought(named, page="2", newest=NOW, next_at=NOW), now=NOW) == 2
    (due,) = claim(polled)
    assert (due.page, due.newest) == ("2", NOW)
    assert polled.end_poll(due, brought([*named, ("46", "poll:46:2")]), now=NOW) == 1
    notices = polled.notices("tp", "shop")
    assert [(each.order_id, each.state, each.topic) for each in notices] == [
        ("46", NoticeState.DUE, "poll"), ("47", NoticeState.DUE, "poll"), ("46", NoticeState.DUE, "poll"),
    ]  # fmt: skip
    assert polled.end_poll(due, brought(named), now=NOW) == 0


def test_failed_attempts_are_counted_until_one_succeeds(polled):
    for attempts in range(3):
        (due,) = claim(polled, NOW + attempts * MINUTE)
        assert due.attempts == attempts
        polled.end_poll(due, brought(error="down", next_at=NOW + (attempts + 1) * MINUTE), now=NOW)
    (due,) = claim(polled, NOW + 3 * MINUTE)
    assert due.error == "down"
    polled.end_poll(due, brought(), now=NOW)
    assert [(each.attempts, each.error) for each in polled.polls("tp")] == [(0, "")]


def test_a_shop_begins_once(polled):
    polled.begin_polling("tp", "shop", since=NOW, next_at=NOW + MINUTE)
    (due,) = claim(polled)
    assert due.since == NOW - MINUTE


def test_a_worker_that_starts_anew_lets_go_of_its_shops(polled):
    claim(polled)
    assert polled.release_leases("w") == 1
    assert len(claim(polled)) == 1


def test_everything_of_a_shop_is_left_alone(polled):
    polled.add_orders("tp", "shop", [("46", "d1")], NOW)
    polled.leave_alone("shop", until=NOW + MINUTE)
    take = lambda at: polled.claim_notices(now=at, limit=5, lease_until=at + MINUTE, worker="w")  # noqa: E731
    assert (take(NOW), claim(polled)) == ((), ())
    assert (len(take(NOW + MINUTE)), len(claim(polled, NOW + MINUTE))) == (1, 1)


def test_one_has_the_turn_to_spend_a_token(ledger):
    take = lambda digest, at, worker: ledger.take_turn(  # noqa: E731
        "tp", "shop", digest=digest, now=at, lease_until=at + MINUTE, worker=worker
    )
    assert take("a", NOW, "one")
    assert not take("a", NOW, "two")
    assert ledger.lost_turn("shop", digest="a", now=NOW) is None
    assert ledger.lost_turn("shop", digest="a", now=NOW + MINUTE) == NOW
    assert ledger.lost_turn("shop", digest="b", now=NOW + MINUTE) is None
    assert take("a", NOW + MINUTE, "two")
    ledger.end_turn("shop")
    assert ledger.lost_turn("shop", digest="a", now=NOW + 5 * MINUTE) is None
    assert take("b", NOW, "one")
