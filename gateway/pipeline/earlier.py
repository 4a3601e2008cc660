"""What earlier documents leave for later ones: prepayments to take off, and originals, our own or from elsewhere."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from gateway import ubl
from gateway.connection import Connection
from gateway.errors import Conflict
from gateway.invoice.facts import RIYADH, Category, Invoice, Kind, Tax
from gateway.invoice.notes import Note, Original, standing
from gateway.invoice.prepayment import Part, Prior
from gateway.issued import Issued, Status
from gateway.ledger import ExternalOriginal, Filter, TakenOff
from gateway.order import Order
from gateway.pipeline.gateway import Gateway

_UNDONE = frozenset({Status.REJECTED, Status.REPLACED})


def priors_of(gateway: Gateway, taxpayer_id: str, order: Order, *, but: str | None = None) -> dict[str, Prior]:
    """The prepayment invoices of our own that an order takes off, by number, with what is left of them. `but` is a
    document to be replaced, whose own deductions do not count."""
    return priors_named(
        gateway, taxpayer_id, [each.number for each in order.prepayments if each.issued_at is None], but=but
    )


def priors_named(
    gateway: Gateway, taxpayer_id: str, numbers: Iterable[str], *, but: str | None = None
) -> dict[str, Prior]:
    """Those of these numbers that are prepayment invoices of our own."""
    found = ((number, _prepayment(gateway, taxpayer_id, number)) for number in numbers)
    return {number: _prior(gateway, taxpayer_id, issued, but) for number, issued in found if issued}


def _prepayment(gateway: Gateway, taxpayer_id: str, number: str) -> Issued | None:
    named = gateway.ledger.invoices(taxpayer_id, Filter(number=number)).items
    return next((each for each in named if each.kind is Kind.PREPAYMENT and each.status not in _UNDONE), None)


def _prior(gateway: Gateway, taxpayer_id: str, issued: Issued, but: str | None) -> Prior:
    content = ubl.read(gateway.ledger.stamped_xml(taxpayer_id, issued.uuid))
    original = Original(issued.number, content.invoice, {}, used_of(gateway, taxpayer_id, issued.uuid, but))
    left: dict[Tax, Decimal] = {}
    for each in standing(original, notes_on(gateway, taxpayer_id, issued.uuid)).lines:
        left[each.line.tax] = left.get(each.line.tax, Decimal(0)) + each.net
    parts = tuple(Part(tax, taxable, tax.of(taxable)) for tax, taxable in left.items())
    return Prior(issued.number, issued.uuid, content.heading.issued_at, content.invoice.currency, parts)


def notes_on(gateway: Gateway, taxpayer_id: str, uuid: str, *, but: str | None = None) -> list[Note]:
    """What credit notes have taken of a document; `but` is one that is to be replaced."""
    return [Note.of_json(kept) for kept in gateway.ledger.takes(taxpayer_id, uuid, but) if kept]


def used_of(gateway: Gateway, taxpayer_id: str, uuid: str, but: str | None = None) -> tuple[Part, ...]:
    """What other documents take off of a prepayment."""
    taken = gateway.ledger.deductions(taxpayer_id, uuid, but)
    return tuple(_part(kept) for each in taken for kept in each.parts)


def taken_off(invoice: Invoice, priors: Mapping[str, Prior]) -> tuple[TakenOff, ...]:
    """What a document takes off of prepayments of our own, as it is kept."""
    kept = (
        (prior.uuid, [_kept(each.tax, each.taxable, each.vat) for each in invoice.deductions if each.number == number])
        for number, prior in priors.items()
    )
    return tuple(TakenOff(uuid, parts) for uuid, parts in kept if parts)


def _kept(tax: Tax, taxable: Decimal, vat: Decimal) -> dict[str, str]:
    return {
        "category": tax.category.value, "rate": f"{tax.rate:f}", "reason_code": tax.reason_code, "reason": tax.reason,
        "taxable": str(taxable), "vat": str(vat),
    }  # fmt: skip


def _part(kept: Mapping[str, Any]) -> Part:
    tax = Tax(Category(kept["category"]), Decimal(kept["rate"]), kept["reason_code"], kept["reason"])
    return Part(tax, Decimal(kept["taxable"]), Decimal(kept["vat"]))


def external_of(
    gateway: Gateway, connection: Connection, order: Order, note: Invoice, *, but: str | None = None
) -> ExternalOriginal | None:
    """The invoice from before this gateway that a note corrects; Conflict if it is none, or too little is left."""
    original = order.corrects
    if original is None:
        return None
    cutover = connection.cutover
    if cutover and original.issued_on >= cutover.astimezone(RIYADH).date():
        raise _not_from_before(original.number, f"is dated {original.issued_on}, when this connection issued already")
    if gateway.ledger.invoices(connection.taxpayer_id, Filter(number=original.number)).items:
        raise _not_from_before(original.number, "was issued here")
    known = gateway.ledger.external_notes(connection.taxpayer_id, original.number, but)
    left = (original.left if known.left is None else known.left) - known.given_back
    if note.kind is Kind.CREDIT_NOTE and note.payable > left:
        raise Conflict(
            f"{note.payable} of invoice {original.number} cannot be given back: {left} is left of it.",
            fix="Credit notes together never exceed their original; what was said first to be left of it counts.",
            ar=f"لا يمكن رد {note.payable} من الفاتورة {original.number}؛ المتبقي منها {left}.",
        )
    return ExternalOriginal(original.number, original.left)


def _not_from_before(number: str, why: str) -> Conflict:
    return Conflict(
        f"Invoice {number} {why}.",
        fix="Correct a document of this gateway by POST /v1/invoices/{uuid}/credit-notes or /debit-notes.",
        ar=f"الفاتورة {number} ليست سابقة لبدء الإصدار من هذا النظام. أصدر الإشعار على المستند نفسه.",
    )
