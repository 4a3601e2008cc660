"""The one transaction that makes a document: exactly one for a sale, in an unbroken chain, or nothing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from gateway.chain import FIRST_PIH, walk
from gateway.errors import Conflict, NotCompliant, Unavailable, Unknown
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.invoice.facts import Kind, Profile
from gateway.issued import Issued, Status
from gateway.verdict import Outcome
from tests.ledger.books import NOW, UNIT, Desk, csid, log_holds, maker, sale


def links(ledger, name="csid-1"):
    return list(ledger.chain_links("tp", name))


def decide(ledger, uuid, status, **changes):
    """Let the authority answer about a document."""
    ledger.claim_submissions(now=NOW, limit=99, lease_until=NOW + timedelta(1), worker="w")
    number = ledger.begin_attempt(uuid, worker="w", now=NOW)
    answer = {"http_status": 200, "outcome": Outcome.ACCEPTED, "body": b"{}", "status": status, "now": NOW}
    ledger.end_attempt(uuid, number, **(answer | changes))
    ledger.release_leases("w")


def reject(ledger, uuid):
    decide(ledger, uuid, Status.REJECTED, http_status=400, outcome=Outcome.REJECTED)


def test_the_first_document_begins_the_chain_and_the_series(ledger):
    slots = []

    def make(slot):
        slots.append(slot)
        return maker("u1")(slot)

    appended = ledger.append(sale("46"), make, actor="key:1", now=NOW)
    [slot] = slots
    assert (slot.link.icv, slot.link.pih, slot.number, slot.at) == (1, FIRST_PIH, "RUH1-000001", NOW)
    assert (slot.csid.id, slot.csid.certificate, slot.replaced) == ("csid-1", "MIIC", None)
    assert appended == (
        Issued(
            uuid="u1",
            number="RUH1-000001",
            kind=Kind.INVOICE,
            profile=Profile.SIMPLIFIED,
            icv=1,
            hash=appended.issued.hash,
            issued_at=NOW.replace(microsecond=0),
            status=Status.ISSUED,
            total=Decimal("110.00"),
            vat=Decimal("14.35"),
            rounding=Decimal("0.00"),
            currency="SAR",
            connection="shop",
            order_id="46",
            qr="AQ==",
            rule_book="R3.4.8",
        ),
        True,
    )
    assert ledger.invoice("tp", "u1") == appended.issued


def test_documents_follow_one_another(desk, ledger):
    for order in ("a", "b", "c"):
        desk.issue(order)
    assert [each.link.icv for each in links(ledger)] == [1, 2, 3]
    assert list(walk(links(ledger))) == []
    assert ledger.chain("tp", UNIT.id).head == links(ledger)[-1].link.next(links(ledger)[-1].hash)


def test_the_same_sale_again_is_the_same_document(desk, ledger):
    first = desk.issue("46")
    assert ledger.find_sale(sale("46")) == (first.issued, False)
    assert desk.issue("46") == (first.issued, False)
    assert len(links(ledger)) == 1


def test_the_same_sale_with_other_content_is_a_conflict(desk, ledger):
    first = desk.issue("46")
    with pytest.raises(Conflict, match=first.issued.number) as caught:
        desk.issue("46", digest="other")
    assert "credit" in caught.value.fix
    assert first.issued.number in caught.value.ar
    with pytest.raises(Conflict):
        ledger.find_sale(sale("46", digest="other"))


def test_a_refund_is_a_sale_of_its_own(desk):
    invoice = desk.issue("46").issued
    note = desk.issue(
        "46",
        thing="refund:46/58",
        kind=Kind.CREDIT_NOTE,
        corrects=invoice.uuid,
        made={"kind": Kind.CREDIT_NOTE},
    )
    assert (note.created, note.issued.icv, note.issued.corrects) == (True, 2, invoice.uuid)


def test_an_idempotency_key_answers_with_its_document_and_refuses_another_request(desk, ledger):
    first = desk.issue("46", idempotency_key="k", request_digest="r1")
    assert desk.issue("46", idempotency_key="k", request_digest="r1") == (first.issued, False)
    with pytest.raises(Conflict, match="Idempotency-Key"):
        desk.issue("47", idempotency_key="k", request_digest="r2")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        ledger.find_sale(sale("47", idempotency_key="k"))
    assert len(links(ledger)) == 1


def test_a_key_that_comes_with_a_repeat_is_remembered(desk):
    desk.issue("46")
    assert not desk.issue("46", idempotency_key="later").created
    with pytest.raises(Conflict, match="Idempotency-Key"):
        desk.issue("47", idempotency_key="later")


def test_keys_of_two_taxpayers_do_not_meet(desk, other):
    desk.issue("46", idempotency_key="k")
    assert desk.issue("46", unit=other, idempotency_key="k").created


def test_the_callers_number_is_kept_and_not_given_twice(desk):
    assert desk.issue("46", invoice_number="INV-7").issued.number == "INV-7"
    with pytest.raises(Conflict, match="INV-7"):
        desk.issue("47", invoice_number="INV-7")
    assert desk.issue("48").issued.number == "RUH1-000001"


def test_the_series_steps_over_a_number_a_caller_has_used(desk):
    desk.issue("46", invoice_number="RUH1-000001")
    assert [desk.issue(order).issued.number for order in ("47", "48")] == ["RUH1-000002", "RUH1-000003"]


def test_nothing_is_consumed_when_the_document_cannot_be_made(desk, ledger):
    finding = Finding("BR-KSA-15", Severity.ERROR, RuleSet.KSA, "/", "KSA-5", Text("", ""), Text("", ""))

    def refuse(slot):
        raise NotCompliant("breaks a rule", findings=(finding,))

    with pytest.raises(NotCompliant):
        ledger.append(sale("46", idempotency_key="k"), refuse, actor="test", now=NOW)
    assert (links(ledger), ledger.find_sale(sale("46"))) == ([], None)
    made = desk.issue("47", idempotency_key="k").issued
    assert (made.icv, made.number) == (1, "RUH1-000001")


def test_a_unit_without_a_certificate_cannot_issue(ledger, desk):
    bare = replace(UNIT, id="bare", number_prefix="B-")
    ledger.add_unit(bare, now=NOW)
    ledger.add_csid(csid(bare, "compliance", stage="compliance"), now=NOW)
    with pytest.raises(Unavailable, match="no certificate in use") as caught:
        desk.issue("46", unit=bare)
    assert caught.value.ar


def test_a_new_certificate_begins_a_new_chain_and_seals_the_old_one(desk, ledger):
    desk.issue("a")
    later = NOW + timedelta(days=1)
    ledger.add_csid(csid(name="csid-2"), now=later)
    assert desk.issue("b", now=later).issued.icv == 1
    assert [(each.id, each.sealed_at) for each in ledger.chains("tp", UNIT.id)] == [
        ("csid-1", later),
        ("csid-2", None),
    ]
    assert ledger.csid("csid-1").retired_at == later
    assert ledger.current_csid("tp", UNIT.id).id == "csid-2"
    assert [len(links(ledger, name)) for name in ("csid-1", "csid-2")] == [1, 1]


def test_a_new_certificate_may_serve_the_chain_that_is_open(desk, ledger):
    first = desk.issue("a").issued
    later = NOW + timedelta(days=1)
    ledger.add_csid(csid(name="csid-2"), now=later, continues=True)
    assert desk.issue("b", now=later).issued.icv == first.icv + 1
    assert [(each.id, each.sealed_at) for each in ledger.chains("tp", UNIT.id)] == [("csid-1", None)]
    assert ledger.current_csid("tp", UNIT.id).chain_id == "csid-1"
    assert [each.csid_id for each in claim(ledger, now=later)] == ["csid-1", "csid-2"]
    assert list(walk(links(ledger))) == []


def claim(ledger, *, now):
    return ledger.claim_submissions(now=now, limit=9, lease_until=now + timedelta(minutes=1), worker="w")


def test_a_certificate_is_used_only_while_it_is_valid(desk):
    with pytest.raises(Unavailable, match="valid only from"):
        desk.issue("46", now=NOW + timedelta(days=366))


def test_a_thread_that_waited_gets_the_moment_of_the_document_before(desk, ledger):
    desk.issue("a")
    late = desk.issue("b", now=NOW - timedelta(seconds=5)).issued
    assert late.issued_at == NOW.replace(microsecond=0)


def test_a_clock_that_was_set_back_makes_no_documents(desk, ledger):
    desk.issue("a")
    with pytest.raises(Unavailable, match="clock"):
        desk.issue("b", now=NOW - timedelta(seconds=61))
    assert len(links(ledger)) == 1


def test_a_rejected_document_is_corrected_by_a_new_one(desk, ledger):
    first = desk.issue("46", invoice_number="INV-7").issued
    reject(ledger, first.uuid)
    fresh = desk.issue("46", digest="mended", replaces=first.uuid, invoice_number="INV-7", now=NOW + timedelta(hours=1))
    assert (fresh.issued.icv, fresh.issued.number, fresh.issued.replaces) == (2, "INV-7", first.uuid)
    assert fresh.issued.issued_at == first.issued_at
    assert ledger.invoice("tp", first.uuid).status is Status.REPLACED
    assert ledger.sale_document("tp", "shop", "order:46", Kind.INVOICE) == fresh.issued
    assert desk.issue("46", digest="mended") == (fresh.issued, False)
    assert desk.issue("46", digest="mended", replaces=first.uuid) == (fresh.issued, False)
    with pytest.raises(Conflict):
        desk.issue("46", digest="mended again", replaces=first.uuid)


def test_only_what_was_rejected_is_made_anew(desk, ledger):
    first = desk.issue("46").issued
    with pytest.raises(Conflict, match="only a rejected document"):
        desk.issue("46", digest="x", replaces=first.uuid)
    with pytest.raises(Unknown):
        desk.issue("47", replaces=first.uuid)


def test_a_correction_may_keep_only_its_own_number(desk, ledger):
    desk.issue("45", invoice_number="INV-6")
    first = desk.issue("46", invoice_number="INV-7").issued
    reject(ledger, first.uuid)
    with pytest.raises(Conflict, match="INV-6"):
        desk.issue("46", digest="x", replaces=first.uuid, invoice_number="INV-6")
    assert desk.issue("46", digest="x", replaces=first.uuid).issued.number == "RUH1-000001"


def test_what_the_origin_said_is_kept(desk, ledger):
    issued = desk.issue("46", version="v1").issued
    assert ledger.snapshot("tp", issued.uuid) == ("46", "v1", "digest of 46", '{"id":"46"}', NOW)


def test_a_note_waits_for_its_original_if_asked_to(desk, ledger):
    invoice = desk.issue("46").issued
    note = desk.issue("46", thing="refund:46/1", corrects=invoice.uuid, waits_for_original=True).issued
    assert note.status is Status.HELD
    decide(ledger, invoice.uuid, Status.REPORTED)
    assert ledger.invoice("tp", note.uuid).status is Status.ISSUED
    second = desk.issue("46", thing="refund:46/2", corrects=invoice.uuid, waits_for_original=True).issued
    assert second.status is Status.ISSUED


def test_a_note_goes_when_its_originals_correction_is_accepted(desk, ledger):
    invoice = desk.issue("46").issued
    note = desk.issue("46", thing="refund:46/1", corrects=invoice.uuid, waits_for_original=True).issued
    reject(ledger, invoice.uuid)
    assert ledger.invoice("tp", note.uuid).status is Status.HELD
    fresh = desk.issue("46", replaces=invoice.uuid).issued
    decide(ledger, fresh.uuid, Status.REPORTED)
    assert ledger.invoice("tp", note.uuid).status is Status.ISSUED


def test_many_threads_on_one_unit_keep_one_chain(ledger):
    def work(thread):
        return [
            ledger.append(sale(f"{thread}-{n}"), maker(f"u-{thread}-{n}"), actor="t", now=NOW).issued.icv
            for n in range(25)
        ]

    with ThreadPoolExecutor(8) as pool:
        counters = [icv for icvs in pool.map(work, range(8)) for icv in icvs]
    assert sorted(counters) == list(range(1, 201))
    assert list(walk(links(ledger))) == []
    assert log_holds(ledger, "tp")


def test_the_same_order_from_many_threads_is_one_document(ledger):
    def work(thread):
        return ledger.append(sale("46", idempotency_key="k"), maker(f"u-{thread}"), actor="t", now=NOW)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert len({each.issued.uuid for each in answers}) == 1
    assert [each.created for each in answers].count(True) == 1
    assert len(links(ledger)) == 1


def test_two_ledgers_on_one_file_keep_one_chain(ledger, url):
    """As two processes would: each with its own connections."""
    with type(ledger).open(url) as second:

        def work(which):
            for n in range(20):
                which.append(sale(f"{id(which)}-{n}"), maker(f"u-{id(which)}-{n}"), actor="t", now=NOW)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, (ledger, second)))
    assert len(links(ledger)) == 40
    assert list(walk(links(ledger))) == []


def test_issuing_leaves_its_line_in_the_audit_log(desk, ledger):
    issued = desk.issue("46").issued
    *_, entry = ledger.audit_log("tp")
    assert (entry.actor, entry.action, entry.object, entry.at) == ("test", "document.issued", issued.uuid, NOW)
    assert entry.detail["number"] == issued.number
    assert entry.detail["icv"] == 1


def test_a_desk_of_another_taxpayer_has_its_own_chain_and_series(desk, other):
    desk.issue("46")
    issued = desk.issue("46", unit=other).issued
    assert (issued.icv, issued.number) == (1, "RUH1-000001")


def test_what_is_made_is_of_the_kind_that_was_asked_for(ledger):
    with pytest.raises(AssertionError, match="kind"):
        Desk(ledger).issue("46", kind=Kind.CREDIT_NOTE)
    assert links(ledger) == []
