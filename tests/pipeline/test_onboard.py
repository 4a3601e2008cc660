"""A unit comes into operation, or nothing stands in the way of trying again."""

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.chain import first_link
from gateway.csid import read_certificate
from gateway.errors import BadInput, NotCompliant, Unavailable
from gateway.invoice.facts import Identifier, Kind, Profile
from gateway.pipeline.allow import allow
from gateway.pipeline.compliance import compliance_invoices
from gateway.pipeline.connect import register
from gateway.pipeline.gateway import online
from gateway.pipeline.onboard import onboard
from gateway.pipeline.submit import csid_secret
from gateway.simulator import Fault
from tests.installation import OWNER, UNIT

GOOD_OTP, BAD_OTP, EXPIRED_OTP = "123456", "111111", "222222"
NEW = replace(UNIT, id="JED1", number_prefix="JED1-", common_name="JED1", serial="1-gateway|2-1.0|3-jed")


@pytest.fixture
def unit(site):
    register(site.gateway, NEW, actor="tests")
    return NEW


def take(site, unit, otp=GOOD_OTP, **more):
    """The steps that were told."""
    steps = []

    async def run():
        async with online(site.gateway) as lines:
            await onboard(site.gateway, lines, unit, otp, tell=steps.append, **more)

    asyncio.run(run())
    return steps


def chains(site):
    return site.ledger.chains(OWNER, NEW.id)


def test_a_sellers_data_that_would_break_a_rule_stop_the_onboarding(site):
    registered = Identifier("CRN", "1234567890")
    unit = replace(NEW, seller=replace(NEW.seller, id=registered))
    register(site.gateway, unit, actor="tests")
    with pytest.raises(NotCompliant, match=r"BR-KSA-F-13 \(unit\.taxpayer\.id\.value\)"):
        take(site, unit)
    assert chains(site) == ()
    allow(site.gateway, OWNER, "BR-KSA-F-13", "It is our number", actor="tests")
    assert len(take(site, unit)) > 6
    assert len(chains(site)) == 1


@pytest.mark.parametrize(
    ("types", "profiles"),
    [("1000", {"standard"}), ("0100", {"simplified"}), ("1100", {"standard", "simplified"})],
)
def test_one_compliance_document_of_each_kind_the_unit_may_issue(site, types, profiles):
    unit = replace(NEW, invoice_types=types)
    register(site.gateway, unit, actor="tests")
    steps = take(site, unit)
    checked = {step.removeprefix("compliance check: ") for step in steps if step.startswith("compliance check")}
    assert checked == {f"{profile} {kind}" for profile in profiles for kind in ("invoice", "credit note", "debit note")}
    made = {(invoice.profile, invoice.kind) for invoice in compliance_invoices(unit, site.clock())}
    assert made == {(profile, kind) for profile in Profile if profile.word in profiles for kind in (
        Kind.INVOICE, Kind.CREDIT_NOTE, Kind.DEBIT_NOTE)}  # fmt: skip


def test_what_an_onboarded_unit_has(site, unit):
    take(site, unit)
    csid = site.ledger.current_csid(OWNER, unit.id)
    certificate = read_certificate(csid.certificate.encode())
    assert csid.stage == "production"
    assert certificate.public_key == site.gateway.stamper.public_key(unit.key(csid.id))
    assert site.gateway.safe.open(csid_secret(OWNER, unit.id, csid.id))
    (chain,) = chains(site)
    assert (chain.id, chain.head, chain.sealed_at) == (csid.id, first_link(), None)
    # The compliance documents are not sales: neither kept nor counted.
    assert site.documents() == ()
    assert site.issue(1, unit=unit.id).number == "JED1-000001"
    assert site.issue(2).number == "RUH1-000001"
    site.work()
    assert len(site.accepted()) == 2


def test_no_secret_lies_in_the_ledger_in_the_clear(site, unit):
    take(site, unit)
    csid = site.ledger.current_csid(OWNER, unit.id)
    secret = site.gateway.safe.open(csid_secret(OWNER, unit.id, csid.id))
    files = [file.read_bytes() for file in site.gateway.settings.home.rglob("*") if file.is_file()]
    assert any(csid.token.encode() in file for file in files)
    assert not any(secret.encode() in file for file in files)


