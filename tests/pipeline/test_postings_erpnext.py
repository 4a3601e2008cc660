"""The worker and the books of an ERPNext: what was tried with Odoo holds of it as well."""

import random
from collections import Counter

import pytest

from gateway.ledger import PostingState
from gateway.simulator import Fault
from tests.erps.erpnext_server import BANK, erpnext_server
from tests.erps.trouble import TROUBLES
from tests.pipeline.test_postings import corrected, give_back, open_books, posting, sold, work_on_postings_first
from tests.pipeline.test_submit import REFUSAL


@pytest.fixture
def books(site, shop):
    """A shop and an ERPNext of one unit, which is posted to as soon as something is issued."""
    with erpnext_server() as server:
        site.connect(shop)
        open_books(site, server, **{"post_when": "issued", "payment.card": BANK})
        yield server


def of(books, issued):
    """The invoices of a document."""
    return [each for each in books.invoices if each["custom_gateway_uuid"] == issued.uuid]


def test_what_a_shop_sold_and_took_back_is_an_invoice_and_its_return(site, books):
    issued = sold(site)
    note = give_back(site, issued)
    for _ in range(3):
        site.work_later(minutes=10)
    ((invoice,), (back,)) = of(books, issued), of(books, note)
    assert (invoice["docstatus"], invoice["grand_total"], invoice["outstanding_amount"]) == (1, 115.0, 0)
    assert (back["docstatus"], back["return_against"], back["outstanding_amount"]) == (1, invoice["name"], 0)
    kept = posting(site, issued)
    assert (kept.state, kept.told, kept.entry_id) == (PostingState.DONE, "reported", invoice["name"])
    assert (kept.entry_number, kept.entry_total) == (issued.number, issued.total)
    assert len(books.of("File", invoice["name"])) == 2


def test_a_correction_takes_the_place_of_what_was_rejected_with_its_number(site, books):
    site.authority.faults.add(Fault(status=400, body=REFUSAL))
    rejected = sold(site, invoice_number="GIVEN-1")
    work_on_postings_first(site)
    assert [each["docstatus"] for each in of(books, rejected)] == [1]
    new = corrected(site, rejected, invoice_number="GIVEN-1")
    for _ in range(2):
        site.work_later(minutes=10)
    assert [each["docstatus"] for each in (*of(books, rejected), *of(books, new))] == [2, 1]
    assert Counter(each["docstatus"] for each in books.tables["Payment Entry"]) == {2: 1, 1: 1}
    assert posting(site, new).state is PostingState.DONE


def test_documents_with_faults_on_the_way_stand_in_the_books_once(site, books):
    chance = random.Random(7)
    books.trouble = lambda about, does: chance.choice(TROUBLES) if chance.random() < 0.3 else None
    documents = [sold(site, number) for number in range(1, 13)]
    for _ in range(60):
        site.work_later(minutes=10)
        if all(posting(site, each).state is PostingState.DONE for each in documents):
            break
    books.come_to_rest()
    assert [len(of(books, each)) for each in documents] == [1] * len(documents)
    assert {(each["docstatus"], each["outstanding_amount"]) for each in books.invoices} == {(1, 0)}
    assert {len(books.of("File", each["name"])) for each in books.invoices} == {2}
    assert {len(books.of("Payment Entry", each["name"])) for each in books.invoices} == {1}
