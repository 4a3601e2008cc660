"""Shopify orders as the gateway understands them."""

import copy
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.connection import Connection
from gateway.errors import DoesNotClose, UnusableOrder
from gateway.invoice.facts import Invoice
from gateway.order import Order
from gateway.stores import State
from gateway.stores.shopify import map as map_order
from gateway.stores.shopify import state

Connect = Callable[..., Connection]
Close = Callable[[Order], Invoice]

ORDER: dict[str, Any] = {
    "id": 5001,
    "name": "#1001",
    "created_at": "2026-11-22T10:15:30+03:00",
    "updated_at": "2026-11-22T10:16:00+03:00",
    "currency": "SAR",
    "presentment_currency": "SAR",
    "taxes_included": True,
    "financial_status": "paid",
    "fulfillment_status": None,
    "payment_gateway_names": ["moyasar"],
    "total_price": "230.00",
    "total_tax": "30.00",
    "discount_applications": [{"type": "discount_code", "code": "EID10", "title": "العيد"}],
    "line_items": [
        {
            "id": 11,
            "product_id": 1,
            "name": "عباءة",
            "sku": "ABY-1",
            "quantity": 2,
            "price": "115.00",
            "taxable": True,
            "discount_allocations": [{"amount": "23.00", "discount_application_index": 0}],
            "tax_lines": [{"price": "27.00", "rate": 0.15}],
        }
    ],
    "shipping_lines": [
        {"id": 21, "title": "توصيل", "price": "23.00", "tax_lines": [{"price": "3.00", "rate": 0.15}]},
    ],
    "billing_address": {"first_name": "هند", "last_name": "الغامدي", "address1": "3141 شارع التحلية", "city": "جدة"},
    "shipping_address": {"address1": "3141 شارع التحلية", "city": "جدة", "zip": "23326", "country_code": "SA"},
}
BOOK: dict[str, Any] = {
    "id": 12, "product_id": 2, "name": "كتاب", "sku": "BOOK", "quantity": 1, "price": "40.00", "taxable": False,
    "tax_lines": [],
}  # fmt: skip


def sample(*more: dict[str, Any], total: str = "230.00", **changes: Any) -> dict[str, Any]:
    """The order with more line items, as a reader with exact numbers gives it."""
    order = {**copy.deepcopy(ORDER), "total_price": total, **changes}
    order["line_items"] += more
    read: dict[str, Any] = json.loads(json.dumps(order), parse_float=Decimal)
    return read


# -- lines ----------------------------------------------------------------------------------------------------


def test_prices_with_vat_and_what_a_coupon_took_off(connect: Connect, closing: Close) -> None:
    order, found = map_order(connect("shopify"), sample())
    assert found is State.PAID
    assert [(line.id, line.kind, line.quantity, str(line.unit_price), line.tax.rate) for line in order.lines] == [
        ("11", "product", 2, "115.00", 15),
        ("21", "shipping", 1, "23.00", 15),
    ]
    assert [(str(r.amount), r.origin, r.code) for r in order.lines[0].reductions] == [("23.00", "coupon", "EID10")]
    assert (order.number, order.placed_at) == ("#1001", datetime.fromisoformat("2026-11-22T10:15:30+03:00"))
    assert closing(order).vat == 30


def test_prices_without_vat(connect: Connect, closing: Close) -> None:
    raw = sample(taxes_included=False)
    raw["line_items"][0] |= {"price": "100.00", "discount_allocations": [{"amount": "20.00"}]}
    raw["shipping_lines"][0]["price"] = "20.00"
    order = map_order(connect("shopify"), raw).order
    assert not order.prices_include_tax
    assert closing(order).without_vat == 200


