"""What an invoice must say about itself."""

from gateway.rules.book import WARNING, rule
from gateway.rules.en16931.contexts import BILLING_REFERENCE, INVOICE, PAYMENT_MEANS, REFERENCE, SELLER_ADDRESS
from gateway.rules.everywhere import everywhere
from gateway.rules.parts import (
    Address,
    BillingReference,
    DocumentReference,
    Invoice,
    PaymentMeans,
)
from gateway.rules.view import Node


@rule("BR-02", INVOICE, term="BT-1", place=lambda invoice: invoice.id, severity=WARNING)
def number_is_given(invoice: Invoice) -> bool:
    return invoice.id.filled


@rule("BR-03", INVOICE, term="BT-2", place=lambda invoice: invoice.issue_date)
def issue_date_is_given(invoice: Invoice) -> bool:
    return invoice.issue_date.filled


@rule("BR-04", INVOICE, term="BT-3", place=lambda invoice: invoice.type_code)
def type_is_given(invoice: Invoice) -> bool:
    return invoice.type_code.filled


@rule("BR-05", INVOICE, term="BT-5", place=lambda invoice: invoice.currency)
def currency_is_given(invoice: Invoice) -> bool:
    return invoice.currency.filled


@rule("BR-06", INVOICE, term="BT-27", place=lambda invoice: invoice.seller.party, value=lambda _: "", severity=WARNING)
def seller_is_named(invoice: Invoice) -> bool:
    return any(name.filled for name in invoice.seller.party.names)


@rule("BR-08", INVOICE, term="BG-5", place=lambda invoice: invoice.seller.party, value=lambda _: "", severity=WARNING)
def seller_address_is_given(invoice: Invoice) -> bool:
    return bool(invoice.seller.party.address)


@rule("BR-09", SELLER_ADDRESS, term="BT-40", place=lambda address: address.country.code, severity=WARNING)
def seller_country_is_given(address: Address) -> bool:
    return address.country.code.filled


@rule("BR-16", INVOICE, term="BG-25")
def has_lines(invoice: Invoice) -> bool:
    return bool(invoice.lines)


@rule("BR-55", BILLING_REFERENCE, term="BT-25", place=lambda reference: reference.invoice.id)
def preceding_invoice_is_named(reference: BillingReference) -> bool:
    return reference.invoice.id.filled


@rule("BR-52", REFERENCE, term="BT-122", place=lambda reference: reference.id, severity=WARNING)
def supporting_document_is_named(reference: DocumentReference) -> bool:
    return reference.id.filled


@rule("BR-49", PAYMENT_MEANS, term="BT-81", severity=WARNING)
def means_of_payment_is_coded(means: PaymentMeans) -> bool:
    return bool(means.code) or not everywhere(means).is_standard


def _accounting_vat(invoice: Invoice) -> Node:
    return next((each.amount for each in invoice.accounting_totals), Node.absent())


@rule("BR-53", INVOICE, term="BT-111", place=_accounting_vat, severity=WARNING)
def vat_total_is_in_the_tax_currency(invoice: Invoice) -> bool:
    currency = invoice.tax_currency
    return not currency or all(
        each.amount and each.amount.currency == currency.text for each in invoice.accounting_totals
    )
