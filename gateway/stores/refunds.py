"""What a shop gave back, as refunds of the order: so many of a line where the money fits, else its amount, else money.

Money decides: what was only put back on the shelf is no refund.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.invoice.facts import HALALA, ZERO, round_half_up
from gateway.stores.refusals import cut
from gateway.stores.sold import Sold, total

_NEAR: Final = 2 * HALALA
"""What rounding may leave between the share of a line and the money given back for it."""


class Returned(NamedTuple):
    """What came back of a line: how many (zero if only money), and the money with VAT where the shop states it."""

    line: str
    quantity: Decimal
    amount: Decimal | None


class Back(NamedTuple):
    """One refund in the shop's figures; `money` is with VAT."""

    id: str
    at: datetime | None
    money: Decimal
    note: str = ""
    lines: tuple[Returned, ...] = ()


def refunds_of(backs: Iterable[Back], sold: Sequence[Sold], *, gross: bool) -> list[dict[str, Any]]:
    """The order's refunds, oldest first; those without money are none."""
    left, refunds = total(sold, gross=gross), []
    lines = {one.id: one for one in sold}
    for back in sorted((each for each in backs if each.money > 0), key=lambda back: (back.at is not None, back.at)):
        refunds.append(_refund(back, lines, left=left, gross=gross))
        left -= back.money
    return refunds


def _refund(back: Back, sold: Mapping[str, Sold], *, left: Decimal, gross: bool) -> dict[str, Any]:
    lines = _lines(back.lines, sold, gross=gross)
    everything = not lines and abs(back.money - left) <= _NEAR
    reason = "return" if lines else "cancellation" if everything else "change_of_price"
    return {
        "id": back.id,
        "at": back.at,
        "reason": {"code": reason},
        "lines": lines,
        "everything": everything,
        "money": round_half_up(back.money),
        "note": cut(back.note, 1000),
    }


def _lines(returned: Iterable[Returned], sold: Mapping[str, Sold], *, gross: bool) -> list[dict[str, Any]]:
    """The lines given back; none at all if one of them cannot be told, for then the money alone is certain."""
    lines = []
    for each in _merged(returned):
        of = sold.get(each.line)
        if each.amount == 0 or (of is not None and not of.paid):
            continue
        line = _line(each, of, gross=gross) if of else None
        if line is None:
            return []
        lines.append(line)
    return lines


def _merged(returned: Iterable[Returned]) -> Iterable[Returned]:
    """One entry for each line, however often the shop names it."""
    found: dict[str, Returned] = {}
    for each in returned:
        before = found.get(each.line)
        found[each.line] = each if before is None else _added(before, each)
    return found.values()


def _added(one: Returned, other: Returned) -> Returned:
    amount = None if one.amount is None or other.amount is None else one.amount + other.amount
    return Returned(one.line, one.quantity + other.quantity, amount)


def _line(returned: Returned, of: Sold, *, gross: bool) -> dict[str, Any] | None:
    """By quantity where the money is that quantity's share, else by the money; None if neither can be told."""
    whole = of.with_vat(gross=gross)
    if returned.amount is not None and abs(returned.amount - whole) <= _NEAR:
        return {"line": of.id, "quantity": of.quantity}
    share = whole * returned.quantity / of.quantity
    if returned.quantity > 0 and (returned.amount is None or abs(returned.amount - share) <= _NEAR):
        return {"line": of.id, "quantity": returned.quantity}
    if returned.amount is None or returned.amount < ZERO:
        return None
    return {"line": of.id, "amount": round_half_up(returned.amount)}
