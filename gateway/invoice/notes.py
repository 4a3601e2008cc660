"""Notes: what was undone of a document, line by line, until nothing is left of it, and what was added to it.

A credit note of any split is exact: the nets that notes take from a line add up to the line, and what they are worth
adds up to the document. Whatever the document reduces or charges as a whole is spread over its lines first, so that a
line is worth what the buyer paid for it. Amounts are positive throughout.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any, Final, NamedTuple

from gateway.errors import Conflict, DoesNotClose, UnusableOrder
from gateway.invoice.arithmetic import allocate, rounding_explains, taxable_within, unit_price
from gateway.invoice.facts import ONE, ZERO, Invoice, Kind, Line, Tax, round_half_up
from gateway.invoice.from_order import invoice_of
from gateway.invoice.policy import AmountRefunds, Policy
from gateway.invoice.prepayment import Part
from gateway.order import Addition, Order, Refund, RefundLine

_SERVICE_UNIT: Final = "C62"  # Recommendation 20: one


class Taken(NamedTuple):
    """What a note takes of one line (BT-126) of its original: so much net, and so many unless it is money alone."""

    line: str
    net: Decimal
    quantity: Decimal | None = None


class Note(NamedTuple):
    """What a note did: what it took, and what it was worth to the buyer."""

    takes: tuple[Taken, ...]
    value: Decimal

    def as_json(self) -> dict[str, Any]:
        """As it is kept beside the note."""
        takes = [{"line": each.line, "net": str(each.net), "quantity": _text(each.quantity)} for each in self.takes]
        return {"takes": takes, "value": str(self.value)}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Note":
        """The reverse of `as_json`."""
        takes = [
            Taken(each["line"], Decimal(each["net"]), Decimal(each["quantity"]) if each["quantity"] else None)
            for each in kept["takes"]
        ]
        return cls(tuple(takes), Decimal(kept["value"]))


class Original(NamedTuple):
    """The document to correct: its number (BT-1), its facts, and its lines (BT-126) by what the order calls them.

    `used` is what other documents took off a prepayment: it cannot be given back as well.
    """

    number: str
    invoice: Invoice
    lines: Mapping[str, str]
    used: tuple[Part, ...] = ()

    @property
    def value(self) -> Decimal:
        """What notes may be worth together."""
        return self.invoice.value - sum((part.total for part in self.used), ZERO)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one line: its net with its share of what was reduced or charged on the whole, and how many."""

    line: Line
    net: Decimal
    quantity: Decimal

    @property
    def gross(self) -> Decimal:
        """What it is worth to the buyer, as near as a line can tell."""
        return self.net + self.line.tax.of(self.net)

    def less(self, taken: Taken) -> "Left":
        return replace(self, net=self.net - taken.net, quantity=self.quantity - (taken.quantity or 0))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a document after its notes."""

    lines: tuple[Left, ...]
    value: Decimal


def standing(original: Original, notes: Iterable[Note]) -> Standing:
    """What a document's notes have left of it; `notes` are all that stand, in any order."""
    left = {each.line.id: each for each in _worth(original)}
    value = original.value
    for note in notes:
        value -= note.value
        for taken in note.takes:
            left[taken.line] = left[taken.line].less(taken)
    return Standing(tuple(left.values()), value)


def credit_note(original: Original, notes: Sequence[Note], refund: Refund, *, policy: Policy) -> tuple[Invoice, Note]:
    """The credit note for a refund, and what it takes; Conflict if that is more than is left.

    UnusableOrder if it names what is not there, or if the connection's policy leaves money without lines to a person;
    DoesNotClose if the money given back is not what the lines come to.
    """
    left = standing(original, notes)
    takes = tuple(_wanted(original, left, refund, policy))
    if not takes:
        raise _nothing_left(original)
    draft = _draft(original, left, takes, refund)
    value = _value(original, left, takes, draft, refund)
    note = replace(draft, rounding=value - draft.with_vat)
    return note, Note(takes, value)


def debit_note(original: Original, order: Order, addition: Addition, *, policy: Policy) -> Invoice:
    """The debit note for what was added to the original's order. Refusals are those of an order."""
    added = order.model_copy(
        update={
            "kind": "sale",
            "lines": addition.lines,
            "reductions": (),
            "charges": (),
            "prepayments": (),
            "declared": addition.declared,
            "note": addition.note,
            "prices_include_tax": _first(addition.prices_include_tax, order.prices_include_tax),
        }
    )
    facts = original.invoice
    return replace(
        invoice_of(added, facts.seller, policy),
        kind=Kind.DEBIT_NOTE,
        profile=facts.profile,
        flags=facts.flags,
        buyer=facts.buyer,
        references=(original.number,),
        reason=addition.reason.printed,
    )


