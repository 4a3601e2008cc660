"""A shop's hint leads to the order, and the order to its document, once it is due; or to a person, with the reason."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.errors import Unauthorised, Unknown
from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.ledger import NoticeState
from gateway.pipeline.connect import register
from gateway.pipeline.intake import take_in
from gateway.simulator import Fault
from gateway.stores import woocommerce
from tests.installation import BUSINESS, OWNER, UNIT
from tests.pipeline.test_submit import REFUSAL

PLAIN, COMPANY, WRONG = "46", "50", "99"


@pytest.fixture
def selling(site, shop):
    site.connect(shop)
    return site


def test_a_hint_becomes_a_document_of_the_fetched_order(selling, shop):
    shop.orders[PLAIN]["billing"]["first_name"] = "لمى"
    selling.hint(PLAIN)
    selling.work()
    (issued,) = selling.documents()
    assert (issued.connection, issued.order_id, issued.status) == ("shop", PLAIN, Status.REPORTED)
    assert f"{issued.total:.2f}" == shop.orders[PLAIN]["total"]
    assert "لمى" in selling.ledger.snapshot(OWNER, issued.uuid).order_json


def test_a_hint_of_a_company_is_cleared(selling):
    selling.hint(COMPANY)
    selling.work()
    assert [each.status for each in selling.documents()] == [Status.CLEARED]


def test_many_hints_of_one_order_are_one_document(selling):
    for number in range(5):
        selling.hint(PLAIN, delivery=f"d-{number}")
    selling.hint(PLAIN, delivery="d-0")
    selling.work()
    selling.hint(PLAIN, delivery="later")
    selling.work()
    assert len(selling.documents()) == 1
    assert selling.waiting() == ()


@pytest.mark.parametrize("status", ["pending", "on-hold", "failed", "cancelled", "checkout-draft", "trash", "refunded"])
def test_an_order_that_is_not_paid_is_left_alone_until_it_is(selling, shop, status):
    shop.orders[PLAIN]["status"] = status
    selling.hint(PLAIN, delivery="early")
    selling.work()
    assert (selling.documents(), selling.waiting()) == ((), ())
    shop.orders[PLAIN]["status"] = "processing"
    selling.hint(PLAIN, delivery="paid")
    selling.work()
    assert len(selling.documents()) == 1


def test_when_to_issue_is_a_setting_of_the_connection(site, shop):
    site.connect(shop, issue_when="fulfilled")
    site.hint(PLAIN, delivery="1")
    site.work()
    assert site.documents() == ()
    shop.orders[PLAIN]["status"] = "completed"
    site.hint(PLAIN, delivery="2")
    site.work()
    assert len(site.documents()) == 1


def test_sales_from_before_the_connection_are_not_issued(site, shop):
    known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    placed = datetime.fromisoformat(shop.orders[PLAIN]["date_created_gmt"]).replace(tzinfo=UTC)
    site.enter(replace(known, cutover=placed + timedelta(seconds=1)))
    site.hint(PLAIN)
    site.work()
    assert (site.documents(), site.waiting()) == ((), ())


def test_the_cutover_itself_is_issued(site, shop):
    known = shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id)
    placed = datetime.fromisoformat(shop.orders[PLAIN]["date_created_gmt"]).replace(tzinfo=UTC)
    site.enter(replace(known, cutover=placed))
    site.hint(PLAIN)
    site.work()
    assert len(site.documents()) == 1


def test_a_document_that_would_break_rules_waits_for_a_person_with_what_to_mend(selling, shop):
    before = selling.head()
    shop.orders[PLAIN]["line_items"][0]["name"] = "12"
    selling.hint(PLAIN)
    selling.work()
    (waiting,) = selling.waiting()
    assert (waiting.order_id, waiting.state) == (PLAIN, NoticeState.QUARANTINED)
    for language in ("en", "ar"):
        assert "BR-KSA-F-06-C19 (lines[0].name)" in waiting.reason[language]
        assert waiting.reason[language].count("lines[0].name: ") == 2
    assert (selling.head(), selling.documents()) == (before, ())


def test_sums_that_do_not_close_wait_for_a_person_with_both_sums_in_both_languages(selling):
    before = selling.head()
    selling.hint(WRONG)
    selling.work()
    (waiting,) = selling.waiting()
    assert (waiting.order_id, waiting.state) == (WRONG, NoticeState.QUARANTINED)
    for language in ("en", "ar"):
        assert "395.49" in waiting.reason[language]
        assert "388.59" in waiting.reason[language]
    assert "does not close" in waiting.reason["en"]
    assert "المتجر" in waiting.reason["ar"]
    assert (selling.head(), selling.documents()) == (before, ())


def test_what_was_mended_in_the_shop_is_issued_when_the_person_says_so(selling, shop):
    selling.hint(WRONG)
    selling.work()
    (waiting,) = selling.waiting()
    shop.orders[WRONG]["total"] = "388.59"
    selling.work_later(days=1)
    assert selling.documents() == ()
    selling.ledger.retry_notice(OWNER, waiting.id, now=selling.clock(), actor="tests")
    selling.work()
    assert len(selling.documents()) == 1
    assert selling.waiting() == ()


def test_an_order_that_changed_after_its_document_waits_for_a_person_where_the_connection_says_so(site, shop):
    site.connect(shop, edits="person")
    selling = site
    selling.hint(PLAIN, delivery="1")
    selling.work()
    shop.orders[PLAIN]["line_items"][0]["name"] = "another thing"
    selling.hint(PLAIN, delivery="2")
    selling.work()
    (waiting,) = selling.waiting()
    assert waiting.state is NoticeState.QUARANTINED
    assert "RUH1-000001" in waiting.reason["en"]
    assert "RUH1-000001" in waiting.reason["ar"]
    assert len(selling.documents()) == 1


def documents_of(site):
    """Kind and total of each, oldest first."""
    return [(each.kind, each.total) for each in sorted(site.documents(), key=lambda each: each.icv)]


def undo(shop, **refund):
    """Refund in the shop: what its REST API then lists of the order."""
    shop.refunds[PLAIN] = [{"id": 900, "amount": "0.00", "reason": "", "line_items": [], **refund}]
    shop.orders[PLAIN]["refunds"] = [{"id": 900, "reason": "", "total": f"-{refund['amount']}"}]


def test_a_refund_in_the_shop_becomes_one_credit_note(selling, shop):
    selling.hint(PLAIN, delivery="1")
    selling.work()
    undo(shop, amount="10.00", reason="late")
    for delivery in ("2", "3"):
        selling.hint(PLAIN, delivery=delivery)
        selling.work()
    _, note = documents_of(selling)
    assert note == (Kind.CREDIT_NOTE, Decimal("10.00"))
    assert selling.waiting() == ()
    assert {each.status for each in selling.documents()} == {Status.REPORTED}


def test_a_cancelled_order_is_given_back_whole_once(selling, shop):
    selling.hint(PLAIN, delivery="1")
    selling.work()
    undo(shop, amount="10.00")
    shop.orders[PLAIN]["status"] = "cancelled"
    for delivery in ("2", "3"):
        selling.hint(PLAIN, delivery=delivery)
        selling.work()
    invoice, first, rest = documents_of(selling)
    assert first[1] + rest[1] == invoice[1]
    assert selling.waiting() == ()


def test_an_order_edited_in_the_shop_gets_the_notes_for_the_change(selling, shop):
    selling.hint(PLAIN, delivery="1")
    selling.work()
    sold = shop.orders[PLAIN]
    gone = sold["line_items"].pop()
    tax = Decimal(gone["total_tax"])
    total = Decimal(gone["total"]) + tax
    sold["total"] = f"{Decimal(sold['total']) - total:.2f}"
    sold["total_tax"] = f"{Decimal(sold['total_tax']) - tax:.2f}"
    (rate,) = sold["tax_lines"]
    rate["tax_total"] = f"{Decimal(rate['tax_total']) - tax:.2f}"
    for delivery in ("2", "3"):
        selling.hint(PLAIN, delivery=delivery)
        selling.work()
    _, (kind, back) = documents_of(selling)
    assert (kind, back) == (Kind.CREDIT_NOTE, total)
    assert selling.waiting() == ()


def fewer(shop, quantity):
    """The customer's first line with fewer pieces of 100.00, and what follows from that."""
    sold = shop.orders[PLAIN]
    line, (rate,) = sold["line_items"][0], sold["tax_lines"]
    taken = Decimal(line["quantity"] - quantity)
    net, tax = round(taken * 100 / Decimal("1.15"), 2), taken * 100 - round(taken * 100 / Decimal("1.15"), 2)
    line |= {"quantity": quantity}
    for name, less in (("subtotal", net), ("total", net), ("subtotal_tax", tax), ("total_tax", tax)):
        line[name] = f"{Decimal(line[name]) - less:.2f}"
    line["taxes"] = []
    rate["tax_total"] = f"{Decimal(rate['tax_total']) - tax:.2f}"
    sold |= {
        "total": f"{Decimal(sold['total']) - net - tax:.2f}",
        "total_tax": f"{Decimal(sold['total_tax']) - tax:.2f}",
    }


