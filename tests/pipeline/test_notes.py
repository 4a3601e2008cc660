"""What is undone of a sale, added to it, rejected of it or brought from elsewhere becomes the right document, once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway import ubl
from gateway.connection import Connection
from gateway.errors import Conflict, NotCompliant, Unknown, UnusableOrder
from gateway.invoice.facts import Kind, Profile
from gateway.issued import Status
from gateway.order import Addition, Refund, read_order
from gateway.pipeline.issue import Request, correct
from gateway.pipeline.notes import NoteRequest, correct_note, credit, debit
from gateway.simulator import Fault
from tests.installation import BUSINESS, OWNER, UNIT, order
from tests.pipeline.test_submit import REFUSAL


def give_back(site, issued, **what):
    refund = Refund.model_validate({"id": "R-1", **what})
    return credit(site.gateway, NoteRequest(OWNER, "tests", issued.uuid), refund).issued


def add(site, issued, *lines, **more):
    addition = Addition.model_validate({"id": "A-1", "lines": list(lines), **more})
    return debit(site.gateway, NoteRequest(OWNER, "tests", issued.uuid), addition).issued


def facts(site, issued):
    return ubl.read(site.ledger.stamped_xml(OWNER, issued.uuid))


def reject_next(site):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))


@pytest.mark.parametrize(("buyer", "status"), [({}, Status.REPORTED), (BUSINESS, Status.CLEARED)])
def test_a_refund_becomes_a_credit_note_that_the_authority_accepts(site, buyer, status):
    invoice = site.issue(1, buyer=buyer)
    note = give_back(site, invoice, lines=[{"line": "1", "quantity": "1"}])
    assert (note.kind, note.profile, note.corrects) == (Kind.CREDIT_NOTE, invoice.profile, invoice.uuid)
    assert (note.total, note.icv) == (Decimal("57.50"), 2)
    site.work()
    assert site.now(note).status is status
    said = facts(site, note).invoice
    assert said.references == (invoice.number,)
    assert "إرجاع" in said.reason


def test_the_same_refund_is_one_note_and_another_content_is_refused(site):
    invoice = site.issue(1)
    first = give_back(site, invoice, money="10.00")
    assert give_back(site, invoice, money="10.00") == first
    with pytest.raises(Conflict):
        give_back(site, invoice, money="11.00")
    assert len(site.documents()) == 2


def test_notes_never_give_back_more_than_the_document(site):
    invoice = site.issue(1)
    give_back(site, invoice, money="100.00")
    before = site.head()
    with pytest.raises(Conflict, match=r"15\.00 left"):
        give_back(site, invoice, id="R-2", money="15.01")
    assert site.head() == before
    rest = give_back(site, invoice, id="R-3", everything=True)
    assert rest.total == Decimal("15.00")


def test_a_note_waits_until_its_original_is_accepted(site):
    site.authority.faults.add(Fault(status=500))
    invoice = site.issue(1, buyer=BUSINESS)
    note = give_back(site, invoice, everything=True)
    assert note.status is Status.HELD
    site.work()
    assert (site.now(invoice).status, site.now(note).status) != (Status.UNKNOWN, Status.CLEARED)
    site.work_later(minutes=30)
    assert (site.now(invoice).status, site.now(note).status) == (Status.CLEARED, Status.CLEARED)


def test_what_was_added_becomes_a_debit_note_and_may_be_given_back(site):
    invoice = site.issue(1)
    line = order(1)["lines"][0] | {"id": "x", "quantity": "1", "unit_price": "23.00", "name": "هدية"}
    note = add(site, invoice, line)
    assert (note.kind, note.total, note.corrects) == (Kind.DEBIT_NOTE, Decimal("23.00"), invoice.uuid)
    back = give_back(site, note, lines=[{"line": "x", "quantity": "1"}])
    assert (back.total, back.corrects) == (Decimal("23.00"), note.uuid)
    site.work()
    assert {site.now(each).status for each in (invoice, note, back)} == {Status.REPORTED}
    with pytest.raises(Conflict, match="credit note"):
        give_back(site, back, everything=True)


def rejected(site, **more):
    reject_next(site)
    issued = site.issue(1, **more)
    site.work()
    assert site.now(issued).status is Status.REJECTED
    return issued


def test_a_rejected_document_is_corrected_in_its_place(site):
    issued = rejected(site, buyer=BUSINESS)
    with pytest.raises(Conflict, match="rejected"):
        give_back(site, issued, everything=True)
    site.clock.move(timedelta(hours=2))
    better = read_order(order(1, buyer=BUSINESS | {"name": "شركة أخرى"}))
    made = correct(site.gateway, issued.uuid, Request(OWNER, "tests", better)).issued
    assert (made.replaces, made.icv, made.issued_at) == (issued.uuid, 2, issued.issued_at)
    assert made.uuid != issued.uuid
    assert made.number != issued.number
    site.work()
    assert (site.now(made).status, site.now(issued).status) == (Status.CLEARED, Status.REPLACED)
    assert correct(site.gateway, issued.uuid, Request(OWNER, "tests", better)).issued.uuid == made.uuid


def test_a_number_that_the_caller_gave_stays_with_the_sale(site):
    issued = rejected(site, buyer=BUSINESS, invoice_number="ERP-7")
    better = read_order(order(1, buyer=BUSINESS | {"name": "شركة أخرى"}))
    made = correct(site.gateway, issued.uuid, Request(OWNER, "tests", better)).issued
    assert made.number == "ERP-7"


def test_the_number_stays_where_a_note_waits_for_it(site):
    reject_next(site)
    invoice = site.issue(1, buyer=BUSINESS)
    note = give_back(site, invoice, everything=True)
    site.work()
    assert (site.now(invoice).status, site.now(note).status) == (Status.REJECTED, Status.HELD)
    better = read_order(order(1, buyer=BUSINESS | {"name": "شركة أخرى"}))
    made = correct(site.gateway, invoice.uuid, Request(OWNER, "tests", better)).issued
    assert made.number == invoice.number
    site.work()
    assert {site.now(each).status for each in (made, note)} == {Status.CLEARED}
    assert facts(site, note).invoice.references == (made.number,)
    assert give_back(site, made, everything=True).uuid == note.uuid


def test_the_same_refund_on_another_document_is_another_matter(site):
    invoice = site.issue(1)
    added = add(site, invoice, order(1)["lines"][0] | {"id": "x"})
    give_back(site, invoice, money="10.00")
    with pytest.raises(Conflict, match="other content"):
        give_back(site, added, money="10.00")


def test_only_a_rejected_document_of_the_same_order_is_corrected(site):
    issued = site.issue(1)
    site.work()
    with pytest.raises(Conflict, match="only a rejected document"):
        correct(site.gateway, issued.uuid, Request(OWNER, "tests", read_order(order(1, note="new"))))
    with pytest.raises(Conflict, match="not of SO-2"):
        correct(site.gateway, issued.uuid, Request(OWNER, "tests", read_order(order(2))))


def test_a_rejected_note_is_corrected_in_its_place(site):
    invoice = site.issue(1)
    site.work()
    reject_next(site)
    note = give_back(site, invoice, money="115.00")
    site.work()
    assert site.now(note).status is Status.REJECTED
    made = correct_note(
        site.gateway, OWNER, "tests", note.uuid, b'{"id": "R-1", "money": "115.00", "note": "again"}'
    ).issued
    assert (made.replaces, made.corrects, made.total) == (note.uuid, invoice.uuid, Decimal("115.00"))
    site.work()
    assert site.now(made).status is Status.REPORTED


# -- prepayments ----------------------------------------------------------------------------------------------


def prepaid(site, **more):
    return site.issue(7, kind="prepayment", buyer=BUSINESS, **more)


def test_a_prepayment_is_taken_off_what_it_was_paid_for(site):
    advance = prepaid(site)
    assert advance.kind is Kind.PREPAYMENT
    lines = [order(1)["lines"][0] | {"quantity": "10"}]
    final = site.issue(1, buyer=BUSINESS, lines=lines, declared={}, prepayments=[{"number": advance.number}])
    assert (final.total, final.vat) == (Decimal("460.00"), Decimal("75.00"))
    said = facts(site, final).invoice
    assert [(each.number, each.uuid, each.taxable, each.vat) for each in said.deductions] == [
        (advance.number, advance.uuid, Decimal("100.00"), Decimal("15.00"))
    ]
    site.work()
    assert {each.status for each in site.documents()} == {Status.CLEARED}


def test_a_prepayment_is_taken_off_once(site):
    advance = prepaid(site)
    site.issue(1, buyer=BUSINESS, prepayments=[{"number": advance.number, "amount": "100.00"}])
    with pytest.raises(UnusableOrder, match=r"15\.00 left to take off"):
        site.issue(2, buyer=BUSINESS, prepayments=[{"number": advance.number, "amount": "20.00"}])
    rest = give_back(site, advance, everything=True)
    assert rest.total == Decimal("15.00")
    with pytest.raises(UnusableOrder, match="not a prepayment invoice"):
        site.issue(3, buyer=BUSINESS, prepayments=[{"number": "RUH1-000001x"}])


# -- invoices from before -------------------------------------------------------------------------------------


def from_before(number, *, left="115.00", on="2025-03-01", **more):
    corrects = {"number": "OLD-1", "issued_on": on, "left": left}
    return order(number, kind="credit_note", corrects=corrects, reason={"code": "return"}, **more)


def test_an_invoice_from_before_is_given_back_up_to_what_was_left_of_it(site):
    half = {"lines": [order(1)["lines"][0] | {"quantity": "1"}], "declared": {}}
    note = site.issue_order(from_before(1, **half))
    assert (note.kind, note.total) == (Kind.CREDIT_NOTE, Decimal("57.50"))
    assert facts(site, note).invoice.references == ("OLD-1",)
    before = site.head()
    with pytest.raises(Conflict, match=r"57\.50 is left"):
        site.issue_order(from_before(2, left="9999.00"))
    assert site.head() == before
    site.work()
    assert site.now(note).status is Status.REPORTED


def test_what_was_issued_here_or_after_the_cutover_is_not_from_before(site):
    own = site.issue(5, invoice_number="OLD-1")
    with pytest.raises(Conflict, match="was issued here"):
        site.issue_order(from_before(1))
    assert own.profile is Profile.SIMPLIFIED
    site.enter(Connection("erp-2", OWNER, UNIT.id, "api", cutover=datetime(2025, 3, 1, tzinfo=UTC)))
    later = {"number": "OLD-2", "issued_on": "2025-03-01", "left": "115.00"}
    with pytest.raises(Conflict, match="issued already"):
        site.issue_order(from_before(2) | {"connection": "erp-2", "corrects": later})
    earlier = later | {"issued_on": "2025-02-28"}
    assert site.issue_order(from_before(2) | {"connection": "erp-2", "corrects": earlier}).kind is Kind.CREDIT_NOTE


def test_a_branch_names_the_unit_that_issues(site):
    branch = site.ledger.units(OWNER)[0].branch
    assert site.issue(1, branch=branch).icv == 1
    with pytest.raises(Unknown, match="No units are of branch"):
        site.issue(2, branch="Nowhere")


def test_a_note_that_would_break_a_rule_is_refused(site):
    invoice = site.issue(1)
    with pytest.raises(NotCompliant):
        add(site, invoice, order(1)["lines"][0] | {"id": "x", "name": "ab"})
    assert len(site.documents()) == 1
