"""An order becomes a document: lines, VAT groups that close, and the halala that cannot be reached.

Facts in, sums computed. The buyer pays exactly what the shop charged: where prices include VAT, the taxable amount of
each VAT group is the one whose VAT (BT-117 = round(BT-116 x rate)) adds up to what was charged, line nets are split by
largest remainder, and the halala that no taxable amount reaches goes to the payable rounding (BT-114).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Final, NamedTuple

from gateway.codes import PAYMENT_MEANS
from gateway.errors import DoesNotClose, UnusableOrder
from gateway.invoice.arithmetic import allocate, comes_to, rounding_explains, taxable_within, unit_price
from gateway.invoice.facts import (
    RIYADH,
    ZERO,
    Address,
    Allowance,
    Category,
    Charge,
    Deduction,
    DocumentCharge,
    Identifier,
    Invoice,
    Line,
    Party,
    Reduction,
    Tax,
    round_half_up,
)
from gateway.invoice.policy import Decided, Item, Policy, decide, tax_of
from gateway.invoice.prepayment import Prior, deductions_of
from gateway.order import Buyer, LineKind, Order, OrderCharge, OrderLine, OrderReduction

_LINE_ID_LENGTH = 6  # BR-KSA-F-06-C17
_REASON_LENGTH = 1000  # BR-KSA-F-06-C35, BR-KSA-F-06-C36
_SERVICE_UNIT = "C62"  # Recommendation 20: one; for what is not counted in pieces
_LONGEST_RATE = 14  # BR-KSA-90
_REASONS: Final = {
    "item": "Item discount | خصم على الصنف",
    "coupon": "Coupon | قسيمة خصم",
    "order": "Order discount | خصم على الطلب",
    "automatic": "Offer | عرض ترويجي",
    "loyalty": "Loyalty points | نقاط ولاء",
    "gift_card": "Gift card taxed when it was sold | بطاقة هدايا خضعت للضريبة عند بيعها",
}


class Drawn(NamedTuple):
    """An order as the document it becomes, with what was decided on the way, and what was charged in each VAT group
    (with VAT if the order's prices include it)."""

    invoice: Invoice
    decided: Decided
    charged: Mapping[Tax, Decimal]


def invoice_of(
    order: Order, seller: Party, policy: Policy | None = None, priors: Mapping[str, Prior] | None = None
) -> Invoice:
    """The document's facts for an order; see `draw_up`."""
    return draw_up(order, seller, policy, priors).invoice


def draw_up(
    order: Order, seller: Party, policy: Policy | None = None, priors: Mapping[str, Prior] | None = None
) -> Drawn:
    """The document for an order by a connection's policy; `priors` are the prepayments that it takes off, by number.

    DoesNotClose if the shop's own total differs by more than rounding explains, UnusableOrder if one document cannot
    hold it, or if there is nothing to issue.
    """
    decided = decide(order, policy or Policy())
    basket = _Basket(order, decided.items)
    lines = _lines(basket)
    draft = Invoice(
        kind=decided.kind,
        profile=decided.profile,
        flags=decided.flags,
        seller=seller,
        buyer=_buyer(order.buyer),
        lines=lines,
        charges=_document_charges(basket),
        allowances=(*_lines_below_zero(basket), *_allowances(basket)),
        currency=order.currency,
        fx_rate=order.fx.rate if order.fx else None,
        supply_date=order.supply_date or _riyadh_date(order),
        supply_end=order.supply_end,
        payment_means=PAYMENT_MEANS[order.payments[0].method] if order.payments else "1",
        references=(order.corrects.number,) if order.corrects else (),
        reason=order.reason.printed if order.reason else "",
        note=order.note,
        order_reference=order.number or order.id,
        contract=order.contract,
    )
    closed = _with_rounding(_of_shown_rate(draft, order), order, basket.left_out)
    groups = {tax: group.charged for tax, group in basket.groups.items()}
    return Drawn(_with_deductions(closed, order, priors or {}), decided, groups)


def charged(order: Order) -> Decimal:
    """What an order comes to as the shop prices it (with VAT only if its prices are)."""
    lines = sum((charged_for(line) for line in order.lines), ZERO)
    charges = sum((round_half_up(charge.amount) for charge in order.charges), ZERO)
    return lines + charges - sum((round_half_up(reduction.amount) for reduction in order.reductions), ZERO)


def charged_for(line: OrderLine) -> Decimal:
    """What the shop takes for the line: it rounds the line, not the piece."""
    if line.unit_price < 0:
        return -round_half_up(-line.list_price)
    on_top = sum((round_half_up(charge.amount) for charge in line.charges), ZERO)
    off = sum((round_half_up(reduction.amount) for reduction in line.reductions), ZERO)
    return max(round_half_up(line.list_price) + on_top - off, ZERO)


def rounding_limit(order: Order) -> Decimal:
    """The largest gap that rounding alone explains between what an order states and its sums."""
    parts = [part for line in order.lines for part in (line, *line.reductions, *line.charges)]
    amounts = len(parts) + len(order.reductions) + len(order.charges)
    return rounding_explains(amounts)


# -- VAT groups -----------------------------------------------------------------------------------------------


@dataclass
class _Group:
    """One VAT group while an order is put together: what was charged for it so far, as the shop prices it."""

    tax: Tax
    gross: bool
    charged: Decimal = ZERO

    @property
    def taxable(self) -> Decimal:
        """BT-116, so that the group closes on what was charged."""
        return taxable_within(self.charged, self.tax) if self.gross else self.charged

    def net_of(self, change: Decimal) -> Decimal:
        """Between the taxable amounts before and after a change of what is charged."""
        before = self.taxable
        self.charged += change
        return self.taxable - before


@dataclass
class _Basket:
    """The order's items by VAT group; `taxes` are those of the order as the document states them, `left_out` is what
    was charged for what others supply."""

    order: Order
    items: tuple[Item, ...]
    groups: dict[Tax, _Group] = field(default_factory=dict)
    taxes: dict[Tax, Tax] = field(default_factory=dict)
    left_out: Decimal = ZERO

    def __post_init__(self) -> None:
        self.left_out = sum((charged_for(item.line) for item in self.items if item.left_out), ZERO)
        self.items = tuple(item for item in self.items if not item.left_out)
        if not self.sold:
            raise _nothing_sold(self.order)
        if self.left_out < 0:
            raise _reduced_below_zero(self.order)
        self.taxes = _one_of_each([item.tax for item in self.items] + [tax_of(each.tax) for each in self.order.charges])
        self.items = tuple(replace(item, tax=self.taxes[item.tax]) for item in self.items)

    @property
    def sold(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.takes_off)

    @property
    def taking_off(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.takes_off)

    def group(self, tax: Tax) -> _Group:
        return self.groups.setdefault(tax, _Group(tax, self.order.prices_include_tax))


def _one_of_each(taxes: Iterable[Tax]) -> dict[Tax, Tax]:
    """Each tax as the document states it, one for a category and rate: words of reasons are put together.

    Two codes are refused. The official rules compare each group with all lines of its category (BR-Z-08, BR-E-08,
    BR-O-08), so two groups of one category and rate can never hold.
    """
    groups: dict[tuple[Category, Decimal], dict[Tax, None]] = {}
    for tax in taxes:
        groups.setdefault((tax.category, tax.rate), {})[tax] = None
    for (category, _), group in groups.items():
        codes = {tax.reason_code for tax in group}
        if len(codes) > 1:
            raise _several_reasons(category, " and ".join(sorted(codes)))
    return {
        tax: replace(tax, reason="; ".join(each.reason for each in group)) for group in groups.values() for tax in group
    }


# -- lines ----------------------------------------------------------------------------------------------------


def _lines(basket: _Basket) -> tuple[Line, ...]:
    long_ids = any(len(item.line.id) > _LINE_ID_LENGTH for item in basket.sold)
    gross = basket.order.prices_include_tax
    return tuple(
        _line(item, net, line_id=str(position) if long_ids else item.line.id, gross=gross)
        for position, (item, net) in enumerate(zip(basket.sold, _line_nets(basket), strict=True), 1)
    )


def _line_nets(basket: _Basket) -> list[Decimal]:
    """BT-131 of each line. With VAT in the prices each VAT group is split so that it closes."""
    charges = [charged_for(item.line) for item in basket.sold]
    members: dict[Tax, list[int]] = {}
    for position, item in enumerate(basket.sold):
        members.setdefault(item.tax, []).append(position)
    nets = [ZERO] * len(charges)
    for tax, positions in members.items():
        shares = [charges[position] for position in positions]
        taxable = basket.group(tax).net_of(sum(shares, ZERO))
        parts = allocate(taxable, shares) if basket.order.prices_include_tax else shares
        for position, net in zip(positions, parts, strict=True):
            nets[position] = net
    return nets


def _line(item: Item, net: Decimal, *, line_id: str, gross: bool) -> Line:
    line, origin = item.line, f"lines[{item.index}]"
    reductions = [
        Reduction(_net(reduction.amount, item.tax, gross), _reason(reduction), origin=f"{origin}.reductions[{index}]")
        for index, reduction in enumerate(line.reductions)
    ]
    off = sum((reduction.amount for reduction in reductions), ZERO)
    charges = _line_charges(item, at_most=net + off, gross=gross)
    before = net + off - sum((charge.amount for charge in charges), ZERO)
    return Line(
        id=line_id,
        name=line.name,
        quantity=line.quantity,
        price=_price(line, before, gross=gross),
        base_quantity=line.base_quantity,
        tax=item.tax,
        reductions=tuple(reduction for reduction in reductions if reduction.amount),
        charges=tuple(charge for charge in charges if charge.amount),
        unit=line.unit if line.kind is LineKind.PRODUCT else _SERVICE_UNIT,
        sku=line.sku,
        origin=origin,
    )


def _price(line: OrderLine, before: Decimal, *, gross: bool) -> Decimal:
    """The shop's own net price wherever the line comes to what it says."""
    if not gross and comes_to(before, line.unit_price, line.quantity, line.base_quantity):
        return line.unit_price
    return unit_price(before, line.quantity, line.base_quantity)


def _line_charges(item: Item, *, at_most: Decimal, gross: bool) -> list[Charge]:
    """What is charged on top of a line; together no more than the line comes to, lest its price fall below zero by
    the halala that their own rounding adds."""
    charges = []
    for index, charge in enumerate(item.line.charges):
        amount = min(_net(charge.amount, item.tax, gross), at_most)
        at_most -= amount
        origin = f"lines[{item.index}].charges[{index}]"
        charges.append(Charge(amount, charge.reason, charge.code, origin=origin))
    return charges


def _net(amount: Decimal, tax: Tax, gross: bool) -> Decimal:
    amount = round_half_up(amount)
    return round_half_up(amount / (1 + tax.rate / 100)) if gross else amount


def _reason(reduction: OrderReduction) -> str:
    """With the coupon's code if there is room for it."""
    text = reduction.reason or _REASONS[reduction.origin]
    with_code = f"{text} ({reduction.code})"
    return with_code if reduction.code and len(with_code) <= _REASON_LENGTH else text


# -- the whole order ------------------------------------------------------------------------------------------


def _document_charges(basket: _Basket) -> tuple[DocumentCharge, ...]:
    """BG-21."""
    taxes = (basket.taxes[tax_of(each.tax)] for each in basket.order.charges)
    charges = (
        _document_charge(basket, each, tax, f"charges[{index}]")
        for index, (each, tax) in enumerate(zip(basket.order.charges, taxes, strict=True))
    )
    return tuple(charge for charge in charges if charge.amount)


def _document_charge(basket: _Basket, charge: OrderCharge, tax: Tax, origin: str) -> DocumentCharge:
    net = basket.group(tax).net_of(round_half_up(charge.amount))
    return DocumentCharge(net, charge.reason, tax, charge.code, origin=origin)


def _lines_below_zero(basket: _Basket) -> Iterable[Allowance]:
    """A line that takes off is an allowance (BG-20) within its own VAT group."""
    for item in basket.taking_off:
        amount = -charged_for(item.line)
        if amount > basket.group(item.tax).charged:
            raise _reduced_below_zero(basket.order)
        net = -basket.group(item.tax).net_of(-amount)
        if net:
            yield Allowance(net, item.line.name, item.tax, origin=f"lines[{item.index}]")


def _allowances(basket: _Basket) -> Iterable[Allowance]:
    """BG-20: each reduction of the whole order, split over the VAT groups by what they come to. What others supply
    bears its share."""
    for index, reduction in enumerate(basket.order.reductions):
        amount, groups = round_half_up(reduction.amount), list(basket.groups.values())
        left = [*(group.charged for group in groups), basket.left_out]
        if amount > sum(left, ZERO):
            raise _reduced_below_zero(basket.order)
        *shares, elsewhere = allocate(amount, left)
        basket.left_out -= elsewhere
        for group, share in zip(groups, shares, strict=True):
            net = -group.net_of(-share)
            if net:
                yield Allowance(net, _reason(reduction), group.tax, origin=f"reductions[{index}]")


def _with_deductions(invoice: Invoice, order: Order, priors: Mapping[str, Prior]) -> Invoice:
    """With the prepayments taken off what is due."""
    if not order.prepayments:
        return invoice
    deductions = deductions_of(order.prepayments, priors, currency=order.currency, ids=_free_ids(invoice.lines))
    _check_categories(deductions, invoice)
    drawn = replace(invoice, deductions=deductions)
    if drawn.payable < 0:
        raise UnusableOrder(
            f"The prepayments come to {drawn.prepaid} {order.currency}, the order only to {invoice.payable}.",
            problems=(("prepayments", "come to more than the order"),),
            fix="Say under amount how much of them this order uses, and give back the rest by a credit note on them.",
            ar="الدفعات المقدمة أكبر من قيمة الطلب. حدد المبلغ المستخدم منها (amount) وأعد الباقي بإشعار دائن.",
        )
    return drawn


def _free_ids(lines: Iterable[Line]) -> Iterator[str]:
    """Numbers that no line has as its id, from the one after the last line's position."""
    taken = {line.id for line in lines}
    return (text for number in count(len(taken) + 1) if (text := str(number)) not in taken)


def _check_categories(deductions: Iterable[Deduction], invoice: Invoice) -> None:
    """VAT of another category than the document's is no part of it; another rate of the same category may be."""
    categories = {group.tax.category for group in invoice.vat_groups}
    for each in deductions:
        if (category := each.tax.category) not in categories:
            raise UnusableOrder(
                f"Prepayment {each.number} was taxed in category {category}, of which the order sells nothing "
                f"(BR-{category}-01).",
                problems=(("prepayments", f"{each.number} was taxed in category {category}"),),
                fix="Give it back by a credit note on the prepayment invoice, and send the order without it.",
                ar=f"خضعت الدفعة المقدمة {each.number} للفئة الضريبية {category} ولا يحتوي الطلب على توريد منها."
                " ألغها بإشعار دائن وأرسل الطلب من دونها.",
            )


def _of_shown_rate(invoice: Invoice, order: Order) -> Invoice:
    """Without the rate on the document where the order does not show it, or where no document can (BR-KSA-90)."""
    if order.fx is None or (order.fx.shown and len(f"{order.fx.rate.normalize():f}") <= _LONGEST_RATE):
        return invoice
    return replace(invoice, fx_rate=None, vat_in_sar=invoice.vat_sar)


# -- closing --------------------------------------------------------------------------------------------------


def _with_rounding(invoice: Invoice, order: Order, left_out: Decimal) -> Invoice:
    """The invoice whose payable amount is what the shop says the buyer pays, if rounding explains the difference."""
    due = _due(invoice, order, left_out)
    gap = due - invoice.with_vat
    if abs(gap) > rounding_limit(order):
        raise _does_not_close(order, "total with VAT", declared=due, computed=invoice.with_vat)
    vat = order.declared.tax
    if vat is not None and not left_out and abs(vat - invoice.vat) > rounding_limit(order):
        raise _does_not_close(order, "VAT", declared=vat, computed=invoice.vat)
    return replace(invoice, rounding=gap) if gap else invoice


def _due(invoice: Invoice, order: Order, left_out: Decimal) -> Decimal:
    """What the buyer pays for what this document sells. What others supply is taken out of the shop's total only where
    that is with VAT as their prices are."""
    if order.prices_include_tax:
        whole = charged(order) if order.declared.grand is None else order.declared.grand
        return whole - left_out
    if order.declared.grand is None or left_out:
        return invoice.with_vat
    return order.declared.grand


def _does_not_close(order: Order, what: str, *, declared: Decimal, computed: Decimal) -> DoesNotClose:
    name, currency, limit = order.number or order.id, order.currency, rounding_limit(order)
    sum_ar = "الضريبة" if what == "VAT" else "الإجمالي مع الضريبة"
    return DoesNotClose(
        f"Order {name} does not close: its {what} is {declared} {currency} by the shop and {computed} {currency} by "
        f"its lines; rounding explains at most {limit}.",
        fix="Look for a missing line, a discount counted twice or a wrong rate, and send the order again.",
        ar=f"مجاميع الطلب {name} غير متطابقة: {sum_ar} في المتجر {declared} {currency} وبحسب البنود {computed} "
        f"{currency}، والفرق المسموح به للتقريب {limit}. راجع البنود والخصومات ونسبة الضريبة، ثم أعد إرساله.",
    )


def _nothing_sold(order: Order) -> UnusableOrder:
    return UnusableOrder(
        f"Order {order.number or order.id} sells nothing that is to be invoiced.",
        problems=(("lines", "none of them is a supply of the seller"),),
        fix="Look at the lines and at the connection's policy (gift_cards, tips, marketplace).",
        ar="لا يحتوي الطلب على توريد تصدر له فاتورة. راجع البنود وسياسة الربط.",
    )


def _several_reasons(category: Category, codes: str) -> UnusableOrder:
    return UnusableOrder(
        f"The lines of category {category} have several reasons: {codes}. One document holds one for each category and "
        f"rate (BR-{category}-08).",
        problems=(("lines", f"several reasons in category {category}: {codes}"),),
        fix="Send one order for each reason.",
        ar=f"لا يقبل المستند الواحد أكثر من سبب لكل فئة ضريبية ({codes}). أرسل طلباً مستقلاً لكل سبب.",
    )


def _reduced_below_zero(order: Order) -> DoesNotClose:
    return DoesNotClose(
        f"Order {order.number or order.id}: the reductions are larger than the lines they reduce.",
        fix="Gift cards, store credit and wallets are payments, not reductions; send them under payments.",
        ar="مجموع الخصومات أكبر من قيمة البنود. بطاقات الهدايا ورصيد المتجر وسائل دفع"
        " وليست خصومات؛ أدرجها ضمن وسائل الدفع (payments).",
    )


# -- parties --------------------------------------------------------------------------------------------------


def _buyer(buyer: Buyer) -> Party | None:
    if not (buyer.name or buyer.vat or buyer.other_id or buyer.address):
        return None
    address = buyer.address
    return Party(
        name=buyer.name,
        vat=buyer.vat or "",
        id=Identifier(buyer.other_id.scheme, buyer.other_id.value) if buyer.other_id else None,
        address=Address(**address.model_dump()) if address else None,
    )


def _riyadh_date(order: Order) -> date:
    return order.placed_at.astimezone(RIYADH).date()
