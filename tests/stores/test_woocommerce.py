"""WooCommerce orders as the gateway understands them."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import demo
from gateway.connection import Connection
from gateway.errors import DoesNotClose, Misconfigured, UnusableOrder
from gateway.order import Order
from gateway.stores import State
from gateway.stores.woocommerce import map as map_order
from gateway.stores.woocommerce import state

Connect = Callable[..., Connection]

RECORDED = {
    "all_free.created": State.PAID,
    "b2b_vat.created": State.PENDING,
    "b2b_vat.writeback_meta": State.PENDING,
    "excl_multi_line.created": State.PENDING,
    "excl_percent_coupon.created": State.PENDING,
    "free_item.created": State.PENDING,
    "free_shipping_coupon.created": State.PENDING,
    "incl_cart_coupon_cod.created": State.PENDING,
    "incl_cart_coupon_cod.refunded": State.REFUNDED,
    "incl_multi_line.after_partial_refund": State.REFUNDED_PART,
    "incl_multi_line.completed": State.REFUNDED_PART,
    "incl_multi_line.created": State.PENDING,
    "incl_multi_line.paid": State.PAID,
    "incl_percent_coupon.cancelled": State.CANCELLED,
    "incl_percent_coupon.created": State.PENDING,
}
REFUSED = {
    "b2b_vat.writeback_note": "not an order",
    "docs.order_0": "USD",
    "docs.order_1": "USD",
    "docs.refund_0": "not an order",
    "error.404": "not an order",
    "incl_multi_line.amount_only_refund": "not an order",
    "incl_multi_line.partial_refund": "not an order",
    "poll.page1.headers": "not an order",
    "taxes_disabled.created": "untaxed_reason_code",
    "taxes_disabled.deleted_answer": "untaxed_reason_code",
}


def recorded(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "payloads" / "woocommerce" / f"{name}.json"
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return raw


def sample(name: str = "several_lines") -> dict[str, Any]:
    return copy.deepcopy(demo.orders("woocommerce")[name])


def charged(order: Order) -> Decimal:
    """What the lines come to, in the shop's own terms."""
    return sum(
        (
            round(line.quantity * line.unit_price, 2) - sum((r.amount for r in line.reductions), Decimal(0))
            for line in order.lines
        ),
        Decimal(0),
    ) - sum((reduction.amount for reduction in order.reductions), Decimal(0))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_orders_map_to_what_the_shop_charged(connect: Connect, shared: Path, name: str) -> None:
    raw = recorded(shared, name)
    order, found = map_order(connect("woocommerce"), raw)
    assert found is RECORDED[name]
    net = Decimal(0) if order.prices_include_tax else Decimal(raw["total_tax"])
    assert charged(order) + net == order.declared.grand == Decimal(raw["total"])


@pytest.mark.parametrize("name", REFUSED)
def test_recorded_bodies_that_cannot_be_invoiced_say_why(connect: Connect, shared: Path, name: str) -> None:
    with pytest.raises(UnusableOrder, match=REFUSED[name]) as caught:
        map_order(connect("woocommerce"), recorded(shared, name))
    assert caught.value.problems
    assert caught.value.fix


def test_every_recorded_body_is_judged_above(shared: Path) -> None:
    found = {path.stem for path in (shared / "payloads" / "woocommerce").glob("*.json")}
    assert found - {"incl_multi_line.refunds_list"} == RECORDED.keys() | REFUSED.keys()


def test_our_own_echo_is_the_same_order(connect: Connect, shared: Path) -> None:
    before = map_order(connect("woocommerce"), recorded(shared, "b2b_vat.created")).order
    after = map_order(connect("woocommerce"), recorded(shared, "b2b_vat.writeback_meta")).order
    assert before.digest == after.digest
    assert before.version != after.version


def test_what_is_paid_later_is_the_same_order(connect: Connect, shared: Path) -> None:
    names = ("incl_multi_line.created", "incl_multi_line.paid", "incl_multi_line.completed")
    assert len({map_order(connect("woocommerce"), recorded(shared, name)).order.digest for name in names}) == 1


