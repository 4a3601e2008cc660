"""Days in Riyadh, and the time a VAT return is for: a month, a quarter, a year, or any days."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from gateway.errors import BadInput
from gateway.invoice.facts import EARLIEST, LATEST, RIYADH

_LAST_WITH_AN_END = date.max - timedelta(days=1)


def day_begins(day: date) -> datetime:
    """The first moment of a day in Riyadh."""
    return datetime.combine(day, time(), RIYADH)


def day_ends(day: date) -> datetime:
    """The first moment after a day in Riyadh."""
    return day_begins(min(day, _LAST_WITH_AN_END) + timedelta(days=1))


def possible(day: date) -> date:
    """The day itself, or for one that no document can have the nearest that one can."""
    return min(max(day, EARLIEST), LATEST)


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included."""

    first: date
    last: date

    @property
    def begin(self) -> datetime:
        """The moment it begins."""
        return day_begins(self.first)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return day_ends(self.last)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


def read_period(text: str) -> Period:
    """`2026-07`, `2026-Q3`, `2026` or `2026-07-01..2026-09-15`; BadInput if it is none of them."""
    if "." in text:
        first, _, last = text.partition("..")
        return _checked(text, _day(text, first), _day(text, last))
    found = re.fullmatch(r"([0-9]{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?", text)
    if not found or not EARLIEST.year <= int(found[1]) < LATEST.year:
        raise _unreadable(text)
    year, month, quarter = int(found[1]), found[2], found[3]
    begins = int(month) if month else 3 * int(quarter) - 2 if quarter else 1
    ends = begins if month else begins + 2 if quarter else 12
    return Period(date(year, begins, 1), date(year, ends, monthrange(year, ends)[1]))


def _day(text: str, day: str) -> date:
    try:
        return date.fromisoformat(day if len(day) == len("2026-07-01") else "")
    except ValueError:
        raise _unreadable(text) from None


def _checked(text: str, first: date, last: date) -> Period:
    if not EARLIEST <= first <= last < LATEST:
        raise _unreadable(text)
    return Period(first, last)


def _unreadable(text: str) -> BadInput:
    return BadInput(
        f"{text[:40]!r} is no period.",
        fix="Write a month (2026-07), a quarter (2026-Q3), a year (2026) or days (2026-07-01..2026-09-15).",
        ar="الفترة غير صحيحة. اكتب شهراً (2026-07) أو ربعاً (2026-Q3) أو سنة أو أياماً (2026-07-01..2026-09-15).",
    )
