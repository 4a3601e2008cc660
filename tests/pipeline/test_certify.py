"""A run goes on where it stopped, whatever stopped it; a certificate request is never sent twice."""

import asyncio
import itertools
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from gateway.authority import Authority
from gateway.chain import first_link
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable
from gateway.issued import Status
from gateway.ledger import Ledger, Step
from gateway.pipeline.connect import register
from gateway.pipeline.gateway import online
from gateway.pipeline.renew import renew
from gateway.pipeline.unit_status import release
from gateway.simulator import Fault
from gateway.unit import Environment
from tests.installation import OWNER, UNIT
from tests.pipeline.conftest import opened
from tests.pipeline.test_onboard import envelopes, take

OTP = "123456"
NEW = replace(
    UNIT, id="JED1", number_prefix="JED1-", common_name="JED1", serial="1-gateway|2-1.0|3-jed", invoice_types="0100"
)


@pytest.fixture
def unit(site):
    register(site.gateway, NEW, actor="tests")
    return NEW


def take_renewal(site, otp=OTP, unit_id=UNIT.id, **more):
    """The steps that were told."""
    steps = []

    async def run():
        async with online(site.gateway) as lines:
            await renew(site.gateway, lines, OWNER, unit_id, otp, tell=steps.append, **more)

    asyncio.run(run())
    return steps


def run_of(site, unit=NEW):
    return site.ledger.open_onboarding(OWNER, unit.id)


def calls(site, endpoint):
    return sum(exchange.endpoint == endpoint for exchange in site.authority.state.exchanges)


def keys(site, unit=NEW):
    return [ref for kind, ref in envelopes(site) if kind == "stamping key" and f"/{unit.id}/" in ref]


# -- killed anywhere ---------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def opened_in(installation, environment):
    """The installation, with its own key, in one of the authority's worlds."""
    return opened(
        installation,
        environment=environment,
        master_key_file=installation.settings.home / "development.key",
    )


@contextmanager
def killed_at(monkeypatch, moment):
    """Die at the nth moment: before and after each call of the authority, after each entry of the ledger's."""
    moments = itertools.count()

    def here():
        if next(moments) == moment:
            raise Killed

    def watched(real):
        def call(self, *args, **kwargs):
            result = real(self, *args, **kwargs)
            here()
            return result

        return call

    def watched_call(real):
        async def call(self, *args, **kwargs):
            here()
            result = await real(self, *args, **kwargs)
            here()
            return result

        return call

    with monkeypatch.context() as patch:
        for name in ("begin_onboarding", "move_onboarding", "keep_compliance", "finish_onboarding"):
            patch.setattr(Ledger, name, watched(getattr(Ledger, name)))
        for name in ("compliance_csid", "check_compliance", "production_csid", "renew"):
            patch.setattr(Authority, name, watched_call(getattr(Authority, name)))
        yield moments


MOMENTS = range(17)


def test_those_are_all_the_moments_a_run_has(site, unit, monkeypatch):
    with killed_at(monkeypatch, None) as moments:
        take(site, unit)
    assert next(moments) == len(MOMENTS) + 1  # the last one comes when all is done


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_nothing_is_lost_or_blocked(site, unit, monkeypatch, moment):
    with killed_at(monkeypatch, moment), pytest.raises(Killed):
        take(site, unit)
    stopped = run_of(site)
    if stopped.step in (Step.CHECKS, Step.PRODUCTION):
        take(site, unit, otp=None)
        assert calls(site, "compliance") == 1
        assert calls(site, "compliance/invoices") <= 4  # one of three may have been sent without being answered
    else:
        with pytest.raises(BadInput, match="needs an OTP"):
            take(site, unit, otp=None)
        take(site, unit)
    assert run_of(site) is None
    (chain,) = site.ledger.chains(OWNER, unit.id)
    assert (chain.head, chain.sealed_at) == (first_link(), None)
    assert keys(site) == [unit.key(chain.id)]
    document = site.issue(1, unit=unit.id)
    site.work()
    assert site.now(document).status.is_accepted
    assert not [each for each in site.authority.state.exchanges if each.status == 400]


def test_killed_when_all_was_done_a_run_is_done(site, unit, monkeypatch):
    with killed_at(monkeypatch, len(MOMENTS)), pytest.raises(Killed):
        take(site, unit)
    assert run_of(site) is None
    assert site.issue(1, unit=unit.id).icv == 1


