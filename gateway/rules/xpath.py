"""What XPath 2.0 does where Python would do otherwise, as the authority's processor (Saxon) does it.

The verdict follows these functions, so each differs from the nearest Python idiom for a reason that it states.
They know texts and numbers only: neither elements nor rules.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import MAX_EMAX, MIN_EMIN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final

EXACT: Final = Context(prec=6_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Sums and products of xs:decimal are exact: no document that is read has numbers of that many digits.

Nothing is trapped, so that the absent number (NAN) spreads silently. Division needs a context of its own.
"""

NAN: Final = Decimal("NaN")
"""The empty sequence as a number: it equals nothing, is neither greater nor smaller, and spreads through sums."""

ZERO: Final = Decimal(0)
HALF: Final = Decimal("0.5")
_BLANKS = " \t\r\n"
_BLANK_RUNS = re.compile(f"[{_BLANKS}]+")
_DECIMAL = re.compile(r"[ \t\r\n]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[ \t\r\n]*")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
CENT: Final = Decimal("0.01")
_DIVISION_PLACES = 18
_PLAIN_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PLAIN_MOMENT = re.compile(f"{_PLAIN_DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}")
_ZONE = r"(Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
_DATE = re.compile(rf"(-?[0-9]{{4,}})-([0-9]{{2}})-([0-9]{{2}}){_ZONE}")
_DATE_TIME = re.compile(
    rf"(-?[0-9]{{4,}})-([0-9]{{2}})-([0-9]{{2}})T([0-9]{{2}}):([0-9]{{2}}):([0-9]{{2}})(?:\.([0-9]+))?{_ZONE}"
)


class Abandoned(Exception):
    """The official implementation ends the whole rule set here with a dynamic error."""


def normalize_space(text: str) -> str:
    """Only the four blanks of XML are white space; str.split() would also take the no-break space."""
    if text.isalnum():
        return text
    if text.isascii():
        return " ".join(text.split())
    return _BLANK_RUNS.sub(" ", text).strip(" ")


def to_decimal(text: str) -> Decimal:
    """The cast to xs:decimal. Nearly all numbers are digits and a point, told faster than by the pattern.

    No exponent, no underscore, ASCII digits; anything else is a dynamic error."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Decimal(text)
    if not _DECIMAL.fullmatch(text):
        raise Abandoned(f"{text[:40]!r} is no xs:decimal")
    return Decimal(text.strip(_BLANKS))


def to_double(text: str) -> float:
    """The same text as xs:double, which untyped text becomes in arithmetic; an exponent is refused here too."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    if not _DECIMAL.fullmatch(text):
        raise Abandoned(f"{text[:40]!r} is no xs:decimal")
    return float(text)


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


