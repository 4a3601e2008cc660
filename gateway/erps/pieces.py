"""What the ERPs have in common of a document: its lines as pieces that are exact, who is billed, names of settings.

An ERP multiplies quantity and price itself, and keeps so many decimals of each. A line that would not come to its
amount exactly is one piece of that amount, and says the quantity in its name.
"""

import hashlib
import re
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.erps.erp import Booking
from gateway.invoice.facts import Line, Party, Profile, Tax

_PLAIN: Final = re.compile(r"[A-Za-z0-9_]{1,60}")


class Digits(NamedTuple):
    """How many decimals a database keeps of prices and quantities."""

    price: int = 2
    quantity: int = 2


class Spelled(NamedTuple):
    """A line, written so that quantity times price is its amount (BT-131)."""

    name: str
    quantity: Decimal
    price: Decimal


def spelled(line: Line, digits: Digits) -> Spelled:
    """Name, quantity and price of a line, so that they come to its amount exactly."""
    name = f"[{line.sku}] {line.name}" if line.sku else line.name
    if line.quantity:
        price = (line.net / line.quantity).quantize(Decimal(1).scaleb(-digits.price))
        exact = price * line.quantity == line.net and _fits(line.quantity, digits.quantity)
        if exact:
            return Spelled(name, line.quantity, price)
    return Spelled(f"{line.quantity.normalize():f} × {name}", Decimal(1), line.net)


def _fits(number: Decimal, places: int) -> bool:
    exponent = number.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= places


def named_buyer(booking: Booking) -> Party | None:
    """Who is billed by name; None for the buyers of simplified invoices, of whom nothing tells one from the other: they
    are together one customer of each shop."""
    buyer = booking.invoice.buyer
    if buyer is None or (booking.issued.profile is Profile.SIMPLIFIED and not (buyer.vat or buyer.id)):
        return None
    return buyer


def buyer_name(booking: Booking) -> str:
    """What the ERP calls the customer."""
    buyer = named_buyer(booking)
    if buyer is None:
        return f"Shop customers ({booking.origin})"
    return buyer.name or buyer.vat or (buyer.id.value if buyer.id else "")


def buyer_key(booking: Booking) -> str:
    """Our name for the customer's record, the same whenever the buyer comes again: by VAT number or other identity.
    Letters, digits and underscores; what has others is told apart by its digest."""
    buyer = named_buyer(booking)
    if buyer is None:
        return _key("buyers", booking.origin)
    if buyer.vat:
        return _key("vat", buyer.vat)
    return _key(buyer.id.scheme, buyer.id.value) if buyer.id else _key("name", buyer.name)


def _key(scheme: str, value: str) -> str:
    plain = value if _PLAIN.fullmatch(value) else hashlib.sha256(value.encode()).hexdigest()[:24]
    return f"partner_{scheme.lower()}_{plain}"


def tax_name(tax: Tax) -> str:
    """The setting that names the ERP's own tax for it, such as tax.S15."""
    return f"tax.{tax.category.value}{tax.rate.normalize():f}"
