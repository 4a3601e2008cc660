"""What the authority objects to, in our own terms: the business term, what to mend, and the field of the order.

The authority names a rule and says a sentence. Where the rule is one of the official book, the book knows more of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from gateway import ubl
from gateway.errors import BadInput
from gateway.finding import Finding, Text
from gateway.invoice.facts import Invoice
from gateway.invoice.origin import order_field
from gateway.rules import BOOKS
from gateway.rules.words import Wording, wordings

_SETS: Final = ("en16931", "ksa")


def understood(findings: Iterable[Finding], xml: bytes) -> tuple[Finding, ...]:
    """The authority's findings about a document of ours, as far as the rule book knows their rules; its words stay."""
    found = tuple(findings)
    if not any(each.rule in _terms() for each in found):
        return found
    invoice = _invoice(xml)
    return tuple(_understood(each, invoice) if each.rule in _terms() else each for each in found)


def _understood(finding: Finding, invoice: Invoice | None) -> Finding:
    term = _terms()[finding.rule]
    field = order_field("", term, invoice) if invoice else ""
    return replace(finding, term=term, fix=_fix(finding), order_field=field)


def _fix(finding: Finding) -> Text:
    """The book's own advice, unless it speaks of a value that only our own judgement would have found."""
    wording = _wordings().get(finding.rule)
    told = wording and wording.fix
    return told if told and "{" not in told.en + told.ar else finding.fix


def _invoice(xml: bytes) -> Invoice | None:
    try:
        return ubl.read(xml).invoice
    except BadInput:  # documents of older versions of this gateway are not all read by this one
        return None


@cache
def _terms() -> Mapping[str, str]:
    newest = list(BOOKS.values())[-1]
    return {rule.id: rule.term for rule in newest.rules}


@cache
def _wordings() -> Mapping[str, Wording]:
    return {rule: wording for name in _SETS for rule, wording in wordings(name).items()}
