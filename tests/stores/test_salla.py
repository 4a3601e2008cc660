"""Salla orders as the gateway understands them."""

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
from gateway.errors import DoesNotClose, UnusableOrder
from gateway.order import Order
from gateway.stores import State
from gateway.stores.salla import map as map_order
from gateway.stores.salla import state

Connect = Callable[..., Connection]

NO_VAT = "may not be registered for VAT"
RECORDED = {
    "webhook.order.created.vat15.real-2025": State.PENDING,
}
RECORDED_WITHOUT_VAT = {
    "webhook.order.created.discount-no-vat.docs": State.PENDING,
    "webhook.order.created.payment_pending.real-2022": State.PENDING,
    "webhook.order.created.qty2-sale-price.sanitized-live-2026": State.PENDING,
}
NOT_WHOLE = {
    "api.invoices.create.docs",
    "api.invoices.list.docs",
    "api.order-amounts.multi-currency.docs",
    "api.order-details.light.coupon-vat15.docs",
    "api.orders.list.docs",
    "webhook.invoice.created.two-lines-vat15.docs-2025",
    "webhook.order.status.updated.shape.docs-kit",
}


def recorded(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "payloads" / "salla" / f"{name}.json"
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return raw


def sample(name: str = "coupon_before") -> dict[str, Any]:
    return copy.deepcopy(demo.orders("salla")[name])


def decimal(raw: dict[str, Any]) -> dict[str, Any]:
    """As `fetch` reads it: no floats."""
    read: dict[str, Any] = json.loads(json.dumps(raw), parse_float=Decimal)
    return read


def net(order: Order) -> Decimal:
    """What the lines come to without VAT."""
    lines = sum((line.quantity * line.unit_price for line in order.lines), Decimal(0))
    off = [*order.reductions, *(reduction for line in order.lines for reduction in line.reductions)]
    return lines - sum((reduction.amount for reduction in off), Decimal(0))


# -- recorded bodies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_orders_map_to_what_the_shop_charged(connect: Connect, shared: Path, name: str) -> None:
    order, found = map_order(connect("salla"), recorded(shared, name))
    assert found is RECORDED[name]
    assert order.declared.tax is not None
    assert net(order) + order.declared.tax == order.declared.grand


@pytest.mark.parametrize("name", RECORDED_WITHOUT_VAT)
def test_a_shop_without_vat_needs_a_reason(connect: Connect, shared: Path, name: str) -> None:
    raw = recorded(shared, name)
    with pytest.raises(UnusableOrder, match=NO_VAT) as caught:
        map_order(connect("salla"), raw)
    assert "مسجلا" in caught.value.ar
    order, found = map_order(connect("salla", untaxed_reason_code="VATEX-SA-35"), raw)
    assert found is RECORDED_WITHOUT_VAT[name]
    assert net(order) == order.declared.grand
    assert {line.tax.category for line in order.lines} == {"Z"}


@pytest.mark.parametrize("name", sorted(NOT_WHOLE))
def test_lists_and_events_without_items_are_refused(connect: Connect, shared: Path, name: str) -> None:
    with pytest.raises(UnusableOrder, match="not an order with its items"):
        map_order(connect("salla"), recorded(shared, name))


def test_every_recorded_body_is_judged_above(shared: Path) -> None:
    found = {path.stem for path in (shared / "payloads" / "salla").glob("*.json")}
    assert found == RECORDED.keys() | RECORDED_WITHOUT_VAT.keys() | NOT_WHOLE


def test_the_documented_totals_close_after_the_discount(connect: Connect, shared: Path) -> None:
    raw = recorded(shared, "api.order-details.light.coupon-vat15.docs")["data"]
    price = {"price_without_tax": 265, "tax": {"percent": "15.00"}}
    raw["items"] = [{"id": 1, "name": "منتج", "quantity": 1, "amounts": price}]
    order = map_order(connect("salla"), raw).order
    assert [str(r.amount) for r in order.reductions] == ["15.00"]
    assert net(order) == Decimal("263.04")


# -- shapes ---------------------------------------------------------------------------------------------------


def test_the_order_is_found_in_every_shape_it_comes_in(connect: Connect) -> None:
    raw = decimal(sample())
    shapes = [
        raw,
        {"status": 200, "success": True, "data": raw},
        {"event": "order.created", "merchant": 1, "data": raw},
        {"event": "order.status.updated", "data": {"id": 5, "status": "تم التنفيذ", "order": raw}},
    ]
    assert len({map_order(connect("salla"), shape) for shape in shapes}) == 1


def test_amounts_may_be_numbers_or_strings(connect: Connect) -> None:
    raw = decimal(sample())
    text = json.loads(json.dumps(sample()), parse_float=str, parse_int=str)
    text["id"], text["reference_id"] = raw["id"], raw["reference_id"]
    assert map_order(connect("salla"), raw).order.digest == map_order(connect("salla"), text).order.digest


# -- sums -----------------------------------------------------------------------------------------------------


def test_a_discount_still_to_be_taken_off(connect: Connect) -> None:
    order = map_order(connect("salla"), decimal(sample("coupon_before"))).order
    assert [(str(r.amount), r.origin, r.code, r.reason) for r in order.reductions] == [
        ("25.50", "coupon", "MAWSIM10", "خصم الموسم")
    ]
    assert net(order) == Decimal("249.50")


def test_a_discount_already_taken_off_the_subtotal(connect: Connect) -> None:
    order = map_order(connect("salla"), decimal(sample("coupon_inside"))).order
    assert [str(r.amount) for r in order.reductions] == ["24.00"]
    assert net(order) == Decimal("231.00")


def test_a_discount_already_inside_the_prices(connect: Connect) -> None:
    raw = decimal(sample("coupon_inside"))
    raw["items"][0]["amounts"]["price_without_tax"]["amount"] = "156.00"
    order = map_order(connect("salla"), raw).order
    assert order.reductions == ()
    assert net(order) == Decimal("231.00")


def test_a_discount_told_on_items_and_order_counts_once(connect: Connect) -> None:
    raw = decimal(sample("coupon_before"))
    raw["items"][0]["amounts"]["total_discount"]["amount"] = "16.00"
    raw["items"][1]["amounts"]["total_discount"]["amount"] = "9.50"
    order = map_order(connect("salla"), raw).order
    assert order.reductions == ()
    assert [[str(r.amount) for r in line.reductions] for line in order.lines] == [["16.00"], ["9.50"], []]
    assert net(order) == Decimal("249.50")


def test_different_discounts_on_items_and_order_both_count(connect: Connect) -> None:
    raw = decimal(sample("coupon_before"))
    raw["items"][0]["amounts"]["total_discount"]["amount"] = 10
    raw["amounts"]["sub_total"]["amount"] = 245
    raw["amounts"]["tax"]["amount"]["amount"] = "35.93"
    raw["amounts"]["total"]["amount"] = "275.43"
    order = map_order(connect("salla"), raw).order
    assert [str(r.amount) for r in order.reductions] == ["25.50"]
    assert net(order) == Decimal("239.50")


def test_a_discount_on_shipping_belongs_to_the_shipping_line(connect: Connect) -> None:
    order = map_order(connect("salla"), decimal(sample("free_shipping"))).order
    shipping = order.lines[-1]
    assert (shipping.kind, shipping.unit_price, [str(r.amount) for r in shipping.reductions]) == (
        "shipping",
        18,
        ["18.00"],
    )
    assert order.reductions == ()


def test_a_discount_on_goods_and_shipping_is_split_between_them(connect: Connect) -> None:
    raw = decimal(sample("coupon_before"))
    raw["amounts"]["discounts"][0]["discounted_shipping"] = "5.50"
    order = map_order(connect("salla"), raw).order
    assert [str(r.amount) for r in order.reductions] == ["20.00"]
    assert [str(r.amount) for line in order.lines for r in line.reductions] == ["5.50"]
    assert net(order) == Decimal("249.50")


@pytest.mark.parametrize(("total", "closes"), [("286.98", True), ("286.99", False)])
def test_five_halalas_are_rounding_and_six_are_not(connect: Connect, total: str, closes: bool) -> None:
    raw = decimal(sample("coupon_before"))
    raw["amounts"]["total"]["amount"] = total
    if closes:
        assert map_order(connect("salla"), raw).order.declared.grand == Decimal(total)
    else:
        with pytest.raises(DoesNotClose):
            map_order(connect("salla"), raw)


def test_shipping_and_collection_on_delivery_are_net_lines(connect: Connect) -> None:
    order = map_order(connect("salla"), decimal(sample("cash_on_delivery"))).order
    assert [(line.kind, str(line.unit_price), line.tax.rate) for line in order.lines] == [
        ("product", "130.43", 15),
        ("shipping", "21.74", 15),
        ("cod_fee", "8.7", 15),
    ]


def test_options_are_inside_the_price_and_the_price_is_for_one(connect: Connect) -> None:
    order = map_order(connect("salla"), decimal(sample("options_quantity"))).order
    assert [(line.quantity, str(line.unit_price)) for line in order.lines] == [(2, "149.5")]


def test_totals_that_close_in_neither_way_show_both_sums(connect: Connect) -> None:
    with pytest.raises(DoesNotClose, match=r"268\.00 SAR.*253\.00 SAR") as caught:
        map_order(connect("salla"), decimal(sample("does_not_close")))
    assert "268.00" in caught.value.ar


def test_items_that_do_not_come_to_the_subtotal_are_not_guessed_at(connect: Connect) -> None:
    raw = decimal(sample())
    raw["items"].pop()
    with pytest.raises(DoesNotClose, match=r"229\.50 SAR"):
        map_order(connect("salla"), raw)


def test_an_item_without_vat_among_taxed_ones_needs_its_reason(connect: Connect) -> None:
    raw = decimal(sample())
    raw["items"][1]["amounts"]["tax"] = {"percent": "0.00", "amount": 0}
    with pytest.raises(UnusableOrder, match="شال حرير"):
        map_order(connect("salla"), raw)
    lines = map_order(connect("salla", untaxed_reason_code="VATEX-SA-35"), raw).order.lines
    assert [line.tax.category.value for line in lines] == ["S", "Z", "S"]


def test_a_map_says_what_an_item_without_vat_is(connect: Connect) -> None:
    raw = decimal(sample())
    raw["items"][1] |= {"sku": "SHAL"}
    raw["items"][1]["amounts"]["tax"] = {"percent": "0.00", "amount": 0}
    lines = map_order(connect("salla", **{"tax.sku.SHAL": "Z:VATEX-SA-35"}), raw).order.lines
    assert [line.tax.category.value for line in lines] == ["S", "Z", "S"]
    with pytest.raises(UnusableOrder, match=r"tax\.class\.product says 0 %"):
        map_order(connect("salla", **{"tax.class.product": "Z:VATEX-SA-35"}), raw)


def test_a_shop_without_vat_may_map_all_it_sells(connect: Connect, shared: Path) -> None:
    raw = recorded(shared, "webhook.order.created.qty2-sale-price.sanitized-live-2026")
    order = map_order(connect("salla", **{"tax.class.product": "E:VATEX-SA-30"}), raw).order
    assert {line.tax.category.value for line in order.lines} == {"E"}


def test_other_currencies_need_a_rate(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match="USD"):
        map_order(connect("salla"), decimal(sample() | {"currency": "USD"}))


def test_an_order_from_abroad_carries_the_rate_that_the_shop_tells(connect: Connect, closing: Any) -> None:
    raw = json.loads(json.dumps(sample()).replace('"SAR"', '"USD"'), parse_float=Decimal)
    raw["exchange_rate"] = {"base_currency": "SAR", "exchange_currency": "USD", "rate": "0.25"}
    order = map_order(connect("salla"), raw).order
    assert order.fx is not None
    assert (order.currency, order.fx.rate) == ("USD", 4)
    closing(order)
    for other in ({"exchange_currency": "EUR"}, {"base_currency": "USD"}, {"rate": 0}):
        with pytest.raises(UnusableOrder, match="USD"):
            map_order(connect("salla"), raw | {"exchange_rate": raw["exchange_rate"] | other})


# -- time, people, state --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Asia/Riyadh", "2026-11-22T10:15:30+03:00"), ("UTC", "2026-11-22T13:15:30+03:00")],
)
def test_naive_times_are_in_the_zone_they_name(connect: Connect, zone: str, expected: str) -> None:
    raw = decimal(sample())
    raw["date"]["timezone"] = zone
    assert map_order(connect("salla"), raw).order.placed_at == datetime.fromisoformat(expected)


