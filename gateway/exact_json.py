"""JSON of others, with its numbers as exact as they were written."""

import json
import re
from decimal import Decimal
from typing import Any, Final

DEEPEST: Final = 60
"""Levels that are read; orders have some ten."""

GREATEST: Final = 100
"""Digits before or after the point, as an exponent says: what is greater is no number of a shop or an ERP, and takes
Python minutes to write out."""

_HALF: Final = re.compile("[\ud800-\udfff]")


def parse(data: bytes) -> Any:
    """JSON with exact numbers; ValueError if it is not JSON, or nested deeper than anything that is read here.

    Half a character (a surrogate, as is left of an emoji that was cut) becomes U+FFFD: nobody could write it again.
    """
    try:
        return _checked(json.loads(data, parse_float=_decimal, parse_constant=_refuse), DEEPEST)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _checked(content: Any, depth: int) -> Any:
    if isinstance(content, str):
        return content if content.isascii() else _HALF.sub("\ufffd", content)
    if not isinstance(content, dict | list):
        return content
    if not depth:
        raise ValueError("nested too deeply")
    if isinstance(content, list):
        return [_checked(each, depth - 1) for each in content]
    return {_checked(name, 1): _checked(value, depth - 1) for name, value in content.items()}


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if number and abs(number.adjusted()) > GREATEST:
        raise ValueError("a number that is too great or too small")
    return number


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
