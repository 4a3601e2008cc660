"""Prepayments taken off the document of what they were paid for."""

from datetime import datetime
from decimal import Decimal

import pytest

from gateway.errors import UnusableOrder
from gateway.invoice.from_order import invoice_of
from gateway.invoice.prepayment import Part, Prior
from gateway.order import Order
from tests.ubl_documents import MEDICINE, SELLER, VAT5, VAT15

MOMENT = datetime.fromisoformat("2026-10-01T12:00:00+03:00")
S15 = {"category": "S", "rate": "15"}
Z = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-35"}


def line(name, price, tax=S15):
    return {"id": name, "name": f"Item {name}", "quantity": "1", "unit_price": price, "tax": tax}


def invoice(*prepayments, lines=(), priors=(), **more):
    order = Order.model_validate(
        {
            "connection": "shop", "id": "1", "placed_at": "2026-11-23T22:30:00+00:00", "prices_include_tax": True,
            "lines": list(lines or [line("1", "2300.00")]), "prepayments": list(prepayments), **more,
        }
    )  # fmt: skip
    return invoice_of(order, SELLER, priors={prior.number: prior for prior in priors})


def prior(*left, number="ADV-1", currency="SAR"):
    parts = tuple(Part(tax, Decimal(taxable), Decimal(vat)) for tax, taxable, vat in left)
    return Prior(number, "6f4d20e0-6bfe-4a80-9389-7dabe6620f12", MOMENT, currency, parts)


def elsewhere(number, *parts):
    stated = [{"taxable": taxable, "tax": tax} for taxable, tax in parts]
    return {"number": number, "issued_at": "2025-12-31T23:30:00+00:00", "parts": stated}


def test_of_its_own_the_number_is_enough_to_take_off_all_that_is_left():
    drawn = invoice({"number": "ADV-1"}, priors=[prior((VAT15, "1000.00", "150.00"))])
    (deduction,) = drawn.deductions
    assert (deduction.id, deduction.number, deduction.uuid, deduction.issued_at) == (
        "2", "ADV-1", "6f4d20e0-6bfe-4a80-9389-7dabe6620f12", MOMENT,
    )  # fmt: skip
    assert (deduction.taxable, deduction.vat) == (Decimal("1000.00"), Decimal("150.00"))
    assert (drawn.with_vat, drawn.prepaid, drawn.payable) == (Decimal(2300), Decimal(1150), Decimal(1150))
    assert drawn.vat == Decimal("300.00")  # the VAT of the whole supply is stated; what was taxed before is in BT-113


def test_a_part_is_taken_off_over_the_vat_groups_in_proportion():
    drawn = invoice(
        {"number": "ADV-1", "amount": "500.00"},
        lines=[line("1", "2300.00"), line("2", "500.00", Z)],
        priors=[prior((VAT15, "1000.00", "150.00"), (MEDICINE, "350.00", "0.00"))],
    )
    assert [(each.id, each.total) for each in drawn.deductions] == [
        ("3", Decimal("383.33")),
        ("4", Decimal("116.67")),
    ]
    assert (drawn.prepaid, drawn.payable) == (Decimal(500), Decimal(2300))


def test_a_part_that_no_taxable_amount_reaches_is_taken_off_to_the_halala():
    drawn = invoice({"number": "ADV-1", "amount": "1300.00"}, priors=[prior((VAT15, "2000.00", "300.00"))])
    (deduction,) = drawn.deductions
    assert (deduction.taxable, deduction.vat) == (Decimal("1130.43"), Decimal("169.57"))
    assert drawn.payable == Decimal("1000.00")


def test_the_rate_of_then_stays():
    drawn = invoice({"number": "ADV-1"}, priors=[prior((VAT5, "1000.00", "50.00"))])
    assert (drawn.deductions[0].tax, drawn.prepaid, drawn.payable) == (VAT5, Decimal(1050), Decimal(1250))
    assert [group.tax for group in drawn.vat_groups] == [VAT15]


def test_one_from_elsewhere_is_taken_off_as_it_was_issued():
    drawn = invoice(elsewhere("OLD-9", ("1000.00", {"category": "S", "rate": "5"}), ("100.00", S15)))
    assert [(each.number, each.uuid, each.tax, each.taxable, each.vat) for each in drawn.deductions] == [
        ("OLD-9", "", VAT5, Decimal("1000.00"), Decimal("50.00")),
        ("OLD-9", "", VAT15, Decimal("100.00"), Decimal("15.00")),
    ]
    assert drawn.payable == Decimal("1135.00")


def test_one_that_pays_for_all_leaves_nothing_due():
    drawn = invoice({"number": "ADV-1"}, priors=[prior((VAT15, "2000.00", "300.00"))])
    assert (drawn.prepaid, drawn.payable) == (Decimal("2300.00"), 0)


def test_deductions_have_line_ids_that_no_line_has():
    lines = [line("999999", "2300.00"), line("3", "1.00")]
    drawn = invoice(
        elsewhere("A", ("1.00", S15), ("2.00", {"category": "S", "rate": "5"})), elsewhere("B", ("3.00", S15)),
        lines=lines,
    )  # fmt: skip
    assert [each.id for each in (*drawn.lines, *drawn.deductions)] == ["999999", "3", "4", "5", "6"]


def test_a_foreign_currency_takes_off_in_that_currency():
    dollars = {"currency": "USD", "fx": {"rate": "3.75"}}
    drawn = invoice(
        {"number": "ADV-1"}, priors=[prior((VAT15, "1000.00", "150.00"), currency="USD")], lines=[line("1", "2300.00")],
        **dollars,
    )  # fmt: skip
    assert (drawn.currency, drawn.payable, drawn.vat_sar) == ("USD", Decimal(1150), Decimal("1125.00"))
    with pytest.raises(UnusableOrder, match="ADV-1 is in SAR, the order in USD"):
        invoice({"number": "ADV-1"}, priors=[prior((VAT15, "1000.00", "150.00"))], **dollars)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"number": "ADV-7"}, "ADV-7 is not a prepayment invoice that was issued here"),
        ({"number": "ADV-1", "amount": "1150.01"}, "ADV-1 has 1150.00 left to take off, not 1150.01"),
        (elsewhere("OLD-9", ("2000.01", S15)), "come to 2300.01 SAR, the order only to 2300.00"),
    ],
)
def test_refusals_say_what_to_do(wanted, sentence):
    with pytest.raises(UnusableOrder, match=sentence) as refusal:
        invoice(wanted, priors=[prior((VAT15, "1000.00", "150.00"))])
    assert refusal.value.fix
    assert refusal.value.ar
    assert refusal.value.problems[0][0] == "prepayments"