def test_a_second_edit_is_for_a_person(selling, shop):
    for delivery, quantity in (("1", 3), ("2", 2), ("3", 1)):
        if quantity < 3:
            fewer(shop, quantity)
        selling.hint(PLAIN, delivery=delivery)
        selling.work()
    assert documents_of(selling)[1:] == [(Kind.CREDIT_NOTE, Decimal("100.00"))]
    (waiting,) = selling.waiting()
    assert "edited again" in waiting.reason["en"]
    assert waiting.reason["ar"]


def test_an_order_mended_in_the_shop_replaces_its_rejected_invoice(selling, shop):
    selling.authority.faults.add(Fault(status=400, body=REFUSAL))
    selling.hint(COMPANY, delivery="1")
    selling.work()
    shop.orders[COMPANY]["billing"]["company"] = "شركة أخرى"
    selling.hint(COMPANY, delivery="2")
    selling.work()
    assert [each.status for each in sorted(selling.documents(), key=lambda each: each.icv)] == [
        Status.REPLACED, Status.CLEARED,
    ]  # fmt: skip


def test_an_order_refunded_in_part_before_its_invoice_is_invoiced_whole_and_given_back_in_part(selling, shop):
    undo(shop, amount="10.00")
    selling.hint(PLAIN)
    selling.work()
    (kind, whole), note = documents_of(selling)
    assert (kind, whole) == (Kind.INVOICE, Decimal("388.59"))
    assert note == (Kind.CREDIT_NOTE, Decimal("10.00"))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_shop_that_is_down_is_asked_again(selling, shop, status):
    shop.outage.append(status)
    selling.hint(PLAIN)
    selling.work()
    assert (selling.documents(), selling.waiting()) == ((), ())
    # The shop asked for seven seconds, more than the worker would have waited.
    selling.work_later(seconds=6)
    assert selling.documents() == ()
    selling.work_later(seconds=1)
    assert len(selling.documents()) == 1


