"""The rule book of SDK release R3.4.8."""

from typing import Final

from gateway.rules.book import Book, rules_in
from gateway.rules.en16931 import codes, document, lines, totals, vat

BOOK: Final = Book("R3.4.8", rules_in(document, lines, totals, vat, codes))
