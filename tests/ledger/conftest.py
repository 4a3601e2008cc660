"""A ledger in use."""

from dataclasses import replace

import pytest

from gateway.ledger import Ledger
from gateway.unit import Unit
from tests.ledger.books import UNIT, Desk, furnish


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url):
    with Ledger.open(url) as opened:
        furnish(opened)
        yield opened


@pytest.fixture
def desk(ledger) -> Desk:
    return Desk(ledger)


@pytest.fixture
def other(ledger) -> Unit:
    """A unit of another taxpayer."""
    unit = replace(UNIT, taxpayer_id="other")
    furnish(ledger, unit, "other-shop", "csid-other")
    return unit
