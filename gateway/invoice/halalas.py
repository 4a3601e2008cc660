"""Where each halala of an order went: the explanation that goes with its preview."""

from collections.abc import Iterator

from gateway.finding import Text
from gateway.invoice.arithmetic import taxable_within
from gateway.invoice.facts import Invoice, Tax
from gateway.invoice.from_order import Drawn, charged_for
from gateway.order import Order


def explained(order: Order, drawn: Drawn) -> tuple[Text, ...]:
    """How the document's sums come about, step by step, in both languages."""
    return (*_groups(order, drawn), *_lines(order, drawn), *_rounding(order, drawn.invoice), *_due(drawn.invoice))


def _groups(order: Order, drawn: Drawn) -> Iterator[Text]:
    for group in drawn.invoice.vat_groups:
        name, charged = _name(group.tax), drawn.charged.get(group.tax, group.taxable)
        sums = f"{group.taxable} + {group.vat} = {group.taxable + group.vat}"
        if not order.prices_include_tax:
            yield Text(f"{name}: taxable amount and VAT {sums}.", f"{name}: المبلغ الخاضع والضريبة {sums}.")
            continue
        missing = charged - group.taxable - group.vat
        yield Text(
            f"{name}: {charged} was charged with VAT; taxable amount and VAT {sums}"
            + (f"; {missing} no taxable amount reaches." if missing else "."),
            f"{name}: المبلغ المحصّل شامل الضريبة {charged}؛ المبلغ الخاضع والضريبة {sums}"
            + (f"؛ والفرق {missing} لا يبلغه أي مبلغ خاضع." if missing else "."),
        )


def _lines(order: Order, drawn: Drawn) -> Iterator[Text]:
    """Lines that bear a halala so that their VAT group closes."""
    if not order.prices_include_tax:
        return
    sold = (item for item in drawn.decided.items if not (item.left_out or item.takes_off))
    for item, line in zip(sold, drawn.invoice.lines, strict=True):
        alone = taxable_within(charged_for(item.line), item.tax)
        if alone != line.net:
            yield Text(
                f"Line {line.id}: {line.net} instead of {alone}, so that its VAT group closes.",
                f"البند {line.id}: {line.net} بدلاً من {alone} لكي تتطابق مجموعته الضريبية.",
            )


def _rounding(order: Order, invoice: Invoice) -> Iterator[Text]:
    if not invoice.rounding:
        return
    whose = "what was charged" if order.declared.grand is None else "the shop's total"
    yield Text(
        f"Rounding (BT-114) {invoice.rounding}: the document comes to {invoice.with_vat}, {whose} to {invoice.value}.",
        f"التقريب (BT-114) {invoice.rounding}: مجموع المستند {invoice.with_vat} والمبلغ المستحق {invoice.value}.",
    )


def _due(invoice: Invoice) -> Iterator[Text]:
    if invoice.deductions:
        yield Text(
            f"Prepayments of {invoice.prepaid} are taken off; {invoice.payable} is due.",
            f"خُصمت دفعات مقدمة بمبلغ {invoice.prepaid}؛ المستحق {invoice.payable}.",
        )


def _name(tax: Tax) -> str:
    return f"{tax.category} {tax.rate:f} %" + (f" ({tax.reason_code})" if tax.reason_code else "")
