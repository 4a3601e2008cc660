"""The documents a unit shows the authority before it may issue: tests, one of each kind it may issue later.

They are not sales: they carry the compliance certificate, run on a chain of their own in memory, and are not kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from gateway import stamp, ubl
from gateway.chain import Link, first_link
from gateway.csid import Certificate
from gateway.invoice.facts import (
    Address,
    Category,
    Heading,
    Identifier,
    Invoice,
    Kind,
    Line,
    Party,
    Profile,
    Tax,
)
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import allowed_rules
from gateway.pipeline.proof import Case, prove
from gateway.pipeline.rendered import moment_of_issue, stamped
from gateway.unit import Unit

_BUYER: Final = Party(
    "شركة نموذجية للفحص | Compliance Sample Co",
    vat="300000000000003",
    id=Identifier("CRN", "1010203040"),
    address=Address("King Fahd Road", "7687", "Al Olaya", "Riyadh", "12262", "SA"),
)
_PROFILES: Final = {
    "1000": (Profile.STANDARD,),
    "0100": (Profile.SIMPLIFIED,),
    "1100": (Profile.STANDARD, Profile.SIMPLIFIED),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a unit's compliance documents are made: with which certificate, and whose signature."""

    gateway: Gateway
    unit: Unit
    certificate: Certificate
    sign: Callable[[bytes], bytes]


def compliance_invoices(unit: Unit, now: datetime) -> Iterator[Invoice]:
    """Invoice, credit note and debit note of each profile the unit may issue (three or six documents)."""
    today = moment_of_issue(now).date()
    line = Line("1", "Compliance check", Decimal(1), Decimal("100.00"), Tax(Category.STANDARD, Decimal(15)))
    for profile in _PROFILES[unit.invoice_types]:
        invoice = Invoice(
            kind=Kind.INVOICE,
            profile=profile,
            seller=unit.seller,
            buyer=_BUYER if profile is Profile.STANDARD else None,
            lines=(line,),
            supply_date=today,
            payment_means="10",
        )
        yield invoice
        for kind in (Kind.CREDIT_NOTE, Kind.DEBIT_NOTE):
            yield replace(invoice, kind=kind, references=("COMPLIANCE-1",), reason="Compliance check")


def name_of(invoice: Invoice) -> str:
    """What a compliance document is called, such as "simplified credit note"."""
    return f"{invoice.profile.word} {invoice.kind.word.replace('_', ' ')}"


def compliance_document(desk: Desk, invoice: Invoice, passed: Sequence[str]) -> stamp.Document:
    """The stamped document that follows those whose hashes have `passed`; NotCompliant if the unit's data break a
    rule."""
    now = desk.gateway.now()
    link = Link(len(passed) + 1, passed[-1]) if passed else first_link()
    heading = Heading(f"COMPLIANCE-{link.icv}", desk.gateway.new_id(), moment_of_issue(now))
    content = ubl.Content(invoice, heading, link)
    document = stamped(content, desk.certificate, desk.sign, now)
    proof = prove(Case(document.xml, content, desk.certificate.der, now))
    proof.admit(allowed_rules(desk.gateway, desk.unit.taxpayer_id))
    return document
