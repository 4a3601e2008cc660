"""Three of ten calls go wrong, in every way the authority was seen to go wrong: exactly one acceptance an order."""

import pytest

from gateway.chain import walk
from gateway.simulator.strict import Strict
from tests.installation import OWNER, UNIT
from tests.ledger.books import log_holds

PORTION = 100
"""Orders between two looks of the worker: documents are made while others are on their way."""


@pytest.mark.parametrize(
    ("orders", "seed"), [(1000, 1), pytest.param(20_000, 2, marks=pytest.mark.torture)], ids=["1000", "20000"]
)
def test_a_storm_of_faults_leaves_one_acceptance_an_order(field, orders, seed):
    field.authority.faults.strict = Strict(seed=seed, rate=0.3, stall=0.01, delay=0.005, retry_after=20)
    for first in range(1, orders + 1, PORTION):
        field.issue(range(first, first + PORTION), business_every=3)
        field.work()
        field.clock.move(seconds=20)
    _drain(field)
    documents = field.documents()
    _accepted_once(field, documents, orders)
    _chained(field, documents, orders)
    _same_bytes(field, documents)


def _drain(field):
    for _ in range(200):
        if not field.open_documents():
            return
        field.clock.move(seconds=30)
        field.work()
    raise AssertionError(f"not drained in 100 minutes: {field.counts()}, {field.ledger.broken_lines()}")


def _accepted_once(field, documents, orders):
    accepted = field.authority.state.accepted
    assert len(documents) == len({each.order_id for each in documents}) == orders
    assert all(each.status.is_accepted for each in documents)
    assert sorted(each.hash for each in accepted) == sorted(each.hash for each in documents)
    assert len({each.uuid for each in accepted}) == len({each.icv for each in accepted}) == orders


def _chained(field, documents, orders):
    assert sorted(each.icv for each in documents) == list(range(1, orders + 1))
    chain = field.ledger.chain(OWNER, UNIT.id)
    assert list(walk(field.ledger.chain_links(OWNER, chain.id))) == []
    assert log_holds(field.ledger, OWNER)


def _same_bytes(field, documents):
    """Each document always left with the same request; and there were enough that left twice to show it."""
    again = 0
    for each in documents:
        attempts = field.ledger.attempts(OWNER, each.uuid)
        begun = [attempt.wire["sha256"] for attempt in attempts if attempt.phase == "begun"]
        assert len(attempts) == 2 * len(begun), "every attempt has its end"
        assert len(set(begun)) == 1
        again += len(begun) > 1
    assert again > len(documents) // 10
