"""The public input: strict, exact, and clear about what is wrong with it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnusableOrder
from gateway.order import MAX_LINES, read_order

ORDER = {
    "connection": "erp-main",
    "id": "SO-10045",
    "number": "10045",
    "version": "7",
    "placed_at": "2026-11-23T09:58:12+03:00",
    "currency": "SAR",
    "prices_include_tax": True,
    "buyer": {"kind": "business", "name": "شركة المثال", "vat": "310122393500003"},
    "lines": [
        {
            "id": "1",
            "name": "قهوة",
            "quantity": "2",
            "unit_price": "57.50",
            "reductions": [{"amount": "5.00", "origin": "coupon", "code": "RAMADAN"}],
            "tax": {"category": "S", "rate": "15"},
        }
    ],
    "payments": [{"method": "card", "amount": "110.00", "state": "paid"}],
    "declared": {"grand": "110.00", "tax": "14.35"},
}


def changed(**fields):
    return {**ORDER, **fields}


def with_line(**fields):
    return changed(lines=[{**ORDER["lines"][0], **fields}])


def problems(raw):
    with pytest.raises(UnusableOrder) as refusal:
        read_order(json.dumps(raw))
    assert refusal.value.fix
    assert refusal.value.ar
    return dict(refusal.value.problems)


def refused(raw):
    """The problems a value is refused with as an order; none if it is one."""
    try:
        read_order(json.dumps(raw))
    except UnusableOrder as refusal:
        return refusal.problems or (("", ""),)
    return ()


def test_an_order_is_read_exactly():
    order = read_order(json.dumps(ORDER).encode())
    assert order.lines[0].unit_price == Decimal("57.50")
    assert order.declared.grand == Decimal("110.00")
    assert order.placed_at.isoformat() == "2026-11-23T09:58:12+03:00"


@pytest.mark.parametrize(
    ("raw", "place", "sentence"),
    [
        (changed(prices_include_tax="yes"), "prices_include_tax", "boolean"),
        (changed(colour="red"), "colour", "not a known field"),
        (changed(currency="XYZ"), "the order", "ISO 4217"),
        (changed(currency="USD"), "the order", "fx.rate"),
        (changed(placed_at="2026-11-23T09:58:12"), "placed_at", "zone"),
        (changed(lines=[]), "lines", "at least 1"),
        (changed(lines=[ORDER["lines"][0]] * 2), "the order", "same id"),
        (with_line(quantity="-1"), "lines[0].quantity", "greater than 0"),
        (with_line(quantity="0"), "lines[0].quantity", "greater than 0"),
        (with_line(unit_price="-0.01", reductions=[{"amount": "1"}]), "lines[0]", "below zero"),
        (with_line(unit_price=57.5), "lines[0].unit_price", 'decimal string such as "57.50"'),
        (with_line(unit_price="1e3"), "lines[0].unit_price", "decimal string"),
        (with_line(unit_price="NaN"), "lines[0].unit_price", "decimal string"),
        (with_line(unit_price="٥٧"), "lines[0].unit_price", "decimal string"),
        (with_line(unit_price="99999999999999"), "lines[0].unit_price", "larger than"),
        (with_line(unit_price="0.12345678901"), "lines[0].unit_price", "10 decimals"),
        (with_line(name=""), "lines[0].name", "at least 1"),
        (with_line(name="a\x00b"), "lines[0].name", "control characters"),
        (with_line(tax={"category": "S", "rate": "14"}), "lines[0].tax", "15 or 5"),
        (with_line(tax={"category": "Z", "rate": "0"}), "lines[0].tax", "reason_code"),
        (with_line(tax={"category": "E", "rate": "0", "reason_code": "VATEX-SA-35"}), "lines[0].tax", "VATEX-SA-29"),
        (with_line(tax={"category": "Z", "rate": "0", "reason_code": "VATEX-SA-32(bis)"}), "lines[0].tax", "in words"),
        (with_line(reductions=[{"amount": "115.02"}]), "lines[0]", "larger than the line"),
        (changed(buyer={"kind": "business", "vat": "123"}), "buyer.vat", "15 digits"),
        (changed(buyer={"other_id": {"scheme": "XXX", "value": "1"}}), "buyer.other_id", "one of TIN"),
        *(
            (changed(buyer={"other_id": {"scheme": scheme, "value": value}}), "buyer.other_id", rule)
            for scheme, value, rule in (
                ("TIN", "1048213756", "BR-KSA-F-07"),
                ("CRN", "104821375", "BR-KSA-F-08"),
                ("700", "1048213756", "BR-KSA-F-09"),
                ("NAT", "2048213756", "BR-KSA-F-10"),
                ("IQA", "1048213756", "BR-KSA-F-11"),
            )
        ),
        (changed(unit="RUH1", branch="Riyadh"), "the order", "the unit or the branch"),
        (changed(kind="credit_note"), "the order", "corrects and reason"),
        (changed(prepayments=[{"number": "P-1", "issued_at": "2026-11-01T10:00:00+03:00"}]), "prepayments[0]", "parts"),
        (changed(kind="prepayment", prepayments=[{"number": "P-1"}]), "the order", "no"),
        (changed(refunds=[{"id": "R"}]), "refunds[0]", "say what is given back"),
        (changed(refunds=[{"id": "R", "everything": True}] * 2), "the order", "two refunds"),
        (
            changed(charges=[{"amount": "1", "code": "QQQ", "reason": "x", "tax": {"category": "S", "rate": "15"}}]),
            "charges[0]",
            "UNTDID 7161",
        ),
        (changed(declared={"grand": "1.001"}), "declared.grand", "2 decimal"),
        (changed(flags=["holiday"]), "flags[0]", "third_party"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(raw, place, sentence):
    found = problems(raw)
    assert place in found
    assert sentence in found[place]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'"x"', b"nul", b'{"id": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_an_order_is_a_clear_refusal(data):
    with pytest.raises(UnusableOrder):
        read_order(data)


def test_the_number_of_lines_is_limited():
    lines = [{**ORDER["lines"][0], "id": str(n)} for n in range(MAX_LINES + 1)]
    assert "lines" in problems(changed(lines=lines))


def test_the_digest_is_the_sale_and_not_its_spelling():
    order = read_order(ORDER)
    same = [
        changed(version="8"),
        changed(payments=[]),
        changed(placed_at="2026-11-23T06:58:12Z"),
        changed(declared={"grand": "110", "tax": "14.350"}),
        {**changed(), "note": ""},
    ]
    other = [changed(number="10046"), changed(note="x"), changed(buyer={}), with_line(quantity="3")]
    assert all(read_order(raw).digest == order.digest for raw in same)
    assert all(read_order(raw).digest != order.digest for raw in other)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_json_is_an_order_or_a_clear_refusal(value):
    assert all(place and sentence for place, sentence in refused(value))


@given(st.sampled_from(sorted(ORDER)), st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_value_in_any_field_is_used_or_refused(field, value):
    assert all(place and sentence for place, sentence in refused(changed(**{field: value})))


def test_a_field_that_stands_twice_is_refused():
    text = json.dumps(ORDER).replace(
        '"prices_include_tax": true', '"prices_include_tax": true, "prices_include_tax": false'
    )
    with pytest.raises(UnusableOrder, match="prices_include_tax"):
        read_order(text)