def test_a_zone_that_does_not_exist_is_named(connect: Connect) -> None:
    raw = decimal(sample())
    raw["date"]["timezone"] = "Asia/Atlantis"
    with pytest.raises(UnusableOrder, match="Atlantis"):
        map_order(connect("salla"), raw)


def test_a_business_is_found_where_the_settings_say(connect: Connect) -> None:
    raw = decimal(sample())
    raw["company"] = {"name": "مؤسسة الشاطئ", "vat": "311987654300003", "cr": "2050123456"}
    assert map_order(connect("salla"), raw).order.buyer.model_dump(exclude_defaults=True) == {"name": "أمل الرشيد"}
    paths = {"vat_number_path": "company.vat", "company_name_path": "company.name", "cr_number_path": "company.cr"}
    buyer = map_order(connect("salla", **paths), raw).order.buyer
    assert (buyer.kind, buyer.name, buyer.vat) == ("business", "مؤسسة الشاطئ", "311987654300003")
    assert buyer.other_id is not None
    assert buyer.other_id.value == "2050123456"
    assert buyer.address is not None
    assert (buyer.address.street, buyer.address.building, buyer.address.district) == ("شارع الخليج", "4821", "الشاطئ")
    raw["company"] = None
    assert map_order(connect("salla", **paths), raw).order.buyer.vat is None