# -- lines ----------------------------------------------------------------------------------------------------


def test_prices_with_vat_are_rebuilt_from_net_amounts(connect: Connect) -> None:
    lines = map_order(connect("woocommerce"), sample()).order.lines
    assert [(line.kind, line.quantity, str(line.unit_price)) for line in lines] == [
        ("product", 3, "100.00"),
        ("product", 7, "0.99"),
        ("product", 2, "33.33"),
        ("shipping", 1, "15.00"),
    ]


def test_a_price_that_does_not_divide_still_gives_the_lines_amount(connect: Connect) -> None:
    raw = sample()
    raw["line_items"][0]["quantity"] = 7
    line = map_order(connect("woocommerce"), raw).order.lines[0]
    assert str(line.unit_price) == "42.8571428571"
    assert round(line.quantity * line.unit_price, 2) == 300


def test_a_coupon_is_what_each_line_lost(connect: Connect) -> None:
    lines = map_order(connect("woocommerce"), sample("percent_coupon")).order.lines
    assert [(str(r.amount), r.origin, r.code) for line in lines for r in line.reductions] == [
        ("10.00", "coupon", "welcome10"),
        ("10.01", "coupon", "welcome10"),
        ("0.09", "coupon", "welcome10"),
    ]


def test_a_price_lowered_by_hand_is_a_reduction_and_a_raised_one_a_price(connect: Connect) -> None:
    raw = sample("free_shipping")
    item = raw["line_items"][0]
    raw["coupon_lines"] = []
    item["subtotal"], item["subtotal_tax"] = "100.00", "15.00"
    lowered = map_order(connect("woocommerce"), raw).order.lines[0]
    assert [(str(r.amount), r.origin) for r in lowered.reductions] == [("15.01", "item")]
    item["subtotal"], item["subtotal_tax"] = "50.00", "7.50"
    raised = map_order(connect("woocommerce"), raw).order.lines[0]
    assert (str(raised.unit_price), raised.reductions) == ("33.33", ())


def test_collection_on_delivery_is_its_own_kind_of_line(connect: Connect) -> None:
    order = map_order(connect("woocommerce"), sample("cash_on_delivery")).order
    assert [line.kind for line in order.lines] == ["product", "product", "shipping", "cod_fee"]
    assert order.payments[0].method == "cod"


def test_a_fee_below_zero_takes_money_off_the_order(connect: Connect) -> None:
    raw = sample()
    fee = {"id": 900, "name": "خصم الولاء", "total": "-8.70", "total_tax": "-1.30", "taxes": []}
    raw["fee_lines"], raw["total"] = [fee], "378.59"
    order = map_order(connect("woocommerce"), raw).order
    line = order.lines[-1]
    assert (line.kind, line.name, str(line.unit_price), line.tax.rate) == ("fee", "خصم الولاء", "-10.00", 15)
    assert order.reductions == ()
    assert charged(order) == order.declared.grand


def test_free_shipping_is_not_a_line_and_a_free_item_is(connect: Connect) -> None:
    assert len(map_order(connect("woocommerce"), sample("free_shipping")).order.lines) == 1
    free = map_order(connect("woocommerce"), sample("free_sample")).order.lines[1]
    assert (free.unit_price, free.tax.rate) == (0, 15)


def test_names_lose_their_html(connect: Connect) -> None:
    raw = sample()
    raw["line_items"][0]["name"] = "Tea &amp; Coffee &ndash; 2&times;"
    assert map_order(connect("woocommerce"), raw).order.lines[0].name == "Tea & Coffee – 2×"


@pytest.mark.parametrize("quantity", [0, -1, None, "x", True])
def test_a_quantity_that_sells_nothing_is_refused(connect: Connect, quantity: object) -> None:
    raw = sample()
    raw["line_items"][1]["quantity"] = quantity
    with pytest.raises(UnusableOrder, match=r"line_items\[1\]\.quantity"):
        map_order(connect("woocommerce"), raw)


