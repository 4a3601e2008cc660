"""The database itself refuses to change what was made. The attacker has raw SQL and no pragma of ours."""

# ruff: noqa: S608
import pytest

from gateway.chain import walk
from gateway.issued import Status
from gateway.ledger import Cleared
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT
from tests.ledger.raw import REFUSED


@pytest.fixture
def raw(desk, ledger, raw_of):
    """A connection to a ledger with a cleared document, a rejected one and one just issued."""
    for order, status in (("1", Status.CLEARED), ("2", Status.REJECTED)):
        uuid = desk.issue(order, idempotency_key=order).issued.uuid
        ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW, worker="w")
        number = ledger.begin_attempt(uuid, worker="w", now=NOW)
        answer = {"http_status": 200, "outcome": Outcome.ACCEPTED, "body": b"{}", "status": status, "now": NOW}
        ledger.end_attempt(uuid, number, cleared=Cleared(b"<cleared/>", "QR"), **answer)
    desk.issue("3")
    ledger.seal_audit(now=NOW)
    return raw_of


APPEND_ONLY = "document stamp attempt clearance audit audit_batch order_snapshot idempotency_key".split()
KEPT = (*APPEND_ONLY, "chain", "csid", "sale", "submission")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_column_of_what_was_made_can_be_changed(raw, table):
    for column in raw.columns(table):
        with pytest.raises(REFUSED, match="never changed"):
            raw.execute(f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", KEPT)
def test_nothing_is_deleted(raw, table):
    with pytest.raises(REFUSED, match="never deleted"):
        raw.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", KEPT)
def test_a_row_cannot_be_inserted_over_another(raw, table):
    before = raw.execute(f"SELECT * FROM {table}").fetchall()
    with pytest.raises(REFUSED, match=f"{table}: "):
        raw.execute(f"{raw.insert_over} INTO {table} SELECT * FROM {table}")
    assert raw.execute(f"SELECT * FROM {table}").fetchall() == before


def insert_document(raw, **changes):
    """What an attacker would insert: the next document of the chain, but for some changes."""
    names = raw.columns("document")
    last = dict(zip(names, raw.execute("SELECT * FROM document ORDER BY icv DESC").fetchone(), strict=True))
    honest = {"uuid": "forged", "icv": last["icv"] + 1, "pih": last["hash"], "number": "FORGED", "replaces": None}
    row = last | honest | changes
    raw.execute(f"{raw.insert_over} INTO document VALUES ({','.join('?' * len(row))})", [row[name] for name in names])


@pytest.mark.parametrize(
    "forged",
    [
        {"icv": 3},
        {"icv": 5},
        {"icv": 1},
        {"pih": "AAAA"},
        {"taxpayer_id": "other"},
        {"unit_id": "other"},
        {"chain_id": "csid-2"},
        {"made_at": "2020-01-01T00:00:00.000000Z"},
        {"uuid": "uuid-0001"},
        {"number": "RUH1-000001"},
        {"replaces": "uuid-0001"},
        {"corrects": "not-there"},
    ],
    ids=str,
)
def test_a_document_cannot_be_forged_into_the_chain(raw, ledger, forged):
    with pytest.raises(REFUSED):
        insert_document(raw, **forged)
    assert list(walk(ledger.chain_links("tp", "csid-1"))) == []
    assert raw.execute("SELECT count(*) FROM document").fetchone() == (3,)


@pytest.mark.parametrize(
    "change",
    [
        "head_icv = 0",
        "head_icv = 2",
        "head_icv = 4",
        "head_icv = 4, head_hash = 'AAAA'",
        "head_hash = 'AAAA'",
        "head_at = '2020-01-01T00:00:00.000000Z'",
        "id = 'other'",
        "taxpayer_id = 'other'",
    ],
)
def test_the_head_of_a_chain_moves_only_with_a_document(raw, change):
    with pytest.raises(REFUSED, match="head of a chain"):
        raw.execute(f"UPDATE chain SET {change}")


def test_a_sealed_chain_stays_sealed(raw, ledger):
    raw.execute("UPDATE chain SET sealed_at = '2026-11-24T00:00:00.000000Z'")
    with pytest.raises(REFUSED):
        raw.execute("UPDATE chain SET sealed_at = NULL")
    with pytest.raises(REFUSED, match="open chain"):
        insert_document(raw)


def test_a_chain_cannot_begin_in_the_middle(raw):
    with pytest.raises(REFUSED, match="begins empty"):
        raw.execute(f"INSERT INTO chain VALUES ('x', 'tp', '{UNIT.id}', 7, 'AAAA', '2026', NULL)")


@pytest.mark.parametrize(
    "change", ["certificate = 'x'", "token = 'x'", "stage = 'compliance'", "taxpayer_id = 'other'", "id = 'other'"]
)
def test_a_certificate_is_what_it_is(raw, change):
    with pytest.raises(REFUSED, match="retired"):
        raw.execute(f"UPDATE csid SET {change}")


def test_a_certificate_is_retired_and_revoked_once(raw):
    raw.execute("UPDATE csid SET retired_at = '2026-11-24T00:00:00.000000Z'")
    raw.execute("UPDATE csid SET revoked_at = '2026-11-25T00:00:00.000000Z'")
    for change in ("retired_at = NULL", "revoked_at = NULL", "revoked_at = '2027'", "chain_id = 'other'"):
        with pytest.raises(REFUSED, match="each once"):
            raw.execute(f"UPDATE csid SET {change}")


def test_a_certificate_serves_an_open_chain_of_its_own_unit(raw):
    row = list(raw.execute("SELECT * FROM csid").fetchone())
    row[0], row[raw.columns("csid").index("chain_id")] = "csid-9", "csid-8"
    with pytest.raises(REFUSED, match="serves a chain"):
        raw.execute(f"INSERT INTO csid VALUES ({', '.join('?' * len(row))})", row)


@pytest.mark.parametrize("change", ["document_uuid = 'uuid-0002'", "thing = 'order:9'", "document_uuid = 'nowhere'"])
def test_a_sale_points_to_its_own_documents(raw, change):
    with pytest.raises(REFUSED, match="its own documents"):
        raw.execute(f"UPDATE sale SET {change} WHERE document_uuid = 'uuid-0001'")


@pytest.mark.parametrize(
    ("uuid", "status"), [("uuid-0001", "issued"), ("uuid-0001", "rejected"), ("uuid-0002", "cleared")]
)
def test_a_final_status_stays(raw, uuid, status):
    with pytest.raises(REFUSED, match="final status"):
        raw.execute(f"UPDATE submission SET status = '{status}' WHERE document_uuid = '{uuid}'")


def forge(raw, table, **changes):
    """What an attacker would insert: the last row again, but for some changes."""
    names = raw.columns(table)
    order = "seq" if table == "audit" else "number"
    last = dict(zip(names, raw.execute(f"SELECT * FROM {table} ORDER BY {order} DESC").fetchone(), strict=True))
    row = last | {name: make(last) for name, make in changes.items()}
    raw.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", [row[name] for name in names])


def test_an_entry_of_the_audit_log_is_not_sealed_by_whoever_writes_it(raw):
    with pytest.raises(REFUSED, match="sealed after it was made"):
        forge(raw, "audit", id=lambda last: last["id"] + 1, seq=lambda last: last["seq"] + 1)


@pytest.mark.parametrize("change", ["seq = 1", "seq = 99", "seq = NULL", "hash = NULL", "actor = 'x'"])
def test_an_entry_gets_the_next_place_and_only_that(raw, ledger, change):
    ledger.audit(taxpayer_id="tp", actor="a", action="b", target="c", detail={}, now=NOW)
    place = "(SELECT MAX(seq) + 1 FROM audit)"
    setting = {"seq": place, "hash": "'h'"} | dict([change.split(" = ")])
    wanted = ", ".join(f"{name} = {value}" for name, value in setting.items())
    with pytest.raises(REFUSED, match="the next place"):
        raw.execute(f"UPDATE audit SET {wanted} WHERE seq IS NULL")


@pytest.mark.parametrize(
    "change",
    [
        {"number": lambda last: last["number"]},
        {"number": lambda last: 99},
        {"previous": lambda last: "AAAA"},
        {"last_seq": lambda last: last["last_seq"] - 1},
        {"digest": lambda last: "AAAA"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_batch_follows_the_last_one_and_ends_at_the_last_entry(raw, change):
    honest = {"number": lambda last: last["number"] + 1, "previous": lambda last: last["hash"]}
    with pytest.raises(REFUSED, match="audit_batch"):
        forge(raw, "audit_batch", **(honest | change))
