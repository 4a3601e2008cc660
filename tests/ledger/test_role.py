"""The role that the gateway runs as on PostgreSQL can do all of its work, and nothing to what was made."""

import os
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import make_url

from gateway.errors import BadInput, Misconfigured
from gateway.issued import Status
from gateway.ledger import Ledger, role_sql
from gateway.ledger.role import APPEND_ONLY
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, Desk, csid
from tests.ledger.test_archiving import NEXT_DAY
from tests.ledger.test_archiving import file as archived
from tests.ledger.test_archiving import plan as propose
from tests.postgres import connected

NAME = f"gateway_test_{os.getpid()}"
pytestmark = pytest.mark.only("postgresql")


@pytest.fixture
def as_role(url, ledger, raw_of):
    """The ledger's URL for the role, after its owner has made it twice."""
    script = role_sql(NAME, make_url(url).database)
    for _ in range(2):
        raw_of._connection.execute(script)
    raw_of._connection.execute(f"ALTER ROLE {NAME} PASSWORD 'secret'")
    yield make_url(url).set(username=NAME, password="secret")
    raw_of._connection.execute(f"DROP OWNED BY {NAME}")
    with suppress(psycopg.errors.DependentObjectsStillExist):  # another run uses it in its own database
        raw_of._connection.execute(f"DROP ROLE {NAME}")


def test_it_can_do_the_ledgers_work(as_role):
    with Ledger.open(as_role.render_as_string(hide_password=False)) as ledger:
        uuid = Desk(ledger).issue("1", idempotency_key="k").issued.uuid
        assert ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW, worker="w")
        number = ledger.begin_attempt(uuid, worker="w", now=NOW)
        answer = {"http_status": 400, "outcome": Outcome.REJECTED, "body": b"{}", "status": Status.REJECTED}
        ledger.end_attempt(uuid, number, **answer, now=NOW)
        Desk(ledger).ledger.hold_unit("tp", UNIT.id, reason="r", now=NOW)
        ledger.release_unit("tp", UNIT.id, now=NOW)
        ledger.add_csid(csid(name="csid-2"), now=NOW)
        assert ledger.release_leases("w") == 0
        ledger.allow_warning("tp", "BR-KSA-98", reason="r", actor="t", now=NOW)
        ledger.refuse_warning("tp", "BR-KSA-98", actor="t", now=NOW)
        assert ledger.allowed_warnings("tp") == ()
        assert ledger.seal_audit(now=NOW)


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
@pytest.mark.parametrize("attack", ["DELETE FROM {}", "UPDATE {} SET taxpayer_id = 'x'", "TRUNCATE {}"])
def test_it_may_not_touch_what_was_made(as_role, table, attack):
    with connected(as_role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(attack.format(table))


@pytest.mark.parametrize(
    "attack",
    [
        "ALTER TABLE document DISABLE TRIGGER ALL",
        "DROP TRIGGER document_change ON document",
        "CREATE TEMPORARY TABLE chain AS TABLE public.chain",
        "CREATE TABLE public.mine (id int)",
        "SET session_replication_role = replica",
        "UPDATE csid SET certificate = 'x'",
        "UPDATE ledger_version SET version_num = 'r9999'",
        "DELETE FROM submission",
        "UPDATE audit SET actor = 'x'",
    ],
)
def test_it_may_not_get_round_the_guards(as_role, attack):
    with connected(as_role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(attack)


def test_it_can_delete_lawfully_and_withdraw(as_role):
    with Ledger.open(as_role.render_as_string(hide_password=False)) as ledger:
        uuid = Desk(ledger).issue("1").issued.uuid
        ledger.add_archived([archived(uuid)])
        assert [propose(ledger, "first"), propose(ledger, "second")] == [1, 1]
        ledger.withdraw_disposal("tp", "first", actor="key:b", now=NEXT_DAY)
        assert ledger.confirm_disposal("tp", "second", actor="key:b", now=NEXT_DAY) == 1


def test_what_it_may_not_do_is_said_in_words(as_role):
    with Ledger.open(as_role.render_as_string(hide_password=False)) as ledger:  # noqa: SIM117
        with pytest.raises(Misconfigured, match="permission denied"), ledger._database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM document")


def test_a_name_that_is_sql_is_refused():
    for name in ("x; DROP TABLE document", "", "A", "1a"):
        with pytest.raises(BadInput):
            role_sql(name, "books")
