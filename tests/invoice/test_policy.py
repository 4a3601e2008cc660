"""Which document a sale becomes, and why: each decision of a connection's policy by example."""

from decimal import Decimal

import pytest

from gateway.errors import BadInput, UnusableOrder
from gateway.invoice.facts import Category, Flag, Kind, Profile
from gateway.invoice.from_order import draw_up, invoice_of
from gateway.invoice.policy import Decision, Policy, decide, read_policy
from gateway.order import Order
from tests.ubl_documents import SELLER

STANDARD = {"category": "S", "rate": "15"}
EXPORT = {"category": "Z", "rate": "0", "reason_code": "VATEX-SA-32"}
VAT = "310122393500003"


def line(name, price="115.00", **more):
    return {"id": name, "name": f"Item {name}", "quantity": "1", "unit_price": price, "tax": STANDARD, **more}


def order(*lines, **more):
    return Order.model_validate(
        {
            "connection": "shop", "id": "1", "placed_at": "2026-11-23T22:30:00+00:00", "prices_include_tax": True,
            "lines": list(lines or (line("1"),)), **more,
        }
    )  # fmt: skip


def decisions(sale, **settings):
    """What was decided beside the kind, with the English reason."""
    found = decide(sale, read_policy(settings)).decisions
    return [(each.what, str(each.value), each.why.en) for each in found if each.what != "kind"]


def test_a_sale_is_an_invoice_and_an_advance_payment_a_prepayment_invoice():
    assert decide(order(), Policy()).kind is Kind.INVOICE
    decided = decide(order(kind="prepayment"), Policy())
    assert decided.kind is Kind.PREPAYMENT
    assert decided.decisions[0].why.en == "The order says that it is a prepayment."


def test_a_note_on_an_invoice_from_elsewhere_names_it_with_its_reason():
    corrects = {"number": "OLD-7", "issued_on": "2026-01-31", "left": "115.00"}
    note = order(kind="credit_note", corrects=corrects, reason={"code": "return"})
    decided = decide(note, Policy())
    assert (decided.kind, decided.decisions[0].why.en) == (
        Kind.CREDIT_NOTE,
        "It gives back of an invoice from elsewhere.",
    )
    invoice = invoice_of(note, SELLER)
    assert invoice.references == ("OLD-7",)
    assert invoice.reason.startswith("Return of goods or services")


@pytest.mark.parametrize(
    ("buyer", "settings", "profile", "why"),
    [
        ({}, {}, Profile.SIMPLIFIED, "Nothing says that the buyer is a business."),
        ({"kind": "person", "vat": VAT}, {}, Profile.SIMPLIFIED, "The order says that the buyer is a person."),
        ({"kind": "business"}, {}, Profile.STANDARD, "The order says that the buyer is a business."),
        ({"vat": VAT}, {}, Profile.STANDARD, "The buyer has a VAT number."),
        ({"vat": VAT}, {"business_when": "as_sent"}, Profile.SIMPLIFIED, "Nothing says that the buyer is a business."),
        (
            {"other_id": {"scheme": "CRN", "value": "4030123456"}}, {}, Profile.SIMPLIFIED,
            "Nothing says that the buyer is a business.",
        ),
        (
            {"other_id": {"scheme": "CRN", "value": "4030123456"}}, {"business_when": "identity"}, Profile.STANDARD,
            "The buyer has an identity that only a business has (CRN).",
        ),
        (
            {"other_id": {"scheme": "NAT", "value": "1023456780"}}, {"business_when": "identity"}, Profile.SIMPLIFIED,
            "Nothing says that the buyer is a business.",
        ),
    ],
)  # fmt: skip
def test_who_buys_decides_between_standard_and_simplified(buyer, settings, profile, why):
    assert decisions(order(buyer=buyer), **settings) == [("profile", profile.value, why)]


def test_a_government_body_gets_a_standard_document_with_the_newest_digit():
    decided = decide(order(buyer={"kind": "government", "name": "أمانة"}, contract="C-7"), Policy())
    assert (decided.profile, decided.flags) == (Profile.STANDARD, {Flag.B2G})
    assert decided.decisions[-1].why.en == "The buyer is a government body."
    assert decided.decisions[-1].why.ar


ABROAD = {"street": "Main", "city": "Dubai", "country": "AE"}


def test_what_goes_abroad_and_is_zero_rated_for_that_is_an_export():
    sale = order(line("1", tax=EXPORT), ship_to=ABROAD)
    assert decisions(sale)[1:] == [("flag", "export", "It is shipped to AE and zero-rated for that.")]
    assert decide(sale, Policy()).flags == {Flag.EXPORT}


