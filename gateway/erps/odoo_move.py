"""What a document is in Odoo's books: the values of an account.move, pure.

Odoo computes VAT from its lines, and to the halala as the law does only if every line is exact: its prices have two
decimals unless the database has more. A line whose quantity and price do not come to its amount exactly is therefore
written as one piece of that amount, and says the quantity in its name.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from gateway.erps.erp import Booking
from gateway.invoice.facts import RIYADH, ZERO, Category, Invoice, Kind, Line, Party, Profile, Tax, round_half_up

TaxIds = Callable[[Tax], list[int]]
"""Odoo's taxes for one of ours."""

_ROUNDING: Final = "Rounding | التقريب"
_EXTERNAL: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
_MODULE: Final = "gateway"
"""The module that our external ids belong to."""


class Digits(NamedTuple):
    """How many decimals the database keeps of prices and quantities."""

    price: int = 2
    quantity: int = 2


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
        yield _written(*_spelled(line, accounts.digits), line.tax, accounts.account, tax_ids)
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


def _spelled(line: Line, digits: Digits) -> tuple[str, Decimal, Decimal]:
    """Name, quantity and price of a line, so that they come to its amount exactly."""
    name = f"[{line.sku}] {line.name}" if line.sku else line.name
    if line.quantity:
        price = (line.net / line.quantity).quantize(Decimal(1).scaleb(-digits.price))
        exact = price * line.quantity == line.net and _fits(line.quantity, digits.quantity)
        if exact:
            return name, line.quantity, price
    return f"{line.quantity.normalize():f} × {name}", Decimal(1), line.net


def _fits(number: Decimal, places: int) -> bool:
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= places


def partner_of(booking: Booking) -> Partner:
    """Who is billed: a business under its VAT number or other identity. Buyers of simplified invoices, of whom nothing
    tells one from the other, are together one partner of each shop."""
    buyer = booking.invoice.buyer
    if buyer is None or (booking.issued.profile is Profile.SIMPLIFIED and not (buyer.vat or buyer.id)):
        return Partner(_key("buyers", booking.origin), {"name": f"Shop customers ({booking.origin})"})
    return Partner(_key_of(buyer), _partner_values(buyer))


def _key_of(buyer: Party) -> str:
    if buyer.vat:
        return _key("vat", buyer.vat)
    return _key(buyer.id.scheme, buyer.id.value) if buyer.id else _key("name", buyer.name)


def _key(scheme: str, value: str) -> str:
    """An external id; what could not be one is told apart by its digest."""
    plain = value if _EXTERNAL.fullmatch(value) else hashlib.sha256(value.encode()).hexdigest()[:24]
    return f"{_MODULE}.partner_{scheme.lower()}_{plain}"


def _partner_values(buyer: Party) -> dict[str, str]:
    values = {"name": buyer.name or buyer.vat or (buyer.id.value if buyer.id else "")}
    values |= {"vat": buyer.vat} if buyer.vat else {}
    if address := buyer.address:
        street = " ".join(each for each in (address.building, address.street) if each)
        said = {"street": street, "street2": address.district, "city": address.city, "zip": address.postal_code}
        values |= {name: text for name, text in said.items() if text}
        country = {"GB": "uk"}.get(address.country, address.country.lower())
        values |= {"country_id/id": f"base.{country}"}
    return values


def tax_name(tax: Tax) -> str:
    """The setting that names Odoo's tax for it, such as tax.S15."""
    return f"tax.{tax.category.value}{tax.rate.normalize():f}"


def may_lack(tax: Tax) -> bool:
    """Whether lines of it can do without any tax in Odoo: what is out of scope has none."""
    return tax.category is Category.OUT_OF_SCOPE
