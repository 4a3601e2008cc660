"""What an invoice must say about itself."""

from gateway.finding import Severity
from gateway.rules.book import rule
from gateway.rules.en16931.contexts import BILLING_REFERENCE, INVOICE
from gateway.rules.view import BillingReference, Invoice, Node, single


def _seller_name(invoice: Invoice) -> Node:
    return single(Node, [entity.name for entity in invoice.seller.party.legal_entities if entity.name])


@rule("BR-03", INVOICE, term="BT-2", place=lambda invoice: invoice.issue_date)
def issue_date_is_given(invoice: Invoice) -> bool:
    return invoice.issue_date.filled


@rule("BR-04", INVOICE, term="BT-3", place=lambda invoice: invoice.type_code)
def type_is_given(invoice: Invoice) -> bool:
    return invoice.type_code.filled


@rule("BR-05", INVOICE, term="BT-5", place=lambda invoice: invoice.currency)
def currency_is_given(invoice: Invoice) -> bool:
    return invoice.currency.filled


@rule("BR-16", INVOICE, term="BG-25")
def has_lines(invoice: Invoice) -> bool:
    return bool(invoice.lines)


@rule("BR-KSA-F-06-C10", INVOICE, term="BT-27", place=_seller_name, severity=Severity.WARNING)
def seller_name_has_1_to_1000_characters(invoice: Invoice) -> bool:
    # Its string-length() takes one name only, so a second legal entity of the seller stops the whole set.
    name = _seller_name(invoice)
    return not name or 1 <= len(name.text) <= 1000


@rule("BR-55", BILLING_REFERENCE, term="BT-25", place=lambda reference: reference.invoice.id)
def preceding_invoice_is_named(reference: BillingReference) -> bool:
    return reference.invoice.id.filled
