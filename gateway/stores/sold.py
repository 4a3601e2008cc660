"""What a shop charged for, in its own figures, and the arithmetic that all shops share.

A platform's module turns its order into `Sold`; whether the VAT fits the rate, which rate explains a VAT that comes
without one, and whether everything adds up to the shop's total is judged here, once.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from gateway.errors import UnusableOrder
from gateway.invoice.facts import HALALA, ZERO
from gateway.stores.raw import each, unusable
from gateway.stores.refusals import Problems
from gateway.stores.store import MAX_GAP, check_closes
from gateway.stores.untaxed import RATES, Supply, tax_of


class Sold(NamedTuple):
    """One line of a shop's order. `before` and `paid` (before and after reductions, for the whole quantity) are with
    VAT where the shop's prices are; `tax` is the VAT charged on `paid`; `percent` its rate, None if not named."""

    supply: Supply
    id: str
    quantity: Decimal
    before: Decimal
    paid: Decimal
    tax: Decimal
    percent: Decimal | None = None
    reductions: tuple[Mapping[str, Any], ...] = ()

    def net(self, *, gross: bool) -> Decimal:
        """What was paid, without VAT."""
        return self.paid - self.tax if gross else self.paid

    def with_vat(self, *, gross: bool) -> Decimal:
        """What was paid, with VAT."""
        return self.paid if gross else self.paid + self.tax


def reduced(before: Decimal, paid: Decimal, origin: str, code: str = "") -> tuple[dict[str, Any], ...]:
    """The one reduction between two amounts; none if there is none."""
    return ({"amount": before - paid, "origin": origin, "code": code},) if before > paid else ()


def total(sold: Iterable[Sold], *, gross: bool) -> Decimal:
    """What the buyer pays for it, with VAT."""
    return sum((one.with_vat(gross=gross) for one in sold), ZERO)


def check_total(number: str, sold: Sequence[Sold], declared: Decimal, currency: str, *, gross: bool) -> None:
    """DoesNotClose if the lines do not add up to the shop's own total with VAT."""
    check_closes(number, declared, total(sold, gross=gross), currency)


def lines_of(settings: Mapping[str, str], sold: Sequence[Sold], *, gross: bool) -> list[dict[str, Any]]:
    """The order's lines; UnusableOrder lists every one whose VAT cannot be what the shop says."""
    problems, lines = Problems(), []
    for one in sold:
        with problems.noted():
            lines.append(_line(settings, one, sold, gross=gross))
    problems.refuse()
    return lines


def _line(settings: Mapping[str, str], one: Sold, sold: Sequence[Sold], *, gross: bool) -> dict[str, Any]:
    supply = one.supply
    return {
        "id": one.id,
        "kind": supply.kind,
        "name": supply.name,
        "sku": supply.sku,
        "quantity": one.quantity,
        "unit_price": each(one.before, one.quantity),
        "reductions": [*one.reductions],
        "tax": tax_of(settings, supply, _rate(one, sold, gross=gross)),
    }


# -- VAT ------------------------------------------------------------------------------------------------------


def fits(tax: Decimal, net: Decimal, percent: Decimal, quantity: Decimal = Decimal(1)) -> bool:
    """Whether `tax` is `percent` of `net`, but for what rounding leaves: shops round lines, pieces or sums."""
    return abs(tax - net * percent / 100) <= MAX_GAP + HALALA / 2 * abs(quantity)


def explaining(tax: Decimal, net: Decimal, quantity: Decimal = Decimal(1)) -> Decimal:
    """The rate in percent by which `tax` was charged on `net`: a Saudi one if one fits, else the bare quotient."""
    if not tax or not net:
        return Decimal(0)
    nearest = min(RATES, key=lambda rate: abs(tax - net * rate / 100))
    return nearest if fits(tax, net, nearest, quantity) else round(tax / net * 100, 2)


def _rate(one: Sold, sold: Sequence[Sold], *, gross: bool) -> Decimal | None:
    net = one.net(gross=gross)
    if not one.paid and not one.tax and not one.percent:
        return _rate_of_the_others(one, sold, gross=gross)
    percent = _percent(one, gross=gross)
    # A rate that Saudi VAT does not have is refused as such, whatever its VAT.
    if (not percent or percent in RATES) and not fits(one.tax, net, percent, one.quantity):
        raise _misfit(one, sold, percent, gross=gross)
    return percent


def _percent(one: Sold, *, gross: bool) -> Decimal:
    return explaining(one.tax, one.net(gross=gross), one.quantity) if one.percent is None else one.percent


def _rate_of_the_others(one: Sold, sold: Sequence[Sold], *, gross: bool) -> Decimal | None:
    """What cost nothing was charged at no rate: it goes with the rest of the order if that has one rate only."""
    others = (other for other in sold if other.supply.kind != "gift_card_sale" and (other.paid or other.percent))
    rates = {_percent(other, gross=gross) for other in others}
    return rates.pop() if len(rates) == 1 else None


def _misfit(one: Sold, sold: Sequence[Sold], percent: Decimal, *, gross: bool) -> UnusableOrder:
    if _is_everyones(one, sold, percent):
        return unusable(
            one.supply.place,
            f"the VAT of the whole order ({one.tax:.2f}) was put on {one.supply.name!r} alone, as third-party"
            " checkouts do",
            fix="Let the checkout tell the shop the VAT of each line, or send the order through the API.",
            ar=f"وضعت ضريبة الطلب كله ({one.tax:.2f}) على البند «{one.supply.name}» وحده، كما تفعل بعض صفحات الدفع"
            " الخارجية. اضبطها لترسل ضريبة كل بند.",
        )
    net = one.net(gross=gross)
    return unusable(
        one.supply.place,
        f"the VAT of {one.supply.name!r} is {one.tax:.2f} by the shop, but {percent.normalize():f} % of {net:.2f} is"
        f" {net * percent / 100:.2f}",
        fix="Recalculate the order in the shop, or correct its tax rate.",
        ar=f"ضريبة البند «{one.supply.name}» في المتجر {one.tax:.2f}، بينما {percent.normalize():f}% من {net:.2f} تساوي"
        f" {net * percent / 100:.2f}. أعد احتساب الطلب في المتجر.",
    )


def _is_everyones(one: Sold, sold: Sequence[Sold], percent: Decimal) -> bool:
    """Whether the line carries the VAT of all lines, on prices with VAT or without; the others then carry none."""
    if len(sold) < 2 or any(other.tax for other in sold if other is not one):
        return False
    whole, quantity = sum((other.paid for other in sold), ZERO), sum((other.quantity for other in sold), ZERO)
    return any(fits(one.tax, net, percent, quantity) for net in (whole, whole / (1 + percent / 100)))
