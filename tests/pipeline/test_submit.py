"""What follows from each answer of the authority: nothing is lost, nothing is sent twice as two, no byte changes."""

import base64
import json
import time

import pytest

from gateway import ubl
from gateway.chain import FIRST_PIH, Link, walk
from gateway.errors import Unknown
from gateway.issued import Status
from gateway.pipeline import submit
from gateway.simulator import Fault
from gateway.simulator.calls import CLEARANCE, REPORTING
from tests.installation import BUSINESS, OWNER, UNIT

REFUSAL = json.dumps(
    {
        "validationResults": {
            "infoMessages": [],
            "warningMessages": [],
            "errorMessages": [
                {
                    "type": "ERROR",
                    "code": "BR-KSA-15",
                    "category": "KSA",
                    "message": "no supply date",
                    "status": "ERROR",
                }
            ],
            "status": "ERROR",
        },
        "reportingStatus": "NOT_REPORTED",
        "clearanceStatus": "NOT_CLEARED",
        "clearedInvoice": None,
    }
)

either = pytest.mark.parametrize("buyer", [{}, BUSINESS], ids=["simplified", "standard"])
FINAL = {"simplified": Status.REPORTED, "standard": Status.CLEARED}


@either
def test_accepted(site, buyer, sent):
    issued = site.issue(1, buyer=buyer)
    site.work()
    assert site.now(issued).status is FINAL[issued.profile.word]
    assert site.accepted() == [issued.hash]
    stamped = site.ledger.stamped_xml(OWNER, issued.uuid)
    assert sent == [({"simplified": "report", "standard": "clear"}[issued.profile.word], issued.uuid, stamped)]
    site.work_later(days=2)
    assert len(sent) == 1


def test_the_cleared_document_is_the_one_to_share(site):
    issued = site.issue(1, buyer=BUSINESS)
    assert site.ledger.xml(OWNER, issued.uuid) == site.ledger.stamped_xml(OWNER, issued.uuid)
    site.work()
    cleared = site.ledger.xml(OWNER, issued.uuid)
    assert cleared == site.authority.state.accepted[0].cleared
    assert ubl.read(cleared) == ubl.read(site.ledger.stamped_xml(OWNER, issued.uuid))


@either
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, body='{"message": "Something went wrong"}'),
        Fault(status=503, body="<html>busy</html>"),
        Fault(status=504, body="", accept=True),
        Fault(drop=True),
        Fault(drop=True, accept=True),
        Fault(status=200, body="<html>hello</html>"),
        Fault(status=200, body="<html>hello</html>", accept=True),
        Fault(status=400, body="<html>firewall</html>"),
        Fault(status=403, body="forbidden"),
    ],
    ids=lambda fault: f"{fault.status or 'dropped'}{' but accepted' if fault.accept else ''}",
)
def test_without_a_clear_answer_the_very_same_bytes_are_sent_again(site, buyer, fault, sent):
    site.authority.faults.add(fault)
    issued = site.issue(1, buyer=buyer)
    site.work()
    assert site.now(issued).status is Status.UNKNOWN
    assert len(sent) == 1
    site.work_later(minutes=1)
    assert site.now(issued).status is FINAL[issued.profile.word]
    assert site.outcomes(issued) == ["unknown", "duplicate" if fault.accept else "accepted"]
    assert sent[0] == sent[1]
    assert len(sent) == 2
    assert site.accepted() == [issued.hash]


@either
def test_a_timeout_after_the_authority_accepted_is_found_out(impatient, buyer):
    site = impatient
    site.authority.faults.add(Fault(delay=0.6))
    issued = site.issue(1, buyer=buyer)
    site.work()
    assert (site.now(issued).status, site.accepted()) == (Status.UNKNOWN, [])
    until = time.monotonic() + 10
    while not site.accepted() and time.monotonic() < until:
        time.sleep(0.02)
    site.work_later(minutes=1)
    assert site.now(issued).status is FINAL[issued.profile.word]
    assert site.outcomes(issued) == ["unknown", "duplicate"]
    assert site.accepted() == [issued.hash]
    if buyer:
        assert site.ledger.xml(OWNER, issued.uuid) == site.authority.state.accepted[0].cleared


