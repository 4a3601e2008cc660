"""Zid orders as the gateway understands them."""

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
from gateway.stores.zid import map as map_order
from gateway.stores.zid import state

Connect = Callable[..., Connection]
Close = Callable[[Order], Invoice]

ORDER: dict[str, Any] = {
    "id": 39018,
    "invoice_number": 39018,
    "code": "zrDH30",
    "order_status": {"code": "delivered", "name": "تم التوصيل"},
    "payment_status": "paid",
    "currency_code": "SAR",
    "created_at": "2026-11-22 10:15:30",
    "updated_at": "2026-11-22 10:16:00",
    "customer": {"name": "سلمان الحربي", "type": "individual"},
    "coupon": {"code": "EID10"},
    "products": [
        {
            "order_product_id": 62,
            "name": "قهوة",
            "sku": "COF-1",
            "quantity": 2,
            "is_taxable": True,
            "total": 230,
            "tax_percentage": 0.15,
            "discounted_total": "207.00000000000000",
            "discounted_tax_amount": "27.00000000000000",
            "discounts": [],
        }
    ],
    "payment": {
        "method": {"code": "zid_mada", "name": "مدى"},
        "invoice": [
            {"code": "sub_totals_before_vat", "value": "200.00000000000000", "title": "المجموع"},
            {"code": "coupon", "value": "-20.00000000000000", "title": "كوبون"},
            {"code": "shipping", "value": "20.00000000000000", "title": "الشحن"},
            {"code": "taxable_amount", "value": "200.00000000000000", "title": "الخاضع للضريبة"},
            {"code": "vat", "value": "30.00000000000000", "title": "الضريبة (15%)"},
            {"code": "total", "value": "230.00000086523000", "title": "الإجمالي"},
        ],
    },
    "shipping": {
        "address": {
            "street": "شارع العليا",
            "district": "العليا",
            "meta": {"postcode": "12214", "building_number": "7687"},
            "city": {"name": "الرياض"},
            "country": {"code": "SA"},
        }
    },
}


def sample(**changes: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps({**copy.deepcopy(ORDER), **changes}), parse_float=Decimal)
    return read


def declare(raw: dict[str, Any], **sums: str) -> dict[str, Any]:
    """The order with other declared sums."""
    entries = {entry["code"]: entry for entry in raw["payment"]["invoice"]}
    for code, value in sums.items():
        entries.setdefault(code, {"code": code, "title": code})["value"] = value
    raw["payment"]["invoice"] = list(entries.values())
    return raw


# -- lines ----------------------------------------------------------------------------------------------------


def test_products_are_with_vat_and_shipping_is_net(connect: Connect, closing: Close) -> None:
    order, found = map_order(connect("zid"), {"order": sample()})
    assert found is State.FULFILLED
    assert [(line.id, line.kind, line.quantity, str(line.unit_price)) for line in order.lines] == [
        ("62", "product", 2, "115.00"),
        ("shipping", "shipping", 1, "23.00"),
    ]
    assert [(str(r.amount), r.origin, r.code) for r in order.lines[0].reductions] == [("23.00", "coupon", "EID10")]
    assert (order.number, order.placed_at) == ("39018", datetime.fromisoformat("2026-11-22T10:15:30+03:00"))
    assert closing(order).vat == 30


def test_the_shop_says_whether_its_prices_are_with_vat(connect: Connect, closing: Close) -> None:
    net = {"order": sample(), "tax_settings": {"is_vat_included_in_product_price": False}}
    order = map_order(connect("zid"), net).order
    assert not order.prices_include_tax
    assert [str(line.unit_price) for line in order.lines] == ["100.00", "20.00"]
    closing(order)
    by_setting = map_order(connect("zid", prices_include_tax="no"), sample()).order
    assert by_setting.digest == order.digest
    with pytest.raises(Misconfigured, match="perhaps"):
        map_order(connect("zid", prices_include_tax="perhaps"), sample())


def test_loyalty_points_and_collection_on_delivery(connect: Connect, closing: Close) -> None:
    raw = declare(sample(coupon=None), cod_fee="10.00", vat="31.50", total="241.50")
    raw["products"][0]["discounts"] = {"loyalty_points": {"amount": 20}}
    order = map_order(connect("zid"), raw).order
    assert [r.origin for r in order.lines[0].reductions] == ["loyalty"]
    assert [(line.kind, str(line.unit_price)) for line in order.lines[1:]] == [
        ("shipping", "23.00"),
        ("cod_fee", "11.50"),
    ]
    closing(order)


def test_a_discount_that_is_in_no_product_is_taken_off_the_order(connect: Connect, closing: Close) -> None:
    raw = declare(sample(), coupon="-10.00", shipping="0", vat="25.50", total="195.50")
    order = map_order(connect("zid"), raw).order
    assert [(str(r.amount), r.code) for r in order.reductions] == [("11.50", "EID10")]
    assert closing(order).vat == Decimal("25.50")