@pytest.mark.parametrize("moment", [0, 1, 3, 5, 12, 16])
def test_a_renewal_that_is_killed_leaves_the_unit_issuing_and_goes_on(site, monkeypatch, moment):
    former = site.ledger.current_csid(OWNER, UNIT.id)
    with killed_at(monkeypatch, moment), pytest.raises(Killed):
        take_renewal(site)
    assert site.ledger.current_csid(OWNER, UNIT.id) == former
    before = site.issue(1)
    take_renewal(site, otp=None if run_of(site, UNIT).step in (Step.CHECKS, Step.PRODUCTION) else OTP)
    after = site.issue(2)
    site.work()
    assert [site.now(each).status.is_accepted for each in (before, after)] == [True, True]


# -- where it goes on --------------------------------------------------------------------------------------------


def test_documents_that_passed_are_not_sent_again_and_their_chain_goes_on(site, unit):
    site.authority.faults.add(Fault(status=200, body="{}", endpoint="compliance/invoices"))
    with pytest.raises(Unavailable, match="without a new OTP"):
        take(site, unit)
    assert (run_of(site).step, run_of(site).passed) == (Step.CHECKS, ())
    site.authority.faults.add(Fault(delay=0.0, endpoint="compliance/invoices"))
    site.authority.faults.add(Fault(status=503, endpoint="compliance/invoices"))
    with pytest.raises(Unavailable):
        take(site, unit, otp=None)
    passed = run_of(site).passed
    assert [each["name"] for each in passed] == ["simplified invoice"]
    assert "HTTP 503" in run_of(site).error
    steps = take(site, unit, otp=None)
    assert [step for step in steps if "check" in step] == [
        "compliance check: simplified credit note",
        "compliance check: simplified debit note",
    ]
    assert steps[-1] == "production certificate (PCSID)"
    (done,) = site.ledger.onboardings(OWNER, unit.id)
    assert [each["name"] for each in done.passed] == [
        "simplified invoice",
        "simplified credit note",
        "simplified debit note",
    ]
    assert done.passed[0] == passed[0]


def test_an_otp_that_is_not_needed_is_not_used(site, unit):
    site.authority.faults.add(Fault(status=503, endpoint="compliance/invoices"))
    with pytest.raises(Unavailable):
        take(site, unit)
    take(site, unit, otp="111111")
    assert calls(site, "compliance") == 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop=True, accept=True)], ids=["busy", "answer lost"])
def test_a_lost_answer_to_the_request_for_the_production_certificate(site, unit, fault):
    site.authority.faults.add(replace(fault, endpoint="production/csids"))
    with pytest.raises(Unavailable):
        take(site, unit)
    assert run_of(site).step is Step.PRODUCTION
    assert take(site, unit, otp=None) == ["production certificate (PCSID)"]
    assert calls(site, "compliance/invoices") == 3
    assert len(site.ledger.chains(OWNER, unit.id)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=400, body='{"errors": [{"code": "Invalid-CSR", "message": "no"}]}'),
        Fault(status=503),
        Fault(drop=True, accept=True),
    ],
    ids=["refused", "busy", "answer lost"],
)
def test_a_request_is_never_sent_twice(site, unit, fault):
    site.authority.faults.add(replace(fault, endpoint="compliance"))
    with pytest.raises((BadInput, Unavailable)):
        take(site, unit)
    assert run_of(site) is None
    assert keys(site) == []
    with pytest.raises(BadInput, match="needs an OTP: it has no run to go on with"):
        take(site, unit, otp=None)
    take(site, unit)
    runs = {run.step: run for run in site.ledger.onboardings(OWNER, unit.id)}
    assert len(runs) == 2
    assert runs[Step.ENDED].error
    assert keys(site) == [unit.key(runs[Step.DONE].id)]


def broken_off(site, unit, endpoint="compliance/invoices"):
    site.authority.faults.add(Fault(status=503, endpoint=endpoint))
    with pytest.raises(Unavailable):
        take(site, unit)
    return run_of(site, unit)


def test_what_the_certificate_says_has_changed_so_the_run_begins_anew(site, unit):
    former = broken_off(site, unit)
    renamed = replace(unit, location="JEDA1234")
    register(site.gateway, renamed, actor="tests")
    with pytest.raises(BadInput, match="has changed since the last run"):
        take(site, renamed, otp=None)
    assert run_of(site) == replace(former, error=run_of(site).error)  # the file may be changed back
    take(site, renamed)
    runs = {run.step: run for run in site.ledger.onboardings(OWNER, unit.id)}
    assert (len(runs), runs[Step.ENDED].id) == (2, former.id)
    assert keys(site) == [unit.key(runs[Step.DONE].id)]