# -- VAT ------------------------------------------------------------------------------------------------------


def untaxed(raw: dict[str, Any]) -> dict[str, Any]:
    """A second product sold without VAT, in the class zero-rate."""
    item = {"id": 901, "name": "كتاب", "quantity": 2, "tax_class": "zero-rate", "taxes": []}
    money = {"subtotal": "40.00", "subtotal_tax": "0.00", "total": "40.00", "total_tax": "0.00"}
    raw["line_items"].append(item | money)
    raw["total"] = str(Decimal(raw["total"]) + 40)
    return raw


def test_a_line_without_vat_needs_its_reason(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match=r"untaxed_reason_code\.zero-rate") as caught:
        map_order(connect("woocommerce"), untaxed(sample()))
    assert "untaxed_reason_code" in caught.value.ar
    taxes = [
        map_order(connect("woocommerce", **settings), untaxed(sample())).order.lines[3].tax
        for settings in (
            {"untaxed_reason_code": "VATEX-SA-35"},
            {"untaxed_reason_code": "VATEX-SA-30", "untaxed_reason_code.zero-rate": "VATEX-SA-35"},
        )
    ]
    assert all((tax.category, tax.rate, tax.reason_code) == ("Z", 0, "VATEX-SA-35") for tax in taxes)


def test_a_reason_that_is_none_is_a_wrong_setting(connect: Connect) -> None:
    with pytest.raises(Misconfigured, match="VATEX-SA-99"):
        map_order(connect("woocommerce", untaxed_reason_code="VATEX-SA-99"), untaxed(sample()))


def test_a_rate_of_zero_is_no_reason(connect: Connect) -> None:
    raw = untaxed(sample())
    raw["tax_lines"].append({"rate_id": 2, "rate_percent": 0})
    raw["line_items"][-1]["taxes"] = [{"id": 2, "total": "0", "subtotal": "0"}]
    with pytest.raises(UnusableOrder, match="sold without VAT"):
        map_order(connect("woocommerce"), raw)


def test_rates_that_do_not_apply_are_passed_over(connect: Connect) -> None:
    raw = sample()
    raw["tax_lines"].append({"rate_id": 2, "rate_percent": 5})
    raw["line_items"][0]["taxes"].append({"id": 2, "total": "", "subtotal": ""})
    raw["line_items"][1]["taxes"].append({"id": 2, "total": "0", "subtotal": "0"})
    assert {line.tax.rate for line in map_order(connect("woocommerce"), raw).order.lines} == {15}


def test_two_rates_on_a_line_an_unknown_rate_and_an_odd_one_are_refused(connect: Connect) -> None:
    two = sample()
    two["tax_lines"].append({"rate_id": 2, "rate_percent": 5})
    two["line_items"][0]["taxes"].append({"id": 2, "total": "1.00"})
    unknown = sample()
    unknown["line_items"][0]["taxes"][0]["id"] = 7
    odd = sample()
    odd["tax_lines"][0]["rate_percent"] = Decimal("7.5")
    old = sample()
    del old["tax_lines"][0]["rate_percent"]
    for raw, said in ((two, "more than one"), (unknown, "not among"), (odd, "15 or 5"), (old, "Update WooCommerce")):
        with pytest.raises(UnusableOrder, match=said):
            map_order(connect("woocommerce"), raw)


# -- sums, time, state ----------------------------------------------------------------------------------------


def test_an_order_that_does_not_close_shows_both_sums(connect: Connect) -> None:
    with pytest.raises(DoesNotClose, match=r"395\.49 SAR.*388\.59 SAR") as caught:
        map_order(connect("woocommerce"), sample("does_not_close"))
    assert "395.49" in caught.value.ar
    assert "388.59" in caught.value.ar


def test_five_halalas_are_rounding_and_six_are_not(connect: Connect) -> None:
    raw = sample()
    raw["total"] = "388.64"
    assert map_order(connect("woocommerce"), raw).order.declared.grand == Decimal("388.64")
    raw["total"] = "388.65"
    with pytest.raises(DoesNotClose):
        map_order(connect("woocommerce"), raw)


