"""What XPath 2.0 does where Python would do otherwise, as the authority's processor (Saxon) does it.

The verdict follows these functions, so each differs from the nearest Python idiom for a reason that it states.
They know texts and numbers only: neither elements nor rules.
"""

import re
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=6_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Sums and products of xs:decimal are exact: no document that is read has numbers of that many digits.

Nothing is trapped, so that the absent number (NAN) spreads silently. Division needs a context of its own.
"""

NAN: Final = Decimal("NaN")
"""The empty sequence as a number: it equals nothing, is neither greater nor smaller, and spreads through sums."""

HALF: Final = Decimal("0.5")
_BLANKS = " \t\r\n"
_BLANK_RUNS = re.compile(f"[{_BLANKS}]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")


class Abandoned(Exception):
    """The official implementation ends the whole rule set here with a dynamic error."""


def normalize_space(text: str) -> str:
    """Only the four blanks of XML are white space; str.split() would also take the no-break space."""
    if text.isascii():
        return " ".join(text.split())
    return _BLANK_RUNS.sub(" ", text).strip(" ")


def to_decimal(text: str) -> Decimal:
    """The cast to xs:decimal: no exponent, no underscore, ASCII digits; anything else is a dynamic error."""
    digits = text.strip(_BLANKS)
    if not _DECIMAL.fullmatch(digits):
        raise Abandoned(f"{digits[:40]!r} is no xs:decimal")
    return Decimal(digits)


def to_boolean(text: str) -> bool:
    """The cast to xs:boolean; any other word is a dynamic error."""
    match text.strip(_BLANKS):
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    raise Abandoned(f"{text[:40]!r} is no xs:boolean")


def round_to_cents(value: Decimal) -> Decimal:
    """`round(value * 100) div 100`: halves go up towards plus infinity, also below zero."""
    return (value.scaleb(2) + HALF).to_integral_value(ROUND_FLOOR).scaleb(-2)


def compare_untyped(text: str, number: int | Decimal) -> int:
    """-1, 0 or 1 as untyped text is less than, equal to or greater than a number.

    Against a whole number, whole digits are compared as such; everything else is compared as doubles, among which
    minus zero comes before zero. So '-0' equals 0, but '-0.00' is less than 0 and '-0' less than 0.00.
    """
    digits = text.strip(_BLANKS)
    if isinstance(number, int) and _WHOLE.fullmatch(digits):
        return _order(int(digits), number)
    if not _DECIMAL.fullmatch(digits):
        raise Abandoned(f"{digits[:40]!r} is no number")
    left, right = float(digits), float(number)
    if left == right == 0:
        return -1 if digits.startswith("-") else 0
    return _order(left, right)


def code_list(codes: str) -> frozenset[str]:
    """A blank-joined list as `contains(list, concat(' ', code, ' '))` sees it: a doubled blank admits empty text."""
    return frozenset(codes.split()) | ({""} if "  " in codes else set())


def _order(left: float, right: float) -> int:
    return (left > right) - (left < right)