@pytest.mark.parametrize(
    ("slug", "method", "pending", "expected"),
    [
        ("payment_pending", "waiting", True, State.PENDING),
        ("under_review", "mada", False, State.PAID),
        ("under_review", "mada", True, State.PENDING),
        ("under_review", "bank", False, State.PENDING),
        ("in_progress", "bank", False, State.PAID),
        ("in_progress", "cod", False, State.PENDING),
        ("shipped", "cod", False, State.PENDING),
        ("delivered", "cod", False, State.FULFILLED),
        ("completed", "mada", False, State.FULFILLED),
        ("canceled", "mada", False, State.CANCELLED),
        ("restored", "mada", False, State.REFUNDED),
    ],
)
def test_the_state_of_an_order(connect: Connect, slug: str, method: str, pending: bool, expected: State) -> None:
    raw = {"status": {"slug": slug, "name": "?"}, "payment_method": method, "is_pending_payment": pending}
    assert state(connect("salla"), raw) is expected


@pytest.mark.parametrize(("refunded", "expected"), [("0", "fulfilled"), (50, "refunded_part"), ("286.93", "refunded")])
def test_money_given_back_shows_in_the_state(connect: Connect, refunded: object, expected: str) -> None:
    raw = decimal(sample())
    raw["payment_actions"]["refund_action"]["refund_amount"]["amount"] = refunded
    assert state(connect("salla"), raw) == expected


