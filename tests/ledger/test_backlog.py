"""What the authority does not have, by unit: asked for in as few statements for thousands of units as for one."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import event

from gateway.invoice.facts import Profile
from gateway.ledger import Band
from tests.ledger.books import NOW, UNIT, Desk, csid

BANDS = [Band(Profile.SIMPLIFIED, 6, None, NOW - timedelta(hours=6))]


def furnish_units(ledger, count):
    desk = Desk(ledger)
    for number in range(count):
        unit = replace(UNIT, id=f"u-{number}", number_prefix=f"U{number}-")
        ledger.add_unit(unit, now=NOW)
        ledger.add_csid(csid(unit, f"csid-u{number}"), now=NOW)
        for n in range(3):
            desk.issue(f"{number}-{n}", unit=unit, now=NOW + timedelta(seconds=n // 2))


def test_each_unit_has_its_first_and_its_last_number(ledger):
    furnish_units(ledger, 2)
    shown = [(each.unit_id, each.count, each.first, each.last) for each in ledger.backlog(BANDS)]
    assert shown == [("u-0", 3, "U0-000001", "U0-000003"), ("u-1", 3, "U1-000001", "U1-000003")]


def test_one_document_is_the_first_and_the_last(ledger):
    Desk(ledger).issue("1")
    (only,) = ledger.backlog(BANDS)
    assert only.first == only.last


def test_many_units_are_no_more_statements_than_one(ledger):
    furnish_units(ledger, 20)
    seen = []
    event.listen(ledger._database._reader, "before_cursor_execute", lambda *told: seen.append(told[2]))
    assert len(ledger.backlog(BANDS)) == 20
    assert len([each for each in seen if each.startswith("SELECT")]) <= 3
