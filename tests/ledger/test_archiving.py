"""The archive's index: what is due, and what the database itself refuses about holds and deletion."""

# ruff: noqa: S608

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import Conflict, Unavailable, Unknown
from gateway.issued import Status
from gateway.ledger import ArchivedFile, Hold, Plan
from gateway.verdict import Outcome
from tests.ledger.books import NOW
from tests.ledger.raw import REFUSED

OVER = NOW + timedelta(days=1)
LATER = NOW + timedelta(days=2)
NEXT_DAY = LATER + timedelta(days=1)


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
        ledger.confirm_disposal("tp", "plan", actor="key:a", now=NEXT_DAY)
    with pytest.raises(Unknown):
        ledger.confirm_disposal("other", "plan", actor="key:b", now=NEXT_DAY)
    ledger.add_hold(Hold("h", "tp", kept, "r", "a", NOW, None, None, ""))
    ledger.lift_hold("tp", "h", actor="a", now=NOW)
    assert ledger.confirm_disposal("tp", "plan", actor="key:b", now=NEXT_DAY) == 2
    assert {each.disposed_at for each in ledger.archived("tp", [kept])[kept]} == {NEXT_DAY}
    with pytest.raises(Conflict, match="No file may be deleted"):
        plan(ledger, "again")


def test_what_came_under_hold_after_the_proposal_stays(ledger, kept):
    plan(ledger)
    ledger.add_hold(Hold("h", "tp", None, "r", "a", NOW, None, None, ""))
    assert ledger.confirm_disposal("tp", "plan", actor="key:b", now=NEXT_DAY) == 0


def test_a_proposal_is_thought_about_for_a_day(ledger, kept):
    """One person with two keys could propose and confirm at once, before anybody read of it."""
    plan(ledger)
    with pytest.raises(Conflict, match=r"confirmed from .* \(Riyadh\)"):
        ledger.confirm_disposal("tp", "plan", actor="key:b", now=NEXT_DAY - timedelta(seconds=1))
    assert not any(each.disposed_at for each in ledger.archived("tp", [kept])[kept])


def test_a_proposal_that_is_withdrawn_is_never_confirmed(ledger, kept):
    plan(ledger)
    with pytest.raises(Unknown):
        ledger.withdraw_disposal("other", "plan", actor="key:b", now=LATER)
    ledger.withdraw_disposal("tp", "plan", actor="key:c", now=LATER)
    for again in (ledger.confirm_disposal, ledger.withdraw_disposal):
        with pytest.raises(Conflict, match="withdrawn by key:c"):
            again("tp", "plan", actor="key:b", now=NEXT_DAY)
    assert [(each.withdrawn_by, each.withdrawn_at) for each in ledger.plans("tp")] == [("key:c", LATER)]
    last = list(ledger.audit_log("tp"))[-1]
    assert (last.actor, last.action, last.object) == ("key:c", "archive.disposal_withdrawn", "plan")
    assert plan(ledger, "anew") == 2


def test_the_record_names_who_made_both_keys(ledger, kept):
    for key, maker in (("a", "key:admin"), ("b", "key:admin")):
        ledger.add_api_key(key, "tp", role="accountant", hash="", label="", now=NOW, actor=maker)
    plan(ledger)
    ledger.confirm_disposal("tp", "plan", actor="key:b", now=NEXT_DAY)
    last = list(ledger.audit_log("tp"))[-1]
    assert (last.detail["proposed_by"], last.detail["keys_made_by"]) == ("key:a", ["key:admin", "key:admin"])


@pytest.mark.parametrize("recorded", [None, timedelta(hours=1), timedelta(days=401)], ids=str)
def test_a_clock_that_is_years_ahead_deletes_nothing(ledger, kept, recorded):
    """What was recorded by the same clock an hour ago shows nothing of it."""
    ahead = LATER + timedelta(days=7 * 366)
    if recorded:
        ledger.audit(taxpayer_id="tp", actor="a", action="x", target="x", detail={}, now=ahead - recorded)
    with pytest.raises(Unavailable, match="clock"):
        plan(ledger, now=ahead)
    assert ledger.plans("tp") == ()
    plan(ledger)
    with pytest.raises(Unavailable, match="clock"):
        ledger.confirm_disposal("tp", "plan", actor="key:b", now=ahead)
    ledger.audit(taxpayer_id="tp", actor="a", action="x", target="x", detail={}, now=ahead - timedelta(days=399))
    assert ledger.confirm_disposal("tp", "plan", actor="key:b", now=ahead) == 2


# --- past the ledger, by raw SQL --------------------------------------------------------------------------------------

_AT = LATER.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
DISPOSE = "INSERT INTO disposed VALUES (?, 'document', 'tp', 'plan', ?)"
CONFIRM = "UPDATE disposal SET confirmed_by = ?, confirmed_at = ?"


@pytest.mark.parametrize("table", ["archived", "disposed", "legal_hold", "disposal"])
def test_no_record_of_the_archive_goes_or_is_written_over(ledger, kept, raw_of, table):
    plan(ledger)
    ledger.confirm_disposal("tp", "plan", actor="key:b", now=NEXT_DAY)
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


def test_the_database_confirms_nothing_that_was_withdrawn(ledger, kept, raw_of):
    plan(ledger)
    raw_of.execute("UPDATE disposal SET withdrawn_by = 'key:b', withdrawn_at = ?", (_AT,))
    for attack, values in (
        (CONFIRM, ("key:b", _AT)),
        ("UPDATE disposal SET withdrawn_by = '', withdrawn_at = NULL", ()),
        (f"{CONFIRM}, withdrawn_by = '', withdrawn_at = NULL", ("key:b", _AT)),
    ):
        with pytest.raises(REFUSED, match="or withdrawn"):
            raw_of.execute(attack, values)


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
    values = ("plan", "tp", moment, "r", "key:a", moment, "", None, "", None)
    raw_of.execute("INSERT INTO disposal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
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