def test_graphql_says_the_same_in_its_own_spelling(connect: Connect) -> None:
    def money(amount: str) -> dict[str, Any]:
        return {"shopMoney": {"amount": amount, "currencyCode": "SAR"}}

    def taxes(amount: str) -> list[dict[str, Any]]:
        return [{"priceSet": money(amount), "rate": Decimal("0.15")}]

    coupon = {"__typename": "DiscountCodeApplication", "code": "EID10", "title": "العيد"}
    item = {
        "id": "gid://shopify/LineItem/11",
        "product": {"id": "gid://shopify/Product/1"},
        "name": "عباءة",
        "sku": "ABY-1",
        "quantity": 2,
        "taxable": True,
        "originalUnitPriceSet": money("115.00"),
        "discountAllocations": [{"allocatedAmountSet": money("23.00"), "discountApplication": coupon}],
        "taxLines": taxes("27.00"),
    }
    shipping = {"id": "gid://shopify/ShippingLine/21", "title": "توصيل", "originalPriceSet": money("23.00")}
    order = {
        "id": "gid://shopify/Order/5001",
        "name": "#1001",
        "createdAt": "2026-11-22T07:15:30Z",
        "currencyCode": "SAR",
        "taxesIncluded": True,
        "displayFinancialStatus": "PAID",
        "totalPriceSet": money("230.00"),
        "totalTaxSet": money("30.00"),
        "lineItems": {"nodes": [item]},
        "shippingLines": {"edges": [{"node": shipping | {"taxLines": taxes("3.00")}}]},
        "billingAddress": {"firstName": "هند", "lastName": "الغامدي"},
        "shippingAddress": {
            "address1": "3141 شارع التحلية", "city": "جدة", "zip": "23326", "countryCodeV2": "SA",
        },
    }  # fmt: skip
    mapped = map_order(connect("shopify"), {"data": {"order": order}})
    assert mapped.order.digest == map_order(connect("shopify"), sample()).order.digest
    assert mapped.state is State.PAID


def test_only_sales_agreements_say_what_was_sold_before_it_was_returned(connect: Connect, closing: Close) -> None:
    sale = {"lineType": "PRODUCT", "quantity": 2, "totalAmount": "207.00", "totalTaxAmount": "27.00"}
    sale |= {"totalDiscountAmountAfterTaxes": "23.00", "lineItem": "gid://shopify/LineItem/11"}
    back = sale | {"quantity": -1, "totalAmount": "-103.50", "totalTaxAmount": "-13.50"}
    agreements = [
        {"id": "gid://shopify/SalesAgreement/1", "reason": "ORDER", "sales": [sale]},
        {"id": "gid://shopify/SalesAgreement/2", "reason": "REFUND", "sales": [back]},
    ]
    for agreement in agreements:
        agreement["happenedAt"] = "2026-11-22T10:15:30+03:00"
    raw = sample(total="207.00", total_tax="27.00", shipping_lines=[], agreements=agreements)
    order = map_order(connect("shopify"), raw).order
    assert [(line.id, line.quantity, str(line.unit_price)) for line in order.lines] == [("11", 2, "115.00")]
    assert [(each.id, str(each.money), each.lines[0].quantity) for each in order.refunds] == [("2", "103.50", 1)]
    closing(order)


def test_the_side_in_riyals_is_read(connect: Connect, closing: Close) -> None:
    raw = sample(currency="USD", shipping_lines=[])

    def both(riyals: str) -> dict[str, Any]:
        dollars = {"amount": "1.00", "currency_code": "USD"}
        return {"shop_money": dollars, "presentment_money": {"amount": riyals, "currency_code": "SAR"}}

    raw["line_items"][0] |= {
        "price_set": both("115.00"),
        "discount_allocations": [{"amount_set": both("23.00")}],
        "tax_lines": [{"price_set": both("27.00"), "rate": Decimal("0.15")}],
    }
    raw |= {"total_price_set": both("207.00"), "total_tax_set": both("27.00")}
    assert closing(map_order(connect("shopify"), raw).order).payable == 207
    del raw["line_items"][0]["price_set"]
    with pytest.raises(UnusableOrder, match="not told in SAR"):
        map_order(connect("shopify"), raw)


def test_collection_on_delivery_a_gift_card_and_a_tip_are_lines_of_their_own(connect: Connect, closing: Close) -> None:
    fee = {"id": 13, "name": "رسوم الدفع عند الاستلام", "quantity": 1, "price": "11.50"}
    fee["tax_lines"] = [{"price": "1.50", "rate": 0.15}]
    card = {"id": 14, "product_id": 3, "name": "بطاقة", "quantity": 1, "price": "100.00", "gift_card": True}
    raw = sample(fee, card, total="346.50", total_tax="31.50", total_tip_received="5.00")
    order = map_order(connect("shopify", **{"tax.class.tip": "O:VATEX-SA-OOS:إكرامية للعاملين"}), raw).order
    assert [(line.kind, line.tax.category) for line in order.lines] == [
        ("product", "S"), ("cod_fee", "S"), ("gift_card_sale", "O"), ("shipping", "S"), ("tip", "O"),
    ]  # fmt: skip