@either
def test_a_rejected_document_keeps_its_place_and_the_next_one_follows_it(site, buyer, sent):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    rejected = site.issue(1, buyer=buyer)
    site.work()
    shown = site.now(rejected)
    assert shown.status is Status.REJECTED
    assert [(finding.rule, finding.is_error) for finding in shown.findings] == [("BR-KSA-15", True)]
    (finding,) = shown.findings
    assert (finding.term, finding.order_field, finding.message.en) == ("KSA-5", "supply_date", "no supply date")
    assert finding.fix.ar != finding.fix.en
    following = site.issue(2, buyer=buyer)
    site.work()
    assert site.now(following).status.is_accepted
    assert ubl.read(site.ledger.stamped_xml(OWNER, following.uuid)).link == Link(2, rejected.hash)
    assert list(walk(site.ledger.chain_links(OWNER, site.ledger.chain(OWNER, UNIT.id).id))) == []
    site.work_later(days=3)
    assert [uuid for _, uuid, _ in sent] == [rejected.uuid, following.uuid]
    assert site.accepted() == [following.hash]


def test_a_refusal_of_the_real_judge_is_recorded_with_its_reason(site):
    """The simulator refuses the second of two documents with one UUID by itself, without a queued fault."""
    first = site.issue(1)
    site.authority.state.uuids[_world(site), first.uuid] = "another hash"
    site.work()
    assert site.now(first).status is Status.REJECTED
    assert [finding.rule for finding in site.now(first).findings] == ["KSA-1"]


def _world(site):
    return next(iter({world for world, _ in site.authority.state.csids}))


def test_warnings_are_kept_with_an_accepted_document(site):
    site.authority.faults.add(
        Fault(
            status=202,
            body=json.dumps(
                {
                    "validationResults": {
                        "warningMessages": [
                            {
                                "type": "WARNING",
                                "code": "BR-KSA-98",
                                "category": "KSA",
                                "message": "late",
                                "status": "WARNING",
                            }
                        ],
                        "errorMessages": [],
                        "status": "WARNING",
                    },
                    "reportingStatus": "REPORTED",
                }
            ),
        )
    )
    issued = site.issue(1)
    site.work()
    shown = site.now(issued)
    assert shown.status is Status.REPORTED
    assert [(finding.rule, finding.is_error) for finding in shown.findings] == [("BR-KSA-98", False)]


def test_refused_credentials_hold_the_unit_and_lose_nothing(site, sent):
    site.authority.faults.add(Fault(status=401, body='{"error": "Unauthorized"}'))
    first = site.issue(1)
    site.work()
    assert "401" in site.ledger.held(OWNER, UNIT.id)
    assert site.now(first).status is Status.HELD
    second = site.issue(2)
    assert second.status is Status.HELD
    site.work_later(days=1)
    assert len(sent) == 1
    assert ubl.read(site.ledger.stamped_xml(OWNER, second.uuid)).link == Link(2, first.hash)
    site.ledger.release_unit(OWNER, UNIT.id, now=site.clock())
    site.work()
    assert [site.now(each).status for each in (first, second)] == [Status.REPORTED] * 2
    assert sorted(site.accepted()) == sorted([first.hash, second.hash])


def test_when_an_unknown_document_meets_refused_credentials_it_stays_unknown(site):
    site.authority.faults.add(Fault(drop=True, accept=True))
    site.authority.faults.add(Fault(status=401, body=""))
    issued = site.issue(1)
    site.work()
    site.work_later(minutes=1)
    assert site.now(issued).status is Status.UNKNOWN
    site.ledger.release_unit(OWNER, UNIT.id, now=site.clock())
    site.work_later(minutes=1)
    assert site.outcomes(issued) == ["unknown", "credentials", "duplicate"]
    assert site.now(issued).status is Status.REPORTED