def test_a_zone_of_its_own(connect: Connect) -> None:
    order = map_order(connect("zid", timezone="UTC"), sample()).order
    assert order.placed_at == datetime.fromisoformat("2026-11-22T13:15:30+03:00")


# -- what is refused ------------------------------------------------------------------------------------------


def test_a_product_without_vat_needs_its_map(connect: Connect, closing: Close) -> None:
    raw = declare(sample(), shipping="0", vat="0", total="207.00")
    raw["products"][0] |= {"is_taxable": False, "tax_percentage": 0, "discounted_tax_amount": "0"}
    with pytest.raises(UnusableOrder, match=r"قهوة.*untaxed_reason_code\.not_taxable") as caught:
        map_order(connect("zid"), raw)
    assert "tax.class" in caught.value.ar
    for key in ("tax.sku.COF-1", "tax.class.not_taxable"):
        order = map_order(connect("zid", **{key: "E:VATEX-SA-30"}), raw).order
        assert [line.tax.category for line in order.lines] == ["E"]
        closing(order)


def test_everything_wrong_is_told_at_once(connect: Connect) -> None:
    raw = sample(currency_code="USD", invoice_settings={"is_zid_invoice_generation_enabled": True})
    raw["products"][0]["tax_percentage"] = Decimal("0.24")
    raw["products"][0]["discounted_tax_amount"] = "40.06"
    with pytest.raises(UnusableOrder, match=r"in USD.*Zid issues this shop's invoices itself.*24 %") as caught:
        map_order(connect("zid"), raw)
    assert "فاتورتان" in caught.value.ar


def test_sums_that_do_not_close(connect: Connect) -> None:
    with pytest.raises(DoesNotClose, match=r"240\.00 SAR.*230\.00 SAR"):
        map_order(connect("zid"), declare(sample(), total="240.00"))


def test_rows_of_lists_are_no_orders(connect: Connect) -> None:
    row = {"id": 1, "order_total": "10.00", "order_status": {"code": "new"}}
    with pytest.raises(UnusableOrder, match="a row of an order list"):
        map_order(connect("zid"), row)
    with pytest.raises(UnusableOrder, match="a list of 2 orders"):
        map_order(connect("zid"), {"status": "object", "orders": [row, row], "message": {}})


# -- people, state, credit notes ------------------------------------------------------------------------------


def test_a_business_by_its_number_or_its_type(connect: Connect) -> None:
    assert map_order(connect("zid"), sample()).order.buyer.kind == "person"
    customer = {
        "name": "سلمان الحربي",
        "type": "business",
        "business_name": "بن الحجاز",
        "tax_number": "311987654300003",
    }
    buyer = map_order(connect("zid"), sample(customer=customer)).order.buyer
    assert (buyer.kind, buyer.name, buyer.vat) == ("business", "بن الحجاز", "311987654300003")
    assert buyer.address is not None
    assert (buyer.address.building, buyer.address.postal_code) == ("7687", "12214")
    assert map_order(connect("zid"), sample(customer={"name": "عابر"})).order.buyer.kind is None


@pytest.mark.parametrize(
    ("code", "payment", "expected"),
    [
        ("new", "pending", State.PENDING),
        ("preparing", "paid", State.PAID),
        ("inDelivery", "paid", State.PAID),
        ("delivered", "pending", State.FULFILLED),
        ("canceled", "paid", State.CANCELLED),
        ("reversed", "paid", State.REFUNDED),
        ("partially_reversed", "paid", State.REFUNDED_PART),
        ("ready", "refunded", State.REFUNDED),
        ("ready", "voided", State.CANCELLED),
    ],
)
def test_the_state_of_an_order(connect: Connect, code: str, payment: str, expected: State) -> None:
    raw = {"order_status": {"code": code}, "payment_status": payment}
    assert state(connect("zid"), raw) is expected
    assert state(connect("zid", **{f"status.{code}": "draft"}), raw) is State.DRAFT


def test_credit_notes_are_refunds_of_money(connect: Connect) -> None:
    notes = [
        {"invoice_number": "CN-2", "created_at": "2026-11-25 08:00:00", "order_total": "200.00"},
        {"invoice_number": "CN-1", "created_at": "2026-11-24 08:00:00", "order_total": "30.00", "issue_reason": "تلف"},
    ]
    raw = {"order": sample(), "credit_notes": {"payload": {"credit_notes": notes, "returned_items": []}}}
    refunds = map_order(connect("zid"), raw).order.refunds
    assert [(each.id, str(each.money), each.everything, each.note) for each in refunds] == [
        ("CN-1", "30.00", False, "تلف"),
        ("CN-2", "200.00", True, ""),
    ]