def test_a_change_that_the_certificate_does_not_say_goes_on(site, unit):
    broken_off(site, unit)
    moved = replace(unit, seller=replace(unit.seller, address=replace(unit.seller.address, street="King Road")))
    register(site.gateway, moved, actor="tests")
    take(site, moved, otp=None)
    assert calls(site, "compliance") == 1


def test_a_restart_discards_the_run_and_sends_every_document_again(site, unit):
    former = broken_off(site, unit, endpoint="production/csids")
    with pytest.raises(BadInput, match="is discarded"):
        take(site, unit, otp=None, restart=True)
    assert run_of(site).id == former.id
    take(site, unit, restart=True)
    assert calls(site, "compliance/invoices") == 6
    assert keys(site) == [unit.key(site.ledger.current_csid(OWNER, unit.id).id)]
    assert site.ledger.current_csid(OWNER, unit.id).id != former.id


def test_a_key_that_is_gone(site, unit):
    site.gateway.stamper.destroy(unit.key(broken_off(site, unit).id))
    with pytest.raises(BadInput, match="the key of the last run is gone"):
        take(site, unit, otp=None)
    take(site, unit)


def test_what_a_run_left_that_was_killed_while_it_was_closed_is_swept_up(site, unit):
    former = broken_off(site, unit)
    site.ledger.end_onboarding(former, error="killed right after", now=site.clock())
    assert keys(site) == [unit.key(former.id)]
    take(site, unit)
    assert keys(site) == [unit.key(site.ledger.current_csid(OWNER, unit.id).id)]


def test_documents_that_the_authority_has_forgotten_are_sent_again(site, unit):
    broken_off(site, unit, endpoint="production/csids")
    for csid in site.authority.state.csids.values():
        csid.passed.clear()
    with pytest.raises(BadInput, match="Missing-ComplianceSteps"):
        take(site, unit, otp=None)
    take(site, unit, otp=None)
    assert calls(site, "compliance/invoices") == 6
    assert calls(site, "compliance") == 1


@pytest.mark.parametrize("endpoint", ["compliance/invoices", "production/csids"])
def test_a_compliance_certificate_that_is_refused_ends_the_run(site, unit, endpoint):
    site.authority.faults.add(Fault(status=401, endpoint=endpoint))
    with pytest.raises(BadInput, match="401"):
        take(site, unit)
    assert run_of(site) is None
    assert [each for each in envelopes(site) if f"/{NEW.id}/" in each[1]] == []
    take(site, unit)


def test_a_second_one_at_the_same_run_is_refused_and_breaks_nothing(site, unit):
    former = broken_off(site, unit)
    elsewhere = replace(former, step=Step.PRODUCTION)
    site.ledger.move_onboarding(former, elsewhere, now=site.clock())
    with pytest.raises(Conflict, match="Somebody else"):
        site.ledger.move_onboarding(former, elsewhere, now=site.clock())
    assert site.ledger.end_onboarding(elsewhere, error="no", now=site.clock())
    assert not site.ledger.end_onboarding(elsewhere, error="no", now=site.clock())


def test_two_runs_of_a_unit_are_not_open_at_once(site, unit):
    broken_off(site, unit)
    with pytest.raises(Conflict):
        site.ledger.begin_onboarding(
            "another", taxpayer_id=OWNER, unit_id=unit.id, purpose="renew", request_digest="", now=site.clock()
        )


# -- renewal -----------------------------------------------------------------------------------------------------


def test_a_renewal_begins_a_new_chain_and_the_old_one_is_drained_with_the_old_certificate(site, sent):
    before = site.issue(1)
    former = site.ledger.current_csid(OWNER, UNIT.id)
    take_renewal(site)
    current = site.ledger.current_csid(OWNER, UNIT.id)
    after = site.issue(2)
    assert (before.icv, after.icv) == (1, 1)
    assert (before.number, after.number) == ("RUH1-000001", "RUH1-000002")
    old, new = site.ledger.chains(OWNER, UNIT.id)  # onboarded before the clock stood still
    assert (old.id, old.sealed_at is None) == (former.id, False)
    assert (new.id, new.sealed_at) == (current.id, None)
    site.work()
    by_hash = {each.hash: each.csid for each in site.authority.state.accepted}
    assert by_hash == {before.hash: int(former.request_id), after.hash: int(current.request_id)}
    assert site.ledger.csid(former.id).retired_at is not None


