"""What a file of the archive is called, and until when the law wants it kept. Pure."""

import hashlib
from datetime import datetime
from typing import Final

from gateway.file_name import stem
from gateway.invoice.facts import RIYADH
from gateway.invoice.period import day_begins

MAX_NAME: Final = 255
"""Longest file name, in bytes, that file systems take."""

_QUARTER: Final = 3


def digest(content: bytes) -> str:
    """SHA-256 in hex: what a file's name ends with."""
    return hashlib.sha256(content).hexdigest()


def legal_name(vat: str, issued_at: datetime, number: str, uuid: str) -> str:
    """The authority's name for a document's file (see gateway.file_name) and the UUID, for two numbers may come to the
    same. It has no ending yet, and is cut where digest and ending would make it too long."""
    room = MAX_NAME - len(f"_{uuid}_") - len(digest(b"")) - len(".answer-0000.json")
    return f"{stem(vat, issued_at, number)[:room]}_{uuid}"


def archive_key(vat: str, issued_at: datetime, legal: str, ending: str, sha256: str) -> str:
    """Where a file lies in the archive: by VAT number and month of issue, its digest in its name."""
    return f"{vat}/{issued_at.astimezone(RIYADH):%Y-%m}/{legal}_{sha256}{ending}"


def keep_until(issued_at: datetime, years: int) -> datetime:
    """The end of the retention: so many years after the end of the tax period (VAT Regulations, 66). The period is
    taken to be the calendar quarter, in which every monthly one ends too."""
    day = issued_at.astimezone(RIYADH).date()
    first = (day.month - 1) // _QUARTER * _QUARTER + 1 + _QUARTER
    year, month = (day.year + 1, 1) if first > 12 else (day.year, first)
    return day_begins(day.replace(year=year + years, month=month, day=1))
