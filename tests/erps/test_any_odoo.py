"""What holds of any Odoo up to release 18: of the one that the tests have, and of a real one (`make test-odoo`).

GATEWAY_TEST_ODOO is the address of a real one, its database as the path, with the user and the books that
tests/erps/real_odoo.py makes.
"""

import itertools
import os
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.connection import Connection
from gateway.erps import odoo as erp
from gateway.erps.erp import Entered, Paid
from gateway.erps.odoo_rpc import Odoo
from gateway.errors import Unavailable
from gateway.invoice.facts import Kind
from gateway.issued import Status
from tests.erps.between import way_to
from tests.erps.bookings import FILES, asking, booked, halalas, run, statused
from tests.erps.odoo_server import DATABASE, KEY, LOGIN, odoo_server
from tests.ubl_documents import DOCUMENTS, SIMPLIFIED, STANDARD, line, note_on

REAL, _, REAL_DATABASE = os.environ.get("GATEWAY_TEST_ODOO", "").rpartition("/")
numbers = itertools.count(1)
"""A real one keeps what it has, so that each document here is another."""
ask = asking(erp)
WRITES = {
    ("account.move", "create"),
    ("account.move", "action_post"),
    ("account.payment.register", "action_create_payments"),
    ("ir.attachment", "create"),
    ("account.move", "message_post"),
}


@pytest.fixture(scope="module")
def target():
    if REAL:
        yield REAL
        return
    with odoo_server() as server:
        server.tables["account.tax"].append(server._tax(8, "VAT 5%", 5.0))
        server.tables["res.currency"].append({"id": 1, "name": "EUR"})
        yield server.url


@pytest.fixture
def way(target):
    with way_to(target) as between:
        yield between


@pytest.fixture(params=["jsonrpc", "xmlrpc"])
def books(request, way):
    """The connection with what connecting found out."""
    settings = {
        "database": REAL_DATABASE or DATABASE,
        "journal": "GW",
        "payment.card": "BNK1",
        "protocol": request.param,
    }
    secrets = {"login": LOGIN, "key": KEY}
    connection = Connection("odoo-1", "t", "u", "odoo", way.url, settings=settings, secrets=secrets)
    inspected = ask("inspect", connection)
    assert inspected.look_at == ()
    return replace(connection, settings={**inspected.settings, **settings})


def found(connection, model, domain, fields=("id",)):
    async def look(outside):
        return await (await Odoo.open(connection, outside)).find(model, domain, fields)

    return run(look)


def moves_of(connection, booking):
    fields = ["name", "state", "amount_total", "amount_residual", "payment_state", "reversed_entry_id"]
    return found(connection, "account.move", [["ref", "=", booking.issued.uuid]], fields)


def belongings(connection, entry):
    """How many files, and notes that name the document, a move has."""
    files = [["res_model", "=", "account.move"], ["res_id", "=", int(entry.id)]]
    notes = [["model", "=", "account.move"], ["res_id", "=", int(entry.id)], ["body", "ilike", "ZATCA"]]
    return len(found(connection, "ir.attachment", files)), len(found(connection, "mail.message", notes))


def paid_by_card(invoice, **changes):
    return booked(invoice, next(numbers), payments=(Paid("card", invoice.payable),), **changes)


def test_nobody_else_issues(books):
    assert ask("issues_itself", books) is False


def test_an_invoice_with_its_payment_files_and_note(books):
    booking = paid_by_card(STANDARD)
    assert ask("state", books, booking) is None
    entry = ask("post", books, booking)
    ask("attach", books, booking, entry, FILES)
    (move,) = moves_of(books, booking)
    assert (move["name"], move["state"], halalas(move["amount_total"])) == (
        booking.issued.number,
        "posted",
        STANDARD.payable,
    )
    assert (entry.paid, halalas(move["amount_residual"])) == (True, Decimal(0))
    assert belongings(books, entry) == (len(FILES), 1)


def test_replays_make_nothing_more(books):
    booking = paid_by_card(SIMPLIFIED)
    before = len(found(books, "account.payment", []))
    first = ask("post", books, booking)
    for _ in range(3):
        assert ask("post", books, booking) == first
        ask("attach", books, booking, first, FILES)
    assert len(moves_of(books, booking)) == 1
    assert len(found(books, "account.payment", [])) == before + 1
    assert belongings(books, first) == (len(FILES), 1)


def test_a_refund_reverses_its_invoice(books):
    invoice = ask("post", books, paid_by_card(SIMPLIFIED))
    credit = paid_by_card(note_on(SIMPLIFIED, Kind.CREDIT_NOTE), corrects=invoice.id, corrects_number=invoice.number)
    note = ask("post", books, credit)
    (move,) = moves_of(books, credit)
    reversed_id = move["reversed_entry_id"]
    assert str(reversed_id[0] if isinstance(reversed_id, list) else reversed_id) == invoice.id
    assert (note.total, note.paid) == (credit.issued.total, True)


@pytest.mark.parametrize("sort", DOCUMENTS)
def test_one_document_of_each_sort_comes_to_the_same_halala(books, sort):
    booking = booked(DOCUMENTS[sort], next(numbers))
    assert ask("post", books, booking).total == booking.issued.total


def test_halves_are_rounded_for_each_rate_and_not_for_each_line(books):
    halves = replace(SIMPLIFIED, lines=tuple(line("0.30", id=str(number)) for number in range(3)))
    assert ask("post", books, booked(halves, next(numbers))).total == Decimal("1.04")


def test_connections_killed_after_each_write_make_no_doubles(books, way):
    booking = paid_by_card(SIMPLIFIED)
    before = len(found(books, "account.payment", []))
    way.breaks |= WRITES
    tries = 0
    while True:
        tries += 1
        assert tries <= 2 * len(WRITES), "it comes to an end"
        try:
            entry = ask("post", books, booking)
            ask("attach", books, booking, entry, FILES)
            break
        except Unavailable:
            continue
    assert set(way.broken) == WRITES
    assert tries > 1
    assert [each["state"] for each in moves_of(books, booking)] == ["posted"]
    assert len(found(books, "account.payment", [])) == before + 1
    assert belongings(books, entry) == (len(FILES), 1)


def test_what_was_replaced_is_cancelled_and_its_number_free_again(books):
    booking = booked(SIMPLIFIED, next(numbers), Status.ISSUED)
    entry = ask("post", books, booking)
    for _ in range(2):
        ask("attach", books, statused(booking, Status.REPLACED), entry, ())
    assert ask("state", books, booking).state is Entered.CANCELLED
    correction = replace(booking, issued=replace(booking.issued, uuid=f"{booking.issued.uuid}-corrected"))
    assert ask("post", books, correction).number == entry.number
