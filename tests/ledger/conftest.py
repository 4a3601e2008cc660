"""A ledger in use."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ledger import Ledger
from gateway.unit import Unit
from tests.ledger.books import UNIT, Desk, furnish


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(scope="session")
def furnished(tmp_path_factory) -> Path:
    """A ledger file with a unit ready to issue; migrated once for all tests."""
    path = tmp_path_factory.mktemp("furnished") / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as opened:
        furnish(opened)
    return path


@pytest.fixture
def ledger(url, furnished):
    shutil.copy(furnished, url.removeprefix("sqlite:///"))
    with Ledger.open(url) as opened:
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
