"""What a document is in Odoo's books: the values of an account.move, pure.

Odoo computes VAT from its lines, and to the halala as the law does only if every line is exact: its prices have two
decimals unless the database has more.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.erps.erp import Booking
from gateway.erps.pieces import Digits, buyer_key, buyer_name, named_buyer, spelled
from gateway.invoice.facts import RIYADH, ZERO, Category, Invoice, Kind, Party, Tax, round_half_up

TaxIds = Callable[[Tax], list[int]]
"""Odoo's taxes for one of ours."""

_ROUNDING: Final = "Rounding | التقريب"
_MODULE: Final = "gateway"
"""The module that our external ids belong to."""


class Accounts(NamedTuple):
    """Where a move is written: ids of Odoo; `account` and `rounding` are 0 where the journal's own serve."""

    journal: int
    account: int = 0
    rounding: int = 0
    digits: Digits = Digits()


class Partner(NamedTuple):
    """A buyer under our key, which is the same whenever the buyer comes again."""

    key: str
    values: dict[str, str]


def move_type(kind: Kind) -> str:
    """Odoo's name for it; a debit note is one more invoice there."""
    return "out_refund" if kind is Kind.CREDIT_NOTE else "out_invoice"


def move_values(booking: Booking, accounts: Accounts, tax_ids: TaxIds, partner: int) -> dict[str, Any]:
    """The move of a document, its number and UUID on it so that it is found again."""
    issued = booking.issued
    day = issued.issued_at.astimezone(RIYADH).date().isoformat()
    values: dict[str, Any] = {
        "move_type": move_type(issued.kind),
        "partner_id": partner,
        "journal_id": accounts.journal,
        "invoice_date": day,
        "name": issued.number,
        "ref": issued.uuid,
        "invoice_origin": f"{booking.origin}:{booking.order_name}",
        "invoice_line_ids": [[0, 0, each] for each in _lines(booking, accounts, tax_ids)],
    }
    if booking.corrects and issued.kind is Kind.CREDIT_NOTE:
        values["reversed_entry_id"] = int(booking.corrects)
    if booking.corrects_number:
        values["narration"] = f"Corrects {booking.corrects_number}: {booking.invoice.reason}"
    return values


def _lines(booking: Booking, accounts: Accounts, tax_ids: TaxIds) -> Iterator[dict[str, Any]]:
    invoice = booking.invoice
    for line in invoice.lines:
        yield _written(*spelled(line, accounts.digits), line.tax, accounts.account, tax_ids)
    for allowance in invoice.allowances:
        yield _written(allowance.reason, Decimal(1), -allowance.amount, allowance.tax, accounts.account, tax_ids)
    for charge in invoice.charges:
        yield _written(charge.reason, Decimal(1), charge.amount, charge.tax, accounts.account, tax_ids)
    for paid in invoice.deductions:
        name = f"{paid.name} {paid.number}"
        yield _written(name, Decimal(1), -paid.taxable, paid.tax, accounts.account, tax_ids)
    if rounding := booking.issued.total - _computed(invoice):
        yield _written(_ROUNDING, Decimal(1), rounding, None, accounts.rounding or accounts.account, tax_ids)


def _computed(invoice: Invoice) -> Decimal:
    """What Odoo comes to with these lines, VAT rounded once for each tax. A document differs from it by the halala that
    a price with VAT cannot reach, and by those of the VAT of prepayments, which was rounded when they were issued."""
    nets = {group.tax: group.taxable for group in invoice.vat_groups}
    for paid in invoice.deductions:
        nets[paid.tax] = nets.get(paid.tax, ZERO) - paid.taxable
    by_rate: dict[tuple[Category, Decimal], Decimal] = {}
    for tax, net in nets.items():
        by_rate[tax.category, tax.rate] = by_rate.get((tax.category, tax.rate), ZERO) + net
    return sum((net + round_half_up(net * rate / 100) for (_, rate), net in by_rate.items()), ZERO)


def _written(
    name: str, quantity: Decimal, price: Decimal, tax: Tax | None, account: int, tax_ids: TaxIds
) -> dict[str, Any]:
    values: dict[str, Any] = {"name": name, "quantity": quantity, "price_unit": price}
    values["tax_ids"] = [[6, 0, tax_ids(tax) if tax else []]]
    return values | ({"account_id": account} if account else {})


def partner_of(booking: Booking) -> Partner:
    """Who is billed: a business under its VAT number or other identity, all others as one partner of each shop."""
    key, buyer = f"{_MODULE}.{buyer_key(booking)}", named_buyer(booking)
    name = buyer_name(booking)
    return Partner(key, _partner_values(buyer, name) if buyer else {"name": name})


def _partner_values(buyer: Party, name: str) -> dict[str, str]:
    values = {"name": name}
    values |= {"vat": buyer.vat} if buyer.vat else {}
    if address := buyer.address:
        street = " ".join(each for each in (address.building, address.street) if each)
        said = {"street": street, "street2": address.district, "city": address.city, "zip": address.postal_code}
        values |= {name: text for name, text in said.items() if text}
        country = {"GB": "uk"}.get(address.country, address.country.lower())
        values |= {"country_id/id": f"base.{country}"}
    return values


def may_lack(tax: Tax) -> bool:
    """Whether lines of it can do without any tax in Odoo: what is out of scope has none."""
    return tax.category is Category.OUT_OF_SCOPE
