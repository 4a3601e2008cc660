"""From an order to the facts of its document: sums that close, to the halala."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DoesNotClose, UnusableOrder
from gateway.invoice.arithmetic import allocate, taxable_within, unit_price
from gateway.invoice.facts import Category, Flag, Kind, Party, Profile, Tax, round_half_up, transaction_code
from gateway.invoice.from_order import invoice_of, rounding_limit
from gateway.order import Order

SELLER = Party("متجر الاختبار", vat="399999999900003")
VAT15 = Tax(Category.STANDARD, Decimal(15))


def line(position, price, quantity="1", *, category="S", rate="15", reductions=(), **more):
    tax = {"category": category, "rate": rate, **more.pop("tax", {})}
    return {
        "id": str(position),
        "name": f"Item {position}",
        "quantity": quantity,
        "unit_price": price,
        "reductions": [{"amount": amount} for amount in reductions],
        "tax": tax,
        **more,
    }


def order(*lines, inclusive=True, grand=None, **more):
    return Order.model_validate(
        {
            "connection": "shop",
            "id": "1",
            "placed_at": "2026-11-23T22:30:00+00:00",
            "prices_include_tax": inclusive,
            "lines": list(lines),
            "declared": {"grand": grand} if grand else {},
            **more,
        }
    )


def test_a_price_with_vat_is_paid_exactly_as_the_shop_charged_it():
    invoice = invoice_of(
        order(line(1, "100.00", "3"), line(2, "0.99", "7"), line(3, "33.33", "2"), line(4, "15.00")), SELLER
    )
    assert (invoice.without_vat, invoice.vat, invoice.rounding) == (Decimal("337.90"), Decimal("50.69"), 0)
    assert invoice.payable == Decimal("388.59")
    assert [each.net for each in invoice.lines] == [Decimal(n) for n in ("260.87", "6.03", "57.96", "13.04")]


def test_the_halala_that_no_taxable_amount_reaches_goes_to_the_rounding():
    # 13 x 100.00 with VAT: 1130.43 + 169.56 = 1299.99 and 1130.44 + 169.57 = 1300.01.
    invoice = invoice_of(order(line(1, "100.00", "13")), SELLER)
    assert invoice.payable == Decimal("1300.00")
    assert abs(invoice.rounding) == Decimal("0.01")


def test_prices_without_vat_close_on_the_shops_own_total():
    # The shop rounds VAT line by line (58.00), the law on the sum (57.99).
    invoice = invoice_of(
        order(
            *(line(1, "100.00", "3"), line(2, "0.99", "7"), line(3, "33.33", "2"), line(4, "13.04")),
            inclusive=False,
            grand="444.63",
        ),
        SELLER,
    )
    assert (invoice.vat, invoice.rounding, invoice.payable) == (Decimal("57.99"), Decimal("0.01"), Decimal("444.63"))


def test_a_gap_beyond_rounding_is_refused_with_both_sums_in_both_languages():
    with pytest.raises(DoesNotClose) as refusal:
        invoice_of(order(line(1, "100.00"), grand="95.00"), SELLER)
    for text in (refusal.value.what, refusal.value.ar):
        assert "95.00" in text
        assert "100.00" in text
    assert refusal.value.fix


FREIGHT = {"amount": "0.03", "code": "FC", "reason": "Freight", "tax": {"category": "S", "rate": "15"}}


def test_the_limit_of_rounding_grows_with_the_amounts_and_no_faster():
    assert rounding_limit(order(line(1, "1"))) == Decimal("0.02")
    assert rounding_limit(order(*(line(n, "1") for n in range(100)))) == Decimal("0.59")
    assert rounding_limit(order(line(1, "1", reductions=["0.10"]), charges=[FREIGHT] * 2)) == Decimal("0.04")


def test_a_shop_that_rounds_the_vat_of_each_charge_closes():
    # Without VAT 1.00 + 5 x 0.03 = 1.15; VAT 0.17 on the sum, and 0.15 + 5 x 0.00 one by one.
    invoice = invoice_of(order(line(1, "1.00"), inclusive=False, charges=[FREIGHT] * 5, grand="1.30"), SELLER)
    assert (invoice.vat, invoice.rounding, invoice.payable) == (Decimal("0.17"), Decimal("-0.02"), Decimal("1.30"))


def test_a_shop_that_rounds_nothing_before_its_total_closes():
    # 40 x 0.345 = 13.80 and with VAT 15.87; on the document each line is 0.35, together 14.00 and with VAT 16.10.
    lines = [line(n, "0.345") for n in range(40)]
    invoice = invoice_of(order(*lines, inclusive=False, grand="15.87"), SELLER)
    assert (invoice.with_vat, invoice.rounding) == (Decimal("16.10"), Decimal("-0.23"))


def test_what_nears_a_half_is_not_taken_for_one():
    # 1000.0000000007 x 86734714.2857142857 = 86734714285.774999999999999999
    (only,) = invoice_of(order(line(1, "86734714.2857142857", "1000.0000000007"), inclusive=False), SELLER).lines
    assert only.net == Decimal("86734714285.77")


def test_reductions_are_shown_on_their_lines_without_vat():
    (only,) = invoice_of(order(line(1, "115.00", "2", reductions=["23.00"])), SELLER).lines
    assert only.net == Decimal("180.00")
    assert [reduction.amount for reduction in only.reductions] == [Decimal("20.00")]
    assert only.price == Decimal("100.00")


def test_a_free_item_and_a_full_discount_cost_nothing():
    invoice = invoice_of(order(line(1, "0.00"), line(2, "100.00", reductions=["100.00"])), SELLER)
    assert [each.net for each in invoice.lines] == [0, 0]
    assert invoice.payable == 0


def test_a_reduction_of_the_order_is_split_over_the_vat_groups():
    mixed = order(
        line(1, "115.00"),
        line(2, "100.00", category="Z", rate="0", tax={"reason_code": "VATEX-SA-35"}),
        reductions=[{"amount": "21.50", "origin": "coupon", "code": "EID"}],
    )
    invoice = invoice_of(mixed, SELLER)
    assert [(a.tax.category, a.amount) for a in invoice.allowances] == [
        (Category.STANDARD, Decimal("10.00")),
        (Category.ZERO, Decimal("10.00")),
    ]
    assert invoice.payable == Decimal("193.50")
    assert "EID" in invoice.allowances[0].reason


def test_a_line_may_be_reduced_by_all_of_its_rounded_parts():
    # 0.036 + 0.876 + 0.876 = 1.788, as the shop rounds them 0.04 + 0.88 + 0.88 = 1.80
    charge = {"amount": "0.876", "code": "PC", "reason": "Packing"}
    (only,) = invoice_of(order(line(1, "0.036", reductions=["1.80"], charges=[charge] * 2)), SELLER).lines
    assert only.net == 0


def test_a_vendors_discount_larger_than_what_it_sold_is_refused():
    vendors = line(2, "-5.00", sold_by="registered_vendor")
    with pytest.raises(DoesNotClose, match="larger than the lines"):
        invoice_of(order(line(1, "10.00"), vendors, reductions=[{"amount": "1.00"}]), SELLER)


def test_a_reason_that_fills_its_field_leaves_the_code_out():
    (full, short) = (
        invoice_of(order(line(1, "10.00"), reductions=[{"amount": "1.00", "reason": reason, "code": "EID"}]), SELLER)
        for reason in ("x" * 995, "x" * 994)
    )
    assert [len(each.allowances[0].reason) for each in (full, short)] == [995, 1000]


def test_reductions_larger_than_the_order_are_refused():
    with pytest.raises(DoesNotClose, match="larger than the lines"):
        invoice_of(order(line(1, "10.00"), reductions=[{"amount": "10.01"}]), SELLER)


def test_the_buyer_decides_between_standard_and_simplified():
    business = {"kind": "business", "name": "شركة", "vat": "310122393500003"}
    assert invoice_of(order(line(1, "1"), buyer=business), SELLER).profile is Profile.STANDARD
    assert invoice_of(order(line(1, "1")), SELLER).profile is Profile.SIMPLIFIED
    assert invoice_of(order(line(1, "1")), SELLER).buyer is None


def test_the_supply_date_is_a_day_in_riyadh():
    assert invoice_of(order(line(1, "1")), SELLER).supply_date == date(2026, 11, 24)


def test_foreign_money_states_its_vat_in_riyals():
    invoice = invoice_of(order(line(1, "115.00"), currency="USD", fx={"rate": "3.75"}), SELLER)
    assert (invoice.vat, invoice.vat_sar) == (Decimal("15.00"), Decimal("56.25"))


def test_an_exemption_carries_its_code_and_its_reason_in_two_languages():
    exempt = order(line(1, "1", category="E", rate="0", tax={"reason_code": "VATEX-SA-29"}))
    (group,) = invoice_of(exempt, SELLER).vat_groups
    assert group.tax.reason_code == "VATEX-SA-29"
    assert "Financial services" in group.tax.reason
    assert "الخدمات المالية" in group.tax.reason


def test_two_reasons_in_one_category_are_refused_before_the_rules_would():
    mixed = order(
        line(1, "10", category="Z", rate="0", tax={"reason_code": "VATEX-SA-32"}),
        line(2, "10", category="Z", rate="0", tax={"reason_code": "VATEX-SA-35"}),
    )
    with pytest.raises(UnusableOrder, match="VATEX-SA-32 and VATEX-SA-35") as refusal:
        invoice_of(mixed, SELLER)
    assert refusal.value.ar
    assert refusal.value.fix


def test_one_reason_in_several_words_is_one_group_that_gives_them_all():
    other = {"category": "O", "rate": "0", "reason_code": "VATEX-SA-OOS"}
    mixed = order(
        line(1, "10.00", tax={**other, "reason": "Deposit"}),
        line(2, "50.00", kind="gift_card_sale"),
        charges=[{"amount": "1.00", "code": "ZZZ", "reason": "Fine", "tax": {**other, "reason": "Fine"}}],
    )
    invoice = invoice_of(mixed, SELLER)
    (group,) = invoice.vat_groups
    assert group.taxable == invoice.payable == Decimal("61.00")
    assert group.tax.reason == "Deposit; Not subject to VAT | غير خاضع لضريبة القيمة المضافة; Fine"


def test_long_line_ids_of_a_shop_become_positions():
    assert [each.id for each in invoice_of(order(line(1234567, "1"), line(2, "1")), SELLER).lines] == ["1", "2"]
    assert [each.id for each in invoice_of(order(line(123456, "1"), line(2, "1")), SELLER).lines] == ["123456", "2"]


def test_the_transaction_code_has_seven_digits_unless_a_new_flag_is_set():
    assert transaction_code(Profile.STANDARD, ()) == "0100000"
    assert transaction_code(Profile.SIMPLIFIED, {Flag.SUMMARY}) == "0200010"
    assert transaction_code(Profile.STANDARD, {Flag.EXPORT, Flag.B2G}) == "010010001"


def test_kinds_have_the_words_people_use():
    assert Kind.CREDIT_NOTE.word == "credit_note"
    assert Kind.CREDIT_NOTE.is_note
    assert not Kind.PREPAYMENT.is_note


halalas = st.integers(0, 10_000_000).map(lambda n: Decimal(n) / 100)


@given(st.lists(halalas, min_size=1, max_size=60), halalas)
def test_an_allocation_adds_up_and_is_never_more_than_a_halala_off(shares, total):
    whole = sum(shares)
    if not whole:
        total = Decimal(0)
    parts = allocate(total, shares)
    assert sum(parts) == total
    for part, share in zip(parts, shares, strict=True):
        exact = total * share / whole if whole else Decimal(0)
        assert abs(part - exact) <= Decimal("0.01")
        assert share or not part


@given(halalas, st.sampled_from(["15", "5", "0"]))
def test_a_taxable_amount_is_at_most_one_halala_away_from_closing(gross, rate):
    tax = Tax(Category.STANDARD if rate != "0" else Category.ZERO, Decimal(rate))
    taxable = taxable_within(gross, tax)
    assert abs(taxable + tax.of(taxable) - gross) <= Decimal("0.01")
    assert taxable >= 0


@given(halalas, halalas, st.sampled_from(["15", "5"]))
def test_more_money_never_means_a_smaller_taxable_amount(one, other, rate):
    tax = Tax(Category.STANDARD, Decimal(rate))
    low, high = sorted((one, other))
    assert taxable_within(low, tax) <= taxable_within(high, tax)


@given(halalas, st.decimals("0.001", "5000", places=3))
def test_a_unit_price_times_its_quantity_is_the_amount(amount, quantity):
    assert round_half_up(unit_price(amount, quantity) * quantity) == amount


cart_lines = st.lists(
    st.tuples(halalas, st.integers(1, 50), st.sampled_from(["15", "5"]), st.integers(0, 100)), min_size=1, max_size=40
)


@given(cart_lines, st.booleans(), st.integers(0, 100))
def test_every_cart_closes_on_what_the_shop_charged(cart, inclusive, percent_off):
    lines = []
    for position, (price, quantity, rate, off) in enumerate(cart, start=1):
        reduction = round_half_up(price * quantity * off / 100)
        lines.append(line(position, str(price), str(quantity), rate=rate, reductions=[str(reduction)]))
    gross = sum(
        (
            Decimal(item["unit_price"]) * Decimal(item["quantity"]) - Decimal(item["reductions"][0]["amount"])
            for item in lines
        ),
        Decimal(0),
    )
    whole = round_half_up(gross * percent_off / 100)
    cart_order = order(*lines, inclusive=inclusive, reductions=[{"amount": str(whole), "origin": "order"}])
    invoice = invoice_of(cart_order, SELLER)
    if inclusive:
        assert invoice.payable == gross - whole
        assert abs(invoice.rounding) <= Decimal("0.01") * len(invoice.vat_groups)
    else:
        assert invoice.without_vat == gross - whole
        assert invoice.rounding == 0
    assert all(each.net >= 0 for each in invoice.lines)
    assert invoice.with_vat == invoice.without_vat + sum(group.vat for group in invoice.vat_groups)


def advance(tax):
    return {"number": "A-1", "issued_at": "2026-10-01T12:00:00+03:00", "parts": [{"taxable": "10.00", "tax": tax}]}


def test_a_prepayment_has_a_line_id_that_no_line_has_and_that_is_short_enough():
    lines = line(999_998, "50.00"), line(3, "50.00"), line(999_999, "50.00")
    invoice = invoice_of(order(*lines, prepayments=[advance({"category": "S", "rate": "5"})]), SELLER)
    assert [each.id for each in (*invoice.lines, *invoice.deductions)] == ["999998", "3", "999999", "4"]


def test_a_prepayment_of_a_category_that_is_not_sold_is_refused():
    exported = line(1, "50.00", category="Z", rate="0", tax={"reason_code": "VATEX-SA-32"})
    with pytest.raises(UnusableOrder, match=r"taxed in category S.*BR-S-01") as refusal:
        invoice_of(order(exported, prepayments=[advance({"category": "S", "rate": "15"})]), SELLER)
    assert "credit note" in refusal.value.fix
    assert refusal.value.ar