# -- VAT ------------------------------------------------------------------------------------------------------


def test_a_product_without_vat_needs_its_map(connect: Connect, closing: Close) -> None:
    raw = sample(BOOK, total="270.00")
    with pytest.raises(UnusableOrder, match=r"كتاب.*untaxed_reason_code\.not_taxable") as caught:
        map_order(connect("shopify"), raw)
    assert "tax.sku" in caught.value.ar
    for key in ("tax.sku.BOOK", "tax.class.not_taxable"):
        order = map_order(connect("shopify", **{key: "Z:VATEX-SA-35"}), raw).order
        assert [line.tax.category for line in order.lines] == ["S", "Z", "S"]
        closing(order)


def test_a_map_does_not_overrule_the_shop(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match=r"charged 15 % VAT.*tax\.sku\.ABY-1 says 0 %"):
        map_order(connect("shopify", **{"tax.sku.ABY-1": "Z:VATEX-SA-35"}), sample())


def test_the_vat_of_all_on_one_line_is_refused(connect: Connect) -> None:
    raw = sample()
    raw["line_items"][0]["tax_lines"][0]["price"] = "30.00"
    raw["shipping_lines"][0]["tax_lines"] = []
    with pytest.raises(UnusableOrder, match=r"the VAT of the whole order \(30\.00\)"):
        map_order(connect("shopify", untaxed_reason_code="VATEX-SA-35"), raw)


@pytest.mark.parametrize(
    ("taxes", "said"),
    [
        ([{"price": "25.00", "rate": 0.15}], "15 % of 182.00 is 27.30"),
        ([{"price": "34.50", "rate": 0.2}], "20 % VAT was charged"),
        ([{"price": "27.00", "rate": 0.15}, {"price": "9.00", "rate": 0.05}], "more than one VAT rate"),
    ],
)
def test_vat_that_is_not_a_saudi_rate_of_the_line(connect: Connect, taxes: list[dict[str, Any]], said: str) -> None:
    raw = sample()
    raw["line_items"][0]["tax_lines"] = json.loads(json.dumps(taxes), parse_float=Decimal)
    with pytest.raises(UnusableOrder, match=said) as caught:
        map_order(connect("shopify"), raw)
    assert "ضريبة" in caught.value.ar


# -- what is refused ------------------------------------------------------------------------------------------


def test_everything_wrong_is_told_at_once(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match=r"test order.*in AED.*كتاب") as caught:
        map_order(
            connect("shopify"), sample(BOOK, total="270.00", test=True, currency="AED", presentment_currency="AED")
        )
    assert len(caught.value.problems) == 3


def test_duties_and_sums_that_do_not_close(connect: Connect) -> None:
    with pytest.raises(UnusableOrder, match=r"12\.00 SAR of import duties"):
        map_order(connect("shopify"), sample(original_total_duties="12.00"))
    with pytest.raises(DoesNotClose, match=r"231\.00 SAR.*230\.00 SAR"):
        map_order(connect("shopify"), sample(total="231.00"))


# -- people, payments, state ----------------------------------------------------------------------------------


def test_a_vat_number_among_the_additional_details_makes_a_business(connect: Connect) -> None:
    assert map_order(connect("shopify"), sample()).order.buyer.model_dump(exclude_defaults=True) == {
        "name": "هند الغامدي"
    }
    details = [{"name": "الرقم الضريبي", "value": "311987654300003"}, {"name": "سجل", "value": "4030123456"}]
    raw = sample(note_attributes=details)
    raw["billing_address"]["company"] = "مؤسسة هند للأزياء"
    buyer = map_order(connect("shopify", cr_number_attribute="سجل"), raw).order.buyer
    assert (buyer.kind, buyer.name, buyer.vat) == ("business", "مؤسسة هند للأزياء", "311987654300003")
    assert buyer.other_id is not None
    assert buyer.other_id.value == "4030123456"


