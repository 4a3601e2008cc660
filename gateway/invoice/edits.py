"""An order that was edited after its invoice: what the buyer gets back, and what is charged beyond it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from gateway.errors import Conflict
from gateway.invoice.arithmetic import allocate
from gateway.invoice.facts import ONE, ZERO, round_half_up
from gateway.invoice.from_order import charged_for
from gateway.invoice.policy import Policy, decide
from gateway.order import Addition, Order, OrderLine, OrderReduction, Reason, Refund, RefundLine

_MAY_CHANGE = frozenset("version payments refunds lines reductions declared note number placed_at ship_to".split())
"""What of an order may differ and still be told by notes."""
_REASON = Reason(code="change_of_supply")


class Edit(NamedTuple):
    """The notes that an edit calls for; none where what was sold is worth the same."""

    refund: Refund | None
    addition: Addition | None


def edit_id(after: Order) -> str:
    """What the notes of an edit are called: the same for the same outcome."""
    return f"edit-{after.digest[:16]}"


def edited(before: Order, after: Order, policy: Policy) -> Edit:
    """What is to be given back of an invoiced order and charged beyond it; Conflict if no note can tell the change."""
    _comparable(before, after)
    old, new = _worth(before, policy), _worth(after, policy)
    back = [*_taken_back(before, old, new)]
    beyond = [*_beyond(after, old, new)]
    name = edit_id(after)
    return Edit(
        Refund(id=name, reason=_REASON, lines=tuple(back), money=_money(before, old, new)) if back else None,
        Addition(id=name, reason=_REASON, lines=tuple(beyond)) if beyond else None,
    )


class _Worth(NamedTuple):
    """A line, and what the buyer pays for it after all reductions, as the shop prices it."""

    line: OrderLine
    amount: Decimal

    @property
    def each(self) -> Decimal:
        return self.amount / self.line.quantity


def _worth(order: Order, policy: Policy) -> dict[str, _Worth]:
    """The lines that are invoiced, by id. What lowers the whole order lowers each in proportion; lines below zero lower
    the whole."""
    elsewhere = {item.line.id for item in decide(order, policy).items if item.left_out}
    charged = [charged_for(line) for line in order.lines]
    off = sum((round_half_up(each.amount) for each in order.reductions), ZERO) - sum(
        (amount for amount in charged if amount < 0), ZERO
    )
    sold = [(line, amount) for line, amount in zip(order.lines, charged, strict=True) if amount >= 0]
    shares = allocate(off, [amount for _, amount in sold]) if off else [ZERO] * len(sold)
    worth = (_Worth(line, amount - share) for (line, amount), share in zip(sold, shares, strict=True))
    return {each.line.id: each for each in worth if each.line.id not in elsewhere}


def _taken_back(order: Order, old: Mapping[str, _Worth], new: Mapping[str, _Worth]) -> Iterator[RefundLine]:
    for name, was in old.items():
        now = new.get(name)
        if now is None or not _is_same(was, now):
            yield RefundLine(line=name, quantity=was.line.quantity)
        elif now.amount < was.amount:
            fewer = was.line.quantity - now.line.quantity
            if fewer > 0 and now.each == was.each:
                yield RefundLine(line=name, quantity=fewer)
            else:
                yield RefundLine(line=name, amount=_with_vat(order, was.line, was.amount - now.amount))


def _money(order: Order, old: Mapping[str, _Worth], new: Mapping[str, _Worth]) -> Decimal | None:
    """What goes back to the buyer, known to the halala where prices include VAT."""
    if not order.prices_include_tax:
        return None
    kept = {name: min(now.amount, old[name].amount) for name, now in new.items() if _is_same(old.get(name), now)}
    return sum((was.amount - kept.get(name, ZERO) for name, was in old.items()), ZERO) or None


def _is_same(was: _Worth | None, now: _Worth) -> bool:
    return was is not None and was.line.tax == now.line.tax


def _beyond(order: Order, old: Mapping[str, _Worth], new: Mapping[str, _Worth]) -> Iterator[OrderLine]:
    for name, now in new.items():
        was = old.get(name)
        if was is None or not _is_same(was, now):
            yield _at_its_worth(now, now.line.quantity, now.amount)
        elif now.amount > was.amount:
            more = now.line.quantity - was.line.quantity
            yield _at_its_worth(now, more if more > 0 and now.each == was.each else ONE, now.amount - was.amount)


def _at_its_worth(worth: _Worth, quantity: Decimal, amount: Decimal) -> OrderLine:
    """So many of a line for that amount: at its own price with its discounts as one, or as a piece at that price."""
    line = worth.line
    price = round_half_up(line.unit_price * quantity / line.base_quantity)
    if price >= amount and quantity == line.quantity and not line.charges:
        off = (OrderReduction(amount=price - amount, origin="order"),) if price > amount else ()
        return line.model_copy(update={"reductions": off})
    changes = {"quantity": ONE, "unit_price": amount, "base_quantity": ONE, "reductions": (), "charges": ()}
    if quantity != ONE and worth.each == round_half_up(worth.each):
        changes |= {"quantity": quantity, "unit_price": worth.each}
    return line.model_copy(update=changes)


def _with_vat(order: Order, line: OrderLine, amount: Decimal) -> Decimal:
    return amount if order.prices_include_tax else round_half_up(amount * (100 + line.tax.rate) / 100)


def _comparable(before: Order, after: Order) -> None:
    fields = set(type(before).model_fields) - _MAY_CHANGE - {"buyer"}
    changed = sorted(name for name in fields if getattr(before, name) != getattr(after, name))
    # What a shop says of the buyer's kind may be told in another way by a later release of its mapping.
    if before.buyer.model_copy(update={"kind": None}) != after.buyer.model_copy(update={"kind": None}):
        changed.append("buyer")
    if changed:
        raise Conflict(
            f"Order {after.number or after.id} was changed after its invoice in {', '.join(changed)}, which no note can"
            " tell.",
            fix="Give the invoice back whole (`gateway credit`) and issue the sale anew under another id.",
            ar=f"تغيّر الطلب {after.number or after.id} بعد إصدار فاتورته فيما لا يصححه إشعار. ألغِ الفاتورة بإشعار دائن"
            " كامل ثم أصدر الطلب من جديد بمعرّف آخر.",
        )
