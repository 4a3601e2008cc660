"""The buyer's copy of a standard document: the cleared one and nothing before, unless an outage and a policy let it."""

from datetime import timedelta

import pytest
import structlog

from gateway.connection import Connection
from gateway.errors import NotCleared
from gateway.pipeline.connect import change_connection
from gateway.pipeline.share import announce_clearance, buyers_copy
from gateway.simulator import Fault
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT
from tests.ledger.books import log_holds
from tests.ledger.many import break_line
from tests.pipeline.test_submit import REFUSAL


def copy_of(site, issued):
    return buyers_copy(site.gateway, OWNER, issued.uuid, actor="tests")


def share(site, policy="share"):
    changed = Connection(CONNECTION, OWNER, UNIT.id, "api", settings={"authority_down": policy})
    change_connection(site.gateway, changed, actor="tests")


def refused(site, issued):
    with pytest.raises(NotCleared) as error:
        copy_of(site, issued)
    assert issued.number in error.value.what
    assert error.value.fix
    assert issued.number in error.value.ar
    return error.value.what


def audited(site):
    return [each.object for each in site.ledger.audit_log(OWNER) if each.action == "document.shared_uncleared"]


def test_a_simplified_document_is_the_buyers_at_once(site):
    issued = site.issue(1)
    copy = copy_of(site, issued)
    assert (copy.xml, copy.qr, copy.uncleared) == (site.ledger.stamped_xml(OWNER, issued.uuid), issued.qr, False)


def test_a_standard_document_is_the_buyers_once_it_is_cleared(site):
    issued = site.issue(1, buyer=BUSINESS)
    assert "not cleared yet" in refused(site, issued)
    assert (issued.awaits_clearance, issued.buyers_qr) == (True, "")
    site.work()
    copy = copy_of(site, issued)
    assert copy.xml == site.authority.state.accepted[0].cleared == site.ledger.cleared_xml(OWNER, issued.uuid)
    assert copy.qr == site.now(issued).buyers_qr != issued.qr


def test_where_clearance_is_switched_off_the_reported_document_is_the_buyers(site):
    site.authority.faults.add(Fault(status=303, body='{"message": "Clearance is deactiviated. Please use the'
                                    ' /invoices/reporting/single endpoint instead."}'))  # fmt: skip
    site.authority.faults.add(Fault(status=200, body='{"reportingStatus": "REPORTED", "validationResults":'
                                    ' {"status": "PASS", "errorMessages": []}}'))  # fmt: skip
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    assert site.now(issued).status.value == "reported"
    assert copy_of(site, issued).xml == site.ledger.stamped_xml(OWNER, issued.uuid)


def test_a_rejected_document_is_never_the_buyers(site):
    share(site)
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    assert "rejected" in refused(site, issued)
    assert site.now(issued).buyers_qr == ""


@pytest.mark.parametrize("policy", ["wait", None])
def test_in_an_outage_buyers_wait_unless_the_connection_says_otherwise(site, policy):
    if policy:
        share(site, policy)
    site.authority.faults.add(Fault(status=503))
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    refused(site, issued)
    assert audited(site) == []


def test_in_an_outage_the_uncleared_document_is_shared_and_shared_again(site):
    share(site)
    site.authority.faults.add(Fault(status=503, times=2))
    issued = site.issue(1, buyer=BUSINESS)
    refused(site, issued)  # it was not even tried
    site.work()
    for _ in range(2):
        copy = copy_of(site, issued)
        assert (copy.xml, copy.uncleared) == (site.ledger.stamped_xml(OWNER, issued.uuid), True)
    assert audited(site) == [issued.uuid]
    assert site.now(issued).shared_uncleared
    assert site.now(issued).buyers_qr == issued.qr
    assert not announce_clearance(site.gateway, OWNER, issued.uuid)
    site.work_later(minutes=1)
    site.work_later(minutes=5)
    with structlog.testing.capture_logs() as log:
        assert announce_clearance(site.gateway, OWNER, issued.uuid)
    assert [(entry["event"], entry["number"]) for entry in log] == [("share_again", issued.number)]
    copy = copy_of(site, issued)
    assert (copy.xml, copy.uncleared) == (site.ledger.cleared_xml(OWNER, issued.uuid), False)
    assert log_holds(site.ledger, OWNER)


def test_whoever_only_looks_shares_nothing(site):
    issued = site.issue(1, buyer=BUSINESS)
    share(site)
    break_line(site.ledger, "authority", now=site.clock(), reason="HTTP 503")
    before = site.now(issued)
    with pytest.raises(NotCleared):
        buyers_copy(site.gateway, OWNER, issued.uuid, actor="auditor", only_looks=True)
    assert (site.now(issued), audited(site)) == (before, [])
    shared = copy_of(site, issued)
    assert shared.uncleared
    assert buyers_copy(site.gateway, OWNER, issued.uuid, actor="auditor", only_looks=True) == shared
    assert audited(site) == [issued.uuid]


def test_while_it_is_tried_again_it_is_still_unanswered(site):
    share(site)
    site.authority.faults.add(Fault(status=503))
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    site.clock.move(timedelta(minutes=5))
    now = site.clock()
    (due,) = site.ledger.claim_submissions(now=now, limit=1, lease_until=now + timedelta(minutes=1), worker="w")
    site.ledger.begin_attempt(due.uuid, worker="w", now=now)
    assert copy_of(site, issued).uncleared


def test_documents_that_a_breaker_keeps_back_are_shared_too(site):
    share(site)
    issued = site.issue(1, buyer=BUSINESS)
    break_line(site.ledger, "authority", now=site.clock(), reason="no answer")
    assert copy_of(site, issued).uncleared
    break_line(site.ledger, "authority", now=site.clock())
    refused(site, site.issue(2, buyer=BUSINESS))


def test_a_held_unit_is_not_the_authoritys_failure(site):
    share(site)
    site.ledger.hold_unit(OWNER, UNIT.id, reason="401", now=site.clock())
    issued = site.issue(1, buyer=BUSINESS)
    break_line(site.ledger, "authority", now=site.clock(), reason="no answer")
    refused(site, issued)


def test_nor_is_a_refusal_of_its_credentials_after_a_silence(site):
    share(site)
    site.authority.faults.add(Fault(status=503))
    site.authority.faults.add(Fault(status=401, body='{"status": 401, "error": "Unauthorized"}'))
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    site.work_later(minutes=5)
    assert site.outcomes(issued) == ["unknown", "credentials"]
    refused(site, issued)


def test_what_was_accepted_without_being_shared_before_is_not_announced(site):
    issued = site.issue(1, buyer=BUSINESS)
    site.work()
    assert not announce_clearance(site.gateway, OWNER, issued.uuid)
