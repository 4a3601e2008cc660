"""ERPNext's books over REST: submitted once, equal to the halala, whatever goes wrong on the way."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import httpx2
import pytest

from gateway.erps import erpnext as erp
from gateway.erps.erp import Entered, Paid
from gateway.erps.erpnext_invoice import KEY_FIELD, NUMBER_FIELD, UUID_FIELD
from gateway.errors import BadInput, Conflict, Misconfigured, Unavailable
from gateway.invoice.facts import Kind
from gateway.issued import Status
from tests.erps.bookings import CARD, FILES, asking, booked, halalas, settled, statused
from tests.erps.erpnext_server import BANK, CASH, COMPANY, VAT, FrappeError, erpnext_server, refused
from tests.ubl_documents import BUYER, DOCUMENTS, SIMPLIFIED, STANDARD, VAT5, line, note_on

ask = asking(erp)


@pytest.fixture
def site():
    with erpnext_server() as server:
        yield server


def connected(site, **settings):
    """The connection with what connecting found out."""
    connection = site.connection(**settings)
    return replace(connection, settings={**ask("inspect", connection).settings, **connection.settings})


def paying(site, **more):
    return connected(site, **{"payment.card": BANK}, **more)


# -- connecting -----------------------------------------------------------------------------------------------


def test_connecting_finds_accounts_and_makes_the_fields(site):
    found = connected(site).settings
    assert found == {
        "company": COMPANY, "currency": "SAR", "income_account": "Sales - CC", "cost_center": "Main - CC",
        "rounding_account": "Round Off - CC", "customer_group": "Commercial", "territory": "Saudi Arabia",
        "tax.S15": VAT,
    }  # fmt: skip
    fields = {(each["dt"], each["fieldname"], each["unique"]) for each in site.tables["Custom Field"]}
    assert fields == {
        ("Sales Invoice", UUID_FIELD, 1),
        ("Sales Invoice", NUMBER_FIELD, 0),
        ("Customer", KEY_FIELD, 1),
        ("Payment Entry", KEY_FIELD, 1),
    }
    connected(site)
    assert len(site.tables["Custom Field"]) == len(fields)


def test_a_user_who_may_not_make_fields_is_told_how(site):
    site.may_customize = False
    with pytest.raises(BadInput, match="may not make them") as lacking:
        ask("inspect", site.connection())
    assert "Customize Form" in lacking.value.fix
    assert f"Sales Invoice: {UUID_FIELD} (Data, Unique, No Copy)" in lacking.value.fix
    assert UUID_FIELD in lacking.value.ar


def test_the_account_of_vat_is_the_only_one_or_that_of_the_rate_or_named(site):
    site.tables["Account"].append(site._account("Withholding - CC", "Tax", 5))
    assert connected(site).settings["tax.S15"] == VAT
    site.tables["Account"].append(site._account("VAT in - CC", "Tax", 15))
    with pytest.raises(BadInput, match="does not follow") as unclear:
        ask("inspect", site.connection())
    assert "tax.S15" in unclear.value.fix
    assert "tax.S15" in unclear.value.ar
    assert connected(site, **{"tax.S15": "VAT in"}).settings["tax.S15"] == "VAT in"
    with pytest.raises(BadInput, match="no account NOPE of the type Tax"):
        ask("inspect", site.connection(**{"tax.S15": "NOPE"}))


def test_what_is_missing_is_named_with_the_way_to_make_it(site):
    notes = ask("inspect", site.connection(**{"payment.card": "NOPE"})).look_at
    assert [each.en.partition(":")[0] for each in notes] == ["payment.card=NOPE"]
    del site.tables["Company"][0]["round_off_account"]
    with pytest.raises(BadInput, match="no Round Off Account"):
        ask("inspect", site.connection())
    assert connected(site, rounding_account=VAT).settings["rounding_account"] == VAT
    site.tables["Company"].append({"name": "Tea"})
    with pytest.raises(BadInput, match="Coffee & Co, Tea"):
        ask("inspect", site.connection())
    with pytest.raises(BadInput, match="no company Milk"):
        ask("inspect", site.connection(company="Milk"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"secrets": {"key": "x", "secret": "wrong"}}, "refuses the credentials"),
        ({"secrets": {"key": "x"}}, "no secret 'secret'"),
        ({"base_url": ""}, "lacks the address"),
    ],
)
def test_credentials_that_cannot_be_used(site, changes, says):
    with pytest.raises(Misconfigured, match=says):
        ask("inspect", replace(site.connection(), **changes))


def test_an_address_where_no_erpnext_is(site):
    with pytest.raises(Misconfigured, match="No ERPNext answers"):
        ask("inspect", replace(site.connection(), base_url=f"{site.url}/shop"))
    with pytest.raises(Unavailable, match="cannot be reached"):
        ask("inspect", replace(site.connection(), base_url="http://127.0.0.1:9"))


# -- who issues -----------------------------------------------------------------------------------------------


def test_an_app_that_issues_is_a_second_issuer_while_it_is_at_work(site):
    connection = site.connection()
    assert ask("issues_itself", connection) is False
    site.apps.append("zatca_erpgulf")
    assert ask("issues_itself", connection) is True
    site.tables["Company"][0]["custom_zatca_invoice_enabled"] = 0
    assert ask("issues_itself", connection) is False
    site.apps.append("ksa_compliance")
    assert ask("issues_itself", connection) is True, "its settings cannot be seen"
    site.tables["ZATCA Business Settings"] = [{"name": "Z", "company": COMPANY, "status": "Disabled"}]
    assert ask("issues_itself", connection) is False
    site.tables["ZATCA Business Settings"][0]["status"] = "Active"
    assert ask("issues_itself", connection) is True


def test_a_site_that_does_not_tell_its_apps(site):
    site.apps = []
    assert ask("issues_itself", site.connection()) is None
    site.tells_apps = False
    with pytest.raises(Misconfigured, match="may not do this"):
        ask("issues_itself", site.connection())


# -- posting --------------------------------------------------------------------------------------------------


def test_a_sale_stands_in_the_books_as_the_document_says(site):
    connection = paying(site)
    booking = booked(STANDARD, payments=(Paid("card", STANDARD.payable),))
    assert ask("state", connection, booking) is None
    entry = ask("post", connection, booking)
    (invoice,) = site.invoices
    assert (entry.id, entry.number, entry.state) == (invoice["name"], "RUH1-000001", Entered.POSTED)
    assert (entry.total, entry.paid) == (STANDARD.payable, True)
    assert entry.url == f"{site.url}/app/sales-invoice/{invoice['name']}"
    assert (invoice["docstatus"], invoice["disable_rounded_total"], invoice["posting_date"]) == (1, 1, "2026-11-23")
    (customer,) = site.tables["Customer"]
    assert (customer["customer_name"], customer["tax_id"], customer["customer_type"]) == (
        BUYER.name,
        BUYER.vat,
        "Company",
    )
    (payment,) = site.of("Payment Entry", invoice["name"])
    assert (payment["paid_to"], halalas(payment["paid_amount"])) == (BANK, STANDARD.payable)
    assert ask("state", connection, booking) == entry


def test_a_repeat_finds_what_is_there(site):
    connection = paying(site)
    booking = booked(payments=CARD)
    first = ask("post", connection, booking)
    site.calls.clear()
    assert ask("post", connection, booking) == first
    assert {does for _, does in site.calls} == {"GET"}


@pytest.mark.parametrize("sort", DOCUMENTS)
def test_one_document_of_each_sort_comes_to_the_same_halala(site, sort):
    connection = connected(site)
    invoice = DOCUMENTS[sort]
    assert ask("post", connection, booked(invoice)).total == invoice.payable
    rates = [each["rate"] for each in site.invoices[0]["items"]]
    assert min(rates) >= 0


def test_halves_are_not_left_to_its_rounding(site):
    """The VAT of 0.30 is 0.045, which is 0.05 by law and 0.04 by the even digit."""
    connection = connected(site)
    for number, price in enumerate(("0.10", "0.30", "0.50", "0.70", "0.90"), 1):
        invoice = replace(SIMPLIFIED, lines=(line(price),))
        assert ask("post", connection, booked(invoice, number)).total == invoice.payable


def test_a_customer_comes_again_with_a_new_name(site):
    connection = connected(site)
    moved = replace(BUYER, name="شركة المثال القابضة")
    ask("post", connection, booked(STANDARD))
    ask("post", connection, booked(replace(STANDARD, buyer=moved), 2))
    assert [each["customer_name"] for each in site.tables["Customer"]] == [moved.name]
    site.tables["Customer"].append({"name": "CUST-1"})
    ask("post", connected(site, customer="CUST-1"), booked(STANDARD, 3))
    assert site.invoices[-1]["customer"] == "CUST-1"


def test_a_credit_note_is_a_return_of_its_invoice(site):
    connection = paying(site)
    invoice = ask("post", connection, booked())
    credit = note_on(SIMPLIFIED, Kind.CREDIT_NOTE)
    paid = (Paid("card", credit.payable),)
    note = ask("post", connection, booked(credit, 2, corrects=invoice.id, corrects_number="RUH1-000001", payments=paid))
    row = site.invoices[-1]
    assert (row["is_return"], row["return_against"]) == (1, invoice.id)
    assert (note.total, halalas(row["grand_total"])) == (credit.payable, -credit.payable)
    assert note.paid is True
    (back,) = site.of("Payment Entry", note.id)
    assert (back["payment_type"], back["paid_from"]) == ("Pay", BANK)
    debit = ask("post", connection, booked(note_on(SIMPLIFIED, Kind.DEBIT_NOTE), 3, corrects=invoice.id))
    assert site.invoices[-1]["is_return"] == 0
    assert debit.total > 0


def test_totals_that_differ_are_not_submitted_and_leave_no_draft(site):
    connection = connected(site)
    site.extra_tax = Decimal("0.01")
    with pytest.raises(BadInput, match="nothing was posted") as differ:
        ask("post", connection, booked())
    assert "customization" in differ.value.fix
    assert differ.value.ar
    assert site.invoices == []


def test_a_tax_with_an_account_of_its_own(site):
    site.tables["Account"].append(site._account("VAT 5% - CC", "Tax", 5))
    mixed = replace(SIMPLIFIED, lines=(line("10", tax=VAT5), line("7", id="2")))
    ask("post", connected(site, **{"tax.S5": "VAT 5% - CC"}), booked(mixed))
    assert [each["account_head"] for each in site.invoices[0]["taxes"]] == ["VAT 5% - CC", VAT]


def test_foreign_money_is_booked_at_its_rate_and_its_payment_left_to_people(site):
    dollars = replace(STANDARD, currency="USD", fx_rate=Decimal("3.75"))
    ask("post", paying(site), booked(dollars, payments=(Paid("card", dollars.payable),)))
    (invoice,) = site.invoices
    assert (invoice["currency"], invoice["conversion_rate"]) == ("USD", 3.75)
    assert site.tables["Payment Entry"] == []


def test_a_number_that_another_document_has_is_for_a_person(site):
    connection = connected(site)
    ask("post", connection, booked())
    site.invoices[0][UUID_FIELD] = "another"
    with pytest.raises(Conflict, match="another invoice of the number RUH1-000001"):
        ask("post", connection, booked())
    assert len(site.invoices) == 1


def test_what_was_changed_or_cancelled_in_erpnext_is_for_a_person(site):
    connection = connected(site)
    ask("post", connection, booked())
    site.invoices[0]["grand_total"] = 1.0
    with pytest.raises(BadInput, match="changed it there"):
        ask("post", connection, booked())
    site.invoices[0]["docstatus"] = 2
    with pytest.raises(BadInput, match="was cancelled in ERPNext"):
        ask("post", connection, booked())


def test_parts_are_paid_in_the_account_of_their_method(site):
    connection = paying(site, **{"payment.cash": CASH})
    rest = SIMPLIFIED.payable - 100
    booking = booked(payments=(Paid("card", Decimal(100)), Paid("gift_card", Decimal(5)), Paid("cash", rest)))
    assert ask("post", connection, booking).paid is True
    paid = [(each["paid_to"], halalas(each["paid_amount"])) for each in site.tables["Payment Entry"]]
    assert paid == [(BANK, Decimal(100)), (CASH, rest)]
    with pytest.raises(BadInput, match="no bank or cash account NOPE for payments by card"):
        ask("post", connected(site, **{"payment.card": "NOPE"}), booked(number=2, payments=CARD))


def test_what_a_person_registered_there_is_left_alone(site):
    connection = paying(site)
    ask("post", connection, booked())
    site.invoices[0]["outstanding_amount"] -= 50
    ask("post", connection, booked(payments=CARD))
    assert site.tables["Payment Entry"] == []


# -- what belongs to it ---------------------------------------------------------------------------------------


def test_files_and_a_comment_for_each_status_once(site):
    connection = connected(site)
    booking = booked(status=Status.ISSUED)
    entry = ask("post", connection, booking)
    for status, files in ((Status.ISSUED, ()), (Status.REPORTED, FILES), (Status.REPORTED, FILES)):
        receipt = ask("attach", connection, statused(booking, status), entry, files)
    assert "0 files, no comment" in receipt
    there = [(each["file_name"], each["content"].strip(), each["is_private"]) for each in site.of("File", entry.id)]
    assert there == [("a.xml", b"<Invoice/>", "1"), ("a.pdf", b"%PDF", "1")]
    assert ["reported" in each["content"] for each in site.of("Comment", entry.id)] == [False, True]
    site.of("File", entry.id)[0]["file_name"] = "a1b2c3.xml"
    assert "0 files" in ask("attach", connection, booking, entry, FILES), "a name that the site had already"


def test_a_document_that_was_replaced_is_taken_out_of_the_books_with_its_payment(site):
    connection = paying(site)
    booking = booked(status=Status.ISSUED, payments=CARD)
    entry = ask("post", connection, booking)
    ask("attach", connection, statused(booking, Status.REJECTED), entry, ())
    assert site.invoices[0]["docstatus"] == 1
    for _ in range(2):
        ask("attach", connection, statused(booking, Status.REPLACED), entry, ())
    assert [each["docstatus"] for each in (*site.invoices, *site.tables["Payment Entry"])] == [2, 2]
    new = booked(payments=CARD)
    new = replace(new, issued=replace(new.issued, uuid="another"))
    assert ask("post", connection, new).number == entry.number
    assert ask("state", connection, booking).state is Entered.CANCELLED


def test_a_draft_of_what_was_replaced_is_removed(site):
    connection = connected(site)
    booking = booked(status=Status.ISSUED)
    entry = ask("post", connection, booking)
    site.invoices[0]["docstatus"] = 0
    ask("attach", connection, statused(booking, Status.REPLACED), entry, ())
    assert site.invoices == []


def test_what_erpnext_ordered_itself_is_found_and_never_made(site):
    connection = connected(site)
    booking = booked(ordered_here=True)
    with pytest.raises(Unavailable, match="no invoice yet"):
        ask("post", connection, booking)
    assert site.invoices == []
    own = {"name": "ACC-SINV-2026-9", "po_no": "461", "company": COMPANY, "is_return": 0, "docstatus": 0}
    site.invoices.append({**own, "grand_total": 1.0, "outstanding_amount": 1.0, "currency": "SAR"})
    entry = ask("post", connection, booking)
    ask("attach", connection, booking, entry, FILES)
    ask("attach", connection, statused(booking, Status.REPLACED), entry, FILES)
    assert (entry.number, site.invoices[0]["docstatus"]) == ("ACC-SINV-2026-9", 0)
    assert len(site.of("File", entry.id)) == 2


# -- what goes wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (
            refused("Posting Date <b>locked</b> &amp; closed.<br>\nsecond"),
            BadInput,
            r": Posting Date locked & closed\.",
        ),
        (refused("Traceback (most recent call last)"), BadInput, "does not say why"),
        (refused("modified", "TimestampMismatchError"), Unavailable, "TimestampMismatchError"),
        (FrappeError(403, "PermissionError", "secret of the server"), Misconfigured, "may not do this"),
        (FrappeError(500, "KeyError", "secret of the server"), Unavailable, "KeyError"),
    ],
)
def test_what_it_says_to_people_is_told_and_nothing_of_its_traceback(site, answer, error, says, caplog):
    connection = connected(site)
    site.refuse = lambda doctype, does: answer if (doctype, does) == ("Sales Invoice", "PUT") else None
    with pytest.raises(error, match=says) as said:
        ask("post", connection, booked())
    assert "secret" not in f"{said.value!r} {said.value.ar} {said.value.__cause__!r} {caplog.text}"
    assert "Traceback" not in f"{said.value} {said.value.ar} {caplog.text}"
    assert [each["docstatus"] for each in site.invoices] == [0]


def test_a_slow_answer_is_not_awaited_and_what_was_done_is_found(site, monkeypatch):
    connection = connected(site)
    monkeypatch.setattr("gateway.outbound.TIMEOUT", httpx2.Timeout(0.3))
    site.slow["Sales Invoice", "POST"] = 0.6
    with pytest.raises(Unavailable):
        ask("post", connection, booked())
    site.slow.clear()
    assert ask("post", connection, booked()).state is Entered.POSTED
    assert len(site.invoices) == 1


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"data": 1}', b'{"data": [1]}'])
def test_answers_that_say_nothing(site, answer, monkeypatch):
    connection = connected(site)
    monkeypatch.setattr(
        "tests.erps.erpnext_server._Handler._json", lambda self, *_: self._answer(200, answer, "application/json")
    )
    with pytest.raises(Unavailable):
        ask("post", connection, booked())


# -- a hundred postings with faults -----------------------------------------------------------------------------


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.torture)])
def test_so_many_postings_with_faults_are_as_many_invoices(site, count):
    tries = settled(erp, paying(site), site, count, 0.3, "erpnext")
    assert tries > count
    assert Counter(each["docstatus"] for each in site.invoices) == {1: count}
    for each in site.invoices:
        assert each["outstanding_amount"] == 0
        there = {name: len(site.of(name, each["name"])) for name in ("File", "Comment", "Payment Entry")}
        assert there == {"File": len(FILES), "Comment": 1, "Payment Entry": 1}
    assert len({each[NUMBER_FIELD] for each in site.invoices}) == count
    assert len(site.tables["Customer"]) == 1