@pytest.mark.parametrize(
    ("sale", "settings"),
    [
        (order(line("1", tax=EXPORT), ship_to=ABROAD), {"export_when": "as_sent"}),
        (order(line("1", tax=EXPORT), ship_to={**ABROAD, "country": "SA"}), {}),
        (order(line("1", tax=EXPORT)), {}),
        (order(line("1"), ship_to=ABROAD), {}),
    ],
    ids=["the shop says so itself", "it stays in the Kingdom", "nobody knows where it goes", "it bears VAT"],
)
def test_what_is_no_export(sale, settings):
    assert not decide(sale, read_policy(settings)).flags


def test_flags_of_the_order_stand_beside_those_that_follow():
    sale = order(line("1", tax=EXPORT), ship_to=ABROAD, flags=["third_party"])
    assert decide(sale, Policy()).flags == {Flag.THIRD_PARTY, Flag.EXPORT}


def test_a_gift_card_is_no_supply_when_it_is_sold():
    sale = order(line("1"), line("2", "50.00", kind="gift_card_sale"))
    assert decisions(sale)[1:] == [
        ("gift_card_sale", "out_of_scope", "A gift card that may be spent on anything is no supply when it is sold.")
    ]
    invoice = invoice_of(sale, SELLER)
    assert [(group.tax.category, group.taxable) for group in invoice.vat_groups] == [
        (Category.STANDARD, Decimal("100.00")),
        (Category.OUT_OF_SCOPE, Decimal("50.00")),
    ]
    assert invoice.payable == Decimal("165.00")


def test_a_gift_card_may_be_left_out_and_one_for_a_single_purpose_taxed():
    sale = order(line("1"), line("2", "57.50", kind="gift_card_sale"))
    left_out = invoice_of(sale, SELLER, read_policy({"gift_cards": "left_out"}))
    assert (len(left_out.lines), left_out.payable) == (1, Decimal("115.00"))
    taxed = invoice_of(sale, SELLER, read_policy({"gift_cards": "taxed"}))
    assert (taxed.vat, taxed.payable) == (Decimal("22.50"), Decimal("172.50"))


def test_a_tip_bears_vat_unless_nobody_has_to_give_it():
    sale = order(line("1"), line("2", "11.50", kind="tip"))
    assert decisions(sale)[1:] == []
    assert invoice_of(sale, SELLER).vat == Decimal("16.50")
    optional = draw_up(sale, SELLER, read_policy({"tips": "out_of_scope"}))
    assert Decision("tip", "out_of_scope", optional.decided.decisions[-1].why) in optional.decided.decisions
    assert (optional.invoice.vat, optional.invoice.payable) == (Decimal("15.00"), Decimal("126.50"))


def test_a_marketplace_invoices_its_own_sales_and_those_of_vendors_who_are_not_registered():
    sale = order(
        line("1"),
        line("2", "230.00", sold_by="registered_vendor"),
        line("3", "57.50", sold_by="unregistered_vendor"),
        declared={"grand": "402.50"},
    )
    assert decisions(sale)[1:] == [
        ("marketplace", "left_out", "A vendor registered for VAT sold it and invoices it."),
        ("marketplace", "taxed", "For a vendor who is not registered the marketplace counts as the supplier."),
    ]
    invoice = invoice_of(sale, SELLER)
    assert [each.id for each in invoice.lines] == ["1", "3"]
    assert invoice.payable == Decimal("172.50")


def test_what_vendors_supply_bears_its_share_of_a_coupon():
    sale = order(
        line("1", "100.00"), line("2", "300.00", sold_by="registered_vendor"), reductions=[{"amount": "40.00"}]
    )
    assert invoice_of(sale, SELLER).payable == Decimal("90.00")


def test_an_order_that_sells_nothing_of_the_sellers_is_refused():
    with pytest.raises(UnusableOrder, match="sells nothing") as refusal:
        invoice_of(order(line("1", sold_by="registered_vendor")), SELLER)
    assert "marketplace" in refusal.value.fix
    assert refusal.value.ar


def test_a_setting_that_is_no_choice_is_refused_with_the_choices():
    with pytest.raises(BadInput, match="tips cannot be 'maybe'") as refusal:
        read_policy({"tips": "maybe"})
    assert refusal.value.fix == "Use one of taxed, out_of_scope, left_out."
