"""A ledger in use, on both engines: a test that needs one of them says so with `@pytest.mark.only("sqlite")`."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ledger import Ledger
from gateway.unit import Unit
from tests.ledger.books import UNIT, Desk, furnish
from tests.ledger.raw import Raw, raw_connection
from tests.postgres import Bench, Databases, server

ENGINES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever works with a ledger is tried on both engines."""
    if "engine" in metafunc.fixturenames:
        wanted = metafunc.definition.get_closest_marker("only")
        metafunc.parametrize("engine", wanted.args if wanted else ENGINES)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Databases of this run on a real server."""
    with server() as url:
        made = Databases(url)
        yield made
        made.close()


@pytest.fixture(scope="session")
def bench(databases: Databases) -> Bench:
    """A furnished ledger on PostgreSQL; migrated once for all tests, and as new for each."""
    return Bench(databases, furnish)


@pytest.fixture
def new_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where nothing is yet."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    made: Databases = request.getfixturevalue("databases")
    url = made.create()
    yield url
    made.drop(url)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger file with a unit ready to issue; migrated once for all tests."""
    path = tmp_path_factory.mktemp("furnished") / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as opened:
        furnish(opened)
    return path


@pytest.fixture
def url(engine: str, tmp_path: Path, furnished: Path, request: pytest.FixtureRequest) -> str:
    """A furnished ledger of this test's own."""
    if engine == "postgresql":
        bench: Bench = request.getfixturevalue("bench")
        return bench.laid_anew()
    shutil.copy(furnished, tmp_path / "ledger.db")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url) as opened:
        yield opened


@pytest.fixture
def raw_of(url: str) -> Iterator[Raw]:
    """SQL past the ledger, as an attacker or an operator would have it."""
    connection = raw_connection(url)
    yield connection
    connection.close()


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


@pytest.fixture
def other(ledger: Ledger) -> Unit:
    """A unit of another taxpayer."""
    unit = replace(UNIT, taxpayer_id="other")
    furnish(ledger, unit, "other-shop", "csid-other")
    return unit