def test_the_cleared_document_of_somebody_else_is_no_answer(site, sent):
    other = site.issue(1, buyer=BUSINESS)
    site.work()
    answer = json.dumps(
        {
            "validationResults": {"infoMessages": [], "warningMessages": [], "errorMessages": [], "status": "PASS"},
            "clearanceStatus": "CLEARED",
            "clearedInvoice": base64.b64encode(site.ledger.xml(OWNER, other.uuid)).decode(),
        }
    )
    site.authority.faults.add(Fault(status=200, body=answer))
    issued = site.issue(2, buyer=BUSINESS)
    site.work()
    assert site.now(issued).status is Status.UNKNOWN
    assert site.ledger.xml(OWNER, issued.uuid) == site.ledger.stamped_xml(OWNER, issued.uuid)
    site.work_later(minutes=1)
    assert site.now(issued).status is Status.CLEARED
    assert ubl.read(site.ledger.xml(OWNER, issued.uuid)).heading.uuid == issued.uuid


def test_while_clearance_is_off_a_standard_document_is_reported(site, sent):
    site.authority.state.clearance_on = False
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    assert site.now(issued).status is Status.REPORTED
    assert [name for name, *_ in sent] == ["clear", "report"]
    assert sent[0][1:] == sent[1][1:]
    assert site.outcomes(issued) == ["clearance_off", "accepted"]
    assert [(each.endpoint, each.status) for each in site.authority.state.exchanges] == [
        (CLEARANCE, 303),
        (REPORTING, 200),
    ]


def test_retry_after_is_honoured_to_the_second(site, sent):
    site.authority.faults.add(Fault(status=429, body="slow down", headers={"Retry-After": "120"}))
    issued = site.issue(1)
    site.work()
    assert (site.now(issued).status, site.outcomes(issued)) == (Status.ISSUED, ["limited"])
    site.work_later(seconds=119)
    assert len(sent) == 1
    site.work_later(seconds=1)
    assert site.now(issued).status is Status.REPORTED
    assert len(sent) == 2


def test_a_document_that_is_too_large_for_the_authority_is_final(site, sent):
    site.authority.faults.add(Fault(status=413, body="<html>413</html>"))
    issued = site.issue(1)
    site.work()
    site.work_later(days=1)
    assert site.now(issued).status is Status.REJECTED
    assert len(sent) == 1


def test_an_authority_that_is_down_for_a_day_gets_everything_in_the_end(site):
    site.authority.faults.add(Fault(status=503, body="", times=10_000))
    issued = [site.issue(number, buyer=BUSINESS if number % 2 else {}) for number in range(1, 7)]
    for _ in range(6):
        site.work_later(minutes=10)
    assert {site.now(each).status for each in issued} == {Status.UNKNOWN}
    site.authority.faults.queue.clear()
    site.work_later(minutes=6)
    assert all(site.now(each).status.is_accepted for each in issued)
    assert sorted(site.accepted()) == sorted(each.hash for each in issued)
    links = [ubl.read(site.ledger.stamped_xml(OWNER, each.uuid)).link for each in issued]
    assert [link.pih for link in links] == [FIRST_PIH, *(each.hash for each in issued[:-1])]


def test_what_has_no_credentials_waits_and_holds_nobody_up(site, monkeypatch):
    first, second = site.issue(1), site.issue(2)
    real = submit._credentials

    def missing(gateway, due):
        if due.uuid == first.uuid:
            raise Unknown("The safe has no secret of this name.")
        return real(gateway, due)

    monkeypatch.setattr(submit, "_credentials", missing)
    site.work()
    assert site.now(second).status is Status.REPORTED
    assert (site.now(first).status, site.outcomes(first)) == (Status.ISSUED, [])
    monkeypatch.undo()
    site.work_later(minutes=4)
    assert site.now(first).status is Status.ISSUED
    site.work_later(minutes=2)
    assert site.now(first).status is Status.REPORTED
