"""An order becomes a document: lines, VAT groups that close, and the halala that cannot be reached.

Facts in, sums computed. The buyer pays exactly what the shop charged: where prices include VAT, the taxable amount of
each VAT group is the one whose VAT (BT-117 = round(BT-116 x rate)) adds up to what was charged, line nets are split by
largest remainder, and the halala that no taxable amount reaches goes to the payable rounding (BT-114).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from gateway.codes import EXEMPTIONS, PAYMENT_MEANS
from gateway.errors import DoesNotClose, UnusableOrder
from gateway.invoice.facts import (
    HALALA,
    RIYADH,
    ZERO,
    Address,
    Allowance,
    Category,
    Identifier,
    Invoice,
    Kind,
    Line,
    Party,
    Profile,
    Reduction,
    Tax,
    round_half_up,
)
from gateway.order import Buyer, LineKind, Order, OrderLine, OrderReduction, OrderTax

_LINE_ID_LENGTH = 6  # BR-KSA-F-06-C17
_SERVICE_UNIT = "C62"  # Recommendation 20: one; for what is not counted in pieces
_REASONS = {
    "item": "Item discount | خصم على الصنف",
    "coupon": "Coupon | قسيمة خصم",
    "order": "Order discount | خصم على الطلب",
    "automatic": "Offer | عرض ترويجي",
    "loyalty": "Loyalty points | نقاط ولاء",
}


def invoice_of(order: Order, seller: Party) -> Invoice:
    """The invoice for an order; DoesNotClose if the shop's own total differs by more than rounding explains,
    UnusableOrder if one document cannot hold it."""
    _one_reason_each(order)
    lines = _lines(order)
    allowances = _allowances(order)
    draft = Invoice(
        kind=Kind.INVOICE,
        profile=Profile.STANDARD if order.buyer.kind == "business" else Profile.SIMPLIFIED,
        flags=order.flags,
        seller=seller,
        buyer=_buyer(order.buyer),
        lines=lines,
        allowances=allowances,
        currency=order.currency,
        fx_rate=order.fx.rate if order.fx else None,
        supply_date=order.supply_date or _riyadh_date(order),
        supply_end=order.supply_end,
        payment_means=PAYMENT_MEANS[order.payments[0].method] if order.payments else "1",
        note=order.note,
        order_reference=order.number or order.id,
        contract=order.contract,
    )
    return _with_rounding(draft, order)


def charged(order: Order) -> Decimal:
    """What the lines and reductions of an order come to as the shop prices them (with VAT only if its prices are)."""
    lines = sum((_charged(line) for line in order.lines), ZERO)
    return lines - sum((round_half_up(reduction.amount) for reduction in order.reductions), ZERO)


def rounding_limit(order: Order) -> Decimal:
    """The largest gap that rounding alone explains: half a halala a line (and one for the sum), rounded up."""
    return (HALALA + HALALA / 2 * len(order.lines)).quantize(HALALA, ROUND_CEILING)


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


# -- lines ----------------------------------------------------------------------------------------------------


def _lines(order: Order) -> tuple[Line, ...]:
    nets = _line_nets(order)
    long_ids = any(len(line.id) > _LINE_ID_LENGTH for line in order.lines)
    return tuple(
        _line(
            line,
            net,
            line_id=str(index + 1) if long_ids else line.id,
            origin=f"lines[{index}]",
            gross=order.prices_include_tax,
        )
        for index, (line, net) in enumerate(zip(order.lines, nets, strict=True))
    )


def _line_nets(order: Order) -> list[Decimal]:
    """BT-131 of each line. With VAT in the prices each VAT group is split so that it closes."""
    charges = [_charged(line) for line in order.lines]
    if not order.prices_include_tax:
        return charges
    nets = [ZERO] * len(charges)
    for tax, members in _groups(order).items():
        taxable = taxable_within(sum((charges[i] for i in members), ZERO), tax)
        for i, net in zip(members, allocate(taxable, [charges[i] for i in members]), strict=True):
            nets[i] = net
    return nets


def _groups(order: Order) -> dict[Tax, list[int]]:
    groups: dict[Tax, list[int]] = {}
    for i, line in enumerate(order.lines):
        groups.setdefault(_tax(line.tax), []).append(i)
    return groups


def _one_reason_each(order: Order) -> None:
    """The official rules compare each group with all lines of its category (BR-Z-08, BR-E-08, BR-O-08), so two groups
    of one category and rate can never hold."""
    reasons: dict[tuple[Category, Decimal], list[str]] = {}
    for tax in _groups(order):
        reasons.setdefault((tax.category, tax.rate), []).append(tax.reason_code)
    for (category, _), codes in reasons.items():
        if len(codes) > 1:
            raise _several_reasons(category, " and ".join(sorted(codes)))


def _several_reasons(category: Category, codes: str) -> UnusableOrder:
    return UnusableOrder(
        f"The lines of category {category} have several reasons: {codes}. One document holds one for each category and "
        f"rate (BR-{category}-08).",
        problems=(("lines", f"several reasons in category {category}: {codes}"),),
        fix="Send one order for each reason.",
        ar=f"لا يقبل المستند الواحد أكثر من سبب لكل فئة ضريبية ({codes}). أرسل طلباً مستقلاً لكل سبب.",
    )


def _charged(line: OrderLine) -> Decimal:
    """What the shop takes for the line: it rounds the line, not the piece."""
    reductions = sum((round_half_up(reduction.amount) for reduction in line.reductions), ZERO)
    return max(round_half_up(line.quantity * line.unit_price) - reductions, ZERO)


def _line(line: OrderLine, net: Decimal, *, line_id: str, origin: str, gross: bool) -> Line:
    tax = _tax(line.tax)
    reductions = tuple(
        _reduction(reduction, tax, origin=f"{origin}.reductions[{index}]", gross=gross)
        for index, reduction in enumerate(line.reductions)
    )
    reductions = tuple(reduction for reduction in reductions if reduction.amount)
    before = net + sum((reduction.amount for reduction in reductions), ZERO)
    return Line(
        id=line_id,
        name=line.name,
        quantity=line.quantity,
        price=line.unit_price
        if not gross and _is(line.unit_price, line.quantity, before)
        else unit_price(before, line.quantity),
        tax=tax,
        reductions=reductions,
        unit=line.unit if line.kind is LineKind.PRODUCT else _SERVICE_UNIT,
        sku=line.sku,
        origin=origin,
    )


def _reduction(reduction: OrderReduction, tax: Tax, *, origin: str, gross: bool) -> Reduction:
    amount = round_half_up(reduction.amount)
    net = round_half_up(amount / (1 + tax.rate / 100)) if gross else amount
    return Reduction(net, _reason(reduction), origin=origin)


def _reason(reduction: OrderReduction) -> str:
    text = reduction.reason or _REASONS[reduction.origin]
    return f"{text} ({reduction.code})" if reduction.code else text


def unit_price(amount: Decimal, quantity: Decimal) -> Decimal:
    """The shortest net unit price, of two decimals or more, that times the quantity rounds to `amount` (BT-146)."""
    exact = amount / quantity
    for decimals in range(2, 28):
        price = round(exact, decimals)
        if _is(price, quantity, amount):
            return price
    raise AssertionError(f"no unit price gives {amount} for {quantity}")


def _is(price: Decimal, quantity: Decimal, amount: Decimal) -> bool:
    return round_half_up(price * quantity) == amount


# -- reductions of the whole order ----------------------------------------------------------------------------


def _allowances(order: Order) -> tuple[Allowance, ...]:
    """BG-20: each reduction of the whole order, split over the VAT groups by what they come to."""
    groups = _groups(order)
    left = {tax: sum((_charged(order.lines[i]) for i in members), ZERO) for tax, members in groups.items()}
    allowances: list[Allowance] = []
    for index, reduction in enumerate(order.reductions):
        amount = round_half_up(reduction.amount)
        if amount > sum(left.values(), ZERO):
            raise _reduced_below_zero(order)
        for tax, share in zip(left, allocate(amount, list(left.values())), strict=True):
            net = _net_share(left[tax], share, tax) if order.prices_include_tax else share
            left[tax] -= share
            if net:
                allowances.append(Allowance(net, _reason(reduction), tax, origin=f"reductions[{index}]"))
    return tuple(allowances)


def _net_share(before: Decimal, share: Decimal, tax: Tax) -> Decimal:
    """Between the taxable amounts before and after, so that the group still closes on what is charged."""
    return taxable_within(before, tax) - taxable_within(before - share, tax)


def _reduced_below_zero(order: Order) -> DoesNotClose:
    return DoesNotClose(
        f"Order {order.number or order.id}: the reductions are larger than the lines they reduce.",
        fix="Gift cards, store credit and wallets are payments, not reductions; send them under payments.",
        ar="مجموع الخصومات أكبر من قيمة البنود. بطاقات الهدايا ورصيد المتجر وسائل دفع"
        " وليست خصومات؛ أدرجها ضمن وسائل الدفع (payments).",
    )


# -- closing --------------------------------------------------------------------------------------------------


def _with_rounding(invoice: Invoice, order: Order) -> Invoice:
    """The invoice whose payable amount is what the shop says the buyer pays, if rounding explains the difference."""
    due = _due(invoice, order)
    gap = due - invoice.with_vat
    if abs(gap) > rounding_limit(order):
        raise _does_not_close(order, "total with VAT", declared=due, computed=invoice.with_vat)
    vat = order.declared.tax
    if vat is not None and abs(vat - invoice.vat) > rounding_limit(order):
        raise _does_not_close(order, "VAT", declared=vat, computed=invoice.vat)
    return replace(invoice, rounding=gap) if gap else invoice


def _due(invoice: Invoice, order: Order) -> Decimal:
    if order.declared.grand is not None:
        return order.declared.grand
    return charged(order) if order.prices_include_tax else invoice.with_vat


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


# -- parties --------------------------------------------------------------------------------------------------


def _tax(tax: OrderTax) -> Tax:
    if tax.category is Category.STANDARD:
        return Tax(tax.category, tax.rate.normalize() + 0)
    code = str(tax.reason_code)
    official = EXEMPTIONS[code].reason
    return Tax(tax.category, Decimal(0), code, tax.reason or f"{official.en} | {official.ar}")


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