def _first(one: bool | None, other: bool) -> bool:
    return other if one is None else one


# -- what is wanted -------------------------------------------------------------------------------------------


def _wanted(original: Original, left: Standing, refund: Refund, policy: Policy) -> Iterable[Taken]:
    if refund.lines:
        return [_of_line(original, left, each) for each in refund.lines]
    if refund.everything or refund.money == left.value:
        return [Taken(each.line.id, each.net, each.quantity) for each in left.lines if each.quantity or each.net]
    assert refund.money is not None, "a refund says what it gives back"
    if policy.amount_refunds is AmountRefunds.PERSON:
        raise _for_a_person(refund)
    return _spread(original, left, refund.money)


def _of_line(original: Original, left: Standing, wanted: RefundLine) -> Taken:
    line_id = original.lines.get(wanted.line)
    found = next((each for each in left.lines if each.line.id == line_id), None)
    if found is None:
        raise _no_such_line(original, wanted.line)
    if wanted.quantity is not None:
        return _so_many(original, found, wanted.quantity, wanted.line)
    assert wanted.amount is not None, "a line of a refund says how many or how much"
    return _so_much(original, found, wanted.amount, wanted.line)


def _so_many(original: Original, left: Left, quantity: Decimal, name: str) -> Taken:
    if quantity > left.quantity:
        raise _more_than_left(original, f"of line {name}", f"{left.quantity:f}", f"{quantity:f}")
    net = left.net if quantity == left.quantity else round_half_up(left.net * quantity / left.quantity)
    return Taken(left.line.id, net, quantity)


def _so_much(original: Original, left: Left, amount: Decimal, name: str) -> Taken:
    if amount > left.gross:
        raise _more_than_left(original, f"of line {name}", f"{left.gross}", f"{amount}")
    net = left.net if amount == left.gross else min(taxable_within(amount, left.line.tax), left.net)
    return Taken(left.line.id, net)


def _spread(original: Original, left: Standing, money: Decimal) -> Iterable[Taken]:
    """Money over what is left of all lines, in proportion: so each VAT rate gets its share."""
    if money > left.value:
        raise _more_than_left(original, "of the document", f"{left.value}", f"{money}")
    groups: dict[Tax, list[Left]] = {}
    for each in left.lines:
        groups.setdefault(each.line.tax, []).append(each)
    worth = [sum((each.gross for each in members), ZERO) for members in groups.values()]
    for (tax, members), share in zip(groups.items(), allocate(money, worth), strict=True):
        nets = [each.net for each in members]
        taxable = min(taxable_within(share, tax), sum(nets, ZERO))
        for each, net in zip(members, allocate(taxable, nets), strict=True):
            if net:
                yield Taken(each.line.id, net)


# -- what it comes to -----------------------------------------------------------------------------------------


def _worth(original: Original) -> list[Left]:
    """Each line, and each charge on the whole as a line of its own, less its share of the allowances on the whole and
    of what was used."""
    lines = [*original.invoice.lines, *_charges_as_lines(original.invoice)]
    nets = [line.net for line in lines]
    less: dict[Tax, Decimal] = {}
    for tax, amount in (
        *((allowance.tax, allowance.amount) for allowance in original.invoice.allowances),
        *((part.tax, part.taxable) for part in original.used),
    ):
        less[tax] = less.get(tax, ZERO) + amount
    for tax, off in less.items():
        members = [position for position, line in enumerate(lines) if line.tax == tax]
        for position, share in zip(members, allocate(off, [nets[each] for each in members]), strict=True):
            nets[position] -= share
    return [Left(line, net, line.quantity) for line, net in zip(lines, nets, strict=True)]


def _charges_as_lines(invoice: Invoice) -> Iterable[Line]:
    taken = {line.id for line in invoice.lines}
    ids = (each for each in (f"C{number}" for number in count(1)) if each not in taken)
    for charge, line_id in zip(invoice.charges, ids, strict=False):
        yield Line(line_id, charge.reason, ONE, charge.amount, charge.tax, unit=_SERVICE_UNIT)


def _draft(original: Original, left: Standing, takes: Iterable[Taken], refund: Refund) -> Invoice:
    lines = {each.line.id: each.line for each in left.lines}
    return replace(
        original.invoice,
        kind=Kind.CREDIT_NOTE,
        lines=tuple(_line(lines[each.line], each) for each in takes),
        allowances=(),
        charges=(),
        deductions=(),
        vat_in_sar=None if original.invoice.vat_in_sar is None else _vat_in_sar(original.invoice, lines, takes),
        rounding=ZERO,
        references=(original.number,),
        reason=refund.reason.printed,
        note=refund.note,
    )