def test_amounts_may_be_numbers(connect: Connect) -> None:
    raw = sample()
    before = map_order(connect("woocommerce"), raw).order.digest
    for item in raw["line_items"]:
        item |= {field: Decimal(item[field]) for field in ("subtotal", "subtotal_tax", "total", "total_tax")}
    raw["total"] = Decimal(raw["total"])
    assert map_order(connect("woocommerce"), raw).order.digest == before


@pytest.mark.parametrize("amount", ["1,000.00", "NaN", "1e3", "", None, [], True, "٥"])
def test_amounts_that_are_no_numbers_are_refused(connect: Connect, amount: object) -> None:
    raw = sample()
    raw["line_items"][0]["total"] = amount
    with pytest.raises(UnusableOrder, match="a number was expected"):
        map_order(connect("woocommerce"), raw)


def test_the_hour_is_that_of_the_gmt_field(connect: Connect) -> None:
    raw = sample()
    raw["date_created"] = "2020-01-01T00:00:00"
    assert map_order(connect("woocommerce"), raw).order.placed_at == datetime.fromisoformat("2026-11-23T08:41:37+03:00")
    raw["date_created_gmt"] = "yesterday"
    with pytest.raises(UnusableOrder, match="date_created_gmt"):
        map_order(connect("woocommerce"), raw)


@pytest.mark.parametrize(
    ("status", "paid", "expected"),
    [
        ("checkout-draft", False, State.DRAFT),
        ("pending", False, State.PENDING),
        ("on-hold", False, State.PENDING),
        ("failed", False, State.PENDING),
        ("processing", True, State.PAID),
        ("processing", False, State.PENDING),
        ("completed", True, State.FULFILLED),
        ("cancelled", True, State.CANCELLED),
        ("refunded", True, State.REFUNDED),
        ("trash", True, State.DELETED),
        ("packed", True, State.PAID),
        ("packed", False, State.PENDING),
        ("shipped", False, State.FULFILLED),
    ],
)
def test_the_state_of_an_order(connect: Connect, status: str, paid: bool, expected: State) -> None:
    raw = {"status": status, "date_paid_gmt": "2026-11-23T05:41:41" if paid else None}
    assert state(connect("woocommerce", **{"status.shipped": "fulfilled"}), raw) is expected


def test_a_state_that_does_not_exist_is_a_wrong_setting(connect: Connect) -> None:
    with pytest.raises(Misconfigured, match=r"status\.shipped"):
        state(connect("woocommerce", **{"status.shipped": "sent"}), {"status": "shipped"})


@pytest.mark.parametrize(
    ("gateway", "method"),
    [
        ("bacs", "bank"),
        ("cod", "cod"),
        ("moyasar-credit-card", "card"),
        ("stripe", "card"),
        ("tap", "card"),
        ("hyperpay_mada", "card"),
        ("stc_pay", "wallet"),
        ("tabby_installments", "other"),
        ("cheque", "other"),
    ],
)
def test_payment_methods(connect: Connect, gateway: str, method: str) -> None:
    payment = map_order(connect("woocommerce"), sample() | {"payment_method": gateway}).order.payments[0]
    assert (payment.method, payment.state, str(payment.amount)) == (method, "paid", "388.59")


# -- the buyer ------------------------------------------------------------------------------------------------


def test_a_vat_number_makes_a_business_with_its_national_address(connect: Connect) -> None:
    buyer = map_order(connect("woocommerce"), sample("business")).order.buyer
    assert buyer.model_dump() == {
        "kind": "business",
        "name": "شركة واحة القصيم للتجارة",
        "vat": "311987654300003",
        "other_id": {"scheme": "CRN", "value": "4030123456"},
        "address": {
            "street": "طريق الأمير سلطان",
            "building": "3141",
            "district": "حي السلامة",
            "city": "جدة",
            "postal_code": "23525",
            "country": "SA",
        },
    }