def test_a_renewal_may_continue_the_chain(installation):
    with opened(installation, chain_after_renewal="continue") as site:
        before = site.issue(1)
        take_renewal(site)
        after = site.issue(2)
        assert (before.icv, after.icv) == (1, 2)
        (chain,) = site.ledger.chains(OWNER, UNIT.id)
        assert chain.sealed_at is None
        assert site.ledger.current_csid(OWNER, UNIT.id).chain_id == chain.id
        site.work()
        assert sorted(site.accepted()) == sorted([before.hash, after.hash])


def test_orders_are_issued_while_a_renewal_is_under_way(site):
    issued = []
    former = site.ledger.current_csid(OWNER, UNIT.id)

    def tell(step):
        issued.append(site.issue(len(issued) + 1))

    async def run():
        async with online(site.gateway) as lines:
            await renew(site.gateway, lines, OWNER, UNIT.id, OTP, tell=tell)

    asyncio.run(run())
    assert [each.icv for each in issued] == list(range(1, len(issued) + 1))
    assert site.ledger.csid(former.id).chain_id == former.id
    site.work()
    assert sorted(site.accepted()) == sorted(each.hash for each in issued)


def test_a_renewal_that_is_granted_at_once(site):
    """The published API shows a direct 200 beside the 428."""
    site.authority.state.renewal_is_direct = True
    assert take_renewal(site) == ["key and certificate request", "renewal"]
    document = site.issue(1)
    site.work()
    assert site.now(document).status.is_accepted


@pytest.mark.parametrize("otp", ["111111", "222222"])
def test_a_wrong_otp_leaves_the_unit_as_it_was(site, otp):
    before = envelopes(site)
    with pytest.raises(BadInput, match="OTP is"):
        take_renewal(site, otp)
    assert envelopes(site) == before
    assert site.issue(1).icv == 1


def test_a_unit_without_a_certificate_has_nothing_to_renew(site, unit):
    with pytest.raises(BadInput, match="does not exist yet"):
        take_renewal(site, unit_id=unit.id)


def test_a_revoked_certificate_is_not_renewed(site):
    site.ledger.revoke_csid(site.ledger.current_csid(OWNER, UNIT.id), detail={}, now=site.clock())
    with pytest.raises(BadInput, match="was revoked"):
        take_renewal(site)


def test_an_open_onboarding_is_not_mistaken_for_a_renewal(site):
    broken_off(site, UNIT)
    with pytest.raises(Conflict, match="run of onboarding that is not finished"):
        take_renewal(site)
    take_renewal(site, restart=True)
    assert run_of(site, UNIT) is None


# -- environments, and what compliance documents are not ---------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [(mine, theirs) for mine in Environment for theirs in Environment if mine is not theirs],
)
def test_no_unit_is_certified_in_another_environment(installation, mine, theirs):
    with opened_in(installation, mine) as site:
        unit = replace(NEW, environment=theirs)
        site.ledger.add_unit(unit, now=site.clock())
        with pytest.raises(Misconfigured, match=f"was onboarded in {theirs}"):
            take(site, unit)
        assert site.ledger.onboardings(OWNER, unit.id) == ()
        assert calls(site, "compliance") == 0


@pytest.mark.parametrize("environment", [Environment.SIMULATION, Environment.PRODUCTION])
def test_no_certificate_is_renewed_and_no_document_sent_in_another_environment(installation, environment):
    with opened(installation) as site:
        document = site.issue(1)
    with opened_in(installation, environment) as site:
        with pytest.raises(Misconfigured, match="was onboarded in sandbox"):
            take_renewal(site)
        site.work()
        assert site.now(document).status.value == "issued"
        assert site.accepted() == []


def test_compliance_documents_are_in_no_list_and_have_a_chain_of_their_own(site, unit):
    first = site.issue(1)
    take(site, unit)
    take_renewal(site)
    assert [each.uuid for each in site.documents()] == [first.uuid]
    assert site.ledger.chain(OWNER, unit.id).head == first_link()
    site.work()
    assert site.accepted() == [first.hash]
    audited = json.dumps([entry.detail for entry in site.ledger.audit_log(OWNER)], default=str)
    assert "COMPLIANCE-" not in audited


def test_what_an_older_certificate_stamped_is_let_go_by_a_person_too(site):
    """Its 401 says nothing about the unit, which goes on; what waits for a person can be released all the same."""
    old = site.issue(1)
    take_renewal(site)
    site.authority.faults.add(Fault(status=401, body=""))
    site.work()
    assert (site.now(old).status, site.ledger.held(OWNER, UNIT.id)) == (Status.HELD, None)
    release(site.gateway, UNIT, actor="tests")
    site.work()
    assert site.now(old).status is Status.REPORTED
    with pytest.raises(BadInput, match="holds nothing back"):
        release(site.gateway, UNIT, actor="tests")
