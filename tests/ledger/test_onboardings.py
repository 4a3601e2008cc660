"""Runs on record: one open a unit, each step taken once, certificate and run together or not at all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.errors import Conflict, GatewayError
from gateway.ledger import KeptList, Step
from tests.ledger.books import NOW, UNIT, csid

OWNER = UNIT.taxpayer_id
LATER = NOW + timedelta(minutes=1)


def begin(ledger, name="run-1", **changes):
    facts = {"taxpayer_id": OWNER, "unit_id": UNIT.id, "purpose": "onboard", "request_digest": "d", "now": NOW}
    return ledger.begin_onboarding(name, **{**facts, **changes})


def test_a_run_comes_back_as_it_was_put(ledger):
    run = begin(ledger)
    assert ledger.open_onboarding(OWNER, UNIT.id) == run
    passed = ({"name": "simplified invoice", "hash": "h"},)
    moved = ledger.move_onboarding(run, replace(run, step=Step.CHECKS, passed=passed, error="why"), now=LATER)
    assert ledger.open_onboarding(OWNER, UNIT.id) == replace(moved, changed_at=LATER)
    assert ledger.onboardings(OWNER, UNIT.id) == (replace(moved, changed_at=LATER),)


def test_one_run_is_open_a_unit(ledger, other):
    begin(ledger)
    begin(ledger, "run-2", taxpayer_id=other.taxpayer_id, unit_id=other.id)
    with pytest.raises(Conflict, match="Somebody else"):
        begin(ledger, "run-3", purpose="renew")
    assert ledger.open_onboarding(OWNER, UNIT.id).id == "run-1"


@pytest.mark.parametrize("step", [Step.DONE, Step.ENDED])
def test_a_closed_run_stays_closed_and_makes_place(ledger, step):
    run = begin(ledger)
    ledger.move_onboarding(run, closed := replace(run, step=step), now=LATER)
    assert ledger.open_onboarding(OWNER, UNIT.id) is None
    assert not ledger.end_onboarding(closed, error="again", now=LATER)
    assert ledger.onboardings(OWNER, UNIT.id)[0].step is step
    begin(ledger, "run-2")


def test_an_ended_run_is_audited_with_its_reason(ledger):
    assert ledger.end_onboarding(begin(ledger), error="the authority refused it", now=LATER, actor="me")
    *_, entry = ledger.audit_log(OWNER)
    assert (entry.action, entry.actor, entry.object) == ("onboarding.ended", "me", UNIT.id)
    assert entry.detail["error"] == "the authority refused it"


def test_a_step_is_taken_once(ledger):
    run = begin(ledger)
    ledger.move_onboarding(run, replace(run, step=Step.REQUEST), now=LATER)
    with pytest.raises(Conflict):
        ledger.move_onboarding(run, replace(run, step=Step.REQUEST), now=LATER)


def test_a_certificate_is_kept_with_its_run_or_not_at_all(ledger):
    run = begin(ledger)
    requested = ledger.move_onboarding(run, replace(run, step=Step.REQUEST), now=LATER)
    new = csid(name="compliance-1", stage="compliance")
    kept = replace(requested, step=Step.CHECKS, compliance_csid_id=new.id)
    with pytest.raises(Conflict):
        ledger.keep_compliance(run, kept, new, now=LATER)
    with pytest.raises(GatewayError, match="no CSID compliance-1"):
        ledger.csid("compliance-1")
    ledger.keep_compliance(requested, kept, new, now=LATER)
    assert ledger.csid("compliance-1").stage == "compliance"
    assert ledger.open_onboarding(OWNER, UNIT.id).compliance_csid_id == "compliance-1"
    assert ledger.current_csid(OWNER, UNIT.id).id == "csid-1"


@pytest.mark.parametrize("continues", [False, True])
def test_the_production_certificate_and_the_end_of_the_run_come_together(ledger, continues):
    run = begin(ledger)
    done = replace(run, step=Step.DONE)
    stale = replace(run, step=Step.PRODUCTION)
    new = csid(name="run-1")
    with pytest.raises(Conflict):
        ledger.finish_onboarding(stale, done, new, now=LATER, actor="me", continues=continues)
    assert ledger.current_csid(OWNER, UNIT.id).id == "csid-1"
    ledger.finish_onboarding(run, done, new, now=LATER, actor="me", continues=continues)
    assert ledger.open_onboarding(OWNER, UNIT.id) is None
    assert ledger.current_csid(OWNER, UNIT.id).chain_id == ("csid-1" if continues else "run-1")
    assert [chain.sealed_at for chain in ledger.chains(OWNER, UNIT.id)] == ([None] if continues else [LATER, None])


# -- lists of revoked certificates -------------------------------------------------------------------------------


def test_of_each_address_the_last_list_is_kept(ledger):
    first = KeptList("http://a.example/crl", NOW, LATER, b"first")
    other = KeptList("http://b.example/crl", NOW, LATER, b"other")
    ledger.keep_revocation_list(first)
    ledger.keep_revocation_list(other)
    ledger.keep_revocation_list(last := replace(first, fetched_at=LATER, body=b"last"))
    assert ledger.revocation_list("http://a.example/crl") == last
    assert ledger.revocation_list("http://b.example/crl") == other
    assert ledger.revocation_list("http://c.example/crl") is None


def test_a_certificate_is_revoked_once_and_for_good(ledger):
    current = ledger.current_csid(OWNER, UNIT.id)
    assert ledger.revoke_csid(current, detail={"list": "http://a.example/crl"}, now=NOW)
    assert not ledger.revoke_csid(current, detail={}, now=LATER)
    assert ledger.csid(current.id).revoked_at == NOW
    entries = [entry for entry in ledger.audit_log(OWNER) if entry.action == "csid.revoked"]
    assert [(entry.object, entry.detail["list"]) for entry in entries] == [(current.id, "http://a.example/crl")]


def test_a_run_names_a_compliance_certificate_that_is_there(ledger):
    run = begin(ledger)
    with pytest.raises((GatewayError, DBAPIError)):
        ledger.move_onboarding(run, replace(run, compliance_csid_id="nowhere"), now=LATER)
