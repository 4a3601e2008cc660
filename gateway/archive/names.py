"""What a file of the archive is called, and until when the law wants it kept. Pure."""

import hashlib
import re
from datetime import datetime, time
from typing import Final

from gateway.invoice.facts import RIYADH

MAX_NAME: Final = 255
"""Longest file name, in bytes, that file systems take."""

_FOREIGN: Final = re.compile(r"[^A-Za-z0-9]")
_QUARTER: Final = 3


def digest(content: bytes) -> str:
    """SHA-256 in hex: what a file's name ends with."""
    return hashlib.sha256(content).hexdigest()


def legal_name(vat: str, issued_at: datetime, number: str, uuid: str) -> str:
    """The authority's pattern (XML Implementation Standard, 14): VAT number, date and time of issue, invoice number
    with a dash for whatever is no letter or digit; and the UUID, for two numbers may come to the same. No ending yet.
    """
    moment = issued_at.astimezone(RIYADH).strftime("%Y%m%dT%H%M%S")
    frame = f"{vat}_{moment}__{uuid}"
    room = MAX_NAME - len(frame) - len("_.answer-0000.json") - 64
    return f"{vat}_{moment}_{_FOREIGN.sub('-', number)[:room]}_{uuid}"


def archive_key(vat: str, issued_at: datetime, legal: str, ending: str, sha256: str) -> str:
    """Where a file lies in the archive: by VAT number and month of issue, its digest in its name."""
    return f"{vat}/{issued_at.astimezone(RIYADH):%Y-%m}/{legal}_{sha256}{ending}"


def keep_until(issued_at: datetime, years: int) -> datetime:
    """The end of the retention: so many years after the end of the tax period (VAT Regulations, 66). The period is
    taken to be the calendar quarter, in which every monthly one ends too."""
    day = issued_at.astimezone(RIYADH).date()
    first = (day.month - 1) // _QUARTER * _QUARTER + 1 + _QUARTER
    year, month = (day.year + 1, 1) if first > 12 else (day.year, first)
    return datetime.combine(day.replace(year=year + years, month=month, day=1), time(), RIYADH)
