"""What the printed document says, part by part, out of a document's facts: plain data for the typesetter.

Every text is bare: no mark-up is made here, and where a text comes from does not matter to the typesetter. A label is a
pair (Arabic, English), a value is a list of lines. What a document does not say has no part on the page.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

from gateway.finding import Text
from gateway.invoice.facts import (
    RIYADH,
    SAR,
    Address,
    Allowance,
    Charge,
    Deduction,
    DocumentCharge,
    Identifier,
    Invoice,
    Kind,
    Line,
    Party,
    Reduction,
    Tax,
    VatGroup,
)
from gateway.pdf import words
from gateway.ubl import Content

Part = dict[str, Any]
Row = tuple[list[str], list[str]]
"""A label in Arabic and English, and the lines of its value."""

_BOTH: Final = " | "
"""Between the two languages of one text, as this gateway writes them into documents."""
_UNSAID: Final = "1"
"""Payment means "not defined"."""


def page_of(content: Content) -> Part:
    """Everything the printed document says, in the order in which it is read."""
    invoice, heading, _ = content
    return {
        "title": _pair(words.TITLES[invoice.kind, invoice.profile]),
        "subtitles": [_pair(each) for each in _subtitles(invoice)],
        "number": heading.number,
        "uuid": heading.uuid,
        "currency": invoice.currency,
        "facts": list(_facts(content)),
        "parties": list(_parties(invoice)),
        "lines": _lines(invoice),
        "adjustments": _adjustments(invoice),
        "deductions": _deductions(invoice.deductions),
        "breakdown": _breakdown(invoice),
        "totals": list(_totals(invoice)),
        "notes": _lines_of(invoice.note),
        "words": {name: _pair(text) for name, text in _FIXED.items()},
    }


_FIXED: Final = {
    "notes": words.NOTES,
    "adjustments": words.ADJUSTMENTS,
    "deductions": words.DEDUCTIONS,
    "breakdown": words.BREAKDOWN,
    "page": words.PAGE,
    "replaced": words.REPLACED,
}


# -- the head ----------------------------------------------------------------------------------------------------------


def _subtitles(invoice: Invoice) -> Iterator[Text]:
    if invoice.kind.is_note:
        yield words.OF_INVOICE[invoice.profile]
    if invoice.kind is Kind.PREPAYMENT:
        yield words.PREPAYMENT
    yield from (text for flag, text in words.FLAGS.items() if flag in invoice.flags)


def _facts(content: Content) -> Iterator[Row]:
    invoice, heading, _ = content
    moment = heading.issued_at.astimezone(RIYADH)
    yield _row(words.NOTE_NUMBER if invoice.kind.is_note else words.NUMBER, heading.number)
    yield _row(words.ISSUED_AT, f"{moment:%Y-%m-%d  %H:%M:%S}")
    if invoice.supply_date:
        yield _supplied(invoice.supply_date, invoice.supply_end)
    if invoice.references:
        yield _row(words.REFERENCE, *invoice.references)
    if invoice.reason:
        yield _row(words.REASON, *_lines_of(invoice.reason))
    for label, value in ((words.ORDER, invoice.order_reference), (words.CONTRACT, invoice.contract)):
        if value:
            yield _row(label, value)
    if invoice.payment_means not in ("", _UNSAID):
        named = words.PAYMENT_MEANS.get(invoice.payment_means)
        yield _row(words.PAYMENT, _one_line(named) if named else invoice.payment_means)
    if invoice.currency != SAR:
        yield _row(words.CURRENCY, invoice.currency)
    if invoice.fx_rate:
        yield _row(words.EXCHANGE_RATE, f"1 {invoice.currency} = {_number(invoice.fx_rate)} SAR")
    yield _row(words.TYPE, f"{invoice.kind.value} / {invoice.transaction_code}")


def _supplied(first: date, last: date | None) -> Row:
    if last and last != first:
        return _row(words.SUPPLY_PERIOD, f"{first} – {last}")
    return _row(words.SUPPLY_DATE, str(first))


def _parties(invoice: Invoice) -> Iterator[Part]:
    yield _party(words.SELLER, invoice.seller)
    if invoice.buyer and invoice.buyer != Party(""):
        yield _party(words.BUYER, invoice.buyer)


def _party(label: Text, party: Party) -> Part:
    rows = []
    if party.vat:
        rows.append(_row(words.VAT_NUMBER, party.vat))
    if party.id and party.id.value:
        rows.append(_identity(party.id))
    if party.address and (shown := list(_address(party.address))):
        rows.append(_row(words.ADDRESS, *shown))
    return {"label": _pair(label), "name": _lines_of(party.name), "rows": rows}


def _identity(identity: Identifier) -> Row:
    return _row(words.IDENTITIES.get(identity.scheme, words.OTHER_IDENTITY), identity.value)


def _address(address: Address) -> Iterator[str]:
    """As the national address is written: building and street, district, city and postal code, country."""
    country = words.COUNTRIES.get(address.country)
    parts = (
        (address.building, address.street),
        (address.district,),
        (address.city, address.postal_code),
        (_one_line(country) if country else address.country,),
    )
    for part in parts:
        if said := [each for text in part for each in _lines_of(text)]:
            yield "  ".join(said)


# -- the tables --------------------------------------------------------------------------------------------------------


def _lines(invoice: Invoice) -> Part:
    """The goods and services. A column for discounts and charges stands there only if a line has any."""
    adjusted = any(line.reductions or line.charges for line in invoice.lines)
    head = [words.ITEM, words.QUANTITY, words.PRICE, words.NET, words.RATE, words.VAT, words.WITH_VAT]
    if adjusted:
        head.insert(3, words.ADJUSTED)
    return {
        "head": [_pair(each) for each in head],
        "adjusted": adjusted,
        "rows": [_line(line, adjusted=adjusted) for line in invoice.lines],
    }


def _line(line: Line, *, adjusted: bool) -> Part:
    price = _price(line.price) + (f" / {_number(line.base_quantity)}" if line.has_base_quantity else "")
    figures = [price]
    if adjusted:
        off = sum((each.amount for each in line.reductions), Decimal())
        on = sum((each.amount for each in line.charges), Decimal())
        figures.append(_signed(on - off) if line.reductions or line.charges else "")
    figures += [_amount(line.net), _rate(line.tax), _amount(line.vat), _amount(line.total)]
    unit = words.UNITS.get(line.unit)
    return {
        "id": line.id,
        "name": _lines_of(line.name),
        "sku": line.sku,
        "details": [_detail(each) for each in _changes(line)],
        "quantity": _number(line.quantity),
        "unit": _one_line(unit) if unit else line.unit,
        "figures": figures,
    }


def _changes(line: Line) -> tuple[Reduction | Charge, ...]:
    return (*line.reductions, *line.charges)


def _detail(each: Reduction | Charge) -> Part:
    sign = -1 if isinstance(each, Reduction) else 1
    return {"reason": _lines_of(each.reason), "amount": _signed(sign * each.amount)}


def _adjustments(invoice: Invoice) -> Part:
    """BG-20 and BG-21."""
    head = [words.ADJUSTED, words.RATE, words.AMOUNT]
    changes: tuple[Allowance | DocumentCharge, ...] = (*invoice.allowances, *invoice.charges)
    rows = [_adjustment(each) for each in changes]
    return {"head": [_pair(each) for each in head], "rows": rows}


def _adjustment(each: Allowance | DocumentCharge) -> list[list[str]]:
    is_charge = isinstance(each, DocumentCharge)
    reason = _lines_of(each.reason) or _pair(words.CHARGE if is_charge else words.DISCOUNT)
    return [reason, [_rate(each.tax)], [_signed(each.amount if is_charge else -each.amount)]]


def _deductions(deductions: Iterable[Deduction]) -> Part:
    """What was taxed before (KSA-26 to KSA-34)."""
    head = [words.PREPAYMENT_INVOICE, words.ISSUED_AT, words.TAXABLE, words.RATE, words.VAT, words.AMOUNT]
    rows = [
        [
            [each.number],
            [f"{each.issued_at.astimezone(RIYADH):%Y-%m-%d %H:%M}"],
            [_amount(each.taxable)],
            [_rate(each.tax)],
            [_amount(each.vat)],
            [_amount(each.total)],
        ]
        for each in deductions
    ]
    return {"head": [_pair(each) for each in head], "rows": rows}


def _breakdown(invoice: Invoice) -> Part:
    """BG-23, and of what is not taxed the reason (BT-120, BT-121)."""
    head = [words.CATEGORY, words.RATE, words.TAXABLE, words.VAT]
    return {"head": [_pair(each) for each in head], "rows": [_group(each) for each in invoice.vat_groups]}


def _group(group: VatGroup) -> list[list[str]]:
    tax = group.tax
    named = [*_pair(words.CATEGORIES[tax.category]), *_lines_of(tax.reason)]
    if tax.reason_code:
        named.append(tax.reason_code)
    return [named, [_rate(tax)], [_amount(group.taxable)], [_amount(group.vat)]]


def _totals(invoice: Invoice) -> Iterator[Part]:
    """The sums: those that only repeat another are left out."""
    if invoice.allowances or invoice.charges:
        yield _sum(words.LINES_TOTAL, invoice.lines_total, invoice.currency)
    if invoice.allowances:
        yield _sum(words.ALLOWANCES_TOTAL, -invoice.allowances_total, invoice.currency)
    if invoice.charges:
        yield _sum(words.CHARGES_TOTAL, invoice.charges_total, invoice.currency)
    yield _sum(words.WITHOUT_VAT, invoice.without_vat, invoice.currency)
    yield _sum(words.VAT_TOTAL, invoice.vat, invoice.currency)
    if invoice.currency != SAR:
        yield _sum(words.VAT_IN_SAR, invoice.vat_sar, SAR)
    yield _sum(words.TOTAL, invoice.with_vat, invoice.currency)
    if invoice.prepaid:
        yield _sum(words.PREPAID, -invoice.prepaid, invoice.currency)
    if invoice.rounding:
        yield _sum(words.ROUNDING, invoice.rounding, invoice.currency)
    yield _sum(words.PAYABLE, invoice.payable, invoice.currency) | {"is_last": True}


def _sum(label: Text, amount: Decimal, currency: str) -> Part:
    return {"label": _pair(label), "amount": _amount(amount), "currency": currency, "is_last": False}


# -- texts and figures -------------------------------------------------------------------------------------------------


def _row(label: Text, *lines: str) -> Row:
    return _pair(label), list(lines)


def _pair(text: Text) -> list[str]:
    return [text.ar, text.en]


def _one_line(text: Text) -> str:
    return f"{text.ar} / {text.en}"


def _lines_of(text: str) -> list[str]:
    """The lines of a text; each of its two languages has its own."""
    return [part.strip() for line in text.splitlines() for part in line.split(_BOTH) if part.strip()]


def _amount(amount: Decimal) -> str:
    """With a thousands separator; a minus stands before it."""
    return f"{amount:,.2f}".replace("-", "−")


def _signed(amount: Decimal) -> str:
    return f"+{_amount(amount)}" if amount > 0 else _amount(amount)


def _price(price: Decimal) -> str:
    """At least two decimals, more as far as they say something."""
    whole, _, decimals = f"{price:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}".replace("-", "−")


def _number(number: Decimal) -> str:
    text = f"{number:,f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _rate(tax: Tax) -> str:
    return f"{_number(tax.rate)}%"
