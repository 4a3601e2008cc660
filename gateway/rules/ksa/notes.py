"""What credit and debit notes must say: why they are given, and to which invoice."""

from gateway.rules.book import WARNING, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import NOTE
from gateway.rules.parts import BillingReference, Invoice
from gateway.rules.view import Node


def _means_without_reason(invoice: Invoice) -> Node:
    return next((each for each in everywhere(invoice).payment_means if not each.instruction_notes), Node.absent())


@rule("BR-KSA-17", NOTE, term="KSA-10", place=_means_without_reason, value=lambda _: "")
def note_states_its_reason(invoice: Invoice) -> bool:
    return bool(everywhere(invoice).payment_means) and not _means_without_reason(invoice)


def _bad_reason(invoice: Invoice) -> Node:
    reasons = (reason for means in everywhere(invoice).payment_means for reason in means.instruction_notes)
    return next((reason for reason in reasons if not 1 <= len(reason.text) <= 1000), Node.absent())


@rule("BR-KSA-F-06-C13", NOTE, term="KSA-10", place=_bad_reason, severity=WARNING)
def reason_has_1_to_1000_characters(invoice: Invoice) -> bool:
    return not _bad_reason(invoice)


def _references(invoice: Invoice) -> tuple[BillingReference, ...]:
    return everywhere(invoice).billing_references


def _unnamed_reference(invoice: Invoice) -> Node:
    return next((each for each in _references(invoice) if not each.invoice.id.filled), Node.absent())


@rule("BR-KSA-56", NOTE, term="BT-25", place=_unnamed_reference, value=lambda _: "", severity=WARNING)
def note_names_its_invoice(invoice: Invoice) -> bool:
    return bool(_references(invoice)) and not _unnamed_reference(invoice)


def _bad_reference(invoice: Invoice) -> Node:
    ids = (each.invoice.id for each in _references(invoice) if each.invoice.id)
    return next((each for each in ids if not 1 <= len(each.text) <= 5000), Node.absent())


@rule("BR-KSA-F-06-C22", NOTE, term="BT-25", place=_bad_reference)
def named_invoice_has_1_to_5000_characters(invoice: Invoice) -> bool:
    return not _bad_reference(invoice)