def round_half_up(value: Decimal, places: int) -> Decimal:
    """`round(value, places)`: halves go up towards plus infinity."""
    return (value.scaleb(places) + HALF).to_integral_value(ROUND_FLOOR).scaleb(-places)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """`div` of xs:decimal: at least 18 places, or as many as the longer operand has; by zero is a dynamic error."""
    if divisor == 0:
        raise Abandoned("division by zero")
    if dividend.is_nan() or divisor.is_nan():
        return NAN
    places = max(_DIVISION_PLACES, _places(dividend), _places(divisor))
    digits = max(dividend.adjusted() - divisor.adjusted(), 0) + places + 2
    raised = Context(prec=digits, rounding=ROUND_HALF_DOWN, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
    return raised.divide(dividend, divisor).quantize(Decimal(1).scaleb(-places), context=raised)


def round_double(value: float) -> float:
    """`round()` of xs:double: halves go up. Adding a half and taking the floor would be wrong from 2^52 on."""
    if not math.isfinite(value):
        return value
    whole = math.floor(value)
    return float(whole + 1 if value - whole >= 0.5 else whole)


def in_cents(value: Decimal | float) -> str:
    """`format-number(value, '#.00')`: half-even on the shortest decimal form of a double, and a sign even of -0.001.

    Two values are only ever compared in this form. The absent number is 'NaN'.
    """
    if isinstance(value, float):
        shortest = repr(value)
        whole, _, cents = shortest.partition(".")
        if len(cents) <= 2 and cents.isdigit() and shortest != "-0.0":
            return f"{whole}.{cents:0<2}"
        value = Decimal(shortest)
    number = value
    if not number.is_finite():
        return str(number)
    return ("-" if number < 0 else "") + f"{abs(number).quantize(CENT, ROUND_HALF_EVEN):f}"


def compare_untyped(text: str, number: int | Decimal) -> int:
    """-1, 0 or 1 as untyped text is less than, equal to or greater than a number.

    Against a whole number, whole digits are compared as such; everything else is compared as doubles, among which
    minus zero comes before zero. So '-0' equals 0, but '-0.00' is less than 0 and '-0' less than 0.00.
    """
    if text.isascii() and text.replace(".", "", 1).isdigit():  # doubles compare whole digits as well
        return _order(float(text), float(number))
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


def matches(text: str, pattern: str) -> bool:
    """`matches(text, pattern)` where the pattern comes from the document; a broken pattern is a dynamic error.

    Letters and digits, the only sensible content, are searched for as they are. Of other patterns only short ones are
    read, and run on short texts: no document may make a regular expression run away.
    """
    if pattern.isascii() and pattern.isalnum():
        return pattern in text
    return len(pattern) <= _MAX_PATTERN and _is_found(text[: _MAX_TEXT + 1], pattern)


@lru_cache(maxsize=256)
def _is_found(text: str, pattern: str) -> bool:
    try:
        compiled = re.compile(_python_pattern(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise Abandoned(f"{pattern[:40]!r} is no pattern") from error
    ways = len(_CHOICES.findall(pattern))
    return len(text) <= (_MAX_TEXT if ways <= 1 else _MAX_TEXT_IN_MANY_WAYS) and compiled.search(text) is not None


def is_after(text: str, now: datetime) -> bool:
    """`xs:date(text) > current-date()`; a date without a zone is meant in the zone of `now`. False for no date."""
    if _PLAIN_DATE.fullmatch(text):
        try:
            return date.fromisoformat(text) > now.date()
        except ValueError:
            return False
    found = _DATE.fullmatch(text.strip(_BLANKS))
    day = _civil(*map(int, found.groups()[:3])) if found else None
    if found is None or day is None:
        return False
    zone = now.utcoffset() or timedelta()
    return timedelta(days=day) - _offset(found[4], zone) > timedelta(days=now.toordinal()) - zone


def moment_of(day: str, time: str, now: datetime) -> datetime:
    """`xs:dateTime(concat(day, 'T', time))`, in the zone of `now` if it names none; of a year Python cannot hold,
    the nearest moment it can. Text that is no such moment is a dynamic error."""
    text = f"{day}T{time}".strip(_BLANKS)
    offset = now.utcoffset() or timedelta()
    if _PLAIN_MOMENT.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - offset).replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass  # midnight as 24:00:00, a year beyond the calendar, or no moment at all
    return _moment_of_any_form(text, offset)


def _moment_of_any_form(text: str, implicit: timedelta) -> datetime:
    found = _DATE_TIME.fullmatch(text)
    ordinal = _civil(*map(int, found.groups()[:3])) if found else None
    if found is None or ordinal is None:
        raise Abandoned(f"{text[:40]!r} is no xs:dateTime")
    hour, minute, second = map(int, found.groups()[3:6])
    fraction = found[7] or ""
    at_midnight = hour == 24 and not (minute or second or fraction.strip("0"))
    if not at_midnight and (hour > 23 or minute > 59 or second > 59):
        raise Abandoned(f"{text[:40]!r} is no xs:dateTime")
    offset = _offset(found[8], implicit)
    micros = int(fraction[:6].ljust(6, "0"))
    since = timedelta(days=ordinal - 1, hours=hour, minutes=minute, seconds=second, microseconds=micros) - offset
    return _EARLIEST + min(max(since, timedelta()), _LATEST - _EARLIEST)


_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_MAX_PATTERN = 40
_MAX_TEXT = 12
_MAX_TEXT_IN_MANY_WAYS = 4  # as many letters as a currency has, and one
_CHOICES = re.compile(r"[*+?{|]")
"""Where a pattern has several of them, a longer text takes a power of its length to search."""


def _civil(year: int, month: int, day: int) -> int | None:
    """The day's number; of years beyond Python's calendar only the side is right. None if there is no such day."""
    if not 1 <= month <= 12 or year == 0:
        return None
    within = min(max(year, 1), 9999) if 1 <= year <= 9999 else 2000 + year % 400  # the calendar repeats
    try:
        ordinal = date(within, month, day).toordinal()
    except ValueError:
        return None
    return ordinal if within == year else date.max.toordinal() if year > 0 else 1


def _offset(zone: str | None, implicit: timedelta) -> timedelta:
    if zone is None:
        return implicit
    if zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def _python_pattern(pattern: str) -> str:
    """An XPath pattern in Python's words; what XPath does not know is refused.

    XPath has neither look-around nor possessive quantifiers, `$` means the very end, and a brace must be a quantifier.
    """
    bare = re.sub(r"\\.", "", pattern)
    if re.search(r"\(\?(?!:)|[*+?}]\+|(?<!\{)\{(?![0-9])|\\[^nrt\\|.?*+(){}$^\-\[\]pPsSiIcCdDwW0-9]", bare):
        raise re.error("not of XPath")
    return re.sub(r"(?<!\\)\$", r"\\Z", pattern)


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _order(left: float, right: float) -> int:
    return (left > right) - (left < right)