def _line(line: Line, taken: Taken) -> Line:
    """Under the id it has on the original; money alone is one piece at its price."""
    quantity = taken.quantity or ONE
    return replace(
        line,
        quantity=quantity,
        unit=line.unit if taken.quantity else _SERVICE_UNIT,
        price=unit_price(taken.net, quantity, line.base_quantity if taken.quantity else ONE),
        base_quantity=line.base_quantity if taken.quantity else ONE,
        reductions=(),
        charges=(),
    )


def _vat_in_sar(invoice: Invoice, lines: Mapping[str, Line], takes: Iterable[Taken]) -> Decimal:
    """At the rate that the original used without showing it."""
    taxable: dict[Tax, Decimal] = {}
    for each in takes:
        tax = lines[each.line].tax
        taxable[tax] = taxable.get(tax, ZERO) + each.net
    vat = sum((tax.of(amount) for tax, amount in taxable.items()), ZERO)
    return round_half_up(vat * invoice.vat_sar / invoice.vat) if invoice.vat else ZERO


def _value(original: Original, left: Standing, takes: Sequence[Taken], draft: Invoice, refund: Refund) -> Decimal:
    """What the note is worth: the money that was given back if that is known, else so much that all notes together
    keep pace with the document, to the halala."""
    value = refund.money if refund.money is not None else _due(original, left, takes)
    limit = rounding_explains(len(takes))
    if abs(value - draft.with_vat) > limit:
        raise _money_differs(original, value, draft.with_vat, limit)
    if value > left.value:
        raise _more_than_left(original, "of the document", f"{left.value}", f"{value}")
    return value


def _due(original: Original, left: Standing, takes: Sequence[Taken]) -> Decimal:
    """All that is left if nothing remains; else what keeps the remainder worth what its nets are."""
    taken = {each.line: each for each in takes}
    remaining = [each.less(taken[each.line.id]) if each.line.id in taken else each for each in left.lines]
    if not any(each.net for each in remaining):
        return left.value
    whole = sum((each.net * (100 + each.line.tax.rate) for each in _worth(original)), ZERO)
    rest = sum((each.net * (100 + each.line.tax.rate) for each in remaining), ZERO)
    return left.value - round_half_up(original.value * rest / whole)


# -- refusals -------------------------------------------------------------------------------------------------


def _no_such_line(original: Original, name: str) -> UnusableOrder:
    return UnusableOrder(
        f"Document {original.number} has no line {name}.",
        problems=(("lines", f"{name} is no line of the order"),),
        fix="Name lines by their id in the order.",
        ar=f"لا يوجد البند {name} في المستند {original.number}.",
    )


def _nothing_left(original: Original) -> Conflict:
    return Conflict(
        f"Nothing is left of document {original.number} to give back.",
        fix="Its credit notes have taken all of it; `gateway status` shows them.",
        ar=f"لم يتبق من المستند {original.number} ما يمكن رده.",
    )


def _more_than_left(original: Original, where: str, left: str, wanted: str) -> Conflict:
    return Conflict(
        f"{wanted} {where} cannot be given back: document {original.number} has {left} left.",
        fix="Credit notes together never exceed their original; look for a refund that was sent twice.",
        ar=f"لا يمكن رد {wanted}؛ المتبقي من المستند {original.number} هو {left}.",
    )


def _money_differs(original: Original, money: Decimal, computed: Decimal, limit: Decimal) -> DoesNotClose:
    currency = original.invoice.currency
    return DoesNotClose(
        f"The refund on document {original.number} does not close: {money} {currency} was given back, and its lines "
        f"come to {computed} {currency}; rounding explains at most {limit}.",
        fix="Say under lines what the money is for (an amount instead of a quantity), or leave the lines out.",
        ar=f"مبلغ الاسترجاع {money} {currency} لا يطابق قيمة بنوده {computed} {currency} في المستند {original.number}،"
        f" والفرق المسموح به للتقريب {limit}.",
    )


def _for_a_person(refund: Refund) -> UnusableOrder:
    return UnusableOrder(
        f"Refund {refund.id} gives back {refund.money} without saying for which lines.",
        problems=(("lines", "say what the money is for"),),
        fix="Say which lines it is for, or let the connection spread such money (amount_refunds=spread).",
        ar=f"الاسترجاع {refund.id} بمبلغ {refund.money} لا يحدد البنود. حدد البنود المعنية"
        " أو اسمح بتوزيع المبلغ في إعدادات الربط (amount_refunds=spread).",
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
