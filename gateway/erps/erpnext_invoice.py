"""What a document is in ERPNext: the values of a Sales Invoice, pure.

ERPNext computes with binary numbers, and by default rounds halves to the even digit. So nothing is left to it: lines
are exact pieces, and VAT, allowances, charges, prepayments and the halala of rounding are rows of the type Actual,
whose amounts it takes as they are. Rates of lines are never negative, which most sites refuse.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.erps.erp import Booking, Paid
from gateway.erps.pieces import Digits, buyer_key, buyer_name, named_buyer, spelled
from gateway.invoice.facts import ONE, RIYADH, Category, Kind, Tax

UUID_FIELD: Final = "custom_gateway_uuid"
NUMBER_FIELD: Final = "custom_gateway_number"
KEY_FIELD: Final = "custom_gateway_key"
"""Our fields: of a Sales Invoice the first two, of a Customer and a Payment Entry the last."""

_DIGITS: Final = Digits()
"""ERPNext keeps two decimals of prices at least, and of quantities as well."""
_OF_CATEGORY: Final = {
    Category.STANDARD: "",
    Category.ZERO: " zero rated | صفرية",
    Category.EXEMPT: " exempt | معفاة",
    Category.OUT_OF_SCOPE: " out of scope | خارج النطاق",
}
_LONGEST_NAME: Final = 140
"""Characters of a field of the type Data."""


class Accounts(NamedTuple):
    """Where an invoice is written: names of ERPNext; `tax` gives the account of a tax."""

    company: str
    income: str
    cost_center: str
    discount: str
    rounding: str
    unit: str
    tax: Callable[[Tax], str]


def invoice_values(booking: Booking, accounts: Accounts, customer: str) -> dict[str, Any]:
    """The Sales Invoice of a document, its number and UUID on it so that it is found again."""
    issued, invoice = booking.issued, booking.invoice
    day = _day(booking)
    is_return = issued.kind is Kind.CREDIT_NOTE
    sign = -ONE if is_return else ONE
    values: dict[str, Any] = {
        UUID_FIELD: issued.uuid,
        NUMBER_FIELD: issued.number,
        "company": accounts.company,
        "customer": customer,
        "set_posting_time": 1,
        "posting_date": day,
        "due_date": day,
        "currency": issued.currency,
        "is_return": int(is_return),
        "update_stock": 0,
        "disable_rounded_total": 1,
        "ignore_pricing_rule": 1,
        "remarks": _remarks(booking),
        "items": [_item(*spelled(each, _DIGITS), sign, accounts) for each in invoice.lines],
        "taxes": list(_rows(booking, sign, accounts)),
    }
    if invoice.fx_rate is not None:
        values |= {"conversion_rate": invoice.fx_rate, "plc_conversion_rate": invoice.fx_rate}
    if is_return and booking.corrects:
        values |= {"return_against": booking.corrects, "update_outstanding_for_self": 1}
    return values


def _day(booking: Booking) -> str:
    return booking.issued.issued_at.astimezone(RIYADH).date().isoformat()


def _remarks(booking: Booking) -> str:
    said = f"{booking.issued.number}, {booking.origin}:{booking.order_name}"
    return f"{said}. Corrects {booking.corrects_number}: {booking.invoice.reason}" if booking.corrects_number else said


def _item(name: str, quantity: Decimal, price: Decimal, sign: Decimal, accounts: Accounts) -> dict[str, Any]:
    """A line without an item of the stock; of a return the quantity is negative, never the price."""
    return {
        "item_name": name[:_LONGEST_NAME],
        "description": name,
        "qty": quantity * sign,
        "rate": price,
        "uom": accounts.unit,
        "conversion_factor": 1,
        "income_account": accounts.income,
        "cost_center": accounts.cost_center,
    }


def _rows(booking: Booking, sign: Decimal, accounts: Accounts) -> Iterator[dict[str, Any]]:
    """All that is added to the lines or taken off, in the order of the document."""
    invoice = booking.invoice

    def row(account: str, text: str, amount: Decimal) -> dict[str, Any]:
        return {
            "charge_type": "Actual",
            "account_head": account,
            "description": text,
            "tax_amount": amount * sign,
            "cost_center": accounts.cost_center,
        }

    for allowance in invoice.allowances:
        yield row(accounts.discount, allowance.reason or "Discount | خصم", -allowance.amount)
    for charge in invoice.charges:
        yield row(accounts.income, charge.reason or "Charge | رسوم", charge.amount)
    for group in invoice.vat_groups:
        yield row(accounts.tax(group.tax), _vat_text(group.tax), group.vat)
    for paid in invoice.deductions:
        yield row(accounts.income, f"{paid.name} {paid.number}", -paid.taxable)
        yield row(accounts.tax(paid.tax), f"{_vat_text(paid.tax)}, {paid.number}", -paid.vat)
    if rounding := booking.issued.total - (invoice.with_vat - invoice.prepaid):
        yield row(accounts.rounding, "Rounding | التقريب", rounding)


def _vat_text(tax: Tax) -> str:
    return f"VAT {tax.rate.normalize():f} %{_OF_CATEGORY[tax.category]}"


def customer_values(booking: Booking) -> dict[str, Any]:
    """The customer's record under our key: who it is, as far as it changes."""
    buyer = named_buyer(booking)
    values: dict[str, Any] = {KEY_FIELD: buyer_key(booking), "customer_name": buyer_name(booking)[:_LONGEST_NAME]}
    return values | ({"tax_id": buyer.vat} if buyer and buyer.vat else {})


def payment_key(booking: Booking, number: int) -> str:
    """Our name for one of a document's payments; a second one of the same is impossible."""
    return f"{booking.issued.uuid}/{number}"


def payment_values(booking: Booking, number: int, paid: Paid, account: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A Payment Entry: money received, or of a return money given back, allotted to the Sales Invoice `entry`."""
    back = booking.issued.kind is Kind.CREDIT_NOTE
    day = _day(booking)
    here, there = (account, entry["debit_to"]) if back else (entry["debit_to"], account)
    allotted = {
        "reference_doctype": "Sales Invoice",
        "reference_name": entry["name"],
        "allocated_amount": turned(booking, paid.amount),
    }
    return {
        KEY_FIELD: payment_key(booking, number),
        "payment_type": "Pay" if back else "Receive",
        "company": entry["company"],
        "posting_date": day,
        "party_type": "Customer",
        "party": entry["customer"],
        "paid_from": here,
        "paid_to": there,
        "paid_amount": paid.amount,
        "received_amount": paid.amount,
        "source_exchange_rate": 1,
        "target_exchange_rate": 1,
        "reference_no": f"{booking.issued.number}/{number} {paid.method}",
        "reference_date": day,
        "references": [allotted],
    }


def turned(booking: Booking, amount: Decimal) -> Decimal:
    """An amount of the document as its Sales Invoice has it, and back again: those of returns are below zero."""
    return -amount if booking.issued.kind is Kind.CREDIT_NOTE else amount
