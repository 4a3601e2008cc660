"""The archive's index: what is due, and what the database itself refuses about holds and deletion."""

# ruff: noqa: S608

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import Conflict, Unknown
from gateway.issued import Status
from gateway.ledger import ArchivedFile, Hold, Plan
from gateway.verdict import Outcome
from tests.ledger.books import NOW
from tests.ledger.raw import REFUSED

OVER = NOW + timedelta(days=1)
LATER = NOW + timedelta(days=2)


def answer(ledger, uuid, status=Status.REPORTED, outcome=Outcome.ACCEPTED):
    ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW, worker="w")
    number = ledger.begin_attempt(uuid, worker="w", now=NOW)
    terms = {"http_status": 200, "outcome": outcome, "body": b"{}", "status": status, "now": NOW}
    ledger.end_attempt(uuid, number, **terms, next_at=None if status.is_final else NOW)


def claim(ledger, now=NOW):
    lease = {"now": now, "limit": 9, "lease_until": now + timedelta(minutes=1), "worker": "w"}
    return [each.uuid for each in ledger.claim_archiving(**lease)]


def file(uuid, name="document", **more):
    fields = {"taxpayer_id": "tp", "key": f"tp/{uuid}/{name}", "sha256": "0a", "size": 3, "at": NOW, "keep_until": OVER}
    return ArchivedFile(uuid, name, **(fields | more))


@pytest.fixture
def kept(ledger, desk):
    """A reported document with two files whose time ends tomorrow."""
    uuid = desk.issue("1").issued.uuid
    answer(ledger, uuid)
    ledger.add_archived([file(uuid), file(uuid, "answer-1")])
    return uuid


def plan(ledger, key="plan", by="key:a", now=LATER, before=None):
    made = Plan(key, "tp", before or now, "old", by, now, "", None)
    return ledger.propose_disposal(made)


def test_a_final_answer_is_due_once_and_a_lease_keeps_others_away(ledger, desk):
    uuid = desk.issue("1").issued.uuid
    answer(ledger, uuid, Status.UNKNOWN, Outcome.UNKNOWN)
    assert claim(ledger) == []
    answer(ledger, uuid)
    assert (claim(ledger), claim(ledger)) == ([uuid], [])
    ledger.end_archiving(uuid, worker="another")  # whose lease it is not
    assert claim(ledger, NOW + timedelta(minutes=2)) == [uuid]
    ledger.end_archiving(uuid, worker="w", error="no room", next_at=LATER)
    assert claim(ledger, OVER) == []
    assert ledger.archive_counts("tp").error == "no room"
    assert claim(ledger, LATER) == [uuid]
    ledger.end_archiving(uuid, worker="w")
    assert claim(ledger, LATER + timedelta(days=9)) == []


def test_what_comes_while_one_archives_is_not_taken_for_done(ledger, desk):
    uuid = desk.issue("1").issued.uuid
    ledger.claim_submissions(now=NOW, limit=9, lease_until=NOW, worker="w")
    first, second = (ledger.begin_attempt(uuid, worker="w", now=NOW) for _ in range(2))
    terms = {"http_status": 200, "outcome": Outcome.ACCEPTED, "body": b"{}", "status": Status.REPORTED, "now": NOW}
    ledger.end_attempt(uuid, second, **terms)
    assert claim(ledger) == [uuid]
    ledger.end_attempt(uuid, first, **terms)  # a late answer
    ledger.end_archiving(uuid, worker="w")
    assert claim(ledger) == [uuid]


def test_files_are_on_record_once(ledger, kept):
    ledger.add_archived([file(kept, sha256="ff", key="other")])
    assert [(each.name, each.sha256) for each in ledger.archived("tp", [kept])[kept]] == [
        ("answer-1", "0a"),
        ("document", "0a"),
    ]
    assert ledger.archived("other", [kept]) == {}
    assert [[each.key for each in some] for some in ledger.every_archived()] == [
        [f"tp/{kept}/answer-1", f"tp/{kept}/document"]
    ]


def test_two_people_delete_after_the_time(ledger, kept):
    with pytest.raises(Conflict, match="No file may be deleted"):
        plan(ledger, now=NOW)
    assert plan(ledger) == 2
    with pytest.raises(Conflict, match="cannot confirm"):
        ledger.confirm_disposal("tp", "plan", actor="key:a", now=LATER)
    with pytest.raises(Unknown):
        ledger.confirm_disposal("other", "plan", actor="key:b", now=LATER)
    ledger.add_hold(Hold("h", "tp", kept, "r", "a", NOW, None, None, ""))
    ledger.lift_hold("tp", "h", actor="a", now=NOW)
    assert ledger.confirm_disposal("tp", "plan", actor="key:b", now=LATER) == 2
    assert {each.disposed_at for each in ledger.archived("tp", [kept])[kept]} == {LATER}
    with pytest.raises(Conflict, match="No file may be deleted"):
        plan(ledger, "again")


