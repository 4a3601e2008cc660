"""The rule book of SDK release R3.4.8."""

from typing import Final

from gateway.rules.book import Book, rules_in
from gateway.rules.en16931 import codes, decimals, document, lengths, lines, totals, vat
from gateway.rules.en16931.contexts import LINE_ALLOWANCE_SHADOW
from gateway.rules.ksa import (
    amounts,
    currency,
    notes,
    parties,
    payment,
    prepayment,
    stamp,
)
from gateway.rules.ksa import document as ksa_document
from gateway.rules.ksa import lengths as ksa_lengths
from gateway.rules.ksa import vat as ksa_vat

EN16931: Final = rules_in(document, lines, totals, vat, codes, decimals, lengths)
"""What comes from EN 16931, regraded by the authority."""

KSA: Final = rules_in(ksa_document, stamp, parties, notes, currency, payment, ksa_vat, amounts, prepayment, ksa_lengths)
"""What the authority added."""

BOOK: Final = Book("R3.4.8", (*EN16931, *KSA), shadows=(LINE_ALLOWANCE_SHADOW,))
