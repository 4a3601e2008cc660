"""The status goes home once, however often it has to be tried."""

import json

import pytest

from gateway.demo.salla import salla_shop
from gateway.ledger import LinkBackState
from gateway.pipeline import link_back
from gateway.simulator import Fault
from tests.installation import OWNER, UNIT
from tests.pipeline.test_shops import enter
from tests.pipeline.test_submit import REFUSAL

ORDER = "46"


@pytest.fixture
def accepted(site, shop):
    """A document that the authority has just accepted, its report to the shop still owed."""
    site.connect(shop)
    site.authority.faults.add(Fault(status=503))
    site.hint(ORDER)
    site.work()
    (issued,) = site.documents()
    shop.requests.clear()
    return issued


def report(site, issued):
    (back,) = site.ledger.link_backs(OWNER, issued.uuid)
    return back


def written(shop):
    return [method for method, _ in shop.requests if method in ("PUT", "POST")]


def facts(shop):
    return {each["key"]: each["value"] for each in shop.orders[ORDER]["meta_data"] if "zatca" in each["key"]}


def test_nothing_is_said_before_the_authority_has_said_something_final(site, shop, accepted):
    assert (report(site, accepted).state, shop.requests) == (LinkBackState.DUE, [])
    site.work_later(minutes=1)
    assert report(site, accepted).state is LinkBackState.DONE
    assert "46" in report(site, accepted).receipt
    assert facts(shop) == {
        "_zatca_number": accepted.number,
        "_zatca_status": "reported",
        "_zatca_uuid": accepted.uuid,
        "_zatca_qr": accepted.qr,
    }


@pytest.mark.parametrize("statuses", [[503], [500, 502, 429], [503] * 8])
def test_a_shop_that_is_down_hears_of_it_later_and_once(site, shop, accepted, statuses):
    shop.outage.extend(statuses)
    site.work_later(minutes=1)
    assert report(site, accepted).state is LinkBackState.DUE
    assert str(statuses[0]) in report(site, accepted).error
    assert written(shop) == []
    for _ in statuses:
        site.work_later(minutes=5)
    assert report(site, accepted).state is LinkBackState.DONE
    assert written(shop) == ["PUT", "POST"]
    assert len(shop.notes[ORDER]) == 1
    site.work_later(days=1)
    assert written(shop) == ["PUT", "POST"]


def test_what_was_given_up_is_taken_up_again_with_new_credentials(site, shop, accepted):
    shop.outage.append(401)
    site.work_later(minutes=1)
    assert report(site, accepted).state is LinkBackState.FAILED
    enter(site, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), change=True)
    site.work()
    assert report(site, accepted).state is LinkBackState.DONE
    assert len(shop.notes[ORDER]) == 1


def test_salla_is_given_a_credit_note_only_after_the_invoice(site):
    """Whatever comes first, both stand on the order in the end."""
    with salla_shop() as salla:
        known = salla.connection("salla", taxpayer_id=OWNER, unit_id=UNIT.id)
        site.enter(known)
        site.hint("710000001", connection="salla")
        site.work()
        (invoice,) = site.documents()
        kept, salla.invoices = salla.invoices, []
        salla.orders["710000001"]["payment_actions"] = {"refund_action": {"refund_amount": {"amount": 10}}}
        site.hint("710000001", delivery="d-2", connection="salla")
        site.work()
        note = next(each for each in site.documents() if each.uuid != invoice.uuid)
        (link,) = site.ledger.link_backs(OWNER, note.uuid)
        assert (link.state, "only after the invoice" in link.error) == (LinkBackState.DUE, True)
        salla.invoices = kept
        site.work_later(minutes=6)
        assert [each["type"] for each in salla.invoices] == ["Tax Invoice", "Credit Note"]


def test_a_rejected_document_is_reported_as_such(site, shop):
    site.connect(shop)
    message = {"code": "BR-KSA-15", "category": "KSA", "message": "no"}
    body = json.dumps({"validationResults": {"errorMessages": [message]}, "reportingStatus": "NOT_REPORTED"})
    site.authority.faults.add(Fault(status=400, body=body))
    site.hint(ORDER)
    site.work()
    assert facts(shop)["_zatca_status"] == "rejected"


def test_refused_credentials_are_given_up_with_the_reason(site, shop, accepted):
    shop.outage.append(401)
    site.work_later(minutes=1)
    assert report(site, accepted).state is LinkBackState.FAILED
    assert "refuses the credentials" in report(site, accepted).error


def test_a_shop_that_never_comes_back_is_given_up_at_last(site, shop, accepted, monkeypatch):
    monkeypatch.setattr(link_back, "GIVE_UP_AFTER", 2)
    shop.outage.extend([503] * 10)
    for _ in range(4):
        assert report(site, accepted).state is not LinkBackState.DONE
        site.work_later(minutes=6)
    assert report(site, accepted).state is LinkBackState.FAILED
    assert len(shop.outage) == 7
    assert site.now(accepted).status.is_accepted


def test_the_qr_of_a_standard_document_that_is_not_cleared_goes_nowhere(site, shop):
    site.connect(shop)
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    site.hint("50")
    site.work()
    (issued,) = site.documents()
    assert (issued.profile.word, issued.status.value) == ("standard", "rejected")
    written = {each["key"]: each["value"] for each in shop.orders["50"]["meta_data"] if "zatca" in each["key"]}
    assert (written["_zatca_status"], written["_zatca_qr"]) == ("rejected", "")
