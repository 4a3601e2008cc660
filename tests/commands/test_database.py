"""`gateway db`: the ledger moves to another database; the role it is worked on with."""

import pytest

from gateway.ledger import Ledger
from tests.commands.conftest import run
from tests.ledger.books import Desk, furnish


@pytest.fixture
def places(tmp_path):
    """A ledger with one document, and a place for it to go."""
    source, target = (f"sqlite:///{tmp_path / name}.db" for name in ("here", "there"))
    with Ledger.open(source) as ledger:
        furnish(ledger)
        Desk(ledger).issue("46")
    return source, target


def test_a_ledger_is_moved_and_the_operator_told_what_arrived(places):
    source, target = places
    ended = run("db", "move", "--from", source, "--to", target)
    assert (ended.code, "1 documents, 1 chains with 1 links and 5 audit entries" in ended.out) == (0, True), ended
    assert "document: 1 of 1 rows" in ended.err
    with Ledger.open(target) as ledger:
        assert len(ledger.invoices("tp").items) == 1
    again = run("db", "move", "--from", source, "--to", target)
    assert (again.code, "was moved to another database" in again.err) == (2, True)


def test_a_ledger_in_use_is_not_moved(places):
    source, target = places
    with Ledger.open(source) as ledger:
        assert ledger.taxpayers()
        ended = run("db", "move", "--from", source, "--to", target)
    assert (ended.code, "Stop `gateway serve`" in ended.err) == (2, True)


def test_the_role_is_sql_to_look_at():
    ended = run("db", "role", "gateway_app", "--database", "books")
    assert ended.code == 0
    assert 'GRANT SELECT, INSERT ON "document" TO gateway_app;' in ended.out
    assert run("db", "role", "x;y").code == 2