def test_where_the_goods_go_is_kept(connect: Connect) -> None:
    place = map_order(connect("shopify"), sample()).order.ship_to
    assert place is not None
    assert (place.street, place.building, place.city, place.country) == ("شارع التحلية", "3141", "جدة", "SA")


def test_a_gift_card_pays_last(connect: Connect) -> None:
    paid = [
        {"kind": "sale", "status": "success", "gateway": gateway, "amount": amount}
        for gateway, amount in (("gift_card", "30.00"), ("bogus", "9.00"), ("stc_pay", "200.00"))
    ]
    paid[1]["status"] = "failure"
    payments = map_order(connect("shopify"), sample(transactions=paid)).order.payments
    assert [(each.method, str(each.amount)) for each in payments] == [("wallet", "200.00"), ("gift_card", "30.00")]


@pytest.mark.parametrize(
    ("financial", "fulfilment", "expected"),
    [
        ("pending", None, State.PENDING),
        ("authorized", None, State.PENDING),
        ("paid", None, State.PAID),
        ("paid", "fulfilled", State.FULFILLED),
        ("pending", "fulfilled", State.FULFILLED),
        ("partially_refunded", "fulfilled", State.REFUNDED_PART),
        ("refunded", None, State.REFUNDED),
        ("voided", None, State.CANCELLED),
    ],
)
def test_the_state_of_an_order(connect: Connect, financial: str, fulfilment: str | None, expected: State) -> None:
    raw = {"financial_status": financial, "fulfillment_status": fulfilment}
    assert state(connect("shopify"), raw) is expected
    assert state(connect("shopify"), raw | {"cancelled_at": "2026-11-22T10:15:30+03:00"}) is State.CANCELLED
    assert state(connect("shopify", **{f"status.{financial}": "draft"}), raw) is State.DRAFT


# -- refunds --------------------------------------------------------------------------------------------------


def refund(money: str | None, **changes: Any) -> dict[str, Any]:
    moved = [{"kind": "refund", "status": "success", "amount": money}] if money else []
    return {"id": 71, "created_at": "2026-11-24T09:00:00+03:00", "note": "", "transactions": moved} | changes


def one_of_two(subtotal: str = "103.50") -> list[dict[str, Any]]:
    return [{"line_item_id": 11, "quantity": 1, "subtotal": subtotal, "total_tax": "13.50"}]


def refunded(connect: Connect, given: dict[str, Any]) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """The refunds of the order: their money, whether it is everything, and of which line how many or how much."""
    raw = json.loads(json.dumps(sample(refunds=[given]), default=str), parse_float=Decimal)
    return [
        (str(each.money), each.everything, [(line.line, str(line.quantity or line.amount)) for line in each.lines])
        for each in map_order(connect("shopify"), raw).order.refunds
    ]


def test_pieces_come_back_by_their_number(connect: Connect) -> None:
    given = refund("103.50", refund_line_items=one_of_two())
    assert refunded(connect, given) == [("103.50", False, [("11", "1")])]


def test_shipping_comes_back_by_its_money(connect: Connect) -> None:
    told = [{"shipping_line": {"id": 21}, "subtotal_amount": "11.50"}]
    new = refund("115.00", refund_line_items=one_of_two(), refund_shipping_lines=told)
    assert refunded(connect, new) == [("115.00", False, [("11", "1"), ("21", "11.50")])]
    adjusted = [{"kind": "shipping_refund", "amount": "-20.00", "tax_amount": "-3.00"}]
    assert refunded(connect, refund("23.00", order_adjustments=adjusted)) == [("23.00", False, [("21", "1")])]


def test_what_is_no_number_or_no_list_is_no_crash(connect: Connect) -> None:
    given = refund("103.50", refund_line_items=[one_of_two()[0] | {"quantity": "one"}])
    with pytest.raises(UnusableOrder, match=r"refunds\[0\]\.refund_line_items\.quantity"):
        refunded(connect, given)
    assert map_order(connect("shopify"), sample(payment_gateway_names=5)).order.payments == ()


def test_money_without_lines_and_lines_without_money(connect: Connect) -> None:
    assert refunded(connect, refund("10.00")) == [("10.00", False, [])]
    assert refunded(connect, refund("230.00")) == [("230.00", True, [])]
    assert refunded(connect, refund(None, refund_line_items=one_of_two())) == []
