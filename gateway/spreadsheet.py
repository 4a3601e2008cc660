"""Texts for spreadsheets: they come from orders, and a spreadsheet would run what looks like a formula."""

from typing import Final

_FORMULA: Final = "=+-@\t\r\n＝＋－＠"


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula when it opens a CSV: an apostrophe stands before it."""
    return f"'{text}" if text and text[0] in _FORMULA else text
