"""Magento orders, and invoices of parts of them, as the gateway understands them."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.connection import Connection
from gateway.errors import DoesNotClose, Misconfigured, UnusableOrder
from gateway.invoice.facts import Invoice
from gateway.order import Order
from gateway.stores import State
from gateway.stores.magento import map as map_order
from gateway.stores.magento import state

Connect = Callable[..., Connection]
Close = Callable[[Order], Invoice]

ORDER: dict[str, Any] = {
    "entity_id": 3014,
    "increment_id": "000000007",
    "state": "processing",
    "status": "processing",
    "created_at": "2026-11-22 07:15:30",
    "updated_at": "2026-11-22 07:16:00",
    "order_currency_code": "SAR",
    "base_currency_code": "SAR",
    "grand_total": 230,
    "tax_amount": 30,
    "total_paid": 230,
    "total_due": 0,
    "shipping_amount": 20,
    "shipping_incl_tax": 23,
    "shipping_tax_amount": 3,
    "shipping_discount_amount": 0,
    "shipping_description": "أرامكس",
    "customer_firstname": "نورة",
    "customer_lastname": "القحطاني",
    "billing_address": {
        "firstname": "نورة",
        "lastname": "القحطاني",
        "street": ["3141 شارع الأمير سلطان", "حي السلامة"],
        "city": "جدة",
        "postcode": "23525",
        "country_id": "SA",
    },
    "payment": {"method": "moyasar_credit_card"},
    "items": [
        {
            "item_id": 41,
            "product_type": "simple",
            "name": "سجادة",
            "sku": "RUG-1",
            "qty_ordered": 2,
            "row_total": 200,
            "row_total_incl_tax": 230,
            "discount_amount": 20,
            "discount_tax_compensation_amount": 0,
            "tax_amount": 27,
            "tax_percent": 15,
        }
    ],
}


def sample(**changes: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps({**copy.deepcopy(ORDER), **changes}), parse_float=Decimal)
    return read


def row(item_id: int, name: str, *, parent: int | None = None, kind: str = "simple", net: float = 0) -> dict[str, Any]:
    """An item of one piece at 15 %."""
    found = {"item_id": item_id, "name": name, "product_type": kind, "qty_ordered": 1, "tax_percent": 15}
    return found | {
        "row_total": net,
        "row_total_incl_tax": net * 1.15,
        "tax_amount": net * 0.15,
        "parent_item_id": parent,
    }


# -- lines ----------------------------------------------------------------------------------------------------


def test_rows_are_net_before_their_discount(connect: Connect, closing: Close) -> None:
    order, found = map_order(connect("magento"), sample())
    assert found is State.PAID
    assert [(line.id, line.kind, line.quantity, str(line.unit_price)) for line in order.lines] == [
        ("41", "product", 2, "100.00"),
        ("shipping", "shipping", 1, "20.00"),
    ]
    assert [str(r.amount) for r in order.lines[0].reductions] == ["20.00"]
    assert (order.number, order.placed_at) == ("000000007", datetime.fromisoformat("2026-11-22T10:15:30+03:00"))
    assert closing(order).vat == 30


def test_a_discount_on_prices_with_vat_gives_its_vat_back(connect: Connect, closing: Close) -> None:
    raw = sample()
    raw["items"][0] |= {"discount_amount": 23, "discount_tax_compensation_amount": 3}
    order = map_order(connect("magento", prices_include_tax="yes"), raw).order
    line = order.lines[0]
    assert (str(line.unit_price), [str(r.amount) for r in line.reductions]) == ("115.00", ["23.00"])
    closing(order)
    with pytest.raises(Misconfigured, match="both"):
        map_order(connect("magento", prices_include_tax="both"), raw)


@pytest.mark.parametrize(
    ("items", "sold"),
    [
        ([row(1, "قميص", kind="configurable", net=100), row(2, "قميص أزرق", parent=1)], ["قميص"]),
        ([row(1, "قميص", kind="configurable", net=100), row(2, "قميص أزرق", parent=1, net=100)], ["قميص"]),
        ([row(1, "طقم", kind="bundle", net=100), row(2, "كوب", parent=1, net=60), row(3, "صحن", parent=1, net=40)],
         ["كوب", "صحن"]),
        ([row(1, "طقم", kind="bundle", net=100), row(2, "كوب", parent=1), row(3, "صحن", parent=1)], ["طقم"]),
    ],
    ids=["configurable", "configurable with a price twice", "bundle of priced items", "bundle at one price"],
)  # fmt: skip
def test_nothing_is_counted_twice(
    connect: Connect, closing: Close, items: list[dict[str, Any]], sold: list[str]
) -> None:
    raw = sample(items=items, grand_total=138, tax_amount=18)
    order = map_order(connect("magento"), raw).order
    assert [line.name for line in order.lines] == [*sold, "أرامكس"]
    closing(order)


def test_the_side_in_riyals_is_read(connect: Connect, closing: Close) -> None:
    raw = sample(order_currency_code="USD")
    names = ("grand_total", "tax_amount", "shipping_amount", "shipping_incl_tax", "shipping_tax_amount")
    for holder, fields in (
        (raw, names),
        (raw["items"][0], ("row_total", "row_total_incl_tax", "discount_amount", "tax_amount")),
    ):
        for field in fields:
            holder[f"base_{field}"] = holder[field]
            holder[field] = Decimal(1)
    assert closing(map_order(connect("magento"), raw).order).payable == 230
    with pytest.raises(UnusableOrder, match="in USD"):
        map_order(connect("magento"), sample(order_currency_code="USD", base_currency_code="USD"))


def test_gift_cards_and_store_credit_are_payments(connect: Connect, closing: Close) -> None:
    raw = sample(grand_total=150, customer_balance_amount=-30, extension_attributes={"gift_cards_amount": 50})
    order = map_order(connect("magento"), raw).order
    assert [(each.method, str(each.amount)) for each in order.payments] == [
        ("card", "150.00"), ("gift_card", "50.00"), ("store_credit", "30.00"),
    ]  # fmt: skip
    assert closing(order).payable == 230


def test_an_invoice_bills_a_part_of_its_order(connect: Connect, closing: Close) -> None:
    billed = {"order_item_id": 41, "name": "سجادة", "sku": "RUG-1", "qty": 1, "row_total": 100, "tax_amount": 13.5}
    rows = [billed | {"row_total_incl_tax": 115, "discount_amount": 10}, {"order_item_id": 42, "row_total": None}]
    invoice = {
        "entity_id": 9, "increment_id": "000000012", "order_id": 3014, "state": 2, "order_currency_code": "SAR",
        "grand_total": 103.5, "tax_amount": 13.5, "created_at": "2026-11-23 07:00:00", "order": sample(), "items": rows,
    }  # fmt: skip
    order, found = map_order(connect("magento"), json.loads(json.dumps(invoice, default=str), parse_float=Decimal))
    assert (order.id, order.number, found, order.buyer.name) == ("invoice-9", "000000012", State.PAID, "نورة القحطاني")
    assert [(line.name, line.quantity) for line in order.lines] == [("سجادة", 1)]
    closing(order)


# -- what is refused ------------------------------------------------------------------------------------------


def test_a_product_without_vat_needs_its_map(connect: Connect, closing: Close) -> None:
    raw = sample(grand_total=203, tax_amount=3)
    raw["items"][0] |= {"tax_amount": 0, "tax_percent": 0, "row_total_incl_tax": 200}
    with pytest.raises(UnusableOrder, match="سجادة") as caught:
        map_order(connect("magento"), raw)
    assert "tax.sku" in caught.value.ar
    for key in ("tax.sku.RUG-1", "tax.class.product"):
        order = map_order(connect("magento", **{key: "Z:VATEX-SA-32"}), raw).order
        assert [line.tax.category for line in order.lines] == ["Z", "S"]
        closing(order)


def test_sums_and_rates_that_are_none(connect: Connect) -> None:
    with pytest.raises(DoesNotClose, match=r"231\.00 SAR.*230\.00 SAR"):
        map_order(connect("magento"), sample(grand_total=231))
    raw = sample()
    raw["items"][0]["tax_percent"] = Decimal("5.3")
    with pytest.raises(UnusableOrder, match=r"5\.3 % VAT was charged"):
        map_order(connect("magento"), raw)


def test_what_is_no_order_says_what_it_is(connect: Connect) -> None:
    memo = {"entity_id": 1, "adjustment_positive": 0, "items": [{"qty": 1}], "grand_total": 1}
    with pytest.raises(UnusableOrder, match="a credit memo"):
        map_order(connect("magento"), memo | {"order_currency_code": "SAR"})
    with pytest.raises(UnusableOrder, match=r"a list of (2 )?orders"):
        map_order(connect("magento"), {"items": [sample(), sample()], "search_criteria": {}, "total_count": 2})


# -- people, state, credit memos ------------------------------------------------------------------------------


def test_a_vat_number_makes_a_business_and_a_company_alone_does_not(connect: Connect) -> None:
    raw = sample()
    raw["billing_address"]["company"] = "مفروشات الحجاز"
    assert map_order(connect("magento"), raw).order.buyer.model_dump(exclude_defaults=True) == {"name": "نورة القحطاني"}
    raw["billing_address"]["vat_id"] = "311987654300003"
    buyer = map_order(connect("magento"), raw).order.buyer
    assert (buyer.kind, buyer.name, buyer.vat) == ("business", "مفروشات الحجاز", "311987654300003")
    assert buyer.address is not None
    assert (buyer.address.building, buyer.address.district) == ("3141", "حي السلامة")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "new", "total_paid": None, "total_due": 230}, State.PENDING),
        ({"state": "processing"}, State.PAID),
        ({"state": "complete"}, State.FULFILLED),
        ({"state": "complete", "total_refunded": 10}, State.REFUNDED_PART),
        ({"state": "closed"}, State.REFUNDED),
        ({"state": "canceled"}, State.CANCELLED),
        ({"status": "packed"}, State.DRAFT),
    ],
)
def test_the_state_of_an_order(connect: Connect, changes: dict[str, Any], expected: State) -> None:
    assert state(connect("magento", **{"status.packed": "draft"}), sample(**changes)) is expected


def test_credit_memos_are_refunds(connect: Connect) -> None:
    piece = {"order_item_id": 41, "qty": 1, "row_total": 100, "discount_amount": 10, "tax_amount": 13.5}
    first = {"increment_id": "CM1", "created_at": "2026-11-24 07:00:00", "grand_total": 103.5, "items": [piece]}
    second = {"increment_id": "CM2", "created_at": "2026-11-25 07:00:00", "grand_total": 11.5, "items": []}
    second |= {"shipping_amount": 10, "shipping_tax_amount": 1.5}
    refunds = map_order(connect("magento"), sample(creditmemos=[second, first])).order.refunds
    assert [(each.id, str(each.money), [(line.line, str(line.quantity or line.amount)) for line in each.lines])
            for each in refunds] == [
        ("CM1", "103.50", [("41", "1")]),
        ("CM2", "11.50", [("shipping", "11.50")]),
    ]  # fmt: skip
