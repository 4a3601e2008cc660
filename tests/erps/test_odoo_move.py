"""What a document becomes in Odoo: whatever it says, Odoo's own arithmetic comes to the same halala."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.erps.erp import Booking
from gateway.erps.odoo_move import Accounts, move_values, partner_of
from gateway.erps.pieces import Digits, tax_name
from gateway.invoice.facts import Identifier, Kind, Party
from gateway.issued import Issued, Status
from tests.ubl_documents import BUYER, DOCUMENTS, MEDICINE, SIMPLIFIED, STANDARD, VAT5, VAT15, figures, line, note_on

RATES = {1: Decimal(15), 2: Decimal(5), 3: Decimal(0), 4: Decimal(0), 5: Decimal(0)}
IDS = {"tax.S15": 1, "tax.S5": 2, "tax.Z0": 3, "tax.E0": 4, "tax.O0": 5}
HALALA = Decimal("0.01")
TWO = Digits(2, 2)


def issued_of(invoice, **changes):
    values = {
        "uuid": "8e6000cf-1a98-4174-b3e7-b5d5954bc10d", "number": "RUH1-000123", "kind": invoice.kind,
        "profile": invoice.profile, "icv": 7, "hash": "h", "issued_at": datetime(2026, 11, 23, 22, 0, tzinfo=UTC),
        "status": Status.REPORTED, "total": invoice.payable, "vat": invoice.vat, "rounding": invoice.rounding,
        "currency": invoice.currency, "connection": "salla-1", "order_id": "46", "qr": "", "rule_book": "R",
    }  # fmt: skip
    return Issued(**(values | changes))


def booking_of(invoice, **changes):
    return Booking(issued_of(invoice), invoice, "salla-1", "41027662", **changes)


def values_of(invoice, digits=TWO, **changes):
    return move_values(
        booking_of(invoice, **changes), Accounts(9, 123, 0, digits), lambda tax: [IDS[tax_name(tax)]], 44
    )


def total_in_odoo(values, digits):
    """As Odoo computes it that rounds globally, with what it keeps of prices and quantities."""
    nets = {}
    for _, _, written in values["invoice_line_ids"]:
        quantity = _kept(written["quantity"], digits.quantity)
        price = _kept(written["price_unit"], digits.price)
        ((_, _, taxes),) = written["tax_ids"]
        nets[tuple(taxes)] = nets.get(tuple(taxes), Decimal(0)) + quantity * price
    vat = [(net * RATES[taxes[0]] / 100).quantize(HALALA, ROUND_HALF_UP) for taxes, net in nets.items() if taxes]
    return sum(nets.values()) + sum(vat)


def _kept(number, places):
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


@settings(max_examples=60, deadline=None)
@given(figures(), st.sampled_from([Digits(2, 2), Digits(4, 3), Digits(6, 0)]))
def test_odoo_comes_to_the_same_halala_whatever_it_keeps_of_prices(invoice, digits):
    assert total_in_odoo(values_of(invoice, digits), digits) == invoice.payable


@pytest.mark.parametrize("sort", DOCUMENTS)
def test_so_it_does_for_one_document_of_each_sort(sort):
    invoice = DOCUMENTS[sort]
    assert total_in_odoo(values_of(invoice), TWO) == invoice.payable


def test_quantities_and_prices_stay_where_they_are_exact():
    (_, _, first), (_, _, second) = values_of(
        replace(STANDARD, lines=(line("57.50", "2"), line("0.333333", "3000", id="2")))
    )["invoice_line_ids"]
    assert (first["name"], first["quantity"], first["price_unit"]) == ("[C-1] قهوة مختصة 250g", 2, Decimal("57.50"))
    assert (second["name"], second["quantity"]) == ("3000 × [C-1] قهوة مختصة 250g", 1)
    assert second["price_unit"] == Decimal("1000.00")


def test_what_it_is_found_by_and_the_day_in_riyadh():
    values = values_of(STANDARD)
    assert (values["name"], values["ref"]) == ("RUH1-000123", "8e6000cf-1a98-4174-b3e7-b5d5954bc10d")
    assert (values["invoice_date"], values["invoice_origin"]) == ("2026-11-24", "salla-1:41027662")
    assert not [name for name in values if name.startswith("l10n_sa")]


def test_a_credit_note_names_the_move_that_it_reverses():
    values = values_of(note_on(SIMPLIFIED, Kind.CREDIT_NOTE), corrects="17", corrects_number="RUH1-000099")
    assert (values["move_type"], values["reversed_entry_id"]) == ("out_refund", 17)
    assert "RUH1-000099" in values["narration"]
    debit = values_of(note_on(SIMPLIFIED, Kind.DEBIT_NOTE), corrects="17")
    assert debit["move_type"] == "out_invoice"
    assert "reversed_entry_id" not in debit


def test_the_halala_of_a_price_with_vat_has_a_line_without_tax():
    *_, (_, _, last) = values_of(DOCUMENTS["rounding"])["invoice_line_ids"]
    assert (last["price_unit"], last["tax_ids"]) == (Decimal("-0.01"), [[6, 0, []]])


@pytest.mark.parametrize(
    ("buyer", "key"),
    [
        (BUYER, "gateway.partner_vat_310122393500003"),
        (Party("A", id=Identifier("CRN", "1010010000")), "gateway.partner_crn_1010010000"),
        (Party("A", vat="310122393500003", id=Identifier("CRN", "1")), "gateway.partner_vat_310122393500003"),
    ],
)
def test_a_business_has_one_key_whenever_it_comes_again(buyer, key):
    assert partner_of(booking_of(replace(STANDARD, buyer=buyer))).key == key


def test_what_could_not_be_an_external_id_is_told_apart_by_its_digest():
    keys = {partner_of(booking_of(replace(STANDARD, buyer=Party(name)))).key for name in ("شركة أ", "شركة ب", "A B")}
    assert len(keys) == 3
    assert all(key.isascii() and key.count(".") == 1 for key in keys)


def test_buyers_of_simplified_invoices_are_one_partner_of_each_shop():
    named = replace(SIMPLIFIED, buyer=Party("Noura"))
    assert partner_of(booking_of(SIMPLIFIED)) == partner_of(booking_of(named))
    assert partner_of(booking_of(named)).values == {"name": "Shop customers (salla-1)"}
    assert partner_of(booking_of(replace(SIMPLIFIED, buyer=BUYER))).key.endswith("vat_310122393500003")


def test_the_settings_that_name_taxes():
    assert [tax_name(each) for each in (VAT15, VAT5, MEDICINE)] == ["tax.S15", "tax.S5", "tax.Z0"]
