"""A ledger goes from one engine to the other and back: all of it, or nothing."""

import pytest

from gateway.chain import walk
from gateway.errors import Conflict, Misconfigured
from gateway.issued import Status
from gateway.ledger import Cleared, Ledger, move
from gateway.ledger.tables import METADATA
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, csid, furnish, maker, sale
from tests.ledger.raw import REFUSED, raw_connection


@pytest.fixture
def filled(ledger, desk, other):
    """Documents, one replaced and one cleared, a second chain, a second taxpayer; then the ledger is closed."""
    for order, status in (("1", Status.CLEARED), ("2", Status.REJECTED)):
        uuid = desk.issue(order, idempotency_key=order, made={"buyer_name": "مريم"}).issued.uuid
        ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW, worker="w")
        number = ledger.begin_attempt(uuid, worker="w", now=NOW, wire={"line": "POST"})
        answer = {"http_status": 200, "outcome": Outcome.ACCEPTED, "body": b"\x00\xff", "status": status, "now": NOW}
        ledger.end_attempt(uuid, number, cleared=Cleared(b"<cleared/>", "QR"), **answer)
    desk.issue("2", digest="corrected", replaces="uuid-0002")
    desk.issue("1", unit=other)
    ledger.add_notice("tp", "shop", topic="t", order_id="1", delivery_id="d", body=b"{}", now=NOW)
    ledger.add_csid(csid(name="csid-2"), now=NOW)
    desk.issue("3")
    ledger.seal_audit(now=NOW)
    ledger.hold_unit("tp", UNIT.id, reason="an entry that waits", now=NOW)
    everything = ledger.invoices("tp"), ledger.invoices("other"), list(ledger.audit_log("tp"))
    ledger.close()
    return everything


@pytest.fixture
def elsewhere(engine, tmp_path, request):
    """A new ledger's place on the other engine."""
    if engine == "postgresql":
        yield f"sqlite:///{tmp_path / 'arrived.db'}"
        return
    made = request.getfixturevalue("databases")
    url = made.create()
    yield url
    made.drop(url)


def quiet(*_):
    pass


def test_a_ledger_arrives_whole_on_the_other_engine_and_goes_on_there(filled, url, elsewhere):
    told = []
    moved = move(url, elsewhere, tell=lambda table, done, total: told.append((table, done, total)))
    assert (moved.chains, moved.links, moved.audit_entries) == (3, 5, sum(moved.rows[t] for t in ("audit",)))
    assert ("document", 5, 5) in told
    assert {table for table, _, _ in told} == set(METADATA.tables)
    with Ledger.open(elsewhere) as ledger:
        assert (ledger.invoices("tp"), ledger.invoices("other"), list(ledger.audit_log("tp"))) == filled
        links = list(ledger.chain_links("tp", "csid-1"))
        assert (len(links), list(walk(links))) == (3, [])
        assert ledger.append(sale("4"), maker("uuid-4"), actor="t", now=NOW).issued.icv == 2
        assert ledger.add_notice("tp", "shop", topic="t", order_id="2", delivery_id="d2", body=b"{}", now=NOW)
        assert [each.number for each in ledger.seal_audit(now=NOW)] == [2]
        assert list(ledger.audit_breaks("tp")) == []


def test_its_guards_stand_there_too(filled, url, elsewhere):
    move(url, elsewhere, tell=quiet)
    raw = raw_connection(elsewhere)
    for attack in ("DELETE FROM document", "UPDATE chain SET head_icv = 0", "UPDATE document SET replaces = 'x'"):
        with pytest.raises(REFUSED, match=r"never|head of a chain"):
            raw.execute(attack)
    raw.close()


def test_what_was_left_behind_refuses_to_go_on(filled, url, elsewhere):
    move(url, elsewhere, tell=quiet)
    with pytest.raises(Misconfigured, match="was moved to another database"):
        Ledger.open(url)


def test_it_goes_back_again(filled, url, elsewhere, new_url):
    home = new_url.replace("ledger.db", "home.db")
    move(url, elsewhere, tell=quiet)
    move(elsewhere, home, tell=quiet)
    with Ledger.open(home) as ledger:
        assert (ledger.invoices("tp"), ledger.invoices("other"), list(ledger.audit_log("tp"))) == filled


def test_a_ledger_in_use_stays(filled, url, elsewhere):
    with Ledger.open(url) as serving:
        assert serving.taxpayers()
        with pytest.raises(Conflict, match="in use"):
            move(url, elsewhere, tell=quiet)
        assert serving.health() == "ok"
    assert move(url, elsewhere, tell=quiet).links == 5


def test_a_ledger_is_not_moved_to_itself(filled, url):
    with pytest.raises(Conflict, match="same ledger"):
        move(url, url, tell=quiet)
    with Ledger.open(url) as ledger:
        assert ledger.invoices("tp") == filled[0]


def test_a_full_target_is_refused(filled, url, elsewhere):
    with Ledger.open(elsewhere) as ledger:
        furnish(ledger)
    with pytest.raises(Conflict, match="not empty"):
        move(url, elsewhere, tell=quiet)
    with Ledger.open(url) as ledger:
        assert ledger.invoices("tp") == filled[0]


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (
            "UPDATE document SET hash = 'forged' WHERE icv = 1 AND chain_id = 'csid-1'",
            f"chain csid-1 of unit {UNIT.id}",
        ),
        ("UPDATE chain SET head_icv = 1 WHERE id = 'csid-1'", "is broken"),
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 2", "the audit log of"),
    ],
)
def test_a_damaged_ledger_does_not_move(filled, url, elsewhere, attack, why):
    raw = raw_connection(url)
    with raw.unguarded():
        raw.execute(attack)
    raw.close()
    with pytest.raises(Misconfigured, match=why):
        move(url, elsewhere, tell=quiet)
    with Ledger.open(elsewhere) as ledger:
        assert ledger.taxpayers() == ()
    with Ledger.open(url) as ledger:
        assert ledger.invoices("tp").items