@pytest.mark.parametrize(
    ("otp", "says"), [(BAD_OTP, "OTP is invalid"), (EXPIRED_OTP, "OTP is expired"), ("12345", "six digits")]
)
def test_a_wrong_otp_says_where_to_get_one_and_the_next_one_works(site, unit, otp, says):
    with pytest.raises(BadInput, match=says) as refused:
        take(site, unit, otp)
    assert "portal" in refused.value.fix
    assert refused.value.ar
    assert chains(site) == ()
    take(site, unit)
    assert len(chains(site)) == 1


def refuse_the_check(site, times=1):
    message = {"type": "ERROR", "code": "BR-KSA-13", "category": "KSA", "message": "no", "status": "ERROR"}
    body = {"validationResults": {"errorMessages": [message], "status": "ERROR"}, "reportingStatus": "NOT_REPORTED"}
    site.authority.faults.add(Fault(status=400, body=json.dumps(body), endpoint="compliance/invoices", times=times))


def test_a_refused_compliance_check_names_document_and_rule_and_can_be_repeated(site, unit):
    refuse_the_check(site)
    with pytest.raises(BadInput, match=r"standard invoice: BR-KSA-13") as refused:
        take(site, unit)
    assert "repeat the command" in refused.value.fix
    assert chains(site) == ()
    with pytest.raises(Unavailable, match="no certificate in use"):
        site.issue(1, unit=unit.id)
    take(site, unit, otp=None)
    assert site.issue(1, unit=unit.id).icv == 1


@pytest.mark.parametrize("endpoint", ["compliance", "compliance/invoices", "production/csids"])
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(drop=True, accept=True)], ids=["busy", "answer lost"])
def test_a_run_that_breaks_off_anywhere_can_be_repeated(site, unit, endpoint, fault):
    site.authority.faults.add(replace(fault, endpoint=endpoint))
    with pytest.raises((Unavailable, BadInput)):
        take(site, unit)
    assert chains(site) == ()
    take(site, unit)
    assert len(chains(site)) == 1


def envelopes(site):
    return {(kind, ref) for kind, ref, _ in site.ledger.envelopes()}


def test_a_unit_in_operation_keeps_its_key_whatever_a_second_onboarding_meets(site):
    """Its documents go on being stamped, and verify."""
    before = envelopes(site)
    refuse_the_check(site)
    with pytest.raises(BadInput, match="BR-KSA-13"):
        take(site, UNIT)
    with pytest.raises(BadInput, match="OTP is invalid"):
        take(site, UNIT, BAD_OTP, restart=True)
    assert envelopes(site) == before
    issued = site.issue(1)
    site.work()
    assert site.now(issued).status.is_accepted


def test_a_certificate_for_another_key_is_not_taken(site, unit):
    """The developer portal gives everybody the same canned certificate."""
    other = replace(NEW, id="DMM1", number_prefix="DMM1-")
    register(site.gateway, other, actor="tests")
    take(site, other)
    foreign = site.ledger.current_csid(OWNER, other.id)
    body = {"requestID": 1, "dispositionMessage": "ISSUED", "binarySecurityToken": foreign.token, "secret": "s"}
    site.authority.faults.add(Fault(status=200, body=json.dumps(body), endpoint="compliance"))
    with pytest.raises(BadInput, match="not for this unit's key"):
        take(site, unit)
    assert site.ledger.current_csid(OWNER, unit.id) is None
    assert not [ref for _, ref in envelopes(site) if f"/{unit.id}/" in ref]


def test_onboarding_again_begins_a_new_chain_and_goes_on_numbering(site, unit):
    take(site, unit)
    first = site.issue(1, unit=unit.id)
    take(site, unit)
    former, current = sorted(chains(site), key=lambda chain: chain.sealed_at is None)
    assert former.sealed_at is not None
    assert (current.sealed_at, current.head) == (None, first_link())
    second = site.issue(2, unit=unit.id)
    assert (first.icv, second.icv) == (1, 1)
    assert (first.number, second.number) == ("JED1-000001", "JED1-000002")
    site.work()
    assert sorted(site.accepted()) == sorted([first.hash, second.hash])
