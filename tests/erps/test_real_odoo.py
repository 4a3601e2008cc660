"""A real Odoo 14: what the server of the other tests claims of it is so. tests/erps/real_odoo.sh starts one."""

import asyncio
import itertools
import os
import xmlrpc.client
from dataclasses import replace

import httpx2
import pytest

from gateway.connection import Connection
from gateway.erps import odoo as erp
from gateway.erps.erp import Entered, Paid
from gateway.errors import BadInput, Unavailable
from gateway.invoice.facts import Kind
from gateway.issued import Status
from gateway.outbound import client
from gateway.settings import Settings
from tests.erps.test_odoo import FILES, ask, booked, statused
from tests.ubl_documents import DOCUMENTS, SIMPLIFIED, line, note_on

URL, DATABASE = (os.environ.get("GATEWAY_REAL_ODOO") or "- -").split()
pytestmark = pytest.mark.skipif(URL == "-", reason="no real Odoo runs here; `make test-odoo` starts one")

NUMBERS = itertools.count(1)
USER = "bill"
WRITES = ("create", "action_post", "action_create_payments", "message_post", "load")


@pytest.fixture(scope="module")
def books():
    """The company's books as the guide wants them, seen by an administrator."""
    login = xmlrpc.client.ServerProxy(f"{URL}/xmlrpc/2/common").authenticate(DATABASE, "admin", "admin", {})
    proxy = xmlrpc.client.ServerProxy(f"{URL}/xmlrpc/2/object", allow_none=True)

    def call(model, method, *arguments, **named):
        return proxy.execute_kw(DATABASE, login, "admin", model, method, list(arguments), named)

    _furnish(call)
    return call


def _furnish(call):
    everything = ["active", "in", [True, False]]
    currencies = call("res.currency", "search", [["name", "in", ["SAR", "USD", "EUR"]], everything])
    call("res.currency", "write", currencies, {"active": True})
    (sar,) = call("res.currency", "search", [["name", "=", "SAR"]])
    call("res.company", "write", [1], {"currency_id": sar, "tax_calculation_rounding_method": "round_globally"})
    call("account.tax", "write", call("account.tax", "search", []), {"active": False})
    for name, amount in (("VAT 15%", 15), ("VAT 5%", 5), ("Zero rated", 0), ("Exempt", 0)):
        call("account.tax", "create", {"name": f"KSA {name}", "amount": amount, "type_tax_use": "sale"})
    income = call("account.account", "search", [["user_type_id.internal_group", "=", "income"]])
    journal = {"name": "Gateway", "code": "GW", "type": "sale", "default_account_id": income[0]}
    call("account.journal", "create", journal)
    names = {"base": ["group_user", "group_partner_manager"], "account": ["group_account_invoice"]}
    groups = [call("ir.model.data", "search_read", [["module", "=", module], ["name", "=", each]], fields=["res_id"])
              for module, given in names.items() for each in given]  # fmt: skip
    user = {"name": USER, "login": USER, "password": USER, "email": "bill@company.example"}
    call("res.users", "create", {**user, "groups_id": [[6, 0, [each["res_id"] for (each,) in groups]]]})


@pytest.fixture(params=["jsonrpc", "xmlrpc"])
def connection(request, books):
    """As a user who may bill, and no more."""
    settings = {"database": DATABASE, "journal": "GW", "payment.card": "BNK1"}
    settings |= {"protocol": "xmlrpc"} if request.param == "xmlrpc" else {}
    made = Connection("odoo-1", "t", "u", "odoo", URL, settings=settings, secrets={"login": USER, "key": USER})
    found = ask("inspect", made)
    assert (found.settings["protocol"], found.settings["currency"]) == (request.param, "SAR")
    assert found.look_at == ()
    return replace(made, settings={**found.settings, **settings})


def moves(books, *bookings):
    uuids = [each.issued.uuid for each in bookings]
    fields = ["name", "ref", "state", "amount_total", "amount_residual", "payment_state", "reversed_entry_id"]
    return books("account.move", "search_read", [["ref", "in", uuids]], fields=fields)


def files_and_notes(books, move):
    here = [["res_id", "=", move]]
    files = books("ir.attachment", "search_count", [["res_model", "=", "account.move"], *here])
    return files, books("mail.message", "search_count", [["body", "ilike", "ZATCA"], *here])


def sold(invoice=SIMPLIFIED, **changes):
    return booked(invoice, next(NUMBERS) + 10**6, payments=(Paid("card", invoice.payable),), **changes)


def test_nobody_else_issues(connection):
    assert ask("issues_itself", connection) is False


@pytest.mark.parametrize("sort", [name for name, each in DOCUMENTS.items() if each.currency == "SAR"])
def test_a_document_of_each_sort_stands_there_once(connection, books, sort):
    booking = sold(DOCUMENTS[sort])
    entry = ask("post", connection, booking)
    assert ask("post", connection, booking) == entry
    for _ in range(2):
        ask("attach", connection, booking, entry, FILES)
    (move,) = moves(books, booking)
    assert (move["name"], move["state"], entry.total) == (booking.issued.number, "posted", booking.issued.total)
    assert move["payment_state"] == "paid"
    assert files_and_notes(books, move["id"]) == (2, 1)


def test_a_refund_reverses_and_a_replacement_takes_the_number(connection, books):
    invoice = sold()
    entry = ask("post", connection, invoice)
    note = sold(note_on(SIMPLIFIED, Kind.CREDIT_NOTE), corrects=entry.id)
    ask("post", connection, note)
    (refund,) = moves(books, note)
    assert refund["reversed_entry_id"][0] == int(entry.id)
    other = sold()
    former = ask("post", connection, other)
    ask("attach", connection, statused(other, Status.REPLACED), former, ())
    assert ask("state", connection, other).state is Entered.CANCELLED
    new = replace(other, issued=replace(other.issued, uuid=f"{other.issued.uuid}-2"))
    assert ask("post", connection, new).number == other.issued.number


def test_totals_that_differ_are_not_posted(connection, books):
    halves = sold(replace(SIMPLIFIED, lines=tuple(line("0.30", id=str(number)) for number in range(3))))
    books("res.company", "write", [1], {"tax_calculation_rounding_method": "round_per_line"})
    try:
        with pytest.raises(BadInput, match=r"would be 1\.05"):
            ask("post", connection, halves)
    finally:
        books("res.company", "write", [1], {"tax_calculation_rounding_method": "round_globally"})
    assert moves(books, halves) == []


@pytest.mark.parametrize("lost", WRITES)
def test_an_answer_that_is_lost_makes_no_double(connection, books, lost):
    """The connection breaks each time after Odoo has done what it was asked, but for the last time."""
    booking = sold()

    async def work():
        async with client(Settings.given(allow_private_shops=True)) as outside:
            real, broken = outside.request, []

            async def request(method, url, **more):
                answer = await real(method, url, **more)
                if lost in (more.get("content") or b"").decode() and len(broken) < 3:
                    broken.append(url)
                    raise httpx2.ReadError("killed")
                return answer

            outside.request = request
            while True:
                try:
                    entry = await erp.post(connection, outside, booking)
                    await erp.attach(connection, outside, booking, entry, FILES)
                    return len(broken)
                except Unavailable:
                    continue

    assert asyncio.run(work())
    (move,) = moves(books, booking)
    assert (move["state"], move["amount_residual"]) == ("posted", 0)
    assert files_and_notes(books, move["id"]) == (2, 1)