def test_of_a_person_only_the_name_is_taken(connect: Connect) -> None:
    buyer = map_order(connect("woocommerce"), sample()).order.buyer
    assert buyer.model_dump(exclude_defaults=True) == {"name": "ريم الدوسري"}


@pytest.mark.parametrize(
    ("key", "value", "settings"),
    [
        ("_billing_vat_number", "311987654300003", {}),
        ("_wc_billing/acme/vat-number", "311987654300003", {}),
        ("vat_number", " 3119 8765 4300 003 ", {}),
        ("vat_number", "٣١١٩٨٧٦٥٤٣٠٠٠٠٣", {}),
        ("my_field", "311987654300003", {"vat_number_key": "my_field"}),
    ],
)
def test_where_vat_numbers_are_found(connect: Connect, key: str, value: str, settings: dict[str, str]) -> None:
    raw = sample()
    raw["meta_data"] = [{"key": key, "value": value}]
    assert map_order(connect("woocommerce", **settings), raw).order.buyer.vat == "311987654300003"


def test_another_key_is_not_looked_at_once_one_is_set(connect: Connect) -> None:
    raw = sample()
    raw["meta_data"] = [{"key": "vat_number", "value": "311987654300003"}]
    assert map_order(connect("woocommerce", vat_number_key="my_field"), raw).order.buyer.vat is None


def test_a_vat_number_that_is_none_goes_to_a_person(connect: Connect) -> None:
    raw = sample()
    raw["meta_data"] = [{"key": "vat_number", "value": "12345"}]
    with pytest.raises(UnusableOrder, match="15 digits") as caught:
        map_order(connect("woocommerce"), raw)
    assert "12345" in caught.value.ar


def test_a_business_abroad_keeps_its_own_number(connect: Connect) -> None:
    raw = sample("business")
    raw["billing"] |= {"country": "AE", "address_1": "Sheikh Zayed Road 12"}
    raw["meta_data"] = [{"key": "vat_number", "value": "100-3456-7890-003"}]
    buyer = map_order(connect("woocommerce"), raw).order.buyer
    assert (buyer.kind, buyer.vat) == ("business", None)
    assert buyer.other_id is not None
    assert (buyer.other_id.scheme, buyer.other_id.value) == ("OTH", "10034567890003")


@pytest.mark.parametrize(
    ("line", "street", "building"),
    [
        ("7687 طريق الملك فهد", "طريق الملك فهد", "7687"),
        ("شارع العليا، ٣١٤١", "شارع العليا", "3141"),
        ("طريق 12345", "طريق 12345", ""),
        ("طريق الملك فهد 7687 - 2345", "طريق الملك فهد - 2345", "7687"),
        ("", "", ""),
    ],
)
def test_the_building_number_is_found_in_the_street(connect: Connect, line: str, street: str, building: str) -> None:
    raw = sample("business")
    raw["billing"]["address_1"] = line
    address = map_order(connect("woocommerce"), raw).order.buyer.address
    assert address is not None
    assert (address.street, address.building) == (street, building)


def test_control_characters_are_named_with_their_place(connect: Connect) -> None:
    raw = sample()
    raw["line_items"][0]["name"] = "قميص\x07"
    with pytest.raises(UnusableOrder) as caught:
        map_order(connect("woocommerce"), raw)
    assert caught.value.problems[0][0] == "lines[0].name"


# -- refunds --------------------------------------------------------------------------------------------------


def returned(line: str, total: str, tax: str, **changes: Any) -> dict[str, Any]:
    """An entry of a refund, as the shop writes it: below zero, with the order's line in its meta_data."""
    meta = [{"key": "_refunded_item_id", "value": line}]
    return {"id": 155, "total": total, "total_tax": tax, "meta_data": meta} | changes


def refunded(connect: Connect, *refunds: dict[str, Any]) -> list[tuple[str, str, bool, list[tuple[str, str]]]]:
    """The refunds of the sample: id, money, whether it is everything, and of which line how many or how much."""
    order = map_order(connect("woocommerce"), sample() | {"refunds": list(refunds)}).order
    return [
        (
            each.id,
            str(each.money),
            each.everything,
            [(line.line, str(line.quantity or line.amount)) for line in each.lines],
        )
        for each in order.refunds
    ]


