"""Halalas: amounts split so that nothing is lost, and amounts found that add up to what was charged."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal
from typing import Final

from gateway.invoice.facts import HALALA, ONE, ZERO, Tax, round_half_up, so_many

_HALF_WITH_VAT: Final = HALALA / 2 * Decimal("1.15")


def rounding_explains(amounts: int) -> Decimal:
    """The largest gap that rounding alone leaves between so many stated amounts and their sums, rounded up: half a
    halala, with its VAT, for each, and one halala for the sums."""
    return (HALALA + _HALF_WITH_VAT * amounts).quantize(HALALA, ROUND_CEILING)


def allocate(total: Decimal, shares: Sequence[Decimal]) -> list[Decimal]:
    """`total` (two decimals, not negative) split in proportion to `shares`, exact to the halala.

    By largest remainder; among equals the earlier wins; a share of zero gets nothing. The parts add up to `total`.
    """
    whole = sum(shares, ZERO)
    if not whole:
        assert not total, "nothing to split it over"
        return [ZERO for _ in shares]
    exact = [total * share / whole for share in shares]
    parts = [amount.quantize(HALALA, ROUND_DOWN) for amount in exact]
    missing = int((total - sum(parts, ZERO)) / HALALA)
    by_remainder = sorted((i for i, share in enumerate(shares) if share), key=lambda i: parts[i] - exact[i])
    for i in by_remainder[:missing]:
        parts[i] += HALALA
    return parts


def taxable_within(gross: Decimal, tax: Tax) -> Decimal:
    """The taxable amount whose VAT on top comes to `gross`, or as near as halalas allow."""
    nearest = round_half_up(gross / (1 + tax.rate / 100))
    candidates = (nearest, nearest - HALALA, nearest + HALALA)
    return min(candidates, key=lambda taxable: abs(gross - taxable - tax.of(taxable)))


def unit_price(amount: Decimal, quantity: Decimal, base_quantity: Decimal = ONE) -> Decimal:
    """The shortest net price of `base_quantity`, of two decimals or more, of which `quantity` rounds to `amount`
    (BT-146)."""
    exact = amount * base_quantity / quantity
    for decimals in range(2, 28):
        price = round(exact, decimals)
        if comes_to(amount, price, quantity, base_quantity):
            return price
    raise AssertionError(f"no unit price gives {amount} for {quantity}")


def comes_to(amount: Decimal, price: Decimal, quantity: Decimal, base_quantity: Decimal = ONE) -> bool:
    """Whether so many at that price round to the amount."""
    return round_half_up(so_many(quantity, price, base_quantity)) == amount
