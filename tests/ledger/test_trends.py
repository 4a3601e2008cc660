"""The authority's warnings by rule: how often, since when, week by week of Riyadh."""

from datetime import UTC, datetime, timedelta

from tests.ledger.books import NOW
from tests.ledger.many import warn

DAY = timedelta(days=1)


def test_rules_by_how_often_and_by_week(desk, ledger):
    uuids = [desk.issue(str(number)).issued for number in range(5)]
    warn(ledger, uuids[0].uuid, "BR-KSA-98", NOW - 14 * DAY)
    warn(ledger, uuids[1].uuid, "BR-KSA-98", NOW - 13 * DAY)
    warn(ledger, uuids[2].uuid, "BR-KSA-98", NOW, "reported late")
    warn(ledger, uuids[2].uuid, "BR-KSA-60", NOW)
    first, second = ledger.warning_trends("tp", since=NOW - 30 * DAY, until=NOW + DAY)
    assert (first.rule, first.count, first.first, first.last) == ("BR-KSA-98", 3, NOW - 14 * DAY, NOW)
    assert first.weeks == {"2026-W46": 2, "2026-W48": 1}
    assert (first.uuid, first.number, first.message) == (uuids[2].uuid, uuids[2].number, "reported late")
    assert (second.rule, second.count) == ("BR-KSA-60", 1)
    assert ledger.warnings_by_rule(since=NOW - DAY) == {"BR-KSA-60": 1, "BR-KSA-98": 1}


def test_the_days_are_riyadhs(desk, ledger):
    sunday_night = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)  # already Monday in Riyadh
    warn(ledger, desk.issue("1").issued.uuid, "BR-KSA-98", sunday_night)
    warn(ledger, desk.issue("2").issued.uuid, "BR-KSA-98", sunday_night - timedelta(hours=1))
    (trend,) = ledger.warning_trends("tp", since=NOW - 30 * DAY, until=NOW)
    assert trend.weeks == {"2026-W47": 1, "2026-W48": 1}


def test_the_end_is_not_included_and_others_are_not_seen(desk, ledger, other):
    warn(ledger, desk.issue("1").issued.uuid, "BR-KSA-98", NOW)
    assert ledger.warning_trends("tp", since=NOW, until=NOW) == ()
    assert len(ledger.warning_trends("tp", since=NOW, until=NOW + timedelta(microseconds=1))) == 1
    assert ledger.warning_trends("other", since=NOW - DAY, until=NOW + DAY) == ()