def test_what_came_under_hold_after_the_proposal_stays(ledger, kept):
    plan(ledger)
    ledger.add_hold(Hold("h", "tp", None, "r", "a", NOW, None, None, ""))
    assert ledger.confirm_disposal("tp", "plan", actor="key:b", now=LATER) == 0


# --- past the ledger, by raw SQL --------------------------------------------------------------------------------------

_AT = LATER.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
DISPOSE = "INSERT INTO disposed VALUES (?, 'document', 'tp', 'plan', ?)"
CONFIRM = "UPDATE disposal SET confirmed_by = ?, confirmed_at = ?"


@pytest.mark.parametrize("table", ["archived", "disposed", "legal_hold", "disposal"])
def test_no_record_of_the_archive_goes_or_is_written_over(ledger, kept, raw_of, table):
    plan(ledger)
    ledger.confirm_disposal("tp", "plan", actor="key:b", now=LATER)
    ledger.add_hold(Hold("h", "tp", None, "r", "a", NOW, None, None, ""))
    for attack in (f"DELETE FROM {table}", f"{raw_of.insert_over} INTO {table} SELECT * FROM {table}"):
        with pytest.raises(REFUSED, match=table):
            raw_of.execute(attack)
    if table in ("archived", "disposed"):
        with pytest.raises(REFUSED, match="never changed"):
            raw_of.execute(f"UPDATE {table} SET name = name")


def test_the_database_deletes_nothing_unconfirmed(ledger, kept, raw_of):
    plan(ledger)
    with pytest.raises(REFUSED, match="by two people"):
        raw_of.execute(DISPOSE, (kept, _AT))
    with pytest.raises(REFUSED, match="confirmed once"):
        raw_of.execute(CONFIRM, ("key:a", _AT))
    with pytest.raises(REFUSED, match="confirmed once"):
        raw_of.execute("UPDATE disposal SET proposed_by = 'key:x'")


@pytest.mark.parametrize("hold", [None, "uuid"])
def test_the_database_deletes_nothing_under_hold(ledger, kept, raw_of, hold):
    plan(ledger)
    ledger.add_hold(Hold("h", "tp", hold and kept, "r", "a", NOW, None, None, ""))
    raw_of.execute(CONFIRM, ("key:b", _AT))
    with pytest.raises(REFUSED, match="under hold"):
        raw_of.execute(DISPOSE, (kept, _AT))
    ledger.lift_hold("tp", "h", actor="a", now=NOW)
    raw_of.execute(DISPOSE, (kept, _AT))


def test_the_database_deletes_nothing_before_its_time(ledger, kept, raw_of):
    moment = NOW.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = ("plan", "tp", moment, "r", "key:a", moment, "", None)
    raw_of.execute("INSERT INTO disposal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    raw_of.execute(CONFIRM, ("key:b", _AT))
    with pytest.raises(REFUSED, match="after its time"):
        raw_of.execute(DISPOSE, (kept, _AT))


def test_a_proposal_cannot_reach_into_the_future(ledger, kept, raw_of):
    plan(ledger, before=LATER + timedelta(days=3000))
    raw_of.execute(CONFIRM, ("key:b", _AT))
    with pytest.raises(REFUSED, match="after its time"):
        raw_of.execute(DISPOSE, (kept, _AT))


def test_a_hold_cannot_be_changed_and_a_longer_retention_not_lifted(ledger, kept, raw_of):
    ledger.add_hold(Hold("h", "tp", kept, "r", "a", NOW, LATER, None, ""))
    for attack in (
        "UPDATE legal_hold SET document_uuid = NULL",
        "UPDATE legal_hold SET until = NULL",
        f"UPDATE legal_hold SET lifted_at = '{_AT}', lifted_by = 'x'",
    ):
        with pytest.raises(REFUSED, match="only be lifted"):
            raw_of.execute(attack)


def test_an_order_can_be_forgotten_and_nothing_else_of_it(ledger, desk, raw_of):
    desk.issue("1")
    raw_of.execute("UPDATE order_snapshot SET order_json = ''")
    for attack in ("order_json = '{}'", "order_json = ''", "digest = 'x', order_json = ''"):
        with pytest.raises(REFUSED, match="never changed"):
            raw_of.execute(f"UPDATE order_snapshot SET {attack}")


def test_what_is_made_may_be_archived_only_for_who_has_it(ledger, kept):
    assert isinstance(ledger.archivable("tp", kept).issued_at, datetime)
    with pytest.raises(Unknown):
        ledger.archivable("other", kept)
    with pytest.raises(Unknown):
        ledger.add_hold(Hold("h", "other", kept, "r", "a", NOW, None, None, ""))
