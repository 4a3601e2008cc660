"""The arithmetic that all shops share: whatever was sold closes to the halala, and refunds never exceed it."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DoesNotClose, Misconfigured, UnusableOrder
from gateway.invoice.facts import HALALA, Invoice, round_half_up
from gateway.order import Order, read_order
from gateway.stores.refunds import Back, Returned, refunds_of
from gateway.stores.sold import Sold, check_total, explaining, lines_of, reduced, total
from gateway.stores.untaxed import Supply, tax_of

Close = Callable[[Order], Invoice]

MOMENT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
MONEY = st.integers(1, 1_000_000).map(lambda halalas: halalas * HALALA)


def as_shops_do(index: int, *, quantity: int, price: Decimal, off: int, rate: int, gross: bool) -> Sold:
    """A line whose VAT the shop rounds by itself, after `off` percent."""
    before = price * quantity
    paid = before - round_half_up(before * off / 100)
    tax = round_half_up(paid * rate / (100 + rate if gross else 100))
    supply = Supply(f"lines[{index}]", f"بند {index}")
    line = str(index + 1)
    return Sold(supply, line, Decimal(quantity), before, paid, tax, Decimal(rate), reduced(before, paid, "coupon", "X"))


@st.composite
def baskets(draw: st.DrawFn) -> tuple[list[Sold], bool]:
    """Lines as one shop would charge them, all with VAT in their prices or all without."""
    gross = draw(st.booleans())
    count = draw(st.integers(1, 12))
    sold = [
        as_shops_do(
            index,
            quantity=draw(st.integers(1, 30)),
            price=draw(MONEY),
            off=draw(st.integers(0, 99)),
            rate=draw(st.sampled_from((15, 5))),
            gross=gross,
        )
        for index in range(count)
    ]
    return sold, gross


def order_of(sold: list[Sold], *, gross: bool, **more: Any) -> Order:
    tax = sum((one.tax for one in sold), Decimal(0))
    whole = total(sold, gross=gross)
    check_total("1", sold, whole, "SAR", gross=gross)
    return read_order(
        {
            "connection": "shop-1",
            "id": "1",
            "placed_at": MOMENT,
            "prices_include_tax": gross,
            "lines": lines_of({}, sold, gross=gross),
            "declared": {"grand": whole, "tax": tax},
            **more,
        }
    )


@given(baskets())
def test_whatever_a_shop_charges_is_what_the_buyer_pays(closing: Close, basket: tuple[list[Sold], bool]) -> None:
    sold, gross = basket
    invoice = closing(order_of(sold, gross=gross))
    assert invoice.payable == total(sold, gross=gross)


@given(baskets())
def test_a_rate_that_nobody_names_is_found_again(basket: tuple[list[Sold], bool]) -> None:
    sold, gross = basket
    told = lines_of({}, sold, gross=gross)
    # What VAT of less than half a riyal is of, rounding does not tell.
    clear = [one if one.net(gross=gross) < 10 else one._replace(percent=None) for one in sold]
    assert lines_of({}, clear, gross=gross) == told


@given(baskets(), st.data())
def test_pieces_come_back_by_their_number_and_odd_money_by_itself(
    basket: tuple[list[Sold], bool], data: st.DataObject
) -> None:
    sold, gross = basket
    one = data.draw(st.sampled_from([each for each in sold if each.paid] or sold))
    count = data.draw(st.integers(1, int(one.quantity)))
    share = round_half_up(one.with_vat(gross=gross) * count / one.quantity)
    back = Back("R", MOMENT, max(share, HALALA), lines=(Returned(one.id, Decimal(count), share),))
    (refund,) = refunds_of([back], sold, gross=gross)
    order = order_of(sold, gross=gross, refunds=[refund])
    assert all(each.line == one.id and (each.quantity or each.amount) for each in order.refunds[0].lines)
    assert all((each.quantity or 0) <= one.quantity for each in order.refunds[0].lines)


def test_money_that_is_no_share_of_the_pieces_is_an_amount() -> None:
    sold = [as_shops_do(0, quantity=2, price=Decimal("115.00"), off=0, rate=15, gross=True)]
    back = Back("R", MOMENT, Decimal("50.00"), lines=(Returned("1", Decimal(1), Decimal("50.00")),))
    (refund,) = refunds_of([back], sold, gross=True)
    assert refund["lines"] == [{"line": "1", "amount": Decimal("50.00")}]


def test_a_line_that_nobody_sold_leaves_the_money_alone() -> None:
    sold = [as_shops_do(0, quantity=2, price=Decimal("115.00"), off=0, rate=15, gross=True)]
    back = Back("R", MOMENT, Decimal("50.00"), lines=(Returned("7", Decimal(1), Decimal("50.00")),))
    (refund,) = refunds_of([back], sold, gross=True)
    assert (refund["lines"], refund["reason"]) == ([], {"code": "change_of_price"})


def test_money_that_gives_back_the_rest_is_everything_and_restocking_is_nothing() -> None:
    sold = [as_shops_do(0, quantity=2, price=Decimal("115.00"), off=0, rate=15, gross=True)]
    first, rest = Back("1", MOMENT, Decimal("30.00")), Back("2", MOMENT, Decimal("200.00"))
    shelf = Back("3", MOMENT, Decimal(0), lines=(Returned("1", Decimal(1), Decimal("115.00")),))
    refunds = refunds_of([first, rest, shelf], sold, gross=True)
    assert [(each["id"], each["everything"]) for each in refunds] == [("1", False), ("2", True)]


@pytest.mark.parametrize(
    ("tax", "net", "rate"),
    [("3.00", "20.00", "15"), ("1.00", "20.00", "5"), ("4.80", "20.00", "24.00"), ("0", "20.00", "0"), ("0", "0", "0")],
)
def test_the_rate_that_explains_a_vat(tax: str, net: str, rate: str) -> None:
    assert explaining(Decimal(tax), Decimal(net)) == Decimal(rate)


def test_sums_that_differ_are_shown() -> None:
    sold = [as_shops_do(0, quantity=1, price=Decimal("10.00"), off=0, rate=15, gross=True)]
    with pytest.raises(DoesNotClose, match=r"10\.06 SAR.*10\.00 SAR"):
        check_total("7", sold, Decimal("10.06"), "SAR", gross=True)


# -- categories -----------------------------------------------------------------------------------------------

BOOK = Supply("items[0]", "كتاب", sku="BOOK-1", tax_class="reduced")


@pytest.mark.parametrize(
    ("settings", "rate", "expected"),
    [
        ({"tax.sku.BOOK-1": "Z:VATEX-SA-35"}, "0", ("Z", "VATEX-SA-35")),
        ({"tax.class.reduced": "E:VATEX-SA-30"}, "0", ("E", "VATEX-SA-30")),
        ({"tax.class.reduced": "S15", "tax.sku.BOOK-1": "O:VATEX-SA-OOS"}, "0", ("O", "VATEX-SA-OOS")),
        ({"tax.class.reduced": "S15"}, "15", ("S", None)),
        ({"tax.class.reduced": "S5"}, None, ("S", None)),
        ({"untaxed_reason_code": "VATEX-SA-32"}, "0", ("Z", "VATEX-SA-32")),
    ],
)
def test_a_map_says_what_a_rate_of_zero_is(
    settings: dict[str, str], rate: str | None, expected: tuple[str, str | None]
) -> None:
    tax = tax_of(settings, BOOK, None if rate is None else Decimal(rate))
    assert (tax["category"], tax.get("reason_code")) == expected


def test_a_map_may_bring_its_reason_in_words() -> None:
    tax = tax_of({"tax.sku.BOOK-1": "Z:VATEX-SA-ROYALDECREE:By decree | بأمر ملكي"}, BOOK, Decimal(0))
    assert tax["reason"] == "By decree | بأمر ملكي"


@pytest.mark.parametrize(("value", "rate"), [("S15", "0"), ("S5", "15"), ("Z:VATEX-SA-35", "15")])
def test_a_map_that_contradicts_the_shop_shows_both_rates(value: str, rate: str) -> None:
    with pytest.raises(UnusableOrder, match=rf"charged {rate} % VAT.*tax\.sku\.BOOK-1 says \d+ %") as caught:
        tax_of({"tax.sku.BOOK-1": value}, BOOK, Decimal(rate))
    assert f"{rate}%" in caught.value.ar


@pytest.mark.parametrize("value", ["S10", "Z", "Z:VATEX-SA-30", "E:VATEX-SA-99", "15", ""])
def test_a_map_that_means_nothing_is_a_wrong_setting(value: str) -> None:
    with pytest.raises(Misconfigured, match=r"tax\.sku\.BOOK-1"):
        tax_of({"tax.sku.BOOK-1": value}, BOOK, Decimal(0))


def test_gift_cards_and_tips_by_what_they_are() -> None:
    card, tip = (Supply("items[0]", kind, kind=kind) for kind in ("gift_card_sale", "tip"))
    assert tax_of({}, card, Decimal(0))["reason_code"] == "VATEX-SA-OOS"
    assert tax_of({"tips": "out_of_scope"}, tip, Decimal(0))["reason_code"] == "VATEX-SA-OOS"
    with pytest.raises(UnusableOrder, match="sold without VAT"):
        tax_of({}, tip, Decimal(0))
