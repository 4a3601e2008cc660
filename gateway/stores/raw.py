"""Reading values out of a shop's JSON, where the same field may be a number, a string, empty or missing.

Every function takes the place it reads from, so that an error names it.
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.errors import UnusableOrder
from gateway.invoice.facts import HALALA, RIYADH
from gateway.order import MAX_DECIMALS

_TOO_LARGE: Final = Decimal(10) ** 15
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9000
"""Between them a walk can begin a little before any moment, and end a little after."""
_DIGITS: Final = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


def unusable(place: str, sentence: str, *, fix: str, ar: str = "") -> UnusableOrder:
    """An UnusableOrder about one place."""
    return UnusableOrder(
        f"The order cannot be used: {place}: {sentence}.", problems=((place, sentence),), fix=fix, ar=ar
    )


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one for null, for [] (an empty PHP array) and for anything else."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in a JSON list; none if it is not a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A string without HTML entities and outer blanks; numbers as digits; empty for null."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return ""
    return html.unescape(str(value)).strip()


def ascii_digits(value: str) -> str:
    """Arabic-Indic and Persian digits as 0-9."""
    return value.translate(_DIGITS)


def number(value: object, place: str) -> Decimal:
    """An exact number, written as a JSON number or as a plain decimal string."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and abs(Decimal(value)) < _TOO_LARGE:
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,20})?", value.strip(), re.ASCII):
        return Decimal(value.strip())
    shown = "missing" if value is None else f"{str(value)[:40]!r}"
    raise unusable(
        place,
        f"a number was expected, not {shown}",
        fix="Look at this amount in the shop.",
        ar=f"القيمة في {place} ليست رقما صالحا. راجعها في المتجر.",
    )


def identity(value: object) -> str | None:
    """A shop's numeric id as text; None for anything else."""
    found = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return found if re.fullmatch(r"\d{1,20}", found, re.ASCII) else None


def each(amount: Decimal, quantity: Decimal) -> Decimal:
    """The price of one such that price times quantity, rounded to halalas, is `amount` again."""
    price = (amount / quantity).quantize(Decimal(1).scaleb(-MAX_DECIMALS), ROUND_HALF_UP)
    halalas = price.quantize(HALALA)
    return halalas if halalas == price else price.normalize()


def moment(value: object, place: str, zone: tzinfo) -> datetime:
    """An ISO date and time without its zone, which the shop says elsewhere."""
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=zone).astimezone(RIYADH)
    except (ValueError, OverflowError):
        raise unusable(
            place,
            f"{str(value)[:40]!r} is not a date and time",
            fix="Look at the order's date in the shop.",
            ar=f"القيمة في {place} ليست تاريخا ووقتا. راجع تاريخ الطلب في المتجر.",
        ) from None


def moment_or(value: object, zone: tzinfo, default: datetime) -> datetime:
    """The same where one odd value must not stop all the others: `default` if it is none. A zone of its own counts."""
    try:
        found = datetime.fromisoformat(text(value))
        at = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(RIYADH)
    except (ValueError, OverflowError):
        return default
    return at if _FIRST_YEAR <= at.year < _LAST_YEAR else default


def lifetime(value: object, default: int) -> timedelta:
    """How long credentials live, in seconds as OAuth servers tell it; `default` if that is not a sensible number. What
    was spent for them cannot be spent again, so no odd value may cost them."""
    said = text(value)
    seconds = int(said) if re.fullmatch(r"\d{1,9}", said, re.ASCII) else default
    return timedelta(seconds=seconds or default)


def zone_named(name: str, place: str) -> tzinfo:
    """A time zone by its IANA name."""
    if name in ("", "Asia/Riyadh"):
        return RIYADH
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise unusable(
            place,
            f"{name[:40]!r} is not a time zone",
            fix="Set the shop's time zone.",
            ar=f"المنطقة الزمنية {name[:40]} غير معروفة. اضبط المنطقة الزمنية للمتجر.",
        ) from None