def test_a_growing_part_is_the_same_refund_with_other_content(connect: Connect) -> None:
    """So that a sum credited once is not credited again within a larger one."""
    found = []
    for refunded in (50, 80, "286.93"):
        raw = decimal(sample())
        raw["payment_actions"]["refund_action"]["refund_amount"]["amount"] = refunded
        found.append(map_order(connect("salla"), raw).order.refunds[0])
    assert [(each.id, each.money) for each in found] == [("money", 50), ("money", 80), ("everything", None)]


@pytest.mark.parametrize(("refunded", "everything"), [(50, False), ("286.93", True)])
def test_money_given_back_is_one_refund_without_lines(connect: Connect, refunded: object, everything: bool) -> None:
    raw = decimal(sample())
    assert map_order(connect("salla"), raw).order.refunds == ()
    raw["payment_actions"]["refund_action"]["refund_amount"]["amount"] = refunded
    (refund,) = map_order(connect("salla"), raw).order.refunds
    assert (refund.everything, refund.lines) == (everything, ())
    assert everything or refund.money == 50


def test_drafts_and_the_settings_own_statuses(connect: Connect) -> None:
    assert state(connect("salla"), decimal(sample() | {"draft": True})) is State.DRAFT
    raw = decimal(sample() | {"status": {"slug": "in_progress"}})
    assert state(connect("salla", **{"status.in_progress": "pending"}), raw) is State.PENDING


@pytest.mark.parametrize(
    ("method", "expected"),
    [("mada", "card"), ("bank", "bank"), ("stc_pay", "wallet"), ("tamara_installment", "other"), ("waiting", None)],
)
def test_payment_methods(connect: Connect, method: str, expected: str | None) -> None:
    payments = map_order(connect("salla"), decimal(sample() | {"payment_method": method})).order.payments
    assert [payment.method for payment in payments] == ([expected] if expected else [])
