"""Looks: of a unit, else of its taxpayer, else plain; each change on record."""

from datetime import timedelta

import pytest

from gateway.errors import Unknown
from gateway.ledger import EVERY_UNIT, Ledger
from gateway.looks import Looks
from tests.ledger.books import NOW, UNIT

ALL = Looks(colour="#aa0000", footer="شكرًا")
ONE = Looks(accent="#00aa00", logo="<svg/>")


def test_a_unit_has_its_own_looks_or_those_of_its_taxpayer(ledger, other, url):
    assert ledger.looks("tp", UNIT.id) == Looks()
    ledger.set_looks("tp", EVERY_UNIT, ALL, now=NOW)
    ledger.set_looks("tp", UNIT.id, ONE, now=NOW)
    assert (ledger.looks("tp"), ledger.looks("tp", UNIT.id), ledger.looks("tp", "another")) == (ALL, ONE, ALL)
    assert ledger.looks(other.taxpayer_id) == Looks()
    with Ledger.open(url) as again:
        assert again.looks("tp", UNIT.id) == ONE


def test_looks_are_changed_and_taken_back_and_who_did_is_on_record(ledger):
    ledger.set_looks("tp", UNIT.id, ONE, actor="a", now=NOW)
    ledger.set_looks("tp", UNIT.id, ALL, actor="b", now=NOW + timedelta(hours=1))
    assert ledger.looks("tp", UNIT.id) == ALL
    ledger.clear_looks("tp", UNIT.id, actor="c", now=NOW + timedelta(hours=2))
    assert ledger.looks("tp", UNIT.id) == Looks()
    with pytest.raises(Unknown):
        ledger.clear_looks("tp", UNIT.id, now=NOW)
    entries = [each for each in ledger.audit_log("tp") if each.action.startswith("looks.")]
    assert [(each.action, each.object, each.actor) for each in entries] == [
        ("looks.set", UNIT.id, "a"),
        ("looks.set", UNIT.id, "b"),
        ("looks.cleared", UNIT.id, "c"),
    ]
    assert entries[0].detail["logo"] is True