def test_a_recorded_refund_names_its_pieces_and_one_of_money_none(connect: Connect, shared: Path) -> None:
    raw = recorded(shared, "incl_multi_line.completed")
    raw["refunds"] = recorded(shared, "incl_multi_line.refunds_list")
    order, found = map_order(connect("woocommerce"), raw)
    assert found is State.REFUNDED_PART
    assert sorted((each.id, str(each.money), each.note) for each in order.refunds) == [
        ("56", "100.00", "إرجاع قميص"),
        ("57", "5.00", "تعويض بدون بنود"),
    ]
    assert [(line.line, line.quantity) for each in order.refunds for line in each.lines] == [("108", 1)]
    assert order.digest == map_order(connect("woocommerce"), recorded(shared, "incl_multi_line.created")).order.digest


def test_what_comes_back_is_told_by_its_money(connect: Connect) -> None:
    shirt, shipping = (str(sample()[group][0]["id"]) for group in ("line_items", "shipping_lines"))
    piece = returned(shirt, "-86.96", "-13.04", quantity=-1)
    half = returned(shirt, "-43.48", "-6.52", quantity=0)
    freight = returned(shipping, "-13.04", "-1.96")
    given = {"id": 1, "date_created_gmt": "2026-11-24T05:00:00", "amount": "115.00"}
    assert refunded(connect, given | {"line_items": [piece], "shipping_lines": [freight]}) == [
        ("1", "115.00", False, [(shirt, "1"), (shipping, "1")])
    ]
    assert refunded(connect, given | {"amount": "50.00", "line_items": [half]}) == [
        ("1", "50.00", False, [(shirt, "50.00")])
    ]


def test_a_refund_that_names_no_known_line_is_money(connect: Connect) -> None:
    given = {"id": 1, "date_created_gmt": "2026-11-24T05:00:00", "amount": "100.00"}
    lost = returned("999", "-86.96", "-13.04", quantity=-1)
    assert refunded(connect, given | {"line_items": [lost]}) == [("1", "100.00", False, [])]
    assert refunded(connect, given | {"amount": "0.00", "line_items": [lost]}) == []


def test_all_that_is_left_is_everything(connect: Connect) -> None:
    """The order itself lists its refunds as sums below zero, without their time."""
    assert [each[:3] for each in refunded(connect, {"id": 3, "total": "-388.59"})] == [("3", "388.59", True)]
    listed = [{"id": 2, "total": "-288.59"}, {"id": 1, "total": "-100.00"}]
    dated = [each | {"date_created_gmt": f"2026-11-2{3 + each['id']}T05:00:00"} for each in listed]
    assert [each[:3] for each in refunded(connect, *dated)] == [("1", "100.00", False), ("2", "288.59", True)]


# -- tax maps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["tax.sku.BOOK", "tax.class.zero-rate"])
def test_a_map_says_what_a_product_without_vat_is(connect: Connect, key: str) -> None:
    raw = untaxed(sample())
    raw["line_items"][-1]["sku"] = "BOOK"
    taxes = [line.tax for line in map_order(connect("woocommerce", **{key: "Z:VATEX-SA-35"}), raw).order.lines]
    assert [tax.category for tax in taxes] == ["S", "S", "S", "Z", "S"]
    assert taxes[3].reason_code == "VATEX-SA-35"


def test_a_map_is_checked_against_what_the_shop_charged(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match=r"tax\.class\.shipping says 0 %") as caught:
        map_order(connect("woocommerce", **{"tax.class.shipping": "Z:VATEX-SA-34-1"}), sample())
    assert "tax.class.shipping" in caught.value.ar
    for wrong in ("S20", "Z", "Z:VATEX-SA-29", "15"):
        with pytest.raises(Misconfigured, match=r"tax\.class\.product"):
            map_order(connect("woocommerce", **{"tax.class.product": wrong}), sample())
