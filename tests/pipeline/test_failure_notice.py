"""The failure notice says who, since when, why, how much and what is done, in both languages, and names no buyer."""

from datetime import timedelta

import pytest

from gateway.pipeline.failure_notice import failure_notice
from gateway.simulator import Fault
from tests.installation import BUSINESS, OWNER, UNIT
from tests.ledger.many import break_line
from tests.pipeline.test_submit import REFUSAL

HOUR = timedelta(hours=1)


def notice_of(site, **more):
    return failure_notice(site.gateway, OWNER, **more)


def test_where_all_is_well_there_is_nothing_to_notify(site):
    site.issue(1)
    site.work()
    notice = notice_of(site)
    assert (notice.is_due, notice.is_empty, notice.began, notice.causes) == (False, True, None, ())
    assert "nothing to notify" in notice.text.en
    assert notice.text.ar
    assert notice.as_json()["from"] is None


@pytest.fixture
def outage(site):
    """Two simplified documents and a standard one that the authority never answered about, for 25 hours."""
    site.authority.faults.add(Fault(status=503, times=100))
    made = [site.issue(1), site.issue(2), site.issue(3, buyer=BUSINESS)]
    site.work()
    site.clock.move(25 * HOUR)
    break_line(site.ledger, "authority", now=site.clock() - HOUR, reason="HTTP 503")
    break_line(site.ledger, f"{OWNER}/{UNIT.id}", now=site.clock() - HOUR, reason="no answer")
    break_line(site.ledger, "310000000000003/other", now=site.clock() - HOUR, reason="no business of theirs")
    return made


def test_an_outage_of_the_authority(site, outage):
    notice = notice_of(site)
    assert (notice.is_due, notice.late, notice.began) == (True, 2, outage[0].issued_at)
    shown = notice.as_json()
    assert (shown["unreported"], shown["uncleared"], shown["units"]) == (2, 1, [UNIT.id])
    text = notice.text
    for language in text:
        for fact in (UNIT.seller.name, UNIT.seller.vat, UNIT.id, outage[0].number, outage[1].number, "HTTP 503"):
            assert fact in language
        assert BUSINESS["name"] not in language
    assert "The authority's service has not answered since" in text.en
    assert f"Unit {UNIT.id} has not reached the authority since" in text.en
    assert "no business of theirs" not in text.en
    assert "The last answer about 3 documents: not usable (HTTP 503)." in text.en
    assert "آخر رد على 3 من المستندات: غير صالح (HTTP 503)." in text.ar
    assert "sent again by themselves, byte for byte" in text.en
    assert "إشعار بعطل" in text.ar
    assert not set("abcdefg") & set(text.ar.splitlines()[0])


def test_a_unit_that_is_held_is_named_with_its_reason(site):
    site.authority.faults.add(Fault(status=401, body='{"status": 401, "error": "Unauthorized"}'))
    site.issue(1)
    site.work()
    site.issue(2)
    (held, *_) = notice_of(site).causes
    assert UNIT.id in held.en
    assert "401" in held.en
    assert UNIT.id in held.ar


def test_rejected_documents_are_part_of_it(site):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    site.issue(1)
    site.work()
    notice = notice_of(site)
    assert notice.as_json()["rejected"] == 1
    assert "Rejected documents are corrected" in notice.text.en
    assert "1 simplified document not reported" in notice.text.en


def test_since_when_it_failed_is_for_the_caller_to_say(site):
    site.authority.faults.add(Fault(status=503, times=3))
    first = site.issue(1)
    site.work()
    site.clock.move(23 * HOUR)
    site.issue(2)
    later = site.clock()
    site.work()
    assert notice_of(site).began == first.issued_at
    notice = notice_of(site, since=later - HOUR)
    assert (notice.began, notice.as_json()["unreported"]) == (later - HOUR, 1)
    # What came too late is told as well, after all is mended.
    site.work_later(hours=3)
    assert notice_of(site).is_empty
    notice = notice_of(site, since=first.issued_at)
    assert (notice.reported_late, notice.is_due, notice.is_empty) == (1, True, False)
    assert "reported after their 24 hours: 1" in notice.text.en
    assert notice_of(site, since=later - HOUR).reported_late == 0