@pytest.mark.parametrize(("status", "says"), [(404, "nothing at"), (401, "refuses the credentials")])
def test_what_only_a_person_can_mend_is_given_up_with_the_reason(selling, shop, status, says):
    shop.outage.append(status)
    selling.hint(PLAIN)
    selling.work()
    (waiting,) = selling.waiting()
    assert waiting.state is NoticeState.FAILED
    assert says in waiting.reason["en"]
    assert waiting.reason["ar"]


def test_what_nobody_thought_of_waits_for_a_person_too(selling, monkeypatch):
    monkeypatch.setattr(woocommerce, "map", lambda connection, raw: raw["no such thing"])
    selling.hint("46")
    selling.work()
    (waiting,) = selling.waiting()
    assert waiting.reason["en"].startswith("This order of the shop cannot be read here (KeyError).")
    assert waiting.reason["ar"]
    assert json.loads(waiting.payload)["id"] == 46


def test_a_unit_that_is_not_onboarded_yet_keeps_the_hint(site, shop):
    unit = replace(UNIT, id="JED1", number_prefix="JED1-")
    register(site.gateway, unit, actor="tests")
    site.enter(shop.connection("shop", taxpayer_id=OWNER, unit_id=unit.id))
    site.hint(PLAIN)
    site.work()
    assert (site.documents(), site.waiting()) == ((), ())
    site.work_later(minutes=61)
    assert (site.documents(), site.waiting()) == ((), ())


def test_an_api_connection_takes_no_webhooks(site):
    for name in ("erp-main", "nobody", ""):
        with pytest.raises(Unknown, match="no shop connection"):
            take_in(site.gateway, name, {}, b"{}")


def test_an_unsigned_hint_is_not_kept(selling, shop):
    with pytest.raises(Unauthorised):
        take_in(selling.gateway, "shop", {"X-WC-Webhook-Topic": "order.created"}, b'{"id": 46}')
    selling.work()
    assert (selling.documents(), shop.requests) == ((), [])


def test_a_hint_of_one_taxpayers_shop_never_issues_anothers(selling):
    """The order is issued by the unit of the connection, whoever placed it."""
    selling.hint(COMPANY)
    selling.work()
    (issued,) = selling.documents()
    assert issued.number.startswith("RUH1-")
    assert selling.ledger.invoices(BUSINESS["vat"]).items == ()
